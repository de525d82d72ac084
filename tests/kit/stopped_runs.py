"""A recorded paper run gone through again, and stopped: what its journal restores beside what the run itself held."""

import shutil
from collections.abc import Iterator, Mapping, Sequence
from itertools import islice
from pathlib import Path
from typing import Final

from msgspec import Struct

from predsurv.core.ids import InstrumentKey, Side
from predsurv.core.num import Money, Price
from predsurv.engine.account.valuation import DAY
from predsurv.engine.risk.state import MINUTE
from predsurv.engine.strategy import Strategy
from predsurv.state.market_cache import MarketCache
from predsurv.trade.engine_parts import EngineParts, cache_of, configured_strategies, open_engine
from predsurv.trade.journal import Entry, LiquidityTaken, OrderJournal, RestoredState, RunStarted, encoded, restore
from predsurv.trade.pipeline import EventPipeline, RunComponents
from predsurv.trade.reconciliation import reconcile
from predsurv.trade.replay import EventClock
from predsurv.trade.replay_run import config_of
from predsurv.trade.run_parts import JournalWriter
from predsurv.trade.runs.folder import RunFolder
from predsurv.trade.runs.frames import read_frames
from predsurv.trade.runs.info import EVENTS_FILE, JOURNAL_FILE, MARKETS_FILE
from predsurv.trade.runs.inputs import BrokerAnswer, KnownBefore, MarketBatch, RunInput
from predsurv.trade.stats import RunStats
from tests.kit.state_dump import account_bytes, state_bytes

Place = tuple[InstrumentKey, Side, Price]
INPUTS_AFTER: Final = 200
"""Inputs with which a stopped run goes on."""


class HeldState(Struct, frozen=True):
    """What a run held at ``now`` (ns UTC): its account and the day's baseline as bytes, orders ``sent`` (ns UTC).

    ``consumed`` is what its simulated venues counted as consumed of each level, whether or not word of it has arrived,
    ``levels`` the sizes of all that this or the journal is of.
    """

    now: int
    account: bytes
    day: bytes
    sent: tuple[int, ...]
    consumed: Mapping[Place, int]
    levels: Mapping[Place, int]

    def differences(self, restored: RestoredState) -> Iterator[str]:
        """Yield what a journal has restored otherwise."""
        if account_bytes(restored.account) != self.account:
            yield "the account"
        if _day(restored) != self.day:
            yield "the day's baseline"
        if tuple(each for each in restored.sent if each > self.now - MINUTE) != self.sent:
            yield "the orders of the last minute"
        for place in {*restored.consumed, *self.consumed}:
            level = self.levels[place]  # of more than it holds nothing can be consumed
            told = min(restored.consumed[place].size, level) if place in restored.consumed else 0
            held = min(self.consumed.get(place, 0), level)
            if told != held:
                yield f"{told} consumed of {place}, not {held}"


class RunStop(Struct, frozen=True):
    """A run stopped after ``entry`` of its journal and ``inputs``: ``path`` is its journal as it was on the disk then.

    ``held`` is what it held after the last commit, ``early``: that was before ``entry``.
    """

    entry: int
    inputs: int
    path: Path
    held: HeldState
    early: bool


class StoppedJournal:
    """Writes the journal of a run gone through again, and copies it as it is on the disk at ``places`` (entries).

    At even ones when the entry was appended, so that it is lost with what else was not committed, at odd ones right
    after the commit.
    """

    def __init__(self, folder: Path, places: frozenset[int]) -> None:
        self._path, self._places = folder / "whole.db", places
        self._journal = OrderJournal(self._path, fresh=True, durable=False)
        self._parts: EngineParts | None = None
        self._appended = self._committed = self.inputs = 0
        self._told: set[Place] = set()
        self._held: HeldState | None = None
        self.stops: list[RunStop] = []

    def begin(self, started: RunStarted, parts: EngineParts) -> None:
        """Write the start of the run with these parts."""
        self._parts = parts
        self.append(started)
        self.flush()

    def append(self, entry: Entry) -> None:
        """Append an entry."""
        self._journal.append(entry)
        self._appended += 1
        if isinstance(entry, LiquidityTaken):
            self._told.add((entry.event.key, entry.event.side, entry.event.price))
        if self._appended in self._places and not self._appended % 2:
            self._stop(self._appended, early=True)

    def sync(self) -> None:
        """Do nothing."""

    def flush(self) -> None:
        """Commit, and take down what the run holds."""
        self._journal.flush()
        committed, self._committed = self._committed, self._appended
        if committed == self._appended or self._parts is None:
            return
        self._held = held_by(self._parts, self._told)
        for entry in range(committed + 1, self._appended + 1):
            if entry in self._places and entry % 2:
                self._stop(entry, early=False)

    def close(self) -> None:
        """Flush and close."""
        self._journal.close()

    def _stop(self, entry: int, *, early: bool) -> None:
        assert self._held is not None
        path = self._path.with_name(f"stop{entry}.db")
        for suffix in ("", "-wal"):
            shutil.copyfile(f"{self._path}{suffix}", f"{path}{suffix}")
        self.stops.append(RunStop(entry, self.inputs, path, self._held, early))


class RecordedRun:
    """A paper run in ``folder`` that its account began with."""

    def __init__(self, folder: RunFolder) -> None:
        self._folder, self._info = folder, folder.info()
        self.entries = entries_of(folder.file(JOURNAL_FILE))
        self._inputs = list(read_frames(folder.file(EVENTS_FILE), RunInput))

    async def stopped(self, folder: Path, places: frozenset[int]) -> tuple[list[RunStop], list[Entry]]:
        """Go through the run with a journal in ``folder``, stopped at ``places``; return the stops and the journal."""
        journal = StoppedJournal(folder, places)
        parts = self._opened(self._cache(0), RestoredState(), self._started)
        journal.begin(self._started, parts)
        pipeline = _pipeline(parts, journal)
        for given in self._inputs:
            journal.inputs += 1
            await pipeline.take(given)
        journal.close()
        return journal.stops, entries_of(folder / "whole.db")

    async def decided(self, strategies: Sequence[Strategy] | None = None) -> list[bytes]:
        """Go through the run, with ``strategies`` in place of its own; return its journal but for the start."""
        parts, written = self._opened(self._cache(0), RestoredState(), self._started, strategies), WrittenEntries()
        pipeline = _pipeline(parts, written)
        for given in self._inputs:
            await pipeline.take(given)
        return written.bodies

    def strategies(self) -> tuple[Strategy, ...]:
        """Return new strategies such as those of the run."""
        return configured_strategies(config_of(self._folder, self._info), self._info.mappings)

    async def gone_on(self, stop: RunStop) -> list[bytes]:
        """Start again from what a stop has left, with the books as they are, and take the inputs that followed it.

        Return the journal's entries since, and in the end the account. The start is one of an exchange that goes
        on: that of the mock venue begins anew with each run, these inputs do not.
        """
        restored = restore(entries_of(stop.path))
        started = RunStarted(stop.held.now, "paper", self._started.run, self._started.strategies, self._started.cash)
        parts, written = self._opened(self._cache(stop.inputs), restored, started), WrittenEntries()
        pipeline = _pipeline(parts, written)
        for venue, broker in parts.brokers.items():
            for event in reconcile(venue, parts.engine.account, await broker.snapshot()):
                await pipeline.take(BrokerAnswer(event))
        for given in islice(self._inputs, stop.inputs, stop.inputs + INPUTS_AFTER):
            await pipeline.take(given)
        return [*written.bodies, account_bytes(parts.engine.account)]

    @property
    def _started(self) -> RunStarted:
        assert isinstance(self.entries[0], RunStarted)
        return self.entries[0]

    def _cache(self, inputs: int) -> MarketCache:
        """Return what is known of the markets after so many inputs."""
        known = read_frames(self._folder.file(MARKETS_FILE), KnownBefore)
        cache = cache_of(known, frozenset(self._info.mirrored))
        for given in self._inputs[:inputs]:
            for event in given.events if isinstance(given, MarketBatch) else ():
                cache.apply(event)
        return cache

    def _opened(
        self,
        cache: MarketCache,
        restored: RestoredState,
        started: RunStarted,
        strategies: Sequence[Strategy] | None = None,
    ) -> EngineParts:
        config = config_of(self._folder, self._info)
        return open_engine(config, cache, strategies or self.strategies(), restored, started)


class WrittenEntries:
    """Takes the entries of a run as they would stand in its journal."""

    def __init__(self) -> None:
        self.bodies: list[bytes] = []

    def append(self, entry: Entry) -> None:
        """Keep an entry."""
        self.bodies.append(encoded(entry))

    def flush(self) -> None:
        """Do nothing."""

    def sync(self) -> None:
        """Do nothing."""

    def close(self) -> None:
        """Do nothing."""


def held_by(parts: EngineParts, places: set[Place]) -> HeldState:
    """Return what a run holds now; ``places`` are levels that its journal says anything of."""
    engine, risk = parts.engine, parts.engine._risk
    taken = [broker._simulator.consumed.places().items() for broker in parts.brokers.values()]
    consumed = {(key, *place): size for each in taken for key, sizes in each for place, size in sizes.items()}
    return HeldState(
        now=risk.now,
        account=account_bytes(engine.account),
        day=state_bytes((engine.valuation.day_ends, engine.valuation._day_equity, risk.lost_too_much)),
        sent=tuple(each for each in risk.sent if each > risk.now - MINUTE),
        consumed=consumed,
        levels={each: _size_at(engine.cache, each) for each in {*places, *consumed}},
    )


def entries_of(path: Path) -> list[Entry]:
    """Return the entries of a journal."""
    journal = OrderJournal(path, readonly=True)
    try:
        return list(journal.entries())
    finally:
        journal.close()


def _day(restored: RestoredState) -> bytes:
    day = restored.day
    if day is None or day.equity is None:
        return state_bytes((0, 0, False))
    return state_bytes(((day.ts // DAY + 1) * DAY, Money(day.equity + restored.added), restored.lost_too_much))


def _size_at(cache: MarketCache, place: Place) -> int:
    key, side, price = place
    book = cache.book(key)
    return 0 if book is None else (book.bids if side == "bid" else book.asks).size_at(price)


def _pipeline(parts: EngineParts, journal: JournalWriter) -> EventPipeline:
    components = RunComponents(
        engine=parts.engine,
        journal=journal,
        stats=RunStats(),
        brokers=parts.brokers,
        clock=EventClock(),
        halt=None,
        realtime=True,  # commits are those of a run in real time
    )
    return EventPipeline(components, lambda _event, _step: None)
