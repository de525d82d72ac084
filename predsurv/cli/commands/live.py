"""A live run: from the switches to the account's last comparison."""

import os
import resource
import sys
from collections.abc import Sequence
from contextlib import AsyncExitStack
from typing import Final

from prometheus_client import CollectorRegistry

from predsurv.cli.commands.rescan import scan_missing
from predsurv.cli.commands.trade_observers import Observers, observer_of
from predsurv.cli.commands.trading_run import trade_until_stopped
from predsurv.cli.output.render import say
from predsurv.cli.output.trade_tables import Announcer
from predsurv.cli.runtime import Supervision, cancel_this, metrics_server
from predsurv.cli.service_manager import ServiceManager
from predsurv.cli.signals import StopSignals
from predsurv.config import Config
from predsurv.core.num import format_micros
from predsurv.net.clock import SystemClock, system_random
from predsurv.telemetry.server import MetricsServer
from predsurv.trade.assembly import LiveSource, live_mode, open_live
from predsurv.trade.halt_flag import halt_flag
from predsurv.trade.health import FeedWatch
from predsurv.trade.live.switches import check_halt, confirm, live_venue
from predsurv.trade.session import EndedRun
from predsurv.venues.registry import open_account, open_venue

_STOPPING: Final = "cancelling every order, waiting for trades to settle, comparing the account"


def confirmed_venue(config: Config, names: Sequence[str]) -> str:
    """Return the venue to trade on with real money; raises ConfigError and SafetyError unless every switch is on."""
    venue = live_venue(config, names)
    check_halt(halt_flag(config.data_dir).read())
    confirm(venue, os.environ, _ask)
    return venue


async def run_live(config: Config, name: str, limit: int | None, signals: StopSignals) -> EndedRun:
    """Trade with real money until stopped, or for ``limit`` ns."""
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))  # a core dump would hold the keys
    clock, registry = SystemClock(), CollectorRegistry()
    run = Supervision(clock, ServiceManager(os.environ, clock))
    async with AsyncExitStack() as stack:
        venue = open_venue(name, config, clock)
        stack.push_async_callback(venue.aclose)
        observe = observer_of(config, [venue], registry, clock, live_mode(config, venue.name))
        shown = config.metrics
        stack.enter_context(
            metrics_server(lambda: MetricsServer(registry, run.health, host=shown.host, port=shown.port))
        )
        await stack.enter_async_context(run.watched())
        with signals.stopping_with(cancel_this(), ""):
            run.begin("starting: reading the account and the venue's list")
            account = await open_account(name, config, clock)
            stack.push_async_callback(account.aclose)
            state = await account.reader.account(clock.now(), ())
            await scan_missing(config, [venue], clock)
        feeds = FeedWatch([venue.name], clock)
        session = open_live(
            config,
            venue,
            LiveSource(account, state.cash, clock, system_random),
            lambda engine: Observers(observe(engine), Announcer(engine), feeds),
            limit,
        )
        strategies = ", ".join(config.trading.strategies)
        say(f"trading {strategies} on {name} with REAL MONEY: {format_micros(state.cash)} USD of {account.name}")
        return await trade_until_stopped(session, run, feeds, signals, limit=limit, clock=clock, stopping=_STOPPING)


def _ask(question: str) -> str | None:
    if not sys.stdin.isatty():
        return None
    print(question, end="", file=sys.stderr, flush=True)
    return sys.stdin.readline()
