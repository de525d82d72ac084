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
from predsurv.cli.output.columns import dollars
from predsurv.cli.output.render import say
from predsurv.cli.output.trade_tables import Announcer
from predsurv.cli.runtime import Supervision, cancel_this, metrics_server
from predsurv.cli.service_manager import ServiceManager
from predsurv.cli.signals import StopSignals
from predsurv.config import Config
from predsurv.core.ids import VenueName
from predsurv.net.clock import SystemClock, system_random
from predsurv.ports import Clock, Venue
from predsurv.telemetry.server import MetricsServer
from predsurv.trade.assembly import (
    FundedAccount,
    LiveSource,
    Observe,
    ShadowedAccount,
    ShadowSource,
    open_live,
    open_shadow,
)
from predsurv.trade.halt_flag import halt_flag
from predsurv.trade.health import FeedWatch
from predsurv.trade.live.account_names import live_journals, live_mode, shadow_mode
from predsurv.trade.live.shadow_broker import ShadowBroker
from predsurv.trade.live.shadow_opening import read_shadow_start
from predsurv.trade.live.sole_journal import sole_journal
from predsurv.trade.live.switches import check_halt, confirm, live_venues
from predsurv.trade.session import EndedRun, TradingSession
from predsurv.venues.execution.gateway import VenueAccount
from predsurv.venues.registry import open_account, open_venue

LiveRunKind = Literal["alone", "twinned", "shadow"]
"""A live run by itself, one after which its paper twin is run, or one that sends nothing."""

_SHADOW: Final = "SHADOW "
_STOPPING_SHADOW: Final = "taking simulated orders back; nothing was sent"
_STOPPING: Final = "cancelling every order, waiting for trades to settle, comparing the account"


def confirmed_venues(config: Config, names: Sequence[str], *, named: bool) -> Sequence[str]:
    """Return the venues to trade on with real money; raises ConfigError and SafetyError unless every switch is on.

    ``named``: somebody named them, on the command line or in the configuration.
    """
    venues = live_venues(config, names, named=named)
    check_halt(halt_flag(config.data_dir).read())
    confirm(venues, os.environ, _ask)
    return venues


def shadowed_venues(config: Config, names: Sequence[str], *, named: bool) -> Sequence[str]:
    """Return the venues to make orders for; raises ConfigError and SafetyError as ``confirmed_venues``.

    Nothing is sent, so nobody is asked.
    """
    venues = live_venues(config, names, named=named)
    check_halt(halt_flag(config.data_dir).read())
    return venues


async def run_live(
    config: Config, names: Sequence[str], limit: int | None, signals: StopSignals, how: LiveRunKind = "alone"
) -> EndedRun:
    """Trade with real money until stopped or for ``limit`` ns, with a paper twin or alone; or do all of it but send."""
    shadow = how == "shadow"
    leave_no_core_dump()
    clock, registry = SystemClock(), CollectorRegistry()
    run = Supervision(clock, ServiceManager(os.environ, clock))
    stopping = _STOPPING_SHADOW if shadow else _STOPPING
    async with AsyncExitStack() as stack:
        venues = [open_venue(name, config, clock) for name in names]
        for each in venues:
            stack.push_async_callback(each.aclose)
        accounts: list[tuple[VenueName, VenueAccount]] = []
        keys = [each.name for each in venues]
        mode = shadow_mode(config, *keys) if shadow else live_mode(config, *keys)
        observe = observer_of(config, venues, registry, clock, account=mode, limited=accounts)
        shown = config.metrics
        stack.enter_context(
            metrics_server(lambda: MetricsServer(registry, run.health, host=shown.host, port=shown.port))
        )
        await stack.enter_async_context(run.watched())
        with signals.stopping_with(cancel_this(), ""):
            run.begin("starting: reading the account and the venue's list")
            for name in keys:
                account = await open_account(name, config, clock)
                stack.push_async_callback(account.aclose)
                accounts.append((name, account))
            if shadow:
                opening = await _shadowed(config, venues, accounts, clock)
            else:
                opening = await _funded(config, venues, accounts, clock)
                stack.enter_context(sole_journal(config, keys))
            await scan_missing(config, venues, clock)
        feeds = FeedWatch(keys, clock)
        mark = _SHADOW if shadow else ""
        session = opening.open(lambda engine: Observers(observe(engine), Announcer(engine, mark), feeds), limit)
        strategies = ", ".join(config.trading.strategies)
        say(f"{mark}trading {strategies} on {' and '.join(names)} {opening.with_what}")
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


async def _shadowed(
    config: Config, venues: Sequence[Venue], accounts: Sequence[tuple[VenueName, VenueAccount]], clock: Clock
) -> _Opening:
    """Read the accounts for which nothing is sent; raises PredsurvError."""
    found = {
        name: ShadowedAccount(account, await read_shadow_start(account, live_journals(config, name), clock))
        for name, account in accounts
    }
    source = ShadowSource(found, clock)
    money = [f"the {dollars(each.start.cash)} of {each.account.name}" for each in found.values()]
    return _Opening(
        lambda observe, limit: open_shadow(config, venues, source, observe, limit),
        f"and sending nothing, as with {' and '.join(money)}",
    )


async def _funded(
    config: Config, venues: Sequence[Venue], accounts: Sequence[tuple[VenueName, VenueAccount]], clock: Clock
) -> _Opening:
    """Read the accounts to trade with, one at each venue; raises PredsurvError."""
    found = {
        name: FundedAccount(account, (await account.reader.account(clock.now(), ())).cash) for name, account in accounts
    }
    source = LiveSource(found, clock, system_random)
    money = [f"{dollars(each.cash)} of {each.account.name}" for each in found.values()]
    return _Opening(
        lambda observe, limit: open_live(config, venues, source, observe, limit),
        f"with REAL MONEY: {' and '.join(money)}",
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
