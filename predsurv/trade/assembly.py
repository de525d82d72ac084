"""Assembly of trading runs: paper on a live or mock feed, backtest on a recording.

The only place where configuration, adapters and engine meet: modes differ in feed, clock and journal alone.
"""

import logging
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from collections.abc import Set as AbstractSet
from contextlib import contextmanager
from pathlib import Path
from typing import Final, NamedTuple

from msgspec import Struct
from msgspec.structs import replace

from predsurv.config import Config
from predsurv.core.errors import ConfigError, SafetyError, exit_code_of
from predsurv.core.ids import InstrumentKey, MarketId, VenueName
from predsurv.core.mapping import ApprovedMapping
from predsurv.core.text import path_component
from predsurv.engine.engine import Engine
from predsurv.engine.strategy import Strategy
from predsurv.net.clock import SystemClock
from predsurv.ports import Clock, Venue
from predsurv.state.market_cache import MarketCache
from predsurv.store.files import PRIVATE_DIR, make_dirs
from predsurv.store.layout import Layout, date_of
from predsurv.store.read.fingerprint import fingerprint
from predsurv.store.read.recording import ReplaySpan, open_recording
from predsurv.store.universe import universe_files
from predsurv.trade.backtest_runner import BacktestRunner
from predsurv.trade.engine_parts import cache_of, configured_strategies, mappings_of, open_engine
from predsurv.trade.halt_flag import HaltFlag, halt_flag
from predsurv.trade.journal import MOCK_MODE, OrderJournal, RunStarted, restore
from predsurv.trade.market_lists import markets_listed_now, recorded_facts
from predsurv.trade.pipeline import RunComponents, RunObserver
from predsurv.trade.replay import EventClock
from predsurv.trade.results.ledger import opening_of
from predsurv.trade.results.measures import RunMeasures
from predsurv.trade.runner import TradeRunner
from predsurv.trade.runs.folder import RunFolder, create_run, last_marks
from predsurv.trade.runs.info import JOURNAL_FILE, AccountBefore, DataFingerprint, RunInfo, settings_of, versions
from predsurv.trade.runs.inputs import KnownBefore, MarketBefore, StatedFact
from predsurv.trade.runs.keeper import RunInputs, RunKeeper
from predsurv.trade.runs.sources import sources_of
from predsurv.trade.session import TradingSession
from predsurv.trade.stats import RunStats
from predsurv.trade.watchlist import MarketSelection, Watchlist, select_markets

_LOG: Final = logging.getLogger(__name__)

_MOCK: Final = VenueName("mock")

Observe = Callable[[Engine], RunObserver]
"""Makes the observer of a run around its engine."""


class _TradingMode(Struct, frozen=True, kw_only=True):
    """What distinguishes one mode from another. ``name`` names the account, ``run`` the order ids.

    ``asked``: what is written of the run when it starts. ``folder`` None: it is made when everything is known.
    """

    name: str
    run: str
    journal: OrderJournal
    folder: RunFolder | None
    asked: "_Asked"
    strategies: Sequence[Strategy]
    mappings: tuple[ApprovedMapping, ...] = ()
    clock: Clock
    halt: HaltFlag | None
    realtime: bool
    know: "_Know"


class _Asked(Struct, frozen=True, kw_only=True):
    """When a run was started (ns UTC), the time it is to go through, what of it there is, and what it reads."""

    started: int
    requested_from: int | None = None
    requested: int | None = None
    loaded: int = 0
    data: DataFingerprint | None = None
    notes: tuple[str, ...] = ()


class _KnownToRun(Struct, frozen=True):
    """The markets that a run knows when it begins, and what it watches of each venue.

    ``learnt``: in which order it came to know them, None where that follows from the data that it reads.
    """

    cache: MarketCache
    watched: Mapping[VenueName, MarketSelection]
    learnt: Sequence[KnownBefore] | None = None


_Know = Callable[[Sequence[InstrumentKey]], _KnownToRun]
"""Returns what a run knows that holds positions in some instruments."""


def journal_path(data_dir: Path, mode: str) -> Path:
    """Return the path of a mode's journal; modes never share one."""
    return Layout(data_dir).state / "trading" / f"{mode}.db"


def paper_mode(venues: Sequence[VenueName]) -> str:
    """Return the name of the paper mode: ``mock`` with the mock venue, whose account is kept apart, else ``paper``."""
    return MOCK_MODE if _MOCK in venues else "paper"


def open_paper(
    config: Config, venues: Sequence[Venue], clock: Clock, observe: Observe, requested: int | None = None
) -> TradingSession:
    """Return a paper run on the venues' live feeds; raises ConfigError for a venue that was never scanned.

    ``requested``: how long (ns) it is meant to run, None until it is stopped. Warns of a polled venue: its books are
    too old to simulate fills against.
    """
    for venue in venues:
        if venue.traits.polled:
            _LOG.warning(
                "%s is polled: fills on books that are seconds old are too good to be true, and pauses and settlements"
                " are heard of late; set its API key to trade on the stream",
                venue.name,
            )
    name = paper_mode([venue.name for venue in venues])
    mappings = mappings_of(config, [venue.name for venue in venues])
    mode = _TradingMode(
        name=name,
        run=name,
        journal=_journal(config, name),
        folder=None,
        asked=_Asked(started=clock.now(), requested=requested),
        strategies=configured_strategies(config, mappings),
        mappings=mappings,
        clock=clock,
        halt=halt_flag(config.data_dir),
        realtime=True,
        know=lambda held: _known_now(config, venues, held, clock.now()),
    )
    opened, watched = _open(config, mode, venues)
    with _ending(opened.keeper, mode.journal):
        watchlists = {
            venue.name: _watchlist(
                venue,
                watched[venue.name],
                config.collector.max_instruments,
                opened.components.engine.account.portfolio.followed,
            )
            for venue in venues
        }
        feeds = {venue.name: venue.feed() for venue in venues}
        runner = TradeRunner(opened.components, feeds, watchlists, observe(opened.components.engine))
    return TradingSession(mode.name, opened.components, runner, mode.journal, opened.keeper)


def open_backtest(
    config: Config,
    venue: Venue,
    span: ReplaySpan,
    observe: Observe,
    strategies: Sequence[Strategy] | None = None,
    *,
    every_event: bool = False,
) -> TradingSession:
    """Return a run over the recording of a venue; it begins with an empty account every time.

    ``strategies`` take the place of those of the configuration. ``every_event``: the observer receives every event in
    batches, for which each is made an object, several times slower; otherwise it receives steps alone. Several runs may
    go on at the same time. Raises IntegrityError when there is no coverage of ``span``, ConfigError when none of its
    instruments has a listing.
    """
    clock = EventClock()
    cache = _empty_cache([venue])
    recording = open_recording(config.data_dir, venue, span, cache)
    name = f"backtest-{path_component(venue.name)}"
    read = fingerprint(config.data_dir, venue.name, span.dates(), ("deltas", "trades", "coverage", "lifecycle"))
    asked = _Asked(
        started=SystemClock().now(),
        requested_from=span.start,
        requested=span.end - span.start,
        loaded=recording.summary.loaded,
        data=DataFingerprint(read.digest, read.files, read.unlisted),
        notes=recording.summary.notes(),
    )
    folder = create_run(config.data_dir, name, asked.started)
    mode = _TradingMode(
        name=name,
        run=f"{name}-{date_of(span.start)}",
        journal=OrderJournal(folder.file(JOURNAL_FILE), durable=False, fresh=True),
        folder=folder,
        asked=asked,
        strategies=configured_strategies(config, ()) if strategies is None else strategies,
        clock=clock,
        halt=None,
        realtime=False,
        know=lambda _: _KnownToRun(cache, {venue.name: MarketSelection((), recording.books)}),
    )
    opened, _ = _open(config, mode, [venue])
    with _ending(opened.keeper, mode.journal):
        observer = observe(opened.components.engine)
        runner = BacktestRunner(opened.components, recording, clock, observer, every_event=every_event)
    return TradingSession(mode.name, opened.components, runner, mode.journal, opened.keeper, recording.summary)


def refuse_live(config: Config) -> None:
    """Raise SafetyError: say what is missing for trading with real money."""
    keys = (
        ('trading.mode = "live" in the configuration', config.trading.mode == "live"),
        ("--live", True),
        ("the venue's name typed when asked (or in PREDSURV_LIVE_CONFIRM)", False),
    )
    missing = ", ".join(name for name, given in keys if not given)
    raise SafetyError(
        f"live trading is not available: no venue's broker is part of this version; it would also need {missing}; "
        "use --paper, which trades on the same feed with the same engine"
    )


class _OpenedRun(NamedTuple):
    """The parts of a run, the start of which is journalled."""

    components: RunComponents
    keeper: RunKeeper


def _open(
    config: Config, mode: _TradingMode, venues: Sequence[Venue]
) -> tuple[_OpenedRun, Mapping[VenueName, MarketSelection]]:
    """Return the parts of a run, and what it watches of each venue."""
    restored = restore(mode.journal.entries())
    before, opening = mode.journal.position(), opening_of(restored.account)
    held = [position.key for position in restored.account.portfolio.positions.totals()]
    known = mode.know(held)
    started = _start_run(config, mode, tuple(known.watched))
    parts = open_engine(config, known.cache, mode.strategies, restored, started)
    folder = mode.folder or create_run(config.data_dir, mode.name, mode.asked.started)
    info = _info(config, mode, folder.run, started, venues)
    copy, inputs = None, None
    if known.learnt is not None:
        info = replace(info, account=AccountBefore(mode.name, before.entries, before.checksum))
        copy = OrderJournal(folder.file(JOURNAL_FILE), durable=False, fresh=True)
        inputs = RunInputs(folder, known.learnt)
    marks = {} if known.learnt is None else last_marks(config.data_dir, mode.name, held)
    keeper = RunKeeper(folder, info, RunMeasures(parts.engine, opening, marks), copy, inputs)
    keeper.keep(started)
    components = RunComponents(
        engine=parts.engine,
        journal=mode.journal,
        stats=RunStats(),
        brokers=parts.brokers,
        clock=mode.clock,
        halt=mode.halt,
        realtime=mode.realtime,
        keeper=keeper,
    )
    return _OpenedRun(components, keeper), known.watched


@contextmanager
def _ending(keeper: RunKeeper, journal: OrderJournal) -> Iterator[None]:
    """End a run in good order that fails before it begins."""
    try:
        yield
    except BaseException as error:
        keeper.fail(SystemClock().now(), exit_code_of(error))
        keeper.close()
        journal.close()
        raise


def _info(config: Config, mode: _TradingMode, run: str, started: RunStarted, venues: Sequence[Venue]) -> RunInfo:
    asked = mode.asked
    return RunInfo(
        run=run,
        mode=mode.name,
        venues=tuple(venue.name for venue in venues),
        strategies=started.strategies,
        started=asked.started,
        config=settings_of(config),
        versions=versions(),
        seed=config.mock.seed if config.mock.enabled else None,
        mirrored=tuple(venue.name for venue in venues if venue.traits.complementary_outcomes),
        requested_from=asked.requested_from,
        requested=asked.requested,
        loaded=asked.loaded,
        data=asked.data,
        mappings=mode.mappings,
        notes=asked.notes,
        sources=tuple(sources_of(mode.strategies)),
    )


def _journal(config: Config, mode: str) -> OrderJournal:
    path = journal_path(config.data_dir, mode)
    make_dirs(path.parent, PRIVATE_DIR)
    return OrderJournal(path)


def _known_now(config: Config, venues: Sequence[Venue], positions: Iterable[InstrumentKey], now: int) -> _KnownToRun:
    """Return the markets that are listed now or held, as known at ``now`` (ns UTC), and the instruments to watch."""
    held, watched, learnt = frozenset(positions), {}, list[KnownBefore]()
    for venue in venues:
        selection = _select(config, venue, frozenset(key for key in held if key.venue == venue.name))
        if venue.name != _MOCK:  # its world begins anew with every process, settled markets included
            ids = {market.market_id for market in selection.markets}
            learnt += map(StatedFact, recorded_facts(config.data_dir, venue.name, ids, now))
        learnt += map(MarketBefore, selection.markets)
        watched[venue.name] = selection
    mirrored = frozenset(venue.name for venue in venues if venue.traits.complementary_outcomes)
    return _KnownToRun(cache_of(learnt, mirrored), watched, learnt)


def _select(config: Config, venue: Venue, held: frozenset[InstrumentKey]) -> MarketSelection:
    """Return the markets of a venue to know and to watch; raises ConfigError when there are none to trade."""
    name = venue.name
    files = universe_files(config.data_dir, name)
    if not files:
        flag = " --mock" if name == _MOCK else f" {name}"
        raise ConfigError(f"no universe of {name} in {config.data_dir} yet; run 'predsurv scan{flag}' first")
    markets = markets_listed_now(name, files, {key.market_id for key in held})
    capacity = config.collector.max_instruments
    selection = select_markets(markets, capacity, mirrored=venue.traits.complementary_outcomes, held=held)
    if not selection.keys:
        raise ConfigError(f"{files[max(files)]} has no market that can be traded; scan again")
    return selection


def _start_run(config: Config, mode: _TradingMode, venues: Sequence[VenueName]) -> RunStarted:
    """Journal the start of the run; its cash is for venues that were never traded on before."""
    strategies = tuple(each.name for each in mode.strategies)
    cash = tuple((venue, config.trading.starting_cash) for venue in venues)
    started = RunStarted(mode.clock.now(), mode.name, mode.run, strategies, cash)
    mode.journal.append(started)
    return started


def _empty_cache(venues: Sequence[Venue]) -> MarketCache:
    return MarketCache(frozenset(venue.name for venue in venues if venue.traits.complementary_outcomes))


def _watchlist(
    venue: Venue, selection: MarketSelection, capacity: int, followed: AbstractSet[tuple[VenueName, MarketId]]
) -> Watchlist:
    """Return the watchlist of a venue; what was traded stays on it until it is paid out."""
    mirrored = venue.traits.complementary_outcomes
    return Watchlist(
        selection.keys,
        capacity,
        mirrored=mirrored,
        mirrors=selection.mirrors,
        known=selection.markets,
        needed=lambda name, market_id: (name, market_id) in followed,
    )
