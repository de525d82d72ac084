"""Requests for orders over a scripted gateway, with all that they tell."""

import asyncio
from collections.abc import Collection, Sequence

from msgspec.structs import replace

from predsurv.core.errors import PredsurvError
from predsurv.core.events import AccountEvent
from predsurv.core.ids import ClientOrderId, OrderId, VenueName
from predsurv.core.market import Market
from predsurv.core.orders import Approved, CancelOrder, Order, order_of
from predsurv.net.clock import ManualClock
from predsurv.venues.answers import Operation, Verdict
from predsurv.venues.execution.gateway import Batching, FoundOrder, PreparedOrder
from predsurv.venues.execution.holds import Holds
from predsurv.venues.execution.order_following import OrderFollowing
from predsurv.venues.execution.order_requests import OrderRequests, OrderToSend
from predsurv.venues.execution.tracked_orders import TrackedOrder
from predsurv.venues.requests import OrderRefusal, VenueRequest
from tests.kit.polymarket_orders import command

NAME = ClientOrderId("c1")
STEP = 50_000_000
READY = PreparedOrder(command(), VenueRequest("POST", "/order"))
CANCEL = CancelOrder(NAME, command().key)
ACCEPTED = Verdict("accepted", "go_on", "live", "0x1")


class ScriptedGateway:
    """Answers every request in one way: a verdict, what it found, or an error."""

    venue = VenueName("polymarket")

    def __init__(self) -> None:
        self.placed: Verdict | PredsurvError = ACCEPTED
        self.cancelled: Verdict | PredsurvError = ACCEPTED
        self.found: FoundOrder | PredsurvError = FoundOrder(None)
        self.together: list[Verdict] | PredsurvError = []
        self.room = 0
        self.requests: list[int] = []
        self.finds = 0

    def prepare(self, approved: Approved, market: Market) -> PreparedOrder | OrderRefusal:
        raise NotImplementedError

    async def place(self, order: PreparedOrder) -> Verdict:
        self.requests.append(1)
        return _given(self.placed)

    async def cancel(self, order: Order) -> Verdict:
        self.requests.append(1)
        return _given(self.cancelled)

    def batching(self, operation: Operation) -> Batching:
        return Batching(3, self.room)

    async def place_together(self, orders: Sequence[PreparedOrder]) -> Sequence[Verdict]:
        return self._together(len(orders))

    async def cancel_together(self, orders: Sequence[Order]) -> Sequence[Verdict]:
        return self._together(len(orders))

    def _together(self, count: int) -> Sequence[Verdict]:
        self.requests.append(count)
        if isinstance(self.together, PredsurvError):
            raise self.together
        return self.together

    async def find(self, order: Order) -> FoundOrder:
        self.finds += 1
        if isinstance(self.found, PredsurvError):
            raise self.found
        return self.found

    async def stay_alive(self, resting: Collection[Order]) -> None:
        raise NotImplementedError


def _given(verdict: Verdict | PredsurvError) -> Verdict:
    if isinstance(verdict, PredsurvError):
        raise verdict
    return verdict


class RequestWorld:
    """The requests over a scripted gateway, with all that they tell."""

    def __init__(self) -> None:
        self.clock, self.gateway = ManualClock(), ScriptedGateway()
        self.told: list[AccountEvent] = []
        self.halts: list[str] = []
        self.following = OrderFollowing(
            lambda told, _: told, lambda _: None, self.clock, self.told.append, lambda _: None
        )
        self.holds = Holds(self.gateway.venue, self.clock, lambda _: None)
        self.requests = OrderRequests(self.gateway, self.following, self.holds, self.clock, self.halts.append)

    def sent(self, order_id: str | None = None) -> TrackedOrder:
        made = replace(order_of(command(), "pending"), order_id=None if order_id is None else OrderId(order_id))
        tracked = TrackedOrder(made, self.clock.monotonic())
        self.following.orders.add(tracked)
        return tracked

    def sent_as(self, name: str) -> TrackedOrder:
        """An order that was answered, and is asked for."""
        made = order_of(replace(command(), client_order_id=ClientOrderId(name)), "pending")
        tracked = TrackedOrder(made, self.clock.monotonic())
        tracked.placed.set()
        self.following.orders.add(tracked)
        self.following.orders.asked[made.client_order_id] = None
        return tracked

    async def place(self) -> TrackedOrder:
        tracked = self.sent()
        self.requests.place([OrderToSend(tracked, READY)])
        await tracked.placed.wait()
        await asyncio.sleep(0)
        return tracked

    async def cancel(self) -> None:
        before = asyncio.all_tasks()
        self.requests.cancel([CANCEL], self.told.append)
        await asyncio.gather(*(asyncio.all_tasks() - before))

    def is_asked(self) -> bool:
        return NAME in self.following.orders.asked


class SeveralRequests(RequestWorld):
    """Orders that are sent, or cancelled, at the same time."""

    def __init__(self, room: int = 9) -> None:
        super().__init__()
        self.gateway.room = room

    async def place_all(self, *names: str) -> list[TrackedOrder]:
        tracked = [self.named(name) for name in names]
        before = asyncio.all_tasks()
        self.requests.place([OrderToSend(each, READY) for each in tracked])
        await asyncio.gather(*(asyncio.all_tasks() - before))
        return tracked

    async def cancel_all(self, *names: str) -> None:
        before = asyncio.all_tasks()
        self.requests.cancel([CancelOrder(ClientOrderId(each), command().key) for each in names], self.told.append)
        await asyncio.gather(*(asyncio.all_tasks() - before))

    def named(self, name: str, order_id: str | None = None) -> TrackedOrder:
        made = order_of(replace(command(), client_order_id=ClientOrderId(name)), "pending")
        tracked = TrackedOrder(
            replace(made, order_id=None if order_id is None else OrderId(order_id)), self.clock.monotonic()
        )
        self.following.orders.add(tracked)
        if order_id is not None:
            tracked.placed.set()
            tracked.is_accepted = True
        return tracked

    def of(self, name: str) -> list[str]:
        """What was told of an order."""
        return [type(each).__name__ for each in self.told if getattr(each, "client_order_id", "") == name]
