"""Assembly of trading runs: paper on a live or mock feed, backtest on a recording.

The only place where configuration, adapters and engine meet: modes differ in feed, clock and journal alone.
"""

import logging
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Final, NamedTuple

from predsurv.config import Config
from predsurv.core.ids import VenueName
from predsurv.core.num import Money
from predsurv.core.reconciliation import PositionCorrected
from predsurv.core.text import path_component
from predsurv.engine.engine import Engine
from predsurv.engine.strategy import Strategy
from predsurv.net.clock import SystemClock
from predsurv.ports import Clock, Venue
from predsurv.store.files import PRIVATE_DIR, make_dirs
from predsurv.store.layout import Layout, date_of
from predsurv.store.read.fingerprint import fingerprint
from predsurv.store.read.recording import ReplaySpan, open_recording
from predsurv.store.read.replay_cache import REPLAY_CACHE, ReplayCache
from predsurv.trade.backtest_runner import BacktestRunner
from predsurv.trade.engine_parts import configured_strategies, mappings_of
from predsurv.trade.halt_flag import halt_flag
from predsurv.trade.journal import MOCK_MODE, AccountCorrected, OrderJournal
from predsurv.trade.journal_path import journal_path
from predsurv.trade.live.account_names import live_mode, shadow_mode
from predsurv.trade.live.live_account import LiveAccount
from predsurv.trade.live.shadow_broker import ShadowBroker
from predsurv.trade.live.shadow_opening import ShadowStart
from predsurv.trade.paper_broker import PaperBroker
from predsurv.trade.pipeline import RunObserver
from predsurv.trade.replay import EventClock
from predsurv.trade.run_markets import KnownToRun, empty_cache, known_now, watchlist_of
from predsurv.trade.run_opening import (
    LiveParts,
    RunAccounts,
    RunMode,
    RunRequest,
    closed_if_it_fails,
    ending_in_order,
    open_parts,
)
from predsurv.trade.runner import TradeRunner
from predsurv.trade.runs.folder import RunFolder, create_run
from predsurv.trade.runs.info import JOURNAL_FILE, DataFingerprint
from predsurv.trade.session import TradingSession
from predsurv.trade.watchlist import MarketSelection
from predsurv.venues.execution.gateway import VenueAccount
from predsurv.venues.execution.live_broker import LiveBroker

_LOG: Final = logging.getLogger(__name__)

SHADOW_NOTE: Final = "SHADOW run: every order was made, signed and checked, none was sent; fills are simulated"

_MOCK: Final = VenueName("mock")

Observe = Callable[[Engine], RunObserver]
"""Makes the observer of a run around its engine."""


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
    name = paper_mode([venue.name for venue in venues])
    return _open_on_feeds(config, venues, clock, observe, _FeedRun(name, name, requested))


class FundedAccount(NamedTuple):
    """An account at a venue, and the cash that it had just now (micros)."""

    account: VenueAccount
    cash: Money


class LiveSource(NamedTuple):
    """The accounts that a live run trades with, one at each venue, time and randomness."""

    accounts: Mapping[VenueName, FundedAccount]
    clock: Clock
    rand: Callable[[], float]


class ShadowedAccount(NamedTuple):
    """An account at a venue for which nothing is sent, and what it had just now."""

    account: VenueAccount
    start: ShadowStart


class ShadowSource(NamedTuple):
    """The accounts for which a shadow run makes orders, one at each venue, and the time."""

    accounts: Mapping[VenueName, ShadowedAccount]
    clock: Clock


def open_live(
    config: Config, venues: Sequence[Venue], source: LiveSource, observe: Observe, requested: int | None = None
) -> TradingSession:
    """Return a run that really orders at ``venues``.

    Nothing is placed before each account has been compared with the journal's. Raises ConfigError for a venue that was
    never scanned.
    """
    clock = source.clock

    def execute(engine: Engine, _: Mapping[VenueName, PaperBroker]) -> LiveParts:
        brokers = {
            venue: LiveBroker(
                each.account,
                lambda key: engine.cache.market(key.venue, key.market_id),
                clock,
                lambda reason: _halt(config.data_dir, clock.now(), reason),
            )
            for venue, each in source.accounts.items()
        }
        services = [LiveAccount(each, engine.account, clock, source.rand) for each in brokers.values()]
        return LiveParts(brokers, tuple(services))

    names = [venue.name for venue in venues]
    accounts = RunAccounts({name: source.accounts[name].cash for name in names}, execute)
    # An id is never used twice at a venue, whichever journal it is from.
    run = _FeedRun(live_mode(config, *names), f"live-{clock.now() // 1_000_000:x}", requested, accounts)
    return _open_on_feeds(config, venues, clock, observe, run)


def open_shadow(
    config: Config,
    venues: Sequence[Venue],
    source: ShadowSource,
    observe: Observe,
    requested: int | None = None,
) -> TradingSession:
    """Return a run that makes, signs and checks every order at ``venues`` and sends none; fills are simulated.

    Its account is its own and begins with what the real ones have. Raises ConfigError for a venue never scanned.
    """

    def execute(engine: Engine, simulated: Mapping[VenueName, PaperBroker]) -> LiveParts:
        brokers = {
            venue: ShadowBroker(
                each.account.gateway,
                each.start.check_funds,
                simulated[venue],
                lambda key: engine.cache.market(key.venue, key.market_id),
            )
            for venue, each in source.accounts.items()
        }
        return LiveParts(brokers, ())

    name = shadow_mode(config, *source.accounts)
    cash = {venue: each.start.cash for venue, each in source.accounts.items()}
    held = [each for shadowed in source.accounts.values() for each in shadowed.start.held]
    accounts = RunAccounts(cash, execute, is_real=False)
    return _open_on_feeds(config, venues, source.clock, observe, _FeedRun(name, name, requested, accounts, held))


def _halt(data_dir: Path, now: int, reason: str) -> None:
    """Halt all trading, and say so once: each cancel that is refused meanwhile says the same."""
    flag = halt_flag(data_dir)
    known = flag.read()
    if known is None or known.trading != "halted":
        _LOG.error("trading is halted: %s; 'predsurv resume' allows it again", reason)
        flag.set(now, reason)


class _FeedRun(NamedTuple):
    """A run on live feeds: the account's name, what its order ids begin with, how long it is meant to go on (ns).

    ``held``: what it begins with where its account does not outlive it, None where it does.
    """

    name: str
    ids: str
    requested: int | None
    accounts: RunAccounts | None = None
    held: Sequence[PositionCorrected] | None = None


def _open_on_feeds(
    config: Config, venues: Sequence[Venue], clock: Clock, observe: Observe, run: _FeedRun
) -> TradingSession:
    for venue in venues:
        if venue.traits.polled:
            _LOG.warning(
                "%s is polled: fills on books that are seconds old are too good to be true, and pauses and settlements"
                " are heard of late; set its API key to trade on the stream",
                venue.name,
            )
    mappings = mappings_of(config, [venue.name for venue in venues])
    started = clock.now()
    folder = None if run.held is None else create_run(config.data_dir, run.name, started)
    journal = _journal(config, run.name) if folder is None else _fresh_journal(folder, run.held or ())
    with closed_if_it_fails(journal):
        mode = RunMode(
            name=run.name,
            run=run.ids,
            journal=journal,
            folder=folder,
            asked=RunRequest(started=started, requested=run.requested, notes=() if folder is None else (SHADOW_NOTE,)),
            strategies=configured_strategies(config, mappings),
            mappings=mappings,
            clock=clock,
            halt=halt_flag(config.data_dir),
            realtime=True,
            know=lambda held: known_now(config, venues, held, clock.now()),
            accounts=run.accounts,
        )
        opened = open_parts(config, mode, venues)
        watched = opened.known.watched
        with ending_in_order(opened.keeper, mode.journal):
            watchlists = {
                venue.name: watchlist_of(
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
    cache = empty_cache([venue])
    recording = open_recording(config.data_dir, venue, span, cache)
    name = f"backtest-{path_component(venue.name)}"
    read = fingerprint(config.data_dir, venue.name, span.dates(), ("deltas", "trades", "coverage", "lifecycle"))
    asked = RunRequest(
        started=SystemClock().now(),
        requested_from=span.start,
        requested=span.end - span.start,
        loaded=recording.summary.loaded,
        data=DataFingerprint(read.digest, read.files, read.unlisted),
        notes=recording.summary.notes(),
    )
    folder = create_run(config.data_dir, name, asked.started)
    with closed_if_it_fails(OrderJournal(folder.file(JOURNAL_FILE), durable=False, fresh=True)) as journal:
        mode = RunMode(
            name=name,
            run=f"{name}-{date_of(span.start)}",
            journal=journal,
            folder=folder,
            asked=asked,
            strategies=configured_strategies(config, ()) if strategies is None else strategies,
            clock=clock,
            halt=None,
            realtime=False,
            know=lambda _: KnownToRun(cache, {venue.name: MarketSelection((), recording.books)}),
        )
        opened = open_parts(config, mode, [venue])
        with ending_in_order(opened.keeper, mode.journal):
            observer = observe(opened.components.engine)
            kept = _replay_cache(config, recording.layout)
            runner = BacktestRunner(opened.components, recording, clock, observer, every_event=every_event, cache=kept)
        return TradingSession(mode.name, opened.components, runner, mode.journal, opened.keeper, recording.summary)


def _replay_cache(config: Config, layout: Layout) -> ReplayCache | None:
    bytes_max = config.storage.replay_cache
    return ReplayCache(layout.state / REPLAY_CACHE, bytes_max) if bytes_max else None


def _fresh_journal(folder: RunFolder, held: Sequence[PositionCorrected]) -> OrderJournal:
    """Return the journal of an account that lasts as long as its run, with what it holds when that begins."""
    journal = OrderJournal(folder.file(JOURNAL_FILE), durable=False, fresh=True)
    for each in held:
        journal.append(AccountCorrected(each))
    return journal


def _journal(config: Config, mode: str) -> OrderJournal:
    path = journal_path(config.data_dir, mode)
    make_dirs(path.parent, PRIVATE_DIR)
    return OrderJournal(path)
