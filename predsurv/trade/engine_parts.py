"""The engine of a run with its simulated brokers, made of what decides what it does: a replay makes the same."""

import logging
from collections.abc import Iterable, Mapping, Sequence
from collections.abc import Set as AbstractSet
from copy import deepcopy
from typing import Final

from msgspec import Struct

from predsurv.config import Config
from predsurv.config.mappings import read_mappings
from predsurv.core.ids import VenueName
from predsurv.core.mapping import ApprovedMapping
from predsurv.core.num import Money
from predsurv.core.text import sanitise
from predsurv.engine.account.portfolio import Portfolio
from predsurv.engine.account.valuation import DAY
from predsurv.engine.engine import Engine
from predsurv.engine.fills.latencies import Latencies
from predsurv.engine.fills.settlement import SettlementTerms
from predsurv.engine.risk.checks import RiskLimits
from predsurv.engine.risk.execution_rules import ALL_SIMULATED, VenueRules
from predsurv.engine.strategy import CrossVenueStrategy, Strategy
from predsurv.state.market_cache import MarketCache
from predsurv.store.contradicted_pairs import ContradictedPair, read_contradicted
from predsurv.trade.journal import RestoredState, RunStarted
from predsurv.trade.paper_broker import PaperBroker, PaperSettings
from predsurv.trade.runs.inputs import KnownBefore, StatedFact
from predsurv.trade.strategy_loading import build

_LOG: Final = logging.getLogger(__name__)


class EngineParts(Struct, frozen=True):
    """An engine, and simulated brokers with accounts of their own: reconciliation compares these with the engine's."""

    engine: Engine
    brokers: Mapping[VenueName, PaperBroker]


def open_engine(
    config: Config,
    cache: MarketCache,
    strategies: Sequence[Strategy],
    restored: RestoredState,
    started: RunStarted,
    *,
    rules: VenueRules = ALL_SIMULATED,
) -> EngineParts:
    """Return the engine of the run that starts with ``started``, and its simulated brokers.

    What it does with the same events depends on nothing else.
    """
    restored.apply(started)
    account = restored.account
    portfolios = {venue: deepcopy(account.portfolio) for venue, _ in started.cash if venue not in rules.executing}
    engine = Engine(
        run=started.run,
        limits=_limits(config),
        strategies=strategies,
        cache=cache,
        account=account,
        rules=rules,
    )
    engine.control.continue_minute(restored.sent)
    _continue_day(engine, restored, started.ts)
    for each in restored.consumed.values():
        engine.step(each)
    brokers = {name: _broker(config, cache, restored, each, name) for name, each in portfolios.items()}
    return EngineParts(engine, brokers)


def mappings_of(config: Config, venues: Iterable[VenueName]) -> tuple[ApprovedMapping, ...]:
    """Return the approved mappings between markets of ``venues``, without those that settled markets speak against.

    Raises ConfigError for a file that is wrong, IntegrityError for damaged findings.
    """
    names, mappings = frozenset(venues), read_mappings(config.trading.mappings)
    between = [each for each in mappings if {each.first.venue, each.second.venue} <= names]
    contradicted = read_contradicted(config.data_dir) if between else ()
    return tuple(each for each in between if not _is_contradicted(each, contradicted))


def _is_contradicted(mapping: ApprovedMapping, found: Iterable[ContradictedPair]) -> bool:
    against = next((each for each in found if each.speaks_against(mapping)), None)
    if against is None:
        return False
    one, other = (f"{each.venue} {each.market_id}" for each in mapping.sides())
    what = sanitise(f"{one} and {other} are not traded as one: {'; '.join(against.words)}", 400)
    _LOG.warning("%s; see 'predsurv map review'", what)
    return True


def configured_strategies(config: Config, mappings: Sequence[ApprovedMapping]) -> tuple[Strategy, ...]:
    """Return the strategies of the configuration; those that trade across venues with ``mappings``."""
    strategies = build(config.trading.strategies, config.strategies)
    for strategy in strategies:
        if mappings and isinstance(strategy, CrossVenueStrategy):
            strategy.use_mappings(mappings)
    return strategies


def cache_of(learnt: Iterable[KnownBefore], mirrored: AbstractSet[VenueName]) -> MarketCache:
    """Return the cache of a run that came to know markets in this order; a list adds those that nothing stated."""
    cache = MarketCache(mirrored)
    for each in learnt:
        if isinstance(each, StatedFact):
            cache.apply(each.fact)
        elif cache.market(each.market.venue, each.market.market_id) is None:
            cache.add(each.market)
    return cache


def _broker(
    config: Config, cache: MarketCache, restored: RestoredState, portfolio: Portfolio, venue: VenueName
) -> PaperBroker:
    latencies = Latencies(
        send=config.trading.latency,
        ack=config.trading.ack_latency,
        fill=config.trading.fill_latency,
        echo=config.trading.echo_latency,
        recorded=config.trading.recorded_lags,
    )
    settlement = SettlementTerms(
        delay=config.trading.settlement_delay,
        failure_rates=config.trading.settlement_failures,
        seed=config.trading.settlement_seed,
        rebates=config.trading.rebates,
    )
    settings = PaperSettings(venue, latencies, config.trading.queue_model, settlement)
    return PaperBroker(settings, cache, portfolio, restored.consumed.values(), restored.rebates)


def _continue_day(engine: Engine, restored: RestoredState, now: int) -> None:
    """Count losses made earlier on the UTC day of ``now`` (ns) towards its limit."""
    day = restored.day
    if day is not None and day.equity is not None and day.ts // DAY == now // DAY:
        engine.control.continue_day(now, Money(day.equity + restored.added), lost_too_much=restored.lost_too_much)


def _limits(config: Config) -> RiskLimits:
    risk = config.risk
    return RiskLimits(**{name: getattr(risk, name) for name in RiskLimits.__struct_fields__})
