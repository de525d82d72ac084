"""The tasks of a trading run: feeds, queues, brokers and timers around the controller, until stopped.

Live, paper, replay and mock runs differ in the feeds, brokers and clock they are given.
"""

import asyncio
from collections.abc import Coroutine, Iterable, Mapping, Sequence
from contextlib import nullcontext
from typing import Any, Final

from predsurv.core.errors import PredsurvError, StrategyError
from predsurv.core.ids import VenueName
from predsurv.ports import Broker, Feed
from predsurv.trade.controller import TradeController
from predsurv.trade.event_queue import EventQueue
from predsurv.trade.garbage import IdleCollection, collecting_when_idle
from predsurv.trade.halt_flag import POLL_INTERVAL
from predsurv.trade.pipeline import TICK, RunComponents, RunObserver, SimulatedBroker
from predsurv.trade.watchlist import Watchlist

CHECKPOINT: Final = 15_000_000_000
"""How often (ns) a run in real time puts on disk what is kept of it: what is left of one that is killed."""
CLOSE_SECONDS_MAX: Final = 2
"""Seconds that a feed may take to end after it was closed."""


class TradeRunner:
    """Runs once over ``feeds``, each with its watchlist; ``observer`` receives what happens."""

    def __init__(
        self,
        components: RunComponents,
        feeds: Mapping[VenueName, Feed],
        watchlists: Mapping[VenueName, Watchlist],
        observer: RunObserver,
    ) -> None:
        self._components, self._feeds, self._watchlists = components, feeds, watchlists
        self._observer = observer
        self._controller = TradeController(components, observer.on_step)

    def stop(self) -> None:
        """End the run in good order; safe to call at any time."""
        self._controller.stopping.set()

    async def run(self, duration: int | None = None) -> None:
        """Trade until stopped, for ``duration`` ns, or until every feed has ended.

        Raises SafetyError before anything is sent when journal and account differ, and StrategyError when the code of a
        strategy failed, after its orders were cancelled.
        """
        services = self._components.services
        brokers = [each for each in self._components.brokers.values() if not isinstance(each, SimulatedBroker)]
        failing: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        listeners = [asyncio.create_task(self._listen(each, failing)) for each in brokers]
        try:
            await self._controller.start()
            for each in services:
                await _while_heard(each.start(), listeners)
            try:
                await self._trade(duration, [*listeners, failing])
            finally:
                for each in services:
                    await _while_heard(each.finish(), listeners)
        finally:
            failing.cancel()
            await _cancel(listeners)
            for each in services:
                await each.aclose()

    async def _trade(self, duration: int | None, listeners: Sequence[asyncio.Future[None]]) -> None:
        if duration is not None and not self._components.realtime:
            self._controller.limit(duration)
        try:
            primary_of, realtime = self._components.engine.cache.primary_of, self._components.realtime
            with collecting_when_idle() if realtime else nullcontext(IdleCollection()) as garbage:
                async with EventQueue(self._controller.on_batch, realtime=realtime, primary_of=primary_of) as queue:
                    await self._run_tasks(queue, duration, listeners, garbage)
        except ExceptionGroup as group:
            await self._cancel_orders(group.exceptions[0])
            raise group.exceptions[0] from group
        except PredsurvError as error:
            await self._cancel_orders(error)
            raise

    async def _cancel_orders(self, error: Exception) -> None:
        """Cancel what is live after the code of a strategy failed: nothing else can be trusted with it.

        Where orders are really executed, after any failure.
        """
        if isinstance(error, StrategyError) or self._components.services:
            await self._controller.close()

    async def _run_tasks(
        self,
        queue: EventQueue,
        duration: int | None,
        listeners: Sequence[asyncio.Future[None]],
        garbage: IdleCollection,
    ) -> None:
        pumps = [asyncio.create_task(self._pump(venue, queue)) for venue in self._feeds]
        timers = self._start_timers(queue, duration, garbage) if self._components.realtime else []
        stop = asyncio.create_task(self._controller.stopping.wait())
        feeds_ended = asyncio.gather(*pumps)
        try:
            services = [each.task for each in self._components.services if each.task is not None]
            await _first({feeds_ended, stop, *timers, *services, *listeners})
            if self._controller.stopping.is_set():
                await self._controller.stop()  # cancel orders before waiting for feeds to close
            for feed in self._feeds.values():
                await feed.aclose()
            await asyncio.wait(pumps, timeout=CLOSE_SECONDS_MAX)
            await queue.join()
            await self._controller.close()
        finally:
            await _cancel([feeds_ended, stop, *pumps, *timers])

    def _start_timers(
        self, queue: EventQueue, duration: int | None, garbage: IdleCollection
    ) -> list[asyncio.Task[None]]:
        timers = [asyncio.create_task(self._tick(queue, garbage)), asyncio.create_task(self._poll_halt_flag())]
        timers.append(asyncio.create_task(self._keep_up()))
        if duration is not None:
            timers.append(asyncio.create_task(self._components.clock.sleep(duration)))
        return timers

    async def _pump(self, venue: VenueName, queue: EventQueue) -> None:
        """Pass a feed's batches to its queue, and keep its subscriptions up to date."""
        feed, watchlist = self._feeds[venue], self._watchlists[venue]
        await feed.watch(watchlist.keys, watchlist.mirrors_of(watchlist.keys))
        async for batch in feed.batches():
            self._observer.on_batch(venue, batch)
            gapped = await queue.publish(venue, batch)
            changed = watchlist.update(batch)
            if gapped:
                kept = watchlist.keys - gapped  # unsubscribing and subscribing again restarts a book
                await feed.watch(kept, watchlist.mirrors_of(kept))
            if gapped or changed:
                await feed.watch(watchlist.keys, watchlist.mirrors_of(watchlist.keys))

    async def _listen(self, broker: Broker, failing: asyncio.Future[None]) -> None:
        """Pass on the events of a broker that is not simulated: the pipeline processes those of others itself.

        An error of a strategy goes to ``failing`` and ends the run; what becomes of its orders is booked all the same.
        """
        async for event in broker.events():
            try:
                await self._controller.on_account_event(event)
            except StrategyError as error:
                if not failing.done():
                    failing.set_exception(error)

    async def _tick(self, queue: EventQueue, garbage: IdleCollection) -> None:
        while True:
            await self._components.clock.sleep(TICK // 2)
            if queue.idle():
                await self._controller.tick()
                garbage.on_idle()
            self._observer.on_turn()

    async def _poll_halt_flag(self) -> None:
        while True:
            await self._components.clock.sleep(POLL_INTERVAL)
            await self._controller.apply_halt_flag()

    async def _keep_up(self) -> None:
        while True:
            await self._components.clock.sleep(CHECKPOINT)
            await asyncio.to_thread(self._components.journal.sync)
            if self._components.keeper is not None:
                await self._components.keeper.checkpoint(self._components.stats)


async def _while_heard(work: Coroutine[Any, Any, None], listeners: Iterable[asyncio.Task[None]]) -> None:
    """Await ``work``; raise what a listener raised instead, as nobody takes in what the work waits for any more."""
    task = asyncio.create_task(work)
    try:
        await asyncio.wait({task, *listeners}, return_when=asyncio.FIRST_COMPLETED)
        for each in listeners:
            if each.done() and not task.done():
                each.result()
        await task
    finally:
        await _cancel([task])


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
