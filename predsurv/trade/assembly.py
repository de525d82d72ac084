"""What each mode is made of: paper on a live or made-up feed, backtest on a recording.

Kept apart because this is the only place where configuration, adapters and engine meet: a mode is
a choice of feed, broker and clock, and nothing else.
"""

import logging
from collections.abc import Iterable, Iterator, Mapping, Sequence
from collections.abc import Set as AbstractSet
from pathlib import Path
from typing import Final

from msgspec import Struct

from predsurv.config import Config
from predsurv.core.errors import ConfigError, SafetyError
from predsurv.core.events import MarketEvent
from predsurv.core.ids import InstrumentKey, VenueName
from predsurv.core.market import Market
from predsurv.core.num import Money
from predsurv.core.text import path_component
from predsurv.engine.account.valuation import DAY
from predsurv.engine.engine import Engine, EngineSetup
from predsurv.engine.risk.checks import RiskLimits
from predsurv.ports import Clock, Feed, Venue
from predsurv.state.market_cache import MarketCache
from predsurv.store.files import PRIVATE_DIR, make_dirs
from predsurv.store.layout import Layout, date_of
from predsurv.store.read.replay import replay
from predsurv.store.universe import universes
from predsurv.strategies.registry import build
from predsurv.trade.controller import TradeDeps
from predsurv.trade.journal import OrderJournal, RestoredState, RunStarted, fold
from predsurv.trade.kill_switch import HaltFlag
from predsurv.trade.market_lists import listed_now, listed_then
from predsurv.trade.paper_broker import PaperBroker, PaperSettings
from predsurv.trade.pipeline import PipelineObserver
from predsurv.trade.replay import EventClock, ReplayFeed
from predsurv.trade.runner import TradeRunner
from predsurv.trade.stats import RunStats
from predsurv.trade.watchlist import VenueWatchlist, Watchlist, choose

_LOG: Final = logging.getLogger(__name__)

BACKTEST_INSTRUMENTS_MAX: Final = 1_000_000

_MADE_UP: Final = VenueName("mock")


class BacktestSpan(Struct, frozen=True):
    """The part of a recording to go through: from ``start`` to before ``end``, ns UTC."""

    start: int
    end: int


class TradingSession(Struct, frozen=True):
    """A run ready to start, and what can be read from it afterwards."""

    mode: str
    trader: TradeDeps
    runner: TradeRunner


class _Plan(Struct, frozen=True, kw_only=True):
    """What two modes differ in."""

    mode: str
    run: str
    journal: OrderJournal
    clock: Clock
    halt: HaltFlag | None
    realtime: bool
    capacity: int
    strategies: Sequence[str]
    audience: PipelineObserver
    span: BacktestSpan | None = None


def journal_path(data_dir: Path, mode: str) -> Path:
    """Return where the journal of a mode is; modes never share one."""
    return Layout(data_dir).state / "trading" / f"{mode}.db"


def paper_mode(venues: Sequence[VenueName]) -> str:
    """Return the mode's name: what was made on a made-up venue is kept apart."""
    return "mock" if _MADE_UP in venues else "paper"


def halt_flag(data_dir: Path) -> HaltFlag:
    """Return the flag that halts every trader of a data folder."""
    return HaltFlag(Layout(data_dir).state / "trading" / "halt.json")


def open_paper(config: Config, venues: Sequence[Venue], clock: Clock, audience: PipelineObserver) -> TradingSession:
    """Return a paper run on the venues' live feeds; raises ConfigError when one was never scanned.

    Warns of a venue that is polled: between two polls a book is not what fills are made up from.
    """
    for venue in venues:
        if venue.traits.polled:
            _LOG.warning(
                "%s is polled: fills on books that are seconds old are too good to be true, and pauses and settlements"
                " are heard of minutes late; set its API key to trade on the stream",
                venue.name,
            )
    mode = paper_mode([venue.name for venue in venues])
    plan = _Plan(
        mode=mode,
        run=mode,
        journal=_journal(config, mode, durable=True),
        clock=clock,
        halt=halt_flag(config.data_dir),
        realtime=True,
        capacity=config.collector.max_instruments,
        strategies=config.trading.strategies,
        audience=audience,
    )
    return _open(config, plan, venues, {venue.name: venue.feed() for venue in venues})


def open_backtest(config: Config, venue: Venue, span: BacktestSpan, audience: PipelineObserver) -> TradingSession:
    """Return a run over what was recorded of a venue; begins with an empty account every time."""
    clock = EventClock()
    mode = f"backtest-{path_component(venue.name)}"

    def source(want: AbstractSet[InstrumentKey]) -> Iterator[MarketEvent]:
        return replay(config.data_dir, venue.name, span.start, span.end, want)

    plan = _Plan(
        mode=mode,
        run=f"{mode}-{date_of(span.start)}",
        journal=_journal(config, mode, durable=False, fresh=True),
        clock=clock,
        halt=None,
        realtime=False,
        capacity=BACKTEST_INSTRUMENTS_MAX,
        strategies=config.trading.strategies,
        audience=audience,
        span=span,
    )
    return _open(config, plan, [venue], {venue.name: ReplayFeed(source, clock)})


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


def _open(config: Config, plan: _Plan, venues: Sequence[Venue], feeds: Mapping[VenueName, Feed]) -> TradingSession:
    mirrored = frozenset(venue.name for venue in venues if venue.traits.complementary_outcomes)
    held = [position.key for position in _restore(plan).ledger.portfolio.lots.positions()]
    lists = {venue.name: _watchlist(config, venue, plan, held) for venue in venues}
    strategies = build(plan.strategies)
    now = plan.clock.now()
    cash = tuple((venue.name, config.trading.starting_cash) for venue in venues)
    plan.journal.append(RunStarted(now, plan.mode, plan.run, tuple(each.name for each in strategies), cash))
    restored = _restore(plan)
    cache = MarketCache()
    for watchlist in lists.values():
        for market in watchlist.markets:
            cache.add(market)
    engine = Engine(
        EngineSetup(run=plan.run, limits=_limits(config), mirrored=mirrored), strategies, cache, restored.ledger
    )
    day = restored.day
    if day is not None and day.equity is not None and day.ts // DAY == now // DAY:
        engine.desk.worth.begin_day(now, Money(day.equity + restored.added))
    # A broker's account is folded by itself: what reconciliation compares must not be one object.
    brokers = {
        venue.name: PaperBroker(
            PaperSettings(venue.name, config.trading.latency),
            cache,
            engine.mirror,
            _restore(plan).ledger.portfolio,
        )
        for venue in venues
    }
    tally = RunStats()
    tally.equity_start = engine.desk.worth.equity()
    trader = TradeDeps(
        engine=engine,
        journal=plan.journal,
        tally=tally,
        brokers=brokers,
        clock=plan.clock,
        halt=plan.halt,
        realtime=plan.realtime,
    )
    interests = {
        name: VenueWatchlist(watchlist.keys, plan.capacity, mirrored=name in mirrored)
        for name, watchlist in lists.items()
    }
    return TradingSession(plan.mode, trader, TradeRunner(trader, feeds, interests, plan.audience))


def _journal(config: Config, mode: str, *, durable: bool, fresh: bool = False) -> OrderJournal:
    path = journal_path(config.data_dir, mode)
    make_dirs(path.parent, PRIVATE_DIR)
    return OrderJournal(path, durable=durable, fresh=fresh)


def _restore(plan: _Plan) -> RestoredState:
    restored = fold(plan.journal.entries())
    if plan.mode == _MADE_UP:
        restored.ledger.forget_payouts()  # its exchange starts anew each time
    return restored


def _watchlist(config: Config, venue: Venue, plan: _Plan, positions: Iterable[InstrumentKey]) -> Watchlist:
    name, held = venue.name, frozenset(key for key in positions if key.venue == venue.name)
    files = universes(config.data_dir, name)
    if not files:
        flag = " --mock" if name == _MADE_UP else f" {name}"
        raise ConfigError(f"no universe of {name} in {config.data_dir} yet; run 'predsurv scan{flag}' first")
    markets: Iterable[Market] = (
        listed_now(name, files, {key.market_id for key in held})
        if plan.span is None
        else listed_then(name, files, date_of(plan.span.start), date_of(plan.span.end - 1))
    )
    watchlist = choose(markets, plan.capacity, mirrored=venue.traits.complementary_outcomes, held=held)
    if not watchlist.keys:
        raise ConfigError(f"{files[max(files)]} has no market that can be traded; scan again")
    return watchlist


def _limits(config: Config) -> RiskLimits:
    risk = config.risk
    return RiskLimits(**{name: getattr(risk, name) for name in RiskLimits.__struct_fields__})
