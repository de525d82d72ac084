"""Sends what places and cancels orders, each request in a task of its own and no order twice.

Nothing here trades on a guess: an answer that does not say what became of an order leaves it unknown, and it is asked
for until the venue says.
"""

import asyncio
from collections.abc import Callable, Coroutine, Sequence
from typing import Any, Final, NamedTuple

from predsurv.core.errors import AmbiguousError, PredsurvError, TransientError
from predsurv.core.events import AccountEvent, CancelRejected
from predsurv.core.ids import OrderId
from predsurv.core.orders import CancelOrder
from predsurv.ports import Clock
from predsurv.venues.answers import Verdict, lost
from predsurv.venues.execution.gateway import ExecutionGateway, PreparedOrder
from predsurv.venues.execution.holds import Holds
from predsurv.venues.execution.order_following import OrderFollowing
from predsurv.venues.execution.order_questions import OrderQuestions
from predsurv.venues.execution.tracked_orders import TrackedOrder

PHASE_HOLD: Final = 5_000_000_000
"""How long (ns) nothing is placed after a venue said that it takes no orders, where it did not say how long."""

Tell = Callable[[AccountEvent], None]


class OrderToSend(NamedTuple):
    """An order that is followed, and its request."""

    tracked: TrackedOrder
    ready: PreparedOrder


class OrderRequests:
    """The requests of one account, and the ``questions`` of what became of orders.

    ``on_halt`` hears why nothing that is sent will be accepted any more.
    """

    def __init__(
        self,
        gateway: ExecutionGateway,
        following: OrderFollowing,
        holds: Holds,
        clock: Clock,
        on_halt: Callable[[str], None],
    ) -> None:
        self._gateway, self._following, self._holds = gateway, following, holds
        self._clock, self._on_halt = clock, on_halt
        self._tasks: set[asyncio.Task[None]] = set()
        self.questions = OrderQuestions(gateway, following, clock)

    def place(self, orders: Sequence[OrderToSend]) -> None:
        """Send orders, together where the venue takes that, without waiting for the answers."""
        for part in self._gateway.batching("place").parts(len(orders)):
            self._start(self._place([orders[number] for number in part]))

    def cancel(self, commands: Sequence[CancelOrder], tell: Tell) -> None:
        """Cancel orders as soon as the venue's ids of them are known, without waiting; ``tell`` hears a refusal."""
        named, others = list[TrackedOrder](), list[CancelOrder]()
        for command in commands:
            tracked = self._following.orders.get(command.client_order_id)
            if tracked is None or tracked.is_over or not tracked.placed.is_set() or tracked.order.order_id is None:
                others.append(command)
            else:
                named.append(tracked)
        for part in self._gateway.batching("cancel").parts(len(named)):
            self._start(self._cancel([named[number] for number in part], tell))
        for command in others:
            self._start(self._cancel_once_named(command, tell))

    async def ask(self) -> None:
        """Ask for all orders whose state has to be known, once; wait for those asked for already."""
        await self.questions.ask()

    async def run(self) -> None:
        """Ask again and again, for as long as it is not cancelled."""
        await self.questions.run(self._holds.refresh)

    async def aclose(self) -> None:
        """Stop waiting for answers; safe to call twice."""
        await self.questions.aclose()
        for task in tuple(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def _place(self, orders: Sequence[OrderToSend]) -> None:
        """Send one order or a batch: whatever befalls the request befalls each order of it."""
        try:
            if len(orders) == 1:
                verdicts: Sequence[Verdict] = [await self._gateway.place(orders[0].ready)]
            else:
                verdicts = await self._gateway.place_together([each.ready for each in orders])
        except AmbiguousError as error:
            verdicts = [lost(str(error))] * len(orders)
        except TransientError as error:  # it cannot have arrived
            verdicts = [Verdict("rejected", "go_on", f"not sent: {error}")] * len(orders)
        except PredsurvError as error:
            verdicts = [Verdict("rejected", "halt", f"not sent: {error}")] * len(orders)
        finally:
            for each in orders:
                each.tracked.placed.set()
        for each, verdict in zip(orders, verdicts, strict=True):
            self._on_placed(each.tracked, verdict)

    def _on_placed(self, tracked: TrackedOrder, verdict: Verdict) -> None:
        following = self._following
        self._react(verdict)
        if verdict.fate == "accepted":
            following.accept(tracked, OrderId(verdict.order_id))
            if tracked.only_takes:
                following.orders.asked[tracked.order.client_order_id] = None
        elif verdict.fate == "unknown":
            following.doubt(tracked, verdict.reason)
        elif verdict.fate == "killed" and not tracked.trades:
            following.end(tracked, verdict.reason)
        else:
            following.refuse(tracked, verdict.reason)

    async def _cancel_once_named(self, command: CancelOrder, tell: Tell) -> None:
        name = command.client_order_id
        tracked = self._following.orders.get(name)
        if tracked is None:
            tell(CancelRejected(command.key, self._clock.now(), name, "the broker knows no such order"))
            return
        await tracked.placed.wait()
        if tracked.is_over:
            tell(CancelRejected(command.key, self._clock.now(), name, "it is over"))
            return
        if tracked.order.order_id is None:
            tracked.cancel_wanted = True  # as soon as the venue names it
            return
        await self._cancel([tracked], tell)

    async def _cancel(self, orders: Sequence[TrackedOrder], tell: Tell) -> None:
        try:
            if len(orders) == 1:
                verdicts: Sequence[Verdict] = [await self._gateway.cancel(orders[0].order)]
            else:
                verdicts = await self._gateway.cancel_together([each.order for each in orders])
        except PredsurvError as error:
            verdicts = [lost(str(error))] * len(orders)
        accepted = list[TrackedOrder]()
        for tracked, verdict in zip(orders, verdicts, strict=True):
            order = tracked.order
            self._react(verdict)
            # Whatever was answered: what it traded before has to be known.
            self._following.orders.asked[order.client_order_id] = None
            if verdict.fate == "accepted":
                accepted.append(tracked)
            elif not tracked.is_over:
                tell(CancelRejected(order.key, self._clock.now(), order.client_order_id, verdict.reason))
        await asyncio.gather(*(self.questions.ask_anew(each) for each in accepted))

    def _react(self, verdict: Verdict) -> None:
        if verdict.reaction == "halt":
            self._on_halt(f"{self._gateway.venue} refuses: {verdict.reason}")
        elif verdict.phase is not None:
            what = f"it is {verdict.phase.replace('_', ' ')}"
            self._holds.add("phase", what, verdict.wait_ns or PHASE_HOLD)

    def _start(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
