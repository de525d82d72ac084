"""The broker that really sends: ``ports.Broker`` of one account, over the gateway of its venue."""

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
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
from predsurv.venues.execution.holds import Holds, LifeSign
from predsurv.venues.execution.order_following import MarketOf, OrderFollowing
from predsurv.venues.execution.order_requests import OrderRequests, OrderToSend
from predsurv.venues.execution.tracked_orders import TrackedOrder
from predsurv.venues.requests import OrderRefusal

_UNKNOWN_MARKET: Final = OrderRefusal("not_ours", "its market is not known")


class LiveBroker:
    """Places and cancels; ``market_of`` gives the terms that an order is made by.

    ``following`` knows the orders, ``holds`` the reasons for which nothing may be placed now, ``pulse`` whether this
    process runs. ``on_halt`` hears why nothing that is sent will be accepted any more.
    """

    def __init__(
        self, account: VenueAccount, market_of: MarketOf, clock: Clock, on_halt: Callable[[str], None]
    ) -> None:
        self.account, self.halt = account, on_halt
        self.following = OrderFollowing(account.in_terms_of, market_of, clock, self.tell, self._on_named)
        self.holds = Holds(account.gateway.venue, clock, self.tell)
        self.requests = OrderRequests(account.gateway, self.following, self.holds, clock, on_halt)
        self._market_of, self._clock = market_of, clock
        self.pulse = LifeSign(clock)
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
        await self.submit_together((command,))

    async def submit_together(self, commands: Sequence[Approved]) -> None:
        """Send commands that may leave now, together where the venue takes that; as ``submit``."""
        cancels = [each.command for each in commands if isinstance(each.command, CancelOrder)]
        orders = [self._begin(each, each.command) for each in commands if isinstance(each.command, PlaceOrder)]
        self.requests.cancel(cancels, self.tell)
        self.requests.place([each for each in orders if each is not None])

    def _begin(self, command: Approved, order: PlaceOrder) -> OrderToSend | None:
        """Follow an order from now on; return what to send, None where that is refused."""
        name = order.client_order_id
        if self.following.orders.get(name) is not None:
            raise BrokenInvariant(f"order {sanitise(name, 64)} was submitted twice")
        if name not in self._prepared:
            self.prepare(command)
        ready = self._prepared.pop(name)
        # What holds by now may not have held when it was decided.
        refusal = self.pulse.reason or self.holds.reason
        if isinstance(ready, OrderRefusal):
            refusal = f"{ready.reason}: {ready.detail}"
        if refusal or isinstance(ready, OrderRefusal):
            self.tell(OrderRejected(order.key, self._clock.now(), name, f"not sent: {refusal}"))
            return None
        placed = replace(order_of(order, "pending", submitted=command.ts), order_id=ready.order_id)
        tracked = TrackedOrder(placed, self._clock.monotonic(), expires=ready.expires)
        self.following.orders.add(tracked)
        return OrderToSend(tracked, ready)

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
            self.requests.cancel([CancelOrder(tracked.order.client_order_id, tracked.order.key)], self.tell)
