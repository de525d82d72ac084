"""The paper twin of a live run: its strategies again on the very inputs that it took, filled by simulation.

It decides on the same events in the same order and at the same instants as if it had run beside, but in another
process: what strategies keep in their classes and modules would be shared in one, and money would depend on it.
"""

from collections.abc import Iterable, Iterator, Mapping
from contextlib import closing
from itertools import chain
from pathlib import Path
from typing import Final

from msgspec import Struct
from msgspec.structs import replace

from predsurv.core.errors import ConfigError, IntegrityError
from predsurv.core.events import Fill, MarketEvent, MarketResolved, Trade
from predsurv.core.ids import VenueName
from predsurv.core.reconciliation import CashCorrected, PositionCorrected, TradingHeld
from predsurv.engine.account.account import TradingAccount
from predsurv.engine.engine import Engine
from predsurv.engine.own_prints import OwnPrints
from predsurv.engine.risk.execution_rules import VenueRules
from predsurv.trade.controller import TradeController
from predsurv.trade.engine_parts import EngineParts, cache_of, configured_strategies, open_engine
from predsurv.trade.journal import EngineNoted, OrderJournal, RestoredState, RunStarted
from predsurv.trade.pipeline import RunComponents
from predsurv.trade.replay import EventClock
from predsurv.trade.replay_run import account_before, config_of, recorded_account
from predsurv.trade.results.ledger import opening_of
from predsurv.trade.results.measures import RunMeasures
from predsurv.trade.runs.folder import RunFolder, last_marks, make_twin_folder
from predsurv.trade.runs.frames import read_frames
from predsurv.trade.runs.info import EVENTS_FILE, JOURNAL_FILE, MARKETS_FILE, RunInfo
from predsurv.trade.runs.inputs import BrokerAnswer, ControlChange, KnownBefore, MarketBatch, RunInput, TimePassed
from predsurv.trade.runs.keeper import RunKeeper
from predsurv.trade.stats import RunStats

LIVE: Final = "live-"
"""What the modes of live runs begin with."""


class _LiveRun(Struct, frozen=True):
    """A live run as its folder has it: how it was started, and when its engine stopped itself."""

    info: RunInfo
    started: RunStarted
    halts: tuple[ControlChange, ...]


class TwinBeginning(Struct, frozen=True):
    """What the live account owned when the first event came, what held trading, and the inputs from there on."""

    account: TradingAccount
    held: Mapping[VenueName, str]
    inputs: Iterator[RunInput]


async def run_twin(data_dir: Path, folder: RunFolder) -> RunFolder:
    """Run the twin of a live run, as far as that is on disk, and return the folder of the twin.

    Raises ConfigError for a run of another kind, and IntegrityError for one that is damaged or was not recorded whole.
    """
    run = _live_run(folder)
    restored = account_before(data_dir, recorded_account(folder, run.info))
    restored.apply(run.started)
    begun = begin(restored.account, read_frames(folder.file(EVENTS_FILE), RunInput))
    opening = opening_of(begun.account)
    started = _started(run, begun.account)
    parts = _parts(folder, run, begun, started)
    held = [position.key for position in begun.account.portfolio.positions.totals()]
    measures = RunMeasures(parts.engine, opening, last_marks(data_dir, run.info.mode, held))
    twin = make_twin_folder(folder)
    keeper, stats = RunKeeper(twin, _own_info(run), measures), RunStats()
    with closing(keeper), closing(OrderJournal(twin.file(JOURNAL_FILE), durable=False, fresh=True)) as journal:
        journal.append(started)
        keeper.keep(started)
        components = RunComponents(
            engine=parts.engine,
            journal=journal,
            stats=stats,
            brokers=parts.brokers,
            clock=EventClock(),
            halt=None,
            realtime=False,
            keeper=keeper,
        )
        await _follow(TradeController(components, lambda _event, _step: None), parts.engine, run, begun.inputs)
        journal.flush()
        keeper.finish(stats, stats.last, complete=run.info.ended is not None, exit_code=0)
    return twin


def _live_run(folder: RunFolder) -> _LiveRun:
    info = folder.info()
    if not info.mode.startswith(LIVE):
        raise ConfigError(f"{folder.run} is of mode {info.mode}: only a live run has a paper twin")
    with closing(OrderJournal(folder.file(JOURNAL_FILE), readonly=True)) as journal:
        entries = journal.entries()
        started = next(entries, None)
        if not isinstance(started, RunStarted):
            raise IntegrityError(f"{folder.path}: its journal does not begin with the run")
        notes = (each.note for each in entries if isinstance(each, EngineNoted) and each.note.kind == "halted")
        return _LiveRun(info, started, tuple(ControlChange(each.ts, "halted", each.detail) for each in notes))


def begin(account: TradingAccount, inputs: Iterator[RunInput]) -> TwinBeginning:
    """Let the account be as the venue's was found before the first event."""
    held = dict[VenueName, str]()
    for given in inputs:
        if not isinstance(given, BrokerAnswer):
            return TwinBeginning(account.holdings(), held, chain((given,), inputs))
        event = given.event
        if isinstance(event, TradingHeld):
            held[event.venue] = event.reason
        elif isinstance(event, CashCorrected | PositionCorrected):
            account.credit(event)
        elif isinstance(event, MarketResolved):
            account.settle(event)
        else:
            account.apply(event)
    return TwinBeginning(account.holdings(), held, inputs)


def _started(run: _LiveRun, account: TradingAccount) -> RunStarted:
    info = run.info
    cash = tuple((venue, account.portfolio.cash(venue)) for venue in info.venues)
    return RunStarted(run.started.ts, _mode(info), "twin", info.strategies, cash)


def _parts(folder: RunFolder, run: _LiveRun, begun: TwinBeginning, started: RunStarted) -> EngineParts:
    info, config = run.info, config_of(folder, run.info)
    cache = cache_of(read_frames(folder.file(MARKETS_FILE), KnownBefore), frozenset(info.mirrored))
    strategies = configured_strategies(config, info.mappings)
    rules = VenueRules(netting=frozenset(info.venues))
    parts = open_engine(config, cache, strategies, RestoredState(begun.account), started, rules=rules)
    for venue, reason in begun.held.items():
        parts.engine.step(TradingHeld(venue, started.ts, reason))
    return parts


def _own_info(run: _LiveRun) -> RunInfo:
    info = run.info
    notes = (f"the paper twin of {info.run}: no order of it was sent",)
    return replace(info, run=f"{info.run}/twin", mode=_mode(info), account=None, data=None, notes=notes)


def _mode(info: RunInfo) -> str:
    return f"twin-{info.mode}"


async def _follow(controller: TradeController, engine: Engine, run: _LiveRun, inputs: Iterable[RunInput]) -> None:
    """Take what the live run took: of its broker's answers what holds trading, and its fills to know its prints by."""
    pipeline, halts = controller.pipeline, list(run.halts)
    prints = OwnPrints(engine.cache, frozenset(run.info.venues))
    for given in inputs:
        while halts and halts[0].ts <= _time_of(given):
            await pipeline.take(halts.pop(0))
        if isinstance(given, MarketBatch):
            await pipeline.take(MarketBatch(tuple(_public(given.events, prints))))
        elif not isinstance(given, BrokerAnswer) or isinstance(given.event, TradingHeld):
            await pipeline.take(given)
        elif isinstance(given.event, MarketResolved):
            await pipeline.take(MarketBatch((given.event,)))
        elif isinstance(given.event, Fill):
            prints.on_fill(given.event)
    if run.info.ended is not None:
        await controller.close()


def _public(events: Iterable[MarketEvent], prints: OwnPrints) -> Iterator[MarketEvent]:
    """Yield the events with what of each trade was not ours."""
    for event in events:
        others = prints.others(event) if isinstance(event, Trade) else event
        if others is not None:
            yield others


def _time_of(given: RunInput) -> int:
    if isinstance(given, MarketBatch):
        return given.events[-1].ts_recv if given.events else 0
    return given.ts if isinstance(given, TimePassed | ControlChange) else 0
