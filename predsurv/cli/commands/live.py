"""A live run: from the switches to the account's last comparison."""

import os
import sys
from collections import Counter
from collections.abc import Callable, Sequence
from contextlib import AsyncExitStack
from typing import Final, Literal, NamedTuple

from prometheus_client import CollectorRegistry

from predsurv.cli.commands.live_account import leave_no_core_dump
from predsurv.cli.commands.rescan import scan_missing
from predsurv.cli.commands.trade_observers import Observers, observer_of
from predsurv.cli.commands.trading_run import trade_until_stopped
from predsurv.cli.commands.twin import twin_line
from predsurv.cli.output.render import say
from predsurv.cli.output.trade_tables import Announcer
from predsurv.cli.runtime import Supervision, cancel_this, metrics_server
from predsurv.cli.service_manager import ServiceManager
from predsurv.cli.signals import StopSignals
from predsurv.config import Config
from predsurv.core.num import format_micros
from predsurv.net.clock import SystemClock, system_random
from predsurv.ports import Clock, Venue
from predsurv.telemetry.server import MetricsServer
from predsurv.trade.assembly import (
    LiveSource,
    Observe,
    ShadowSource,
    live_mode,
    open_live,
    open_shadow,
    shadow_mode,
)
from predsurv.trade.halt_flag import halt_flag
from predsurv.trade.health import FeedWatch
from predsurv.trade.journal_path import journal_path
from predsurv.trade.live.shadow_broker import ShadowBroker
from predsurv.trade.live.shadow_opening import read_shadow_start
from predsurv.trade.live.switches import check_halt, confirm, live_venue
from predsurv.trade.session import EndedRun, TradingSession
from predsurv.venues.execution.gateway import VenueAccount
from predsurv.venues.registry import open_account, open_venue

LiveRunKind = Literal["alone", "twinned", "shadow"]
"""A live run by itself, one after which its paper twin is run, or one that sends nothing."""

_SHADOW: Final = "SHADOW "
_STOPPING_SHADOW: Final = "taking simulated orders back; nothing was sent"
_STOPPING: Final = "cancelling every order, waiting for trades to settle, comparing the account"


def confirmed_venue(config: Config, names: Sequence[str]) -> str:
    """Return the venue to trade on with real money; raises ConfigError and SafetyError unless every switch is on."""
    venue = shadowed_venue(config, names)
    confirm(venue, os.environ, _ask)
    return venue


def shadowed_venue(config: Config, names: Sequence[str]) -> str:
    """Return the venue to make orders for; raises ConfigError and SafetyError as ``confirmed_venue``.

    Nothing is sent, so nobody is asked.
    """
    venue = live_venue(config, names)
    check_halt(halt_flag(config.data_dir).read())
    return venue


async def run_live(
    config: Config, name: str, limit: int | None, signals: StopSignals, how: LiveRunKind = "alone"
) -> EndedRun:
    """Trade with real money until stopped or for ``limit`` ns, with a paper twin or alone; or do all of it but send."""
    shadow = how == "shadow"
    leave_no_core_dump()
    clock, registry = SystemClock(), CollectorRegistry()
    run = Supervision(clock, ServiceManager(os.environ, clock))
    stopping = _STOPPING_SHADOW if shadow else _STOPPING
    async with AsyncExitStack() as stack:
        venue = open_venue(name, config, clock)
        stack.push_async_callback(venue.aclose)
        accounts: list[tuple[str, object]] = []
        mode = shadow_mode(config, venue.name) if shadow else live_mode(config, venue.name)
        observe = observer_of(config, [venue], registry, clock, account=mode, limited=accounts)
        shown = config.metrics
        stack.enter_context(
            metrics_server(lambda: MetricsServer(registry, run.health, host=shown.host, port=shown.port))
        )
        await stack.enter_async_context(run.watched())
        with signals.stopping_with(cancel_this(), ""):
            run.begin("starting: reading the account and the venue's list")
            account = await open_account(name, config, clock)
            stack.push_async_callback(account.aclose)
            accounts.append((venue.name, account))
            opening = await _opening(config, venue, account, clock, shadow=shadow)
            await scan_missing(config, [venue], clock)
        feeds = FeedWatch([venue.name], clock)
        mark = _SHADOW if shadow else ""
        session = opening.open(lambda engine: Observers(observe(engine), Announcer(engine, mark), feeds), limit)
        strategies = ", ".join(config.trading.strategies)
        say(f"{mark}trading {strategies} on {name} {opening.with_what} of {account.name}")
        ended = await trade_until_stopped(session, run, feeds, signals, limit=limit, clock=clock, stopping=stopping)
    if shadow:
        say(_shadow_summary(session))
    elif how == "twinned" and not signals.stopping:
        say("running the paper twin")
        with signals.stopping_with(cancel_this(), ""):
            say(await twin_line(session.keeper.folder))
    return ended


class _Opening(NamedTuple):
    """How a session is opened, and with what money, for people."""

    open: Callable[[Observe, int | None], TradingSession]
    with_what: str


async def _opening(config: Config, venue: Venue, account: VenueAccount, clock: Clock, *, shadow: bool) -> _Opening:
    """Read the account; raises PredsurvError."""
    if shadow:
        start = await read_shadow_start(account, journal_path(config.data_dir, live_mode(config, venue.name)), clock)
        source = ShadowSource(account, start, clock)
        return _Opening(
            lambda observe, limit: open_shadow(config, venue, source, observe, limit),
            f"and sending nothing, as with the {format_micros(start.cash)} USD",
        )
    state = await account.reader.account(clock.now(), ())
    live = LiveSource(account, state.cash, clock, system_random)
    return _Opening(
        lambda observe, limit: open_live(config, venue, live, observe, limit),
        f"with REAL MONEY: {format_micros(state.cash)} USD",
    )


def _shadow_summary(session: TradingSession) -> str:
    """Return how many orders would have been sent, and why others would not."""
    brokers = [each for each in session.components.brokers.values() if isinstance(each, ShadowBroker)]
    refused = Counter[str]()
    for each in brokers:
        refused += each.refused
    why = "".join(f", {count} for {reason}" for reason, count in refused.most_common())
    signed = sum(each.signed for each in brokers)
    return f"{_SHADOW}nothing was sent: {signed} orders were signed, {refused.total()} could not be{why}"


def _ask(question: str) -> str | None:
    if not sys.stdin.isatty():
        return None
    print(question, end="", file=sys.stderr, flush=True)
    return sys.stdin.readline()
