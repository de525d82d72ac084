"""Assembly of trading runs: paper on a live or mock feed, backtest on a recording.

The only place where configuration, adapters and engine meet: modes differ in feed, clock and journal alone.
"""

import logging
from collections.abc import Callable, Iterable, Mapping, Sequence
from copy import deepcopy
from pathlib import Path
from typing import Final

from msgspec import Struct
from msgspec.structs import replace

from predsurv.config import Config
from predsurv.config.mappings import read_mappings
from predsurv.core.errors import ConfigError, SafetyError
from predsurv.core.ids import InstrumentKey, StrategyName, VenueName
from predsurv.core.num import Money
from predsurv.core.text import path_component
from predsurv.engine.account.portfolio import Portfolio
from predsurv.engine.account.valuation import DAY
from predsurv.engine.engine import Engine
from predsurv.engine.risk.checks import RiskLimits
from predsurv.engine.strategy import CrossVenueStrategy, Strategy
from predsurv.ports import Clock, Feed, Venue
from predsurv.state.market_cache import MarketCache
from predsurv.store.files import PRIVATE_DIR, make_dirs
from predsurv.store.layout import Layout, date_of
from predsurv.store.universe import universe_files
from predsurv.trade.halt_flag import HaltFlag
from predsurv.trade.journal import MOCK_MODE, OrderJournal, RestoredState, RunStarted, restore
from predsurv.trade.market_lists import fold_recorded, markets_listed_now
from predsurv.trade.paper_broker import PaperBroker, PaperSettings
from predsurv.trade.pipeline import RunComponents, RunObserver
from predsurv.trade.recording import BacktestSpan, RecordingSummary, open_recording
from predsurv.trade.replay import EventClock, ReplayFeed
from predsurv.trade.runner import TradeRunner
from predsurv.trade.stats import RunStats
from predsurv.trade.strategy_loading import build
from predsurv.trade.watchlist import MarketSelection, Watchlist, select_markets

_LOG: Final = logging.getLogger(__name__)

BACKTEST_INSTRUMENTS_MAX: Final = 1_000_000

_MOCK: Final = VenueName("mock")

Observe = Callable[[Engine], RunObserver]
"""Makes the observer of a run around its engine."""


class TradingSession(Struct, frozen=True):
    """A run ready to start, with the parts that can be read afterwards; ``recording`` of a backtest."""

    mode: str
    strategies: tuple[StrategyName, ...]
    components: RunComponents
    runner: TradeRunner
    recording: RecordingSummary | None = None

    @property
    def engine(self) -> Engine:
        """The engine."""
        return self.components.engine

    @property
    def journal(self) -> OrderJournal:
        """The journal, to be closed after the run."""
        return self.components.journal

    @property
    def stats(self) -> RunStats:
        """The counts of the run."""
        return self.components.stats


class OwnRun(Struct, frozen=True):
    """The strategies of a backtest and the journal that it writes, where these are not those of the configuration."""

    strategies: Sequence[Strategy]
    journal: OrderJournal


class _TradingMode(Struct, frozen=True, kw_only=True):
    """What distinguishes one mode from another. ``name`` names the journal, ``run`` the order ids."""

    name: str
    run: str
    journal: OrderJournal
    strategies: Sequence[Strategy]
    clock: Clock
    halt: HaltFlag | None
    realtime: bool
    capacity: int
    know: "_Know"


class _KnownToRun(Struct, frozen=True):
    """The markets that a run knows when it begins, and what it watches of each venue."""

    cache: MarketCache
    watched: Mapping[VenueName, MarketSelection]


_Know = Callable[[Sequence[InstrumentKey]], _KnownToRun]
"""Returns what a run knows that holds positions in some instruments."""


def journal_path(data_dir: Path, mode: str) -> Path:
    """Return the path of a mode's journal; modes never share one."""
    return Layout(data_dir).state / "trading" / f"{mode}.db"


def paper_mode(venues: Sequence[VenueName]) -> str:
    """Return the name of the paper mode: ``mock`` with the mock venue, whose account is kept apart, else ``paper``."""
    return MOCK_MODE if _MOCK in venues else "paper"


def halt_flag(data_dir: Path) -> HaltFlag:
    """Return the flag that halts every trader of a data folder."""
    return HaltFlag(Layout(data_dir).state / "trading" / "halt.json")


def open_paper(config: Config, venues: Sequence[Venue], clock: Clock, observe: Observe) -> TradingSession:
    """Return a paper run on the venues' live feeds; raises ConfigError for a venue that was never scanned.

    Warns of a polled venue: its books are too old to simulate fills against.
    """
    for venue in venues:
        if venue.traits.polled:
            _LOG.warning(
                "%s is polled: fills on books that are seconds old are too good to be true, and pauses and settlements"
                " are heard of late; set its API key to trade on the stream",
                venue.name,
            )
    name = paper_mode([venue.name for venue in venues])
    mode = _TradingMode(
        name=name,
        run=name,
        journal=_journal(config, name, durable=True),
        strategies=configured_strategies(config, venues),
        clock=clock,
        halt=halt_flag(config.data_dir),
        realtime=True,
        capacity=config.collector.max_instruments,
        know=lambda held: _known_now(config, venues, held, clock.now()),
    )
    return _open(config, mode, venues, {venue.name: venue.feed() for venue in venues}, observe)


def open_backtest(
    config: Config,
    venue: Venue,
    span: BacktestSpan,
    observe: Observe,
    own: OwnRun | None = None,
) -> TradingSession:
    """Return a run over the recording of a venue; it begins with an empty account every time.

    ``own``: strategies and journal in place of those of the configuration.
    Raises IntegrityError when there is no coverage of ``span``, ConfigError when none of its instruments has a listing.
    """
    clock = EventClock()
    cache = _empty_cache([venue])
    recording = open_recording(config.data_dir, venue, span, cache)
    name = f"backtest-{path_component(venue.name)}"
    mode = _TradingMode(
        name=name,
        run=f"{name}-{date_of(span.start)}",
        journal=_journal(config, name, durable=False, fresh=True) if own is None else own.journal,
        strategies=configured_strategies(config, [venue]) if own is None else own.strategies,
        clock=clock,
        halt=None,
        realtime=False,
        capacity=BACKTEST_INSTRUMENTS_MAX,
        know=lambda _: _KnownToRun(cache, {venue.name: MarketSelection((), recording.books)}),
    )
    session = _open(config, mode, [venue], {venue.name: ReplayFeed(recording.events, clock)}, observe)
    return replace(session, recording=recording.summary)


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


def _open(
    config: Config, mode: _TradingMode, venues: Sequence[Venue], feeds: Mapping[VenueName, Feed], observe: Observe
) -> TradingSession:
    restored = restore(mode.journal.entries())
    held = [position.key for position in restored.account.portfolio.positions.totals()]
    known = mode.know(held)
    strategies = mode.strategies
    started = _start_run(config, mode, tuple(known.watched), tuple(each.name for each in strategies))
    restored.apply(started)
    cache = known.cache
    # Each broker has an account of its own: reconciliation compares it with the engine's.
    portfolios = {venue.name: deepcopy(restored.account.portfolio) for venue in venues}
    engine = Engine(run=mode.run, limits=_limits(config), strategies=strategies, cache=cache, account=restored.account)
    engine.control.continue_minute(restored.sent)
    _continue_day(engine, restored, started.ts)
    components = RunComponents(
        engine=engine,
        journal=mode.journal,
        stats=RunStats(engine.valuation.equity()),
        brokers={name: _broker(config, name, cache, portfolio) for name, portfolio in portfolios.items()},
        clock=mode.clock,
        halt=mode.halt,
        realtime=mode.realtime,
    )
    watchlists = {venue.name: _watchlist(venue, known.watched[venue.name], mode.capacity) for venue in venues}
    return TradingSession(
        mode.name, started.strategies, components, TradeRunner(components, feeds, watchlists, observe(engine))
    )


def configured_strategies(config: Config, venues: Sequence[Venue]) -> tuple[Strategy, ...]:
    """Return the strategies of the configuration; those that trade across venues with the mappings of these."""
    strategies = build(config.trading.strategies, config.strategies)
    names = {venue.name for venue in venues}
    mappings = [
        each for each in read_mappings(config.trading.mappings) if {each.first.venue, each.second.venue} <= names
    ]
    for strategy in strategies:
        if mappings and isinstance(strategy, CrossVenueStrategy):
            strategy.use_mappings(mappings)
    return strategies


def _journal(config: Config, mode: str, *, durable: bool, fresh: bool = False) -> OrderJournal:
    path = journal_path(config.data_dir, mode)
    make_dirs(path.parent, PRIVATE_DIR)
    return OrderJournal(path, durable=durable, fresh=fresh)


def _known_now(config: Config, venues: Sequence[Venue], positions: Iterable[InstrumentKey], now: int) -> _KnownToRun:
    """Return the markets that are listed now or held, as known at ``now`` (ns UTC), and the instruments to watch."""
    cache, held = _empty_cache(venues), frozenset(positions)
    watched = {}
    for venue in venues:
        selection = _select(config, venue, frozenset(key for key in held if key.venue == venue.name))
        if venue.name != _MOCK:  # its world begins anew with every process, settled markets included
            fold_recorded(config.data_dir, venue.name, {market.market_id for market in selection.markets}, now, cache)
        for market in selection.markets:
            if cache.market(venue.name, market.market_id) is None:
                cache.add(market)
        watched[venue.name] = selection
    return _KnownToRun(cache, watched)


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


def _start_run(
    config: Config, mode: _TradingMode, venues: Sequence[VenueName], strategies: tuple[StrategyName, ...]
) -> RunStarted:
    """Journal the start of the run; its cash is for venues that were never traded on before."""
    cash = tuple((venue, config.trading.starting_cash) for venue in venues)
    started = RunStarted(mode.clock.now(), mode.name, mode.run, strategies, cash)
    mode.journal.append(started)
    return started


def _empty_cache(venues: Sequence[Venue]) -> MarketCache:
    return MarketCache(frozenset(venue.name for venue in venues if venue.traits.complementary_outcomes))


def _broker(config: Config, venue: VenueName, cache: MarketCache, portfolio: Portfolio) -> PaperBroker:
    return PaperBroker(PaperSettings(venue, config.trading.latency), cache, portfolio)


def _watchlist(venue: Venue, selection: MarketSelection, capacity: int) -> Watchlist:
    mirrored = venue.traits.complementary_outcomes
    return Watchlist(selection.keys, capacity, mirrored=mirrored, mirrors=selection.mirrors, known=selection.markets)


def _continue_day(engine: Engine, restored: RestoredState, now: int) -> None:
    """Count losses made earlier on the UTC day of ``now`` (ns) towards its limit."""
    day = restored.day
    if day is not None and day.equity is not None and day.ts // DAY == now // DAY:
        engine.control.continue_day(now, Money(day.equity + restored.added), lost_too_much=restored.lost_too_much)


def _limits(config: Config) -> RiskLimits:
    risk = config.risk
    return RiskLimits(**{name: getattr(risk, name) for name in RiskLimits.__struct_fields__})
