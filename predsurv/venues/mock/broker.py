"""The mock venue's broker: commands and answers take a latency each way, and answers can be lost."""

import heapq
from collections.abc import AsyncIterator, Iterable
from typing import Final

from msgspec.structs import replace

from predsurv.core.errors import PermanentError, TransientError
from predsurv.core.events import AccountEvent, OrderAccepted, OrderUnknown
from predsurv.core.ids import ClientOrderId
from predsurv.core.orders import AccountSnapshot, Approved, PlaceOrder
from predsurv.exchange.accounts import ExchangeAccount
from predsurv.exchange.fault_script import ScriptedFault
from predsurv.venues.mock.clocked_exchange import ClockedExchange
from predsurv.venues.mock.faults import schedule

LATENCY_NS: Final = 40_000_000
"""One way, to the exchange or back."""
ANSWER_TIMEOUT_NS: Final = 1_000_000_000
_POLL_NS: Final = 5_000_000


class MockBroker:
    """Trades for ``account``. Answers come at the clock's time, one latency after the exchange's.

    Each fault of kind ``timeout`` loses the answer to the first order after its time; after
    ANSWER_TIMEOUT_NS the state of that order is reported as unknown.
    """

    def __init__(
        self,
        clocked_exchange: ClockedExchange,
        account: ExchangeAccount,
        faults: Iterable[ScriptedFault] = (),
        latency: int = LATENCY_NS,
    ) -> None:
        self._clocked_exchange = clocked_exchange
        self._account = account
        self._latency = latency
        self._answers = account.publisher.subscribe()
        self._faults = schedule(faults)
        self._timeouts_due = 0
        self._unanswered: set[ClientOrderId] = set()
        self._in_flight: list[tuple[int, int, AccountEvent]] = []
        """Heap of (arrival, number, event); times count from the start of the exchange (ns)."""
        self._count = 0
        self._closed = False

    async def submit(self, command: Approved) -> None:
        """Send a command; raises PermanentError when the broker is closed."""
        if self._closed:
            raise PermanentError("mock: order after the broker was closed; nothing was sent, restart the session")
        clocked, order = self._clocked_exchange, command.command
        if isinstance(order, PlaceOrder) and self._take_timeout():
            self._lose_answer(order)
        clocked.exchange.submit_at(clocked.exchange.origin + clocked.age() + self._latency, self._account, order)

    def inject(self, kind: str) -> None:
        """Let a fault of ``kind`` happen with the next order."""
        self._faults.add(ScriptedFault(self._clocked_exchange.age(), kind))

    async def events(self) -> AsyncIterator[AccountEvent]:
        """Yield the answers in order; raises TransientError when too many were left unread."""
        clock = self._clocked_exchange.clock
        while not self._closed:
            behind = self._clocked_exchange.pump()
            for event in self._arrived():
                yield event
            await clock.sleep(0 if behind else _POLL_NS)

    async def snapshot(self) -> AccountSnapshot:
        """Return the account as the exchange knows it."""
        clock = self._clocked_exchange.clock
        await clock.sleep(self._latency)
        while self._clocked_exchange.pump():
            await clock.sleep(0)
        return self._account.snapshot(clock.now())

    async def aclose(self) -> None:
        """Stop; resting orders stay where they are."""
        self._closed = True
        self._account.publisher.unsubscribe(self._answers)

    def _take_timeout(self) -> bool:
        """Return whether a timeout is due, and consume it."""
        due = self._faults.due(self._clocked_exchange.age())
        self._timeouts_due += sum(fault.kind == "timeout" for fault in due)
        if not self._timeouts_due:
            return False
        self._timeouts_due -= 1
        return True

    def _lose_answer(self, order: PlaceOrder) -> None:
        self._unanswered.add(order.client_order_id)
        unknown = OrderUnknown(order.key, 0, order.client_order_id, "no answer within 1 s")
        self._put(self._clocked_exchange.age() + ANSWER_TIMEOUT_NS, unknown)

    def _arrived(self) -> list[AccountEvent]:
        """Return the answers that have arrived by now."""
        origin, age = self._clocked_exchange.exchange.origin, self._clocked_exchange.age()
        if self._answers.overflowed:
            raise TransientError("mock: answers were left unread for too long; reconcile through a snapshot")
        events = self._answers.events
        while events:
            event = events.popleft()
            if isinstance(event, OrderAccepted) and event.client_order_id in self._unanswered:
                self._unanswered.discard(event.client_order_id)
            else:
                self._put(event.ts_recv - origin + self._latency, event)
        arrived = []
        now = self._clocked_exchange.clock.now()
        while self._in_flight and self._in_flight[0][0] <= age:
            arrived.append(replace(heapq.heappop(self._in_flight)[2], ts_recv=now))
        return arrived

    def _put(self, at: int, event: AccountEvent) -> None:
        self._count += 1
        heapq.heappush(self._in_flight, (at, self._count, event))
