"""The one runner: feeds, lanes and timers around an engine, until told to stop.

Kept apart from what they move because everything here is tasks. Live, paper, replay and mock
differ in the feeds, brokers and clock they are given.
"""

import asyncio
from collections.abc import Iterable, Mapping
from typing import Any, Final

from predsurv.core.ids import VenueName
from predsurv.ports import Broker, Feed
from predsurv.trade.controller import TradeController, TradeDeps
from predsurv.trade.event_queue import EventQueue
from predsurv.trade.kill_switch import POLL
from predsurv.trade.pipeline import TICK, PipelineObserver, SimulatedBroker
from predsurv.trade.watchlist import VenueWatchlist

CLOSE_SECONDS_MAX: Final = 2
"""Seconds that a feed may take to end after it was closed."""


class TradeRunner:
    """Runs once over ``feeds`` with what ``interests`` wants of each; ``audience`` is told what happens."""

    def __init__(
        self,
        trader: TradeDeps,
        feeds: Mapping[VenueName, Feed],
        interests: Mapping[VenueName, VenueWatchlist],
        audience: PipelineObserver,
    ) -> None:
        self._trader, self._feeds, self._interests = trader, feeds, interests
        self._audience = audience
        self._control = TradeController(trader, audience.happened)

    def stop(self) -> None:
        """End the run in good order; safe to call at any time."""
        self._control.over.set()

    async def run(self, duration: int | None = None) -> None:
        """Trade until stopped, for ``duration`` ns, or until every feed has ended.

        Raises SafetyError before anything is sent when journal and account differ.
        """
        await self._control.open()
        if duration is not None and not self._trader.realtime:
            self._control.limit(duration)
        try:
            async with EventQueue(self._control.take, realtime=self._trader.realtime) as router:
                await self._attend(router, duration)
        except ExceptionGroup as group:
            raise group.exceptions[0] from group

    async def _attend(self, router: EventQueue, duration: int | None) -> None:
        pumps = [asyncio.create_task(self._pump(venue, router)) for venue in self._feeds]
        listeners = [asyncio.create_task(self._listen(each)) for each in self._trader.brokers.values()]
        timers = self._timers(router, duration) if self._trader.realtime else []
        stop = asyncio.create_task(self._control.over.wait())
        fed = asyncio.gather(*pumps)
        try:
            await _first({fed, stop, *timers})
            if self._control.over.is_set():
                await self._control.retire()  # whoever stops us does not wait for feeds to close
            for feed in self._feeds.values():
                await feed.aclose()
            await asyncio.wait(pumps, timeout=CLOSE_SECONDS_MAX)
            await router.join()
            await self._control.close()
        finally:
            await _cancel([fed, stop, *pumps, *timers, *listeners])

    def _timers(self, router: EventQueue, duration: int | None) -> list[asyncio.Task[None]]:
        timers = [asyncio.create_task(self._tick(router)), asyncio.create_task(self._obey())]
        if duration is not None:
            timers.append(asyncio.create_task(self._sleep(duration)))
        return timers

    async def _pump(self, venue: VenueName, router: EventQueue) -> None:
        feed, interest = self._feeds[venue], self._interests[venue]
        await feed.watch(interest.keys)
        async for batch in feed.batches():
            self._audience.heard(venue, batch)
            blind = await router.publish(venue, batch)
            changed = interest.follow(batch)
            if blind:
                await feed.watch(interest.keys - blind)  # dropping and adding again is what restarts a book
            if blind or changed:
                await feed.watch(interest.keys)

    async def _listen(self, broker: Broker) -> None:
        if isinstance(broker, SimulatedBroker):
            return  # answers within the execution, in the order of the events
        async for event in broker.events():
            await self._control.answer(event)

    async def _tick(self, router: EventQueue) -> None:
        while True:
            await self._trader.clock.sleep(TICK // 2)
            if router.idle():
                await self._control.tick()

    async def _obey(self) -> None:
        while True:
            await self._trader.clock.sleep(POLL)
            await self._control.obey()

    async def _sleep(self, duration: int) -> None:
        await self._trader.clock.sleep(duration)


async def _first(tasks: Iterable[asyncio.Future[Any]]) -> None:
    """Return when the first of ``tasks`` is done; raise what it raised."""
    done, _ = await asyncio.wait(set(tasks), return_when=asyncio.FIRST_COMPLETED)
    for task in done:
        task.result()


async def _cancel(tasks: Iterable[asyncio.Future[Any]]) -> None:
    waiting = [task for task in tasks if not task.done()]
    for task in waiting:
        task.cancel()
    await asyncio.gather(*waiting, return_exceptions=True)
