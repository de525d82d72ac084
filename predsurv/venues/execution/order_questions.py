"""Asks the venue what became of orders until it has said: each at growing intervals, several at a time."""

import asyncio
import logging
from collections.abc import Callable, Iterable, Sequence
from typing import Final

from predsurv.core.errors import PredsurvError
from predsurv.core.ids import ClientOrderId
from predsurv.ports import Clock
from predsurv.venues.account_reports import OrderReport, TradeReport
from predsurv.venues.execution.gateway import ExecutionGateway
from predsurv.venues.execution.order_following import ABSENT_AFTER, OrderFollowing
from predsurv.venues.execution.tracked_orders import TrackedOrder

ASK_EVERY: Final = 100_000_000
"""How often (ns) it is looked for orders that the venue has to be asked for now."""
ASK_AGAIN: Final = 200_000_000
"""How long (ns) until it is asked again for one that it did not know; longer the longer that lasts."""
ASK_AGAIN_MAX: Final = 1_000_000_000
ASKED_AT_ONCE: Final = 8
"""Orders that a venue is asked for at the same time: what is sent meanwhile needs connections, too."""

_LOG = logging.getLogger(__name__)


class OrderQuestions:
    """The questions about the orders of one account."""

    def __init__(self, gateway: ExecutionGateway, following: OrderFollowing, clock: Clock) -> None:
        self._gateway, self._following, self._clock = gateway, following, clock
        self._asking: dict[ClientOrderId, asyncio.Task[None]] = {}
        self._places_to_ask = asyncio.Semaphore(ASKED_AT_ONCE)

    async def ask(self, names: Sequence[ClientOrderId] | None = None) -> None:
        """Ask for orders, by default all whose state has to be known, once; wait for those asked for already."""
        asking = [self._asking_for(name) for name in (tuple(self._following.orders.asked) if names is None else names)]
        if asking:
            await asyncio.wait(asking)
        for task in asking:
            if not task.cancelled():
                task.result()

    async def ask_anew(self, tracked: TrackedOrder) -> None:
        """Ask for an order now, whoever asks for it already: that answer may be older."""
        async with self._places_to_ask:
            await self._find(tracked)

    async def ask_denied(self, trades: Iterable[TradeReport]) -> None:
        """Ask for orders that were told not to exist in the markets of trades of which nobody knows the order.

        One that arrived after it was given up and traded at once is in no list of open orders, and by the venue's id of
        it, which is all that a trade says, nobody here knows it.
        """
        orders = self._following.orders
        markets = {(each.key.venue, each.key.market_id) for each in trades if orders.of(each) is None}
        await asyncio.gather(*(self.ask_anew(each) for each in orders.denied(markets)))

    async def ask_over(self, reports: Iterable[OrderReport]) -> None:
        """Ask for orders that are over here and that a list of open ones names; what rests of them is cancelled.

        The list may be older than their end, so only the answer about the order itself says that it is not over.
        """
        named = (self._following.orders.of(each) for each in reports if each.state == "open")
        over = [each for each in named if each is not None and each.is_over]
        for each in over:
            each.is_denied, each.end = True, None
        await asyncio.gather(*(self.ask_anew(each) for each in over))

    async def run(self, on_round: Callable[[], None]) -> None:
        """Ask again and again, for as long as it is not cancelled; a slow answer about one keeps no other waiting."""
        async with asyncio.TaskGroup() as rounds:
            while True:
                await self._clock.sleep(ASK_EVERY)
                due = [each for each in self._following.orders.due(self._clock.monotonic()) if each not in self._asking]
                if due:
                    rounds.create_task(self.ask(due))
                on_round()

    async def aclose(self) -> None:
        """Stop waiting for answers; safe to call twice."""
        asking = tuple(self._asking.values())
        for task in asking:
            task.cancel()
        await asyncio.gather(*asking, return_exceptions=True)

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
            task = self._asking[name] = asyncio.create_task(ask())
            task.add_done_callback(lambda _: self._asking.pop(name, None))
        return task

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


def _next_ask(sent: int, now: int) -> int:
    """Return when (ns, monotonic) to ask again: seldom after a while, and as soon as an order's absence is final."""
    final, again = sent + ABSENT_AFTER, now + min(max((now - sent) // 2, ASK_AGAIN), ASK_AGAIN_MAX)
    return final if now < final < again else again
