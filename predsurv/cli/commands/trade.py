"""``predsurv trade``, ``backtest``, ``halt`` and ``resume``."""

import asyncio
import gc
import os
from collections.abc import Callable, Coroutine, Sequence
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Annotated, Any, Final, NamedTuple

import typer
from prometheus_client import CollectorRegistry

from predsurv.cli.commands.dates import fetch_days, span_of
from predsurv.cli.commands.live import confirmed_venues, run_live, shadowed_venues
from predsurv.cli.commands.rescan import scan_missing
from predsurv.cli.commands.sweep import fetch_recorded, sweep
from predsurv.cli.commands.trade_observers import Observers, observer_of
from predsurv.cli.commands.trading_run import trade_until_stopped
from predsurv.cli.options import ConfigFile, Duration, LogFile, Mock, OutputFormat, with_config
from predsurv.cli.output.render import say
from predsurv.cli.output.report_lines import say_report
from predsurv.cli.output.trade_tables import Announcer, outcome, run_tables
from predsurv.cli.runtime import (
    Supervision,
    cancel_this,
    duration_ns,
    long_run,
    metrics_server,
    show_last,
)
from predsurv.cli.service_manager import ServiceManager
from predsurv.cli.signals import StopSignals
from predsurv.cli.strategy_options import Params, Rebates, RunChoice, Strategies, load_run, one_run
from predsurv.config import Config, load
from predsurv.core.errors import INTERRUPTED, ConfigError
from predsurv.net.clock import SystemClock
from predsurv.store.read.recording import require_recorded
from predsurv.telemetry.server import MetricsServer
from predsurv.trade.assembly import (
    open_backtest,
    open_paper,
)
from predsurv.trade.bracket import other_models, with_bracket
from predsurv.trade.halt_flag import halt_flag
from predsurv.trade.health import FeedWatch
from predsurv.trade.live.switches import check_mode
from predsurv.trade.report.write import write_report
from predsurv.trade.session import EndedRun, Ending
from predsurv.trade.sweep import processes, run_sweep
from predsurv.venues.registry import VENUES, enabled_venues, open_venue

_STOPPING: Final = "taking open orders back"
_GARBAGE: Final = 50_000
"""Objects made and kept before a backtest looks for what is garbage among them: little of what it makes is."""


class _Log(NamedTuple):
    """Where a run logs to, None: stderr; its data folder notes that."""

    file: Path | None
    data_dir: Path


def trade(
    *,
    paper: Annotated[bool, typer.Option("--paper", help="Simulated fills on live data; the default.")] = False,
    live: Annotated[bool, typer.Option("--live", help="Real orders; asks for the venue's name.")] = False,
    shadow: Annotated[
        bool, typer.Option("--shadow", help="With --live: make, sign and check every order, send none.")
    ] = False,
    twin: Annotated[
        bool,
        typer.Option("--twin/--no-twin", help="With --live: run its paper twin at the end; the default."),
    ] = True,
    venue: Annotated[list[str] | None, typer.Option("--venue", metavar="VENUE", help="May be repeated.")] = None,
    strategy: Strategies = None,
    param: Params = None,
    rebates: Rebates = None,
    duration: Duration = None,
    replay: Annotated[
        str | None, typer.Option("--replay", metavar="VENUE:DATE", help="Trade on a recording instead of live data.")
    ] = None,
    mock: Mock = False,
    log_file: LogFile = None,
    config: ConfigFile = None,
    format: OutputFormat = "table",
) -> int:
    """Run strategies on paper, or live, until stopped."""
    loaded = one_run(load_run(RunChoice(config, mock, strategy, param, rebates)))
    if paper and live:
        raise ConfigError("--paper and --live exclude each other; choose one")
    if shadow and not live:
        raise ConfigError("--shadow makes orders for a live account and sends none: it goes with --live")
    check_mode(loaded, live=live and not shadow, paper=paper or shadow)
    limit, log = duration_ns(duration), _Log(log_file, loaded.data_dir)
    if live:
        if replay is not None:
            raise ConfigError("--replay trades on a recording: it goes with --paper")
        names, named = _venues(loaded, venue), bool(venue or loaded.trading.venues)
        choose = shadowed_venues if shadow else confirmed_venues
        chosen = choose(loaded, names, named=named)

        def run(signals: StopSignals) -> Coroutine[Any, Any, EndedRun]:
            return run_live(loaded, chosen, limit, signals, "shadow" if shadow else "twinned" if twin else "alone")

        return _trade(run, format, log, config=config, unbegun=0)
    if replay is None:
        return _trade(lambda signals: _paper(loaded, venue, limit, signals), format, log, config=config, unbegun=0)
    name, separator, dates = replay.partition(":")
    if not separator:
        raise ConfigError("--replay: expected VENUE:DATE such as mock:2026-01-31")
    return _trade(lambda signals: _backtest(loaded, name, dates, limit, signals), format, log, config=config)


def backtest(
    venue: Annotated[str, typer.Argument(metavar="VENUE", help="A venue that was recorded.")],
    dates: Annotated[str, typer.Argument(metavar="DATE[..DATE]", help="Days (UTC), the last one included.")],
    *,
    strategy: Strategies = None,
    param: Params = None,
    rebates: Rebates = None,
    jobs: Annotated[
        int | None,
        typer.Option("--jobs", min=1, max=256, help="Processes of a sweep or bracket; default: one for each core."),
    ] = None,
    bracket: Annotated[
        bool, typer.Option("--bracket", help="Run it by the other queue models too, and keep what they earn.")
    ] = False,
    html: Annotated[bool, typer.Option("--html", help="Write a report for a browser, too.")] = False,
    config: ConfigFile = None,
    format: OutputFormat = "table",
) -> int:
    """Run strategies over recorded days with the engine that trades; several values of a parameter are a sweep."""
    chosen = load_run(RunChoice(config, False, strategy, param, rebates))
    if chosen.is_sweep and html:
        raise ConfigError(
            "--html reports one run; after a sweep 'predsurv runs show RUN --html' reports any of its runs"
        )
    if chosen.is_sweep and bracket:
        raise ConfigError("--bracket is of one run; in a sweep add --param queue_model=pessimistic,optimistic")
    if chosen.is_sweep:
        return sweep(chosen, venue, span_of(dates), format, jobs)
    loaded = one_run(chosen)

    def run(signals: StopSignals) -> Coroutine[Any, Any, EndedRun]:
        if not bracket:
            return _backtest(loaded, venue, dates, None, signals)
        return _bracketed(loaded, venue, dates, jobs, signals)

    return _trade(run, format, _Log(None, loaded.data_dir), config=config, html=html)


def halt(
    reason: Annotated[str, typer.Option("--reason", help="Why; shown wherever trading is refused.")] = "by request",
    reduce: Annotated[
        bool, typer.Option("--reduce", help="Stop buying only: running traders cancel their bids, and may still sell.")
    ] = False,
    config: ConfigFile = None,
) -> None:
    """Halt all trading until ``resume``: running traders cancel their orders."""
    data_dir = load(config).config.data_dir
    now = halt_flag(data_dir).set(SystemClock().now(), reason, reducing=reduce)
    what = "halted" if now.trading == "halted" else "reduced to sales"
    say(f"all trading with data folder {data_dir} is {what}; 'predsurv resume' allows it again")


def resume(config: ConfigFile = None) -> None:
    """Allow trading again."""
    was = halt_flag(load(config).config.data_dir).clear()
    say("trading was not halted" if was is None else f"trading is allowed again; it was {was.trading}: {was.reason}")


def _trade(
    run: Callable[[StopSignals], Coroutine[Any, Any, EndedRun]],
    form: OutputFormat,
    log: _Log,
    *,
    config: str | None,
    html: bool = False,
    unbegun: int = INTERRUPTED,
) -> int:
    """Run to the end; return its exit code, or ``unbegun`` when it was stopped before it began."""
    with long_run(log.file, data_dir=log.data_dir) as signals:
        try:
            ended = asyncio.run(run(signals))
        except (asyncio.CancelledError, KeyboardInterrupt):
            if not signals.stopping:
                raise
            say("stopped before any trade")
            return unbegun
        show_last(run_tables(ended), form, hurry=signals.stopping)
        made, complete = ended.session.keeper.folder.run, ended.ending.complete
        more = f"'{with_config('predsurv runs show', config)}' says more"
        say(f"run {made}: {more if complete else 'not complete: it was stopped before its end'}")
        say(f"account: {outcome(ended.result)}")
        if html:
            folder = ended.session.keeper.folder
            say_report(write_report(folder, ended.result), folder.path.parent.parent)
    return ended.ending.exit_code


async def _paper(config: Config, names: Sequence[str] | None, limit: int | None, signals: StopSignals) -> EndedRun:
    clock = SystemClock()
    registry = CollectorRegistry()
    run = Supervision(clock, ServiceManager(os.environ, clock))
    async with AsyncExitStack() as stack:
        opened = [open_venue(name, config, clock) for name in _venues(config, names)]
        for each in opened:
            stack.push_async_callback(each.aclose)
        observe = observer_of(config, opened, registry, clock)
        shown = config.metrics
        stack.enter_context(
            metrics_server(lambda: MetricsServer(registry, run.health, host=shown.host, port=shown.port))
        )
        await stack.enter_async_context(run.watched())
        with signals.stopping_with(cancel_this(), ""):
            run.begin("starting: reading the venues' lists")
            await scan_missing(config, opened, clock)
        feeds = FeedWatch([each.name for each in opened], clock)
        session = open_paper(
            config, opened, clock, lambda engine: Observers(observe(engine), Announcer(engine), feeds), limit
        )
        strategies = ", ".join(config.trading.strategies)
        say(f"paper trading {strategies} on {', '.join(each.name for each in opened)}; no real order is ever sent")
        return await trade_until_stopped(session, run, feeds, signals, limit=limit, clock=clock, stopping=_STOPPING)


async def _backtest(config: Config, name: str, dates: str, limit: int | None, signals: StopSignals) -> EndedRun:
    span, clock = span_of(dates), SystemClock()
    async with AsyncExitStack() as stack:
        venue = open_venue(name, config, clock)
        stack.push_async_callback(venue.aclose)
        stack.enter_context(signals.stopping_with(cancel_this(), None))
        await fetch_days(config, venue.name, span)
        with signals.interrupting():
            require_recorded(config.data_dir, venue.name, span)
            session = open_backtest(config, venue, span, lambda _engine: Observers())
        for note in () if session.recording is None else session.recording.notes():
            say(note)
        gc.freeze()  # what is there now outlives the run: to look for what to free in it again and again takes time
        gc.set_threshold(_GARBAGE)
        with signals.stopping_with(session.runner.stop, _STOPPING):
            return await session.run(limit, clock, lambda: Ending(False, INTERRUPTED) if signals.stopping else Ending())


async def _bracketed(config: Config, name: str, dates: str, jobs: int | None, signals: StopSignals) -> EndedRun:
    """Run a backtest by the other queue models, side by side, and then by its own; stopped, it has no bracket."""
    others = other_models(config, name, span_of(dates))
    count = len(others.combinations)
    with signals.stopping_with(cancel_this(), None):
        await fetch_recorded(config, name, others.span)
    say(f"first by the other queue models: {', '.join(each.label[0][1] for each in others.combinations)}")
    with signals.stopping_with(lambda: None, "ending the runs by the other queue models"):
        made = await asyncio.to_thread(
            run_sweep, others, processes(jobs, count), lambda _row: None, lambda: signals.stopping
        )
    return with_bracket(await _backtest(config, name, dates, None, signals), config.trading.queue_model, made)


def _venues(config: Config, names: Sequence[str] | None) -> Sequence[str]:
    chosen = list(dict.fromkeys(names or config.trading.venues or enabled_venues(config)))
    if not chosen:
        raise ConfigError("no venue is enabled; name one with --venue, or use --mock")
    if config.mock.enabled:
        unknown = [name for name in chosen if name not in VENUES]
        return unknown[:1] or ["mock"]  # one made-up venue stands for all; a wrong name is still refused
    return chosen
