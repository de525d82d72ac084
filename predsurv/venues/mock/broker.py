"""The mock venue's broker: orders travel to the exchange and answers back, each with a delay.

Kept apart because here an order can be in flight, and an answer can be lost.
"""

import heapq
from collections import deque
from collections.abc import AsyncIterator, Iterable
from typing import Final

from msgspec.structs import replace

from predsurv.core.errors import PermanentError, TransientError
from predsurv.core.events import AccountEvent, OrderAccepted, OrderUnknown
from predsurv.core.ids import ClientOrderId
from predsurv.core.orders import AccountSnapshot, Approved, PlaceOrder
from predsurv.exchange.accounts import ExchangeAccount
from predsurv.venues.mock.clocked_exchange import ClockedExchange
from predsurv.venues.mock.faults import MockFault

LATENCY_NS: Final = 40_000_000
"""One way, to the exchange and back."""
ANSWER_TIMEOUT_NS: Final = 1_000_000_000
_POLL_NS: Final = 5_000_000


class MockBroker:
    """Trades for ``account``. Answers come at the clock's time, a latency after the exchange's."""

    def __init__(
        self,
        session: ClockedExchange,
        account: ExchangeAccount,
        faults: Iterable[MockFault] = (),
        latency: int = LATENCY_NS,
    ) -> None:
        self._session = session
        self._account = account
        self._latency = latency
        self._outbox = account.publisher.subscribe()
        self._timeouts = deque(sorted(fault.at for fault in faults if fault.kind == "timeout"))
        self._unanswered: set[ClientOrderId] = set()
        self._late: list[tuple[int, int, AccountEvent]] = []
        self._count = 0
        self._closed = False

    async def submit(self, command: Approved) -> None:
        """Send a command; raises PermanentError when the broker is closed."""
        if self._closed:
            raise PermanentError("mock: order after the broker was closed; nothing was sent, restart the session")
        session, order = self._session, command.command
        if isinstance(order, PlaceOrder) and self._timeouts and session.age() >= self._timeouts[0]:
            self._timeouts.popleft()
            self._lose_answer(order)
        session.exchange.submit_at(session.exchange.origin + session.age() + self._latency, self._account, order)

    def lose_next_answer(self) -> None:
        """Let the answer to the next order never come: after a while its fate is unknown."""
        self._timeouts.appendleft(0)

    def _lose_answer(self, order: PlaceOrder) -> None:
        self._unanswered.add(order.client_order_id)
        reason = "no answer within 1 s"
        unknown = OrderUnknown(order.key, 0, order.client_order_id, reason)
        self._queue(self._session.age() + ANSWER_TIMEOUT_NS, unknown)

    async def events(self) -> AsyncIterator[AccountEvent]:
        """Yield the answers in order; raises TransientError when too many were left unread."""
        clock = self._session.clock
        while not self._closed:
            behind = self._session.pump()
            for event in self._due():
                yield event
            await clock.sleep(0 if behind else _POLL_NS)

    async def snapshot(self) -> AccountSnapshot:
        """Return the account as the exchange knows it."""
        clock = self._session.clock
        await clock.sleep(self._latency)
        while self._session.pump():
            await clock.sleep(0)
        return self._account.snapshot(clock.now())

    async def aclose(self) -> None:
        """Stop; resting orders stay where they are."""
        self._closed = True
        self._account.publisher.unsubscribe(self._outbox)

    def _due(self) -> list[AccountEvent]:
        """Return the answers that have travelled back by now."""
        origin, age = self._session.exchange.origin, self._session.age()
        if self._outbox.overflowed:
            raise TransientError("mock: answers were left unread for too long; reconcile through a snapshot")
        events = self._outbox.events
        while events:
            event = events.popleft()
            if isinstance(event, OrderAccepted) and event.client_order_id in self._unanswered:
                self._unanswered.discard(event.client_order_id)
            else:
                self._queue(event.ts_recv - origin + self._latency, event)
        due = []
        now = self._session.clock.now()
        while self._late and self._late[0][0] <= age:
            due.append(replace(heapq.heappop(self._late)[2], ts_recv=now))
        return due

    def _queue(self, at: int, event: AccountEvent) -> None:
        self._count += 1
        heapq.heappush(self._late, (at, self._count, event))
