"""Sends what places, cancels and asks for orders, each request in a task of its own and no order twice.

Nothing here trades on a guess: an answer that does not say what became of an order leaves it unknown, and it is asked
for until the venue says.
"""

import asyncio
import logging
from collections.abc import Callable, Coroutine, Sequence
from typing import Any, Final

from predsurv.core.errors import AmbiguousError, PredsurvError, TransientError
from predsurv.core.events import AccountEvent, CancelRejected
from predsurv.core.ids import ClientOrderId, OrderId
from predsurv.core.orders import CancelOrder
from predsurv.ports import Clock
from predsurv.venues.answers import Verdict, lost
from predsurv.venues.execution.gateway import ExecutionGateway, PreparedOrder
from predsurv.venues.execution.holds import Holds
from predsurv.venues.execution.order_following import ABSENT_AFTER, OrderFollowing
from predsurv.venues.execution.tracked_orders import TrackedOrder

ASK_EVERY: Final = 100_000_000
"""How often (ns) it is looked for orders that the venue has to be asked for now."""
ASK_AGAIN: Final = 200_000_000
"""How long (ns) until it is asked again for one that it did not know; longer the longer that lasts."""
ASK_AGAIN_MAX: Final = 1_000_000_000
ASKED_AT_ONCE: Final = 8
"""Orders that a venue is asked for at the same time: what is sent meanwhile needs connections, too."""
PHASE_HOLD: Final = 5_000_000_000
"""How long (ns) nothing is placed after a venue said that it takes no orders, where it did not say how long."""

_LOG = logging.getLogger(__name__)


class OrderRequests:
    """The requests of one account. ``on_halt`` hears why nothing that is sent will be accepted any more."""

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
        self._asking: dict[ClientOrderId, asyncio.Task[None]] = {}
        self._places_to_ask = asyncio.Semaphore(ASKED_AT_ONCE)

    def place(self, tracked: TrackedOrder, ready: PreparedOrder) -> None:
        """Send an order, without waiting for the answer."""
        _ = self._start(self._place(tracked, ready))

    def cancel(self, command: CancelOrder, tell: Callable[[AccountEvent], None]) -> None:
        """Cancel an order as soon as the venue's id of it is known, without waiting; ``tell`` hears a refusal."""
        _ = self._start(self._cancel(command, tell))

    async def ask(self, names: Sequence[ClientOrderId] | None = None) -> None:
        """Ask for orders, by default all whose state has to be known, once; wait for those asked for already."""
        asking = [self._asking_for(name) for name in (tuple(self._following.orders.asked) if names is None else names)]
        if asking:
            await asyncio.wait(asking)
        for task in asking:
            if not task.cancelled():
                task.result()

    async def run(self) -> None:
        """Ask again and again, for as long as it is not cancelled; a slow answer about one keeps no other waiting."""
        async with asyncio.TaskGroup() as rounds:
            while True:
                await self._clock.sleep(ASK_EVERY)
                due = [each for each in self._following.orders.due(self._clock.monotonic()) if each not in self._asking]
                if due:
                    rounds.create_task(self.ask(due))
                self._holds.refresh()

    async def aclose(self) -> None:
        """Stop waiting for answers; safe to call twice."""
        for task in tuple(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    def _asking_for(self, name: ClientOrderId) -> asyncio.Task[None]:
        """Return what asks for an order now, the same for everybody who wants to know."""

        async def ask() -> None:
            orders = self._following.orders
            async with self._places_to_ask:
                tracked = orders.get(name)
                if tracked is None or tracked.is_over:
                    orders.asked.pop(name, None)
                elif tracked.placed.is_set():
                    await self._find(tracked)

        task = self._asking.get(name)
        if task is None:
            task = self._asking[name] = self._start(ask())
            task.add_done_callback(lambda _: self._asking.pop(name, None))
        return task

    async def _place(self, tracked: TrackedOrder, ready: PreparedOrder) -> None:
        following = self._following
        try:
            verdict = await self._gateway.place(ready)
        except AmbiguousError as error:
            verdict = lost(str(error))
        except TransientError as error:  # it cannot have arrived
            verdict = Verdict("rejected", "go_on", f"not sent: {error}")
        except PredsurvError as error:
            verdict = Verdict("rejected", "halt", f"not sent: {error}")
        finally:
            tracked.placed.set()
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

    async def _cancel(self, command: CancelOrder, tell: Callable[[AccountEvent], None]) -> None:
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
        try:
            verdict = await self._gateway.cancel(tracked.order)
        except PredsurvError as error:
            verdict = lost(str(error))
        self._react(verdict)
        self._following.orders.asked[name] = None  # whatever was answered: what it traded before has to be known
        if verdict.fate == "accepted":
            await self._find(tracked)
        elif not tracked.is_over:
            tell(CancelRejected(command.key, self._clock.now(), name, verdict.reason))

    async def _find(self, tracked: TrackedOrder) -> None:
        name = tracked.order.client_order_id
        asked = self._clock.monotonic()
        try:
            found = await self._gateway.find(tracked.order)
        except PredsurvError as error:
            tracked.ask_at = self._clock.monotonic() + ASK_AGAIN
            _LOG.info("%s: order %s cannot be asked for: %s", self._gateway.venue, name, error)
            return
        tracked.ask_at = _next_ask(tracked.sent, self._clock.monotonic())
        for trade in found.trades:
            self._following.absorb(trade)
        if found.report is None:
            self._following.absent(tracked, asked)
            return
        self._following.absorb(found.report)
        if found.report.state == "open" and not tracked.only_takes and tracked.told >= found.report.filled:
            self._following.orders.asked.pop(name, None)

    def _react(self, verdict: Verdict) -> None:
        if verdict.reaction == "halt":
            self._on_halt(f"{self._gateway.venue} refuses: {verdict.reason}")
        elif verdict.phase is not None:
            what = f"it is {verdict.phase.replace('_', ' ')}"
            self._holds.add("phase", what, verdict.wait_ns or PHASE_HOLD)

    def _start(self, work: Coroutine[Any, Any, None]) -> asyncio.Task[None]:
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return task


def _next_ask(sent: int, now: int) -> int:
    """Return when (ns, monotonic) to ask again: seldom after a while, and as soon as an order's absence is final."""
    final, again = sent + ABSENT_AFTER, now + min(max((now - sent) // 2, ASK_AGAIN), ASK_AGAIN_MAX)
    return final if now < final < again else again
