"""A run on live feeds run again from what it recorded, compared with its journal entry by entry, byte for byte.

Of a run that really ordered, what the venue answered is among what was recorded, as its feed is.
"""

from collections.abc import Iterator, Mapping
from itertools import islice
from pathlib import Path
from typing import Final

from msgspec import Struct

from predsurv.config import Config, load
from predsurv.core.errors import ConfigError, IntegrityError
from predsurv.core.ids import ClientOrderId, OrderId
from predsurv.engine.risk.execution_rules import VenueRules
from predsurv.store.universe import iso_time
from predsurv.trade.engine_parts import cache_of, configured_strategies, open_engine
from predsurv.trade.journal import (
    Entry,
    JournalPosition,
    OrderJournal,
    OrderNamed,
    RestoredState,
    RunStarted,
    encoded,
    restore,
)
from predsurv.trade.journal_path import journal_path
from predsurv.trade.journal_times import entry_time
from predsurv.trade.live.account_names import is_live, is_shadow
from predsurv.trade.pipeline import EventPipeline, RunComponents
from predsurv.trade.recorded_broker import RecordedBroker
from predsurv.trade.replay import EventClock
from predsurv.trade.runs.folder import RunFolder
from predsurv.trade.runs.frames import read_frames
from predsurv.trade.runs.info import EVENTS_FILE, JOURNAL_FILE, MARKETS_FILE, REDACTED, AccountBefore, RunInfo
from predsurv.trade.runs.inputs import KnownBefore, MarketBatch, RunInput
from predsurv.trade.stats import RunStats

_SHOWN_CHARS: Final = 200


class Difference(Struct, frozen=True):
    """The first journal entry that differs: its number from 1, and what each run has there, None for nothing."""

    number: int
    recorded: Entry | None
    replayed: Entry | None

    def __str__(self) -> str:
        """Return it in one line."""
        there, here = (_said(each) for each in (self.recorded, self.replayed))
        return f"entry {self.number} differs: recorded {there}, replayed {here}"


class ReplayReport(Struct, frozen=True):
    """What a replay did: inputs and market events taken, entries that were equal, and the first that was not.

    ``whole``: the run had ended in good order, so that a replay has to give every entry and no more.
    """

    inputs: int
    events: int
    equal: int
    whole: bool
    difference: Difference | None


class ComparedJournal:
    """Takes the entries of a replay and compares each with the recorded one, of which the next is number ``first``."""

    def __init__(self, recorded: Iterator[Entry], first: int = 2) -> None:
        self._first = first
        self.equal = 0
        self.difference: Difference | None = None
        self._recorded = recorded

    def append(self, entry: Entry) -> None:
        """Compare an entry with the next recorded one, unless an earlier one differed."""
        if self.difference is not None:
            return
        there = next(self._recorded, None)
        if there is not None and encoded(there) == encoded(entry):
            self.equal += 1
        else:
            self.difference = Difference(self.equal + self._first, there, entry)

    def flush(self) -> None:
        """Do nothing: nothing is written."""

    def sync(self) -> None:
        """Do nothing: nothing was written."""

    def close(self) -> None:
        """Do nothing: nothing is open."""

    def end(self, *, whole: bool) -> None:
        """Find what was recorded and not replayed; of a run that was killed the last events may be lost."""
        if self.difference is None and whole and (there := next(self._recorded, None)) is not None:
            self.difference = Difference(self.equal + self._first, there, None)


async def replay_run(data_dir: Path, folder: RunFolder) -> ReplayReport:
    """Run a paper run or a live one again and return how far its journal is the same; nothing is sent.

    Raises ConfigError for a run that has no recording of its own, one that is still running and a shadow run, and
    IntegrityError for one that is damaged or incomplete, or whose account's journal is not what it was.
    """
    info = folder.info()
    before = recorded_account(folder, info)
    if folder.state(info) == "running":
        raise ConfigError(f"{folder.run}: it is still running; replay it when it has ended")
    restored = account_before(data_dir, before)
    journal = OrderJournal(folder.file(JOURNAL_FILE), readonly=True)
    try:
        recorded = journal.entries()
        started = next(recorded, None)
        if not isinstance(started, RunStarted):
            raise IntegrityError(f"{folder.path}: its journal does not begin with the run: nothing to replay")
        return await _replayed(folder, _Start(info, restored, started), recorded)
    finally:
        journal.close()


class _Start(Struct, frozen=True):
    """What a run began with."""

    info: RunInfo
    restored: RestoredState
    started: RunStarted


async def _replayed(folder: RunFolder, start: _Start, recorded: Iterator[Entry]) -> ReplayReport:
    info, known = start.info, read_frames(folder.file(MARKETS_FILE), KnownBefore)
    cache = cache_of(known, frozenset(info.mirrored))
    config = config_of(folder, info)
    strategies = configured_strategies(config, info.mappings)
    executing = frozenset(info.venues) if is_live(info.mode) else frozenset()
    rules = VenueRules(executing=executing)
    parts = open_engine(config, cache, strategies, start.restored, start.started, rules=rules)
    real = RecordedBroker(_names(folder)) if executing else None
    compared = ComparedJournal(recorded)
    components = RunComponents(
        engine=parts.engine,
        journal=compared,
        stats=RunStats(),
        brokers={**parts.brokers, **({} if real is None else dict.fromkeys(executing, real))},
        clock=EventClock(),
        halt=None,
        realtime=False,
    )
    pipeline = EventPipeline(components, lambda _event, _step: None)
    inputs, events = 0, 0
    for given in read_frames(folder.file(EVENTS_FILE), RunInput):
        inputs += 1
        events += len(given.events) if isinstance(given, MarketBatch) else 0
        await pipeline.take(given)
        if compared.difference is not None:
            break
    whole = info.ended is not None
    compared.end(whole=whole)
    return ReplayReport(inputs, events, compared.equal, whole, compared.difference)


def _names(folder: RunFolder) -> Mapping[ClientOrderId, OrderId]:
    """Return the ids that the orders of a run were signed with."""
    journal = OrderJournal(folder.file(JOURNAL_FILE), readonly=True)
    try:
        named = (each for each in journal.entries() if isinstance(each, OrderNamed))
        return {each.client_order_id: each.order_id for each in named}
    finally:
        journal.close()


def recorded_account(folder: RunFolder, info: RunInfo) -> AccountBefore:
    """Return the account that a run began with; raises ConfigError and IntegrityError for one not recorded whole."""
    if is_shadow(info.mode):
        raise ConfigError(f"{folder.run} is a shadow run: what its account at the venue could pay is not recorded")
    if info.account is None:
        raise ConfigError(f"{folder.run} is of mode {info.mode}, of which nothing is kept to run it again from")
    if info.not_recorded:
        raise IntegrityError(f"{folder.run} cannot be replayed: not everything was recorded: {info.not_recorded}")
    return info.account


def account_before(data_dir: Path, before: AccountBefore) -> RestoredState:
    """Return the state of an account when a run began with it; raises IntegrityError where its journal is another."""
    path = journal_path(data_dir, before.name)
    if not path.exists():
        raise IntegrityError(f"{path} is gone: the account that the run began with is not known any more")
    journal = OrderJournal(path, readonly=True)
    try:
        if journal.position_at(before.entries) != JournalPosition(before.entries, before.checksum):
            raise IntegrityError(f"{path} is not the journal that the run began with: its checksum differs")
        return restore(islice(journal.entries(), before.entries))
    finally:
        journal.close()


def config_of(folder: RunFolder, info: RunInfo) -> Config:
    """Return the configuration of a run, without its secrets."""
    flags = {name: value for name, value in info.config.items() if value != REDACTED}
    return load(flags=flags, environ={}, root=folder.path).config


def _said(entry: Entry | None) -> str:
    if entry is None:
        return "nothing"
    ts = entry_time(entry)
    return f"{repr(entry)[:_SHOWN_CHARS]}{'' if ts is None else f' at {iso_time(ts)}'}"
