"""Recordings of some days at a made-up venue, and a strategy that takes whatever it sees: for tests of backtests."""

import asyncio
from collections.abc import Iterable, Mapping, Sequence
from copy import deepcopy
from pathlib import Path
from types import MappingProxyType
from typing import Any, Final

import pytest
from msgspec import Struct

from predsurv.config import load
from predsurv.core.events import BookDelta, BookSnapshot, Event, Fill, MarketEvent
from predsurv.core.ids import InstrumentKey, StrategyName, VenueName
from predsurv.core.market import Market
from predsurv.core.native import speedups
from predsurv.core.num import MICROS, Size
from predsurv.core.orders import Intent
from predsurv.core.records import Coverage
from predsurv.engine.interest import EVERYTHING
from predsurv.engine.step import Step
from predsurv.ports import Broker, Catalog, Feed, VenueTraits
from predsurv.state.view import View
from predsurv.store.layout import NS_DAY, NS_HOUR, date_of
from predsurv.store.read.recording import ReplaySpan
from predsurv.trade.assembly import open_backtest
from predsurv.trade.journal import Entry, OrderJournal
from predsurv.trade.runs.info import JOURNAL_FILE
from predsurv.trade.session import TradingSession
from tests.kit.recordings import write_universe
from tests.kit.trading_samples import S, V, levels

MIDNIGHT = 1_800_000_000_000_000_000 // NS_DAY * NS_DAY
TAKER = StrategyName("taker")
WAYS: Final = 1 if speedups is None else 3
"""How often ``backtest`` runs a strategy."""


class RecordedVenue:
    """A venue that is only read from its recording; ``mirrored``: one book per binary market."""

    def __init__(self, name: VenueName = V, *, mirrored: bool = True) -> None:
        self.name = name
        self.traits = VenueTraits(complementary_outcomes=mirrored)

    def catalog(self) -> Catalog:
        raise NotImplementedError

    def feed(self) -> Feed:
        raise NotImplementedError

    def broker(self) -> Broker:
        raise NotImplementedError

    async def aclose(self) -> None:
        pass


class Taker:
    """Buys ten shares at the best ask of every book that it is shown whole."""

    name = TAKER
    signals = frozenset({"take"})
    interest = EVERYTHING

    def on_event(self, event: Event, view: View) -> Iterable[Intent]:
        if not isinstance(event, BookSnapshot) or not event.asks:
            return ()
        return (Intent(self.name, event.key, "buy", event.asks[0][0], Size(10 * MICROS), "ioc", "take"),)


class Seen:
    """A ``RunObserver`` that keeps what was told and filled."""

    def __init__(self) -> None:
        self.events: list[MarketEvent] = []
        self.fills: list[Fill] = []
        self.refused: list[str] = []

    def on_turn(self) -> None:
        pass

    def on_batch(self, venue: VenueName, batch: Sequence[MarketEvent]) -> None:
        self.events += batch

    def on_step(self, event: Event, step: Step) -> None:
        if isinstance(event, Fill):
            self.fills.append(event)
        self.refused += [refused.reason for refused in step.refusals]


class Backtest(Struct):
    """A backtest that has ended."""

    session: TradingSession
    seen: Seen
    entries: list[Entry]

    def fills(self) -> list[tuple[int, str, int, int]]:
        """Return (time, instrument, price, fee) of each fill; prices and fees in micros."""
        return [(each.ts_recv, str(each.key.instrument_id), each.price, each.fee) for each in self.seen.fills]


def hours(number: float, day: int = 0) -> int:
    """Return a time in ns UTC."""
    return MIDNIGHT + day * NS_DAY + round(number * NS_HOUR)


def books(key: InstrumentKey, ts: int, ask: int = 60, count: int = 1) -> list[BookSnapshot | BookDelta]:
    """Return ``count`` times a second a whole book that asks ``ask`` (tenths of a cent ×10: cents), and quiet."""
    return [
        BookSnapshot(key, ts + n * S, None, 1, None, levels((ask - 20, 1_000)), levels((ask, 1_000)))
        for n in range(count)
    ]


def covered(key: InstrumentKey, start: int, end: int) -> Coverage:
    """Return covered time."""
    return Coverage(key, start, end, "covered", "live", 1)


def listed_on(data_dir: Path, day: int, *markets: Market) -> None:
    """Write the universe of day number ``day``."""
    write_universe(data_dir, markets[0].venue, date_of(MIDNIGHT + day * NS_DAY), markets)


def backtest(
    data_dir: Path, first: int = 0, days: int = 1, venue: RecordedVenue | None = None, strategy: Any = None
) -> Backtest:
    """Run ``strategy`` (a ``Taker``) over ``days`` days from day number ``first`` on.

    Every event is seen; a second run that passes over what nobody has to see is compared with the first, and a third
    one over what the second has kept decoded.
    """
    span = ReplaySpan(MIDNIGHT + first * NS_DAY, MIDNIGHT + (first + days) * NS_DAY)
    others = [deepcopy(strategy) for _ in range(2)]
    done = run_backtest(data_dir, span, venue or RecordedVenue(), strategy or Taker(), every_event=True)
    for again in others if speedups is not None else ():
        other = run_backtest(data_dir, span, venue or RecordedVenue(), again or Taker(), every_event=False)
        assert told(other) == told(done)
    return done


def run_backtest(
    data_dir: Path,
    span: ReplaySpan,
    venue: RecordedVenue,
    strategy: Any,
    *,
    every_event: bool,
    flags: Mapping[str, str] = MappingProxyType({}),
) -> Backtest:
    """Run ``strategy``; ``every_event``: as ``open_backtest``. ``flags``: of the configuration."""
    seen = Seen()
    config = load(None, flags={"data_dir": str(data_dir), **flags}, environ={}, root=data_dir).config
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("predsurv.trade.engine_parts.build", lambda *_: (strategy,))
        session = open_backtest(config, venue, span, lambda _: seen, every_event=every_event)
        try:
            asyncio.run(session.runner.run())
            session.finish(MIDNIGHT, complete=True)
        finally:
            session.close()
    journal = OrderJournal(session.keeper.folder.file(JOURNAL_FILE), readonly=True)
    try:
        return Backtest(session, seen, list(journal.entries()))
    finally:
        journal.close()


def told(run: Backtest) -> object:
    """Return all that a backtest tells, but for the events as such."""
    stats, engine = run.session.stats, run.session.engine
    counts = (stats.events, stats.ticks, stats.first, stats.last, stats.strategies)
    return run.entries, run.seen.fills, run.seen.refused, counts, engine.valuation.equity()
