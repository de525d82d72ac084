"""The broker that really sends: ``ports.Broker`` of one account, over the gateway of its venue."""

import asyncio
from collections.abc import AsyncIterator, Callable
from typing import Final

from msgspec.structs import replace

from predsurv.core.errors import BrokenInvariant
from predsurv.core.events import AccountNews, OrderRejected
from predsurv.core.ids import ClientOrderId, OrderId
from predsurv.core.orders import AccountSnapshot, Approved, CancelOrder, PlaceOrder, order_of
from predsurv.core.text import sanitise
from predsurv.ports import Clock
from predsurv.venues.account_reports import AccountReport
from predsurv.venues.execution.gateway import PreparedOrder, VenueAccount
from predsurv.venues.execution.holds import Holds
from predsurv.venues.execution.order_following import MarketOf, OrderFollowing
from predsurv.venues.execution.order_requests import OrderRequests
from predsurv.venues.execution.tracked_orders import TrackedOrder
from predsurv.venues.requests import OrderRefusal

STOOD_STILL: Final = 4_000_000_000
"""A process that did nothing for this long (ns) was stopped, and so were its signs of life."""

_UNKNOWN_MARKET: Final = OrderRefusal("not_ours", "its market is not known")


class LiveBroker:
    """Places and cancels; ``market_of`` gives the terms that an order is made by.

    ``following`` knows the orders, ``holds`` the reasons for which nothing may be placed now. ``on_halt`` hears why
    nothing that is sent will be accepted any more.
    """

    def __init__(
        self, account: VenueAccount, market_of: MarketOf, clock: Clock, on_halt: Callable[[str], None]
    ) -> None:
        self.account, self.halt = account, on_halt
        self.following = OrderFollowing(account.in_terms_of, market_of, clock, self.tell, self._on_named)
        self.holds = Holds(account.gateway.venue, clock, self.tell)
        self.requests = OrderRequests(account.gateway, self.following, self.holds, clock, on_halt)
        self._market_of, self._clock = market_of, clock
        self._beaten = clock.monotonic()
        self._prepared: dict[ClientOrderId, PreparedOrder | OrderRefusal] = {}
        self._events: asyncio.Queue[AccountNews | None] = asyncio.Queue()

    def prepare(self, command: Approved) -> OrderId | None:
        """Make and sign an order before it is journalled; return its id where that is known before it is sent."""
        order = command.command
        if not isinstance(order, PlaceOrder):
            return None
        market = self._market_of(order.key)
        ready = _UNKNOWN_MARKET if market is None else self.account.gateway.prepare(command, market)
        self._prepared[order.client_order_id] = ready
        return ready.order_id if isinstance(ready, PreparedOrder) else None

    async def submit(self, command: Approved) -> None:
        """Send a command, without waiting for the answer; raises BrokenInvariant for an order sent before."""
        order = command.command
        if isinstance(order, CancelOrder):
            self.requests.cancel(order, self.tell)
            return
        name = order.client_order_id
        if self.following.orders.get(name) is not None:
            raise BrokenInvariant(f"order {sanitise(name, 64)} was submitted twice")
        if name not in self._prepared:
            self.prepare(command)
        ready = self._prepared.pop(name)
        refusal = self._refusal(ready)
        if refusal or isinstance(ready, OrderRefusal):
            self.tell(OrderRejected(order.key, self._clock.now(), name, f"not sent: {refusal}"))
            return
        placed = replace(order_of(order, "pending", submitted=command.ts), order_id=ready.order_id)
        tracked = TrackedOrder(placed, self._clock.monotonic(), expires=ready.expires)
        self.following.orders.add(tracked)
        self.requests.place(tracked, ready)

    async def events(self) -> AsyncIterator[AccountNews]:
        """Yield what happens to orders, and why nothing may be placed, until closed."""
        while (event := await self._events.get()) is not None:
            yield event
            self._events.task_done()

    async def snapshot(self) -> AccountSnapshot:
        """Return the cash and the open orders that the venue has, orders as they were placed."""
        state = await self.account.reader.account(self._clock.now(), ())
        known = (self.following.orders.of(report) for report in state.orders)
        return AccountSnapshot(state.ts, state.cash, (), tuple(each.order for each in known if each is not None))

    async def aclose(self) -> None:
        """Stop sending and end ``events``; safe to call twice."""
        await self.requests.aclose()
        self._events.put_nowait(None)

    async def settled(self) -> None:
        """Return when everything that was told so far was taken in by whoever reads ``events``."""
        await self._events.join()

    def beat(self) -> None:
        """Take note that this process runs: nothing is placed when it stood still since the last time."""
        self._beaten = self._clock.monotonic()

    def _refusal(self, ready: PreparedOrder | OrderRefusal) -> str:
        """Return why an order is not sent, "" when it is: what holds by now may not have held when it was decided."""
        if isinstance(ready, OrderRefusal):
            return f"{ready.reason}: {ready.detail}"
        if self._clock.monotonic() - self._beaten > STOOD_STILL:
            return "this process stood still; the account has to be compared first"
        return self.holds.reason

    def absorb(self, report: AccountReport) -> None:
        """Take in what the private channel tells; where the venue stopped our orders by itself, halt."""
        stopped = self.account.stopped_by(report)
        if stopped:
            self.halt(stopped)
        self.following.absorb(report)

    def tell(self, event: AccountNews) -> None:
        """Put an event where ``events`` yields it."""
        self._events.put_nowait(event)

    def _on_named(self, tracked: TrackedOrder) -> None:
        if tracked.cancel_wanted:
            tracked.cancel_wanted = False
            self.requests.cancel(CancelOrder(tracked.order.client_order_id, tracked.order.key), self.tell)
