"""The checks of ``predsurv doctor`` of what the configuration names: as the commands do that use the names."""

import asyncio
from collections.abc import Callable, Iterator
from contextlib import AsyncExitStack
from typing import Final

from predsurv.cli.commands.checks import HealthCheck
from predsurv.collect.pins import unknown_pins
from predsurv.collect.startup import check_shard
from predsurv.collect.status import phase_text
from predsurv.config import Config
from predsurv.config.mappings import read_mappings
from predsurv.core.errors import ConfigError, IntegrityError, PredsurvError
from predsurv.core.ids import VenueName
from predsurv.core.text import sanitise
from predsurv.net.clock import SystemClock
from predsurv.ports import Phased, Venue
from predsurv.store.universe import iso_time, latest_universe
from predsurv.trade.strategy_loading import build
from predsurv.venues.mock.faults import parse_faults
from predsurv.venues.registry import check_venue, enabled_venues, open_venue

PHASE_SECONDS: Final = 3.0
"""How long a venue may take to say whether it trades."""


def name_checks(config: Config) -> Iterator[HealthCheck]:
    """Check every name in the configuration: strategies, venues, weights, faults, pins, and the shard's."""
    trading, collector = config.trading, config.collector
    yield _checked(
        "trading.strategies", ", ".join(trading.strategies), lambda: build(trading.strategies, config.strategies)
    )
    yield _checked("trading.venues", ", ".join(trading.venues) or "those enabled", lambda: _venues(config))
    yield _checked("trading.mappings", str(trading.mappings), lambda: read_mappings(trading.mappings))
    yield _checked(
        "miner.weights", ", ".join(config.miner.weights) or f"those of {config.miner.preset}", lambda: _weights(config)
    )
    faults = config.mock.faults
    yield _checked("mock.faults", f"{len(faults)} understood" if faults else "none", lambda: parse_faults(faults))
    yield _checked("collector.shard", f"{collector.shard}, as {collector.id}", lambda: check_shard(collector))
    yield _pins(config)


async def phase_checks(config: Config) -> list[HealthCheck]:
    """Ask each enabled venue that has phases of trading as a whole for the present one."""
    clock, found = SystemClock(), []
    async with AsyncExitStack() as stack:
        for name in enabled_venues(config):
            try:
                venue = open_venue(name, config, clock)
            except ConfigError:
                continue  # another check says what is wrong with its key
            stack.push_async_callback(venue.aclose)
            if isinstance(venue, Phased):
                found.append(await _phase(venue, venue))
    return found


async def _phase(venue: Venue, phased: Phased) -> HealthCheck:
    name = f"{venue.name} trading"
    try:
        async with asyncio.timeout(PHASE_SECONDS):
            phase, pause = await phased.current_phase(), await phased.next_pause()
    except (PredsurvError, TimeoutError) as error:
        reason = sanitise(str(error) or f"no answer within {PHASE_SECONDS:g} s; try again", 160)
        return HealthCheck(name, "warn", f"not known: {reason}", "recording goes on without")
    planned = "" if pause is None else f"; planned pause {_minute(pause.start)} to {_minute(pause.end)} UTC"
    if phase.phase == "open":
        return HealthCheck(name, "ok", f"{phase_text(phase)}{planned}")
    return HealthCheck(
        name, "warn", f"{venue.name}: {phase_text(phase)}{planned}", "no order is taken until it resumes"
    )


def _minute(ts: int) -> str:
    return iso_time(ts)[:16].replace("T", " ")


def _checked(name: str, good: str, check: Callable[[], object]) -> HealthCheck:
    try:
        check()
    except ConfigError as error:
        return HealthCheck(name, "fail", str(error), f"correct {name} in the configuration")
    return HealthCheck(name, "ok", sanitise(good, 200))


def _venues(config: Config) -> None:
    for name in config.trading.venues:
        check_venue(name)


def _weights(config: Config) -> None:
    from predsurv.mine.score_weights import weights

    weights(config.miner.weights, config.miner.preset)


def _pins(config: Config) -> HealthCheck:
    name, pins, venues = "collector.pinned", config.collector.pinned, enabled_venues(config)
    try:
        wrong = unknown_pins(pins, config.data_dir, venues)
    except IntegrityError as error:
        return HealthCheck(name, "fail", str(error), "scan again")
    if wrong:
        return HealthCheck(name, "fail", "; ".join(wrong), "correct the names, or run 'predsurv scan' first")
    unread = [each for each in venues if pins and latest_universe(config.data_dir, VenueName(each)) is None]
    if unread:
        found = f"not checked: no list of markets of {', '.join(unread)} yet"
        return HealthCheck(name, "warn", found, "run 'predsurv scan', then this again")
    return HealthCheck(name, "ok", f"{len(pins)} found" if pins else "none")
