"""``python -m benchmarks.latency [--ticks N] [--markets N]``: how long an intent takes from the event that led to it.

A paper run as ``predsurv trade --paper`` assembles it (event queue, controller, inputs kept for a replay, journal on
disk, risk limits, portfolio, simulated fills, timers) is fed the made-up venue's events, one at a time: the next one
arrives when everything that the last one led to is done. A strategy orders on every change of a book. From the moment
in which the feed hands the event over to that in which the engine returns the order, which risk has approved and
portfolio and order book have booked, passes the latency; then come the journal and the request. ``engine``: the part of
it in ``Engine.step``. What lies between two events, ticks and simulated answers to earlier orders, is processed before
the second arrives: these have times of their own. CPU is that of the thread: what others on the machine take counts in
the time of the clock, and in that of CPU by the caches that they take. ``a loop beside`` is the same short loop after
each order, which shows how far this machine is one's own.
"""

import argparse
import asyncio
import sys
import tempfile
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from collections.abc import Set as AbstractSet
from pathlib import Path
from typing import Final, cast

from msgspec.structs import replace

from benchmarks import figures
from benchmarks.figures import Comparison
from benchmarks.own_strategies import BuyAndSell
from benchmarks.passed import Passed, loop_beside, now, quantiles, since
from benchmarks.recordings import START
from predsurv.config import Config, MockConfig
from predsurv.config.schema import RiskConfig, TradingConfig
from predsurv.core.events import Event, MarketEvent
from predsurv.core.ids import InstrumentKey, VenueName
from predsurv.core.num import MICROS, Money
from predsurv.engine.step import Step
from predsurv.net.clock import ManualClock
from predsurv.ports import NO_MIRRORS, Feed, MarketQuery, Mirrors, Venue
from predsurv.store.universe_writer import UniverseWriter
from predsurv.trade.assembly import open_paper
from predsurv.trade.runner import TradeRunner
from predsurv.trade.session import Ending, TradingSession
from predsurv.trade.watchlist import keys_to_watch
from predsurv.venues.mock.venue import MockVenue

GOAL_US: Final = 50
TICKS: Final = 100_000
RATE: Final = 100
"""Events a second of event time: an order on each of them stays below the highest ``max_orders_per_minute``."""
RICH: Final = Money(10**9 * MICROS)
"""More than any limit is reached with, micros."""


class _StreamClock:
    """``ports.Clock`` whose wall time is that of the last event, while sleepers really sleep."""

    def __init__(self) -> None:
        self.ts = START

    def now(self) -> int:
        """Return the time of the last event, ns UTC."""
        return self.ts

    def monotonic(self) -> int:
        """Return ns since the clock was made."""
        return self.ts - START

    async def sleep(self, duration: int) -> None:
        """Return after ``duration`` ns of real time."""
        await asyncio.sleep(duration / 1e9)


class _Measured:
    """A feed that hands over one event at a time, and what it took until the engine answered each with an order."""

    def __init__(self, events: Sequence[MarketEvent], clock: _StreamClock) -> None:
        self.whole: list[Passed] = []
        self.engine: list[Passed] = []
        self._events, self._clock = events, clock
        self._arrived = Passed(0, 0)
        self._arriving: MarketEvent | None = None
        self.beside: list[Passed] = []
        self._reach: Callable[[int], Awaitable[None]] = _nothing

    def attach(self, session: TradingSession) -> None:
        """Look at every step of a session's engine."""
        ordinary, runner = session.engine.step, session.runner
        if isinstance(runner, TradeRunner):
            self._reach = runner._controller.pipeline.reach

        def step(event: Event) -> Step:
            entered = now()
            made = ordinary(event)
            left = now()
            if event is self._arriving and made.decisions:
                self.whole.append(since(self._arrived, left))
                self.engine.append(since(entered, left))
                self.beside.append(loop_beside())
            return made

        session.engine.step = step  # type: ignore[method-assign]  # the pipeline asks for it at every event

    async def watch(self, want: AbstractSet[InstrumentKey], mirrors: Mirrors = NO_MIRRORS) -> None:
        """Do nothing: the events are there."""

    async def batches(self) -> AsyncIterator[Sequence[MarketEvent]]:
        """Yield the events, each when what the one before has led to is done."""
        for event in self._events:
            self._clock.ts = max(self._clock.ts, event.ts_recv)
            await self._reach(event.ts_recv)
            self._arriving, self._arrived = event, now()
            yield (event,)
            await asyncio.sleep(0)  # the worker takes it
            await asyncio.sleep(0)

    async def aclose(self) -> None:
        """Do nothing."""


async def _nothing(_ts: int) -> None:
    """Do nothing: no run is there yet."""


class _RecordedVenue:
    """The made-up venue with a feed of events that were made before."""

    def __init__(self, venue: MockVenue, feed: _Measured) -> None:
        self.name, self.traits, self._feed = venue.name, venue.traits, feed

    def feed(self) -> Feed:
        """Return the feed, the same at every call."""
        return self._feed


class Quiet:
    """A ``RunObserver`` that looks at nothing."""

    def on_turn(self) -> None:
        """Do nothing."""

    def on_batch(self, venue: VenueName, batch: Sequence[MarketEvent]) -> None:
        """Do nothing."""

    def on_step(self, event: Event, step: Step) -> None:
        """Do nothing."""


async def _events(config: MockConfig, folder: Path, count: int) -> tuple[MockVenue, list[MarketEvent]]:
    """Write a list of the venue's markets into ``folder``; return it and its first events."""
    clock, events = ManualClock(START, jumps=True), list[MarketEvent]()
    venue = MockVenue(config, clock)
    markets = [each async for each in venue.catalog().markets(MarketQuery())]
    with UniverseWriter(folder, venue.name, START) as universe:
        for market in markets:
            universe.write(market)
        universe.commit()
    feed = venue.feed()
    await feed.watch(frozenset(key for each in markets for key in keys_to_watch(each, mirrored=True)))
    async for batch in feed.batches():
        events += batch
        if len(events) >= count:
            await feed.aclose()
    return venue, events


async def _measure(folder: Path, ticks: int, markets: int) -> tuple[_Measured, int]:
    """Run until the strategy has had ``ticks`` events or so; return what was measured, and how many were fed."""
    mock = MockConfig(enabled=True, markets=markets, rate=RATE)
    venue, events = await _events(mock, folder, ticks)
    limits = RiskConfig(
        max_order_notional=RICH,
        max_position_notional=RICH,
        max_total_exposure=RICH,
        max_daily_loss=RICH,
        max_open_orders=10_000,
        max_orders_per_minute=10_000,
    )
    name = f"{Path(__file__).with_name('own_strategies.py')}:{BuyAndSell.__name__}"
    trading = TradingConfig(strategies=(name,), starting_cash=RICH)
    config = replace(Config(), data_location=folder, mock=mock, risk=limits, trading=trading)
    clock = _StreamClock()
    feed = _Measured(events, clock)
    session = open_paper(config, [cast(Venue, _RecordedVenue(venue, feed))], clock, lambda _engine: Quiet())
    feed.attach(session)
    await session.run(None, clock, Ending)
    return feed, len(events)


def measure(words: Sequence[str]) -> list[Comparison]:
    """Run, and say how long it took."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.latency", description=__doc__)
    parser.add_argument("--ticks", type=int, default=TICKS, help="events to feed")
    parser.add_argument("--markets", type=int, default=300)
    given = parser.parse_args(words)
    with tempfile.TemporaryDirectory(prefix="predsurv-bench-") as name:
        measured, fed = asyncio.run(_measure(Path(name), given.ticks, given.markets))
    return [
        Comparison(
            title=f"A paper run, from an event to the order ({fed:,} events of {given.markets} markets)",
            method=f"CPU of the thread, and the clock; {len(measured.whole):,} events led to an order",
            figures=(
                *quantiles("event → order", measured.whole, GOAL_US),
                *quantiles("of it the engine", measured.engine),
                *quantiles("a loop beside", measured.beside),
            ),
        )
    ]


if __name__ == "__main__":
    sys.exit(figures.main(measure))
