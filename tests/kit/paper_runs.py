"""A paper run on the mock venue in virtual time, for the trading tests."""

import asyncio
from collections.abc import Iterator, Sequence
from pathlib import Path

from predsurv.config import Config, load
from predsurv.core.events import Event, MarketEvent
from predsurv.core.ids import VenueName
from predsurv.engine.step import Step
from predsurv.net.clock import ManualClock
from predsurv.ports import MarketQuery
from predsurv.store.universe_writer import UniverseWriter
from predsurv.trade.assembly import open_paper
from predsurv.trade.session import TradingSession
from predsurv.venues.mock.venue import MockVenue

STEP = 20_000_000
S = 1_000_000_000


class Recorder:
    """A ``RunObserver`` that keeps what the feeds yielded and what was decided."""

    def __init__(self) -> None:
        self.events: list[MarketEvent] = []
        self.steps: list[tuple[Event, Step]] = []

    def on_turn(self) -> None:
        pass

    def on_batch(self, venue: VenueName, batch: Sequence[MarketEvent]) -> None:
        self.events += batch

    def on_step(self, event: Event, step: Step) -> None:
        self.steps.append((event, step))

    def source(self) -> Iterator[MarketEvent]:
        return iter(self.events)


def configured(folder: Path, **flags: object) -> Config:
    """The defaults on the mock venue, writing into ``folder``."""
    return load(None, flags={"mock.enabled": True, "data_dir": str(folder), **flags}, environ={}, root=folder).config


async def scanned(config: Config, clock: ManualClock) -> None:
    """Write the universe of the mock venue."""
    venue = MockVenue(config.mock, ManualClock(clock.now(), jumps=True))
    with UniverseWriter(config.data_dir, venue.name, clock.now()) as writer:
        async for market in venue.catalog().markets(MarketQuery()):
            writer.write(market)
        writer.commit()


def opened(config: Config, clock: ManualClock, observer: Recorder) -> TradingSession:
    """A paper run ready to start."""
    return open_paper(config, [MockVenue(config.mock, clock)], clock, lambda _: observer)


async def run(session: TradingSession, clock: ManualClock, duration: int) -> None:
    """Let ``duration`` ns of virtual time pass for a run, and close it."""
    task = asyncio.create_task(session.runner.run(duration))
    while not task.done():
        await clock.advance(STEP)
    await task
    session.finish(clock.now(), complete=True)
