"""The parts of a run put together: account, engine and brokers, its folder, and what is kept of it.

Modes differ in what a ``RunMode`` says; ``assembly`` makes one for each.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import NamedTuple

from msgspec import Struct
from msgspec.structs import replace

from predsurv.config import Config
from predsurv.core.errors import exit_code_of
from predsurv.core.ids import VenueName
from predsurv.core.mapping import ApprovedMapping
from predsurv.core.num import Money
from predsurv.engine.engine import Engine
from predsurv.engine.risk.execution_rules import ALL_SIMULATED, VenueRules
from predsurv.engine.strategy import Strategy
from predsurv.net.clock import SystemClock
from predsurv.ports import Broker, Clock, Venue
from predsurv.trade.engine_parts import open_engine
from predsurv.trade.halt_flag import HaltFlag
from predsurv.trade.journal import OrderJournal, RunStarted, restore
from predsurv.trade.paper_broker import PaperBroker
from predsurv.trade.pipeline import RunComponents
from predsurv.trade.results.ledger import opening_of
from predsurv.trade.results.measures import RunMeasures
from predsurv.trade.run_markets import Know, KnownToRun
from predsurv.trade.run_parts import RunService
from predsurv.trade.runs.folder import RunFolder, create_run, last_marks
from predsurv.trade.runs.info import JOURNAL_FILE, AccountBefore, DataFingerprint, RunInfo, settings_of, versions
from predsurv.trade.runs.keeper import RunInputs, RunKeeper
from predsurv.trade.runs.sources import sources_of
from predsurv.trade.stats import RunStats


class RunMode(Struct, frozen=True, kw_only=True):
    """What distinguishes one mode from another. ``name`` names the account, ``run`` the order ids.

    ``asked``: what is written of the run when it starts. ``folder`` None: it is made when everything is known.
    """

    name: str
    run: str
    journal: OrderJournal
    folder: RunFolder | None
    asked: "RunRequest"
    strategies: Sequence[Strategy]
    mappings: tuple[ApprovedMapping, ...] = ()
    clock: Clock
    halt: HaltFlag | None
    realtime: bool
    know: Know
    accounts: "RunAccounts | None" = None


class RunAccounts(Struct, frozen=True):
    """Accounts at venues: what each has in ``cash``, and what makes their brokers and services.

    ``execute`` is given the engine and the simulated brokers there are: ``is_real`` those of other venues, as orders
    are really executed at these; else nothing is sent, and what it returns takes the place of the simulated ones.
    """

    cash: Mapping[VenueName, Money]
    execute: "Callable[[Engine, Mapping[VenueName, PaperBroker]], LiveParts]"
    is_real: bool = True


class LiveParts(Struct, frozen=True):
    """What executes orders of a run, and looks after their accounts."""

    brokers: Mapping[VenueName, Broker]
    services: tuple[RunService, ...]


class RunRequest(Struct, frozen=True, kw_only=True):
    """When a run was started (ns UTC), the time it is to go through, what of it there is, and what it reads."""

    started: int
    requested_from: int | None = None
    requested: int | None = None
    loaded: int = 0
    data: DataFingerprint | None = None
    notes: tuple[str, ...] = ()


class OpenedRun(NamedTuple):
    """The parts of a run, the start of which is journalled, and what it knows of markets."""

    components: RunComponents
    keeper: RunKeeper
    known: KnownToRun


def open_parts(config: Config, mode: RunMode, venues: Sequence[Venue]) -> OpenedRun:
    """Return the parts of a run; its start is journalled."""
    restored = restore(mode.journal.entries())
    before, opening = mode.journal.position(), opening_of(restored.account)
    held = [position.key for position in restored.account.portfolio.positions.totals()]
    known = mode.know([*held, *(order.key for order in restored.account.orders.live())])
    started = _start_run(config, mode, tuple(known.watched))
    rules = _rules_of(mode.accounts)
    parts = open_engine(config, known.cache, mode.strategies, restored, started, rules=rules)
    live = LiveParts({}, ()) if mode.accounts is None else mode.accounts.execute(parts.engine, parts.brokers)
    folder = mode.folder or create_run(config.data_dir, mode.name, mode.asked.started)
    info = _info(config, mode, folder.run, started, venues)
    copy, inputs = None, None
    if known.learnt is not None:
        inputs = RunInputs(folder, known.learnt)
        if mode.folder is None:
            info = replace(info, account=AccountBefore(mode.name, before.entries, before.checksum))
            copy = OrderJournal(folder.file(JOURNAL_FILE), durable=False, fresh=True)
    marks = {} if known.learnt is None else last_marks(config.data_dir, mode.name, held)
    keeper = RunKeeper(folder, info, RunMeasures(parts.engine, opening, marks), copy, inputs)
    keeper.keep(started)
    components = RunComponents(
        engine=parts.engine,
        journal=mode.journal,
        stats=RunStats(),
        brokers={**parts.brokers, **live.brokers},
        clock=mode.clock,
        halt=mode.halt,
        realtime=mode.realtime,
        keeper=keeper,
        services=live.services,
    )
    return OpenedRun(components, keeper, known)


def _rules_of(accounts: RunAccounts | None) -> VenueRules:
    if accounts is None:
        return ALL_SIMULATED
    venues = frozenset(accounts.cash)
    return VenueRules(executing=venues) if accounts.is_real else VenueRules(netting=venues)


@contextmanager
def closed_if_it_fails(journal: OrderJournal) -> Iterator[OrderJournal]:
    """Close ``journal``, which others wait for, when the start of its run fails."""
    try:
        yield journal
    except BaseException:
        journal.close()
        raise


@contextmanager
def ending_in_order(keeper: RunKeeper, journal: OrderJournal) -> Iterator[None]:
    """End a run in good order that fails before it begins."""
    try:
        yield
    except BaseException as error:
        keeper.fail(SystemClock().now(), exit_code_of(error))
        keeper.close()
        journal.close()
        raise


def _info(config: Config, mode: RunMode, run: str, started: RunStarted, venues: Sequence[Venue]) -> RunInfo:
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


def _start_run(config: Config, mode: RunMode, venues: Sequence[VenueName]) -> RunStarted:
    """Journal the start of the run; its cash is for venues that were never traded on before."""
    strategies = tuple(each.name for each in mode.strategies)
    told = {} if mode.accounts is None else mode.accounts.cash
    cash = tuple((venue, told.get(venue, config.trading.starting_cash)) for venue in venues)
    started = RunStarted(mode.clock.now(), mode.name, mode.run, strategies, cash)
    mode.journal.append(started)
    return started
