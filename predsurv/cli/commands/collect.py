"""``predsurv collect``: record the venues until stopped, then print a report."""

import asyncio
import logging
import os
import sys
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager, nullcontext
from functools import partial
from typing import Annotated, Final

import typer

from predsurv.cli.commands.bucket import bucket_of, expect_recordable
from predsurv.cli.commands.plan import plan_table
from predsurv.cli.commands.rescan import all_listed, rescan, scan_missing
from predsurv.cli.options import ConfigFile, Duration, LogFile, Mock, OutputFormat, Venues, mock_flag
from predsurv.cli.output.collect_tables import file_table, venue_table
from predsurv.cli.output.live_panel import Show, live_panel, status_line
from predsurv.cli.output.render import say, show
from predsurv.cli.runtime import (
    Supervision,
    cancel_this,
    duration_ns,
    lines_dropped,
    long_run,
    metrics_server,
    show_last,
)
from predsurv.cli.service_manager import ServiceManager
from predsurv.cli.signals import StopSignals
from predsurv.collect.collector import Collector, CollectorDeps
from predsurv.collect.health import recording_health
from predsurv.collect.rates import RateFacts, RateMeter
from predsurv.collect.report import CollectReport
from predsurv.collect.selection.interest import LiveWeights, MinedScore
from predsurv.config import Config, load
from predsurv.core.errors import ConfigError, IntegrityError, SafetyError, TransientError
from predsurv.core.ids import InstrumentKey, VenueName
from predsurv.mine.previous_scores import EarlierScores
from predsurv.mine.score_weights import busy_weights, weights
from predsurv.net.clock import SystemClock
from predsurv.ports import Clock, Venue
from predsurv.store import allocator
from predsurv.telemetry.health import RunHealth
from predsurv.telemetry.monitor import Monitor
from predsurv.venues.registry import enabled_venues, open_venue

PANEL_INTERVAL: Final = 500_000_000
"""How often (ns) the live panel is drawn on a terminal."""
REPORT_INTERVAL: Final = 30_000_000_000
"""How often (ns) a line is printed elsewhere."""
MEASURES_HOURS: Final = "predsurv.mine.roll_up:roll_up_day"
"""What measures merged hours, by its name: a process of its own loads it."""

_STOPPING: Final = "writing what was recorded"
_LOG: Final = logging.getLogger("predsurv.collect")


def collect(
    venues: Venues = None,
    *,
    config: ConfigFile = None,
    mock: Mock = False,
    duration: Duration = None,
    plan: Annotated[bool, typer.Option("--plan", help="Show what recording would take; record nothing.")] = False,
    log_file: LogFile = None,
    format: OutputFormat = "table",
) -> int:
    """Record order books and trades of the venues, gaps included, until stopped."""
    loaded = load(config, flags=mock_flag(mock)).config
    limit = duration_ns(duration)
    allocator.limit_heaps()
    clock = SystemClock()
    with long_run(log_file, data_dir=loaded.data_dir, collector=loaded.collector.id) as signals:
        run = Supervision(clock, ServiceManager(os.environ, clock))
        try:
            if plan:
                asyncio.run(_plan(loaded, venues, signals, format))
                return 0
            report = asyncio.run(_record(loaded, venues, limit, signals, run))
        except asyncio.CancelledError:
            if not signals.stopping:
                raise
            say("stopped before anything was recorded")
            return 0
        show_last([venue_table(report), file_table(report)], format, hurry=signals.stopping)
    _complain(report)
    return 0


async def _plan(config: Config, names: Sequence[str] | None, signals: StopSignals, format: OutputFormat) -> None:
    clock = SystemClock()
    async with _open_venues(config, names, clock) as opened:
        with signals.stopping_with(cancel_this(), ""):
            await scan_missing(config, opened, clock)
            job = await asyncio.to_thread(Collector, config, opened, clock, _deps(config, opened, None))
    previews = job.preview()
    plans = {name: preview.plan for name, preview in previews.items()}
    universes = {name: preview.candidates for name, preview in previews.items()}
    show(plan_table(plans, universes, config), format)


async def _record(
    config: Config, names: Sequence[str] | None, limit: int | None, signals: StopSignals, run: Supervision
) -> CollectReport:
    clock = SystemClock()
    async with _open_venues(config, names, clock) as opened, run.watched():
        monitor = Monitor([venue.name for venue in opened])
        monitor.metrics.lines_dropped = lines_dropped
        metrics = config.metrics
        with metrics_server(lambda: monitor.serve(run.health, metrics.host, metrics.port)):
            with signals.stopping_with(cancel_this(), ""):
                deps = _deps(config, opened, monitor)
                if deps.bucket is not None and not all_listed(config, opened):
                    await expect_recordable(deps.bucket, clock)  # rather than after minutes of scanning
                run.begin("starting: reading the venues' lists")
                await scan_missing(config, opened, clock)
                run.begin("starting: reading the universe")
                job = await asyncio.to_thread(Collector, config, opened, clock, deps)
            return await _run(job, limit, signals, run)


async def _run(job: Collector, limit: int | None, signals: StopSignals, run: Supervision) -> CollectReport:
    clock = SystemClock()

    def look() -> RunHealth:
        status = job.status
        return recording_health(status, max(0, clock.monotonic() - status.at))

    def stop() -> None:
        run.stopping(_STOPPING)
        job.stop()

    panel = live_panel() if sys.stderr.isatty() else nullcontext(_log)
    run.begin("starting: sealing what an earlier run left")
    with signals.stopping_with(stop, _STOPPING, job.rescue), panel as draw:
        recording = asyncio.create_task(job.run(limit))
        others = [asyncio.create_task(_watch(job, clock, draw)), asyncio.create_task(_go_on(job, run, look))]
        try:
            return await recording
        finally:
            run.stopping(_STOPPING)
            for task in (recording, *others):
                task.cancel()


async def _go_on(job: Collector, run: Supervision, look: Callable[[], RunHealth]) -> None:
    """Let ``run`` be healthy from the moment at which ``job`` records."""
    await job.recording.wait()
    run.go_on("recording", look)


@asynccontextmanager
async def _open_venues(config: Config, names: Sequence[str] | None, clock: Clock) -> AsyncIterator[list[Venue]]:
    async with AsyncExitStack() as stack:
        opened = [open_venue(name, config, clock) for name in _names(config, names)]
        for venue in opened:
            stack.push_async_callback(venue.aclose)
        yield opened


def _deps(config: Config, opened: Sequence[Venue], monitor: Monitor | None) -> CollectorDeps:
    return CollectorDeps(
        mined=_mined(config, [venue.name for venue in opened]),
        metrics=monitor.metrics if monitor is not None else None,
        gauges=monitor.recording if monitor is not None else None,
        bucket=bucket_of(config),
        roll_up=MEASURES_HOURS,
        scan=partial(rescan, config, {venue.name: venue for venue in opened}),
        weights=LiveWeights(**busy_weights(weights(config.miner.weights, config.miner.preset))),
    )


async def _watch(job: Collector, clock: SystemClock, draw: Show) -> None:
    meter = RateMeter(job.reading())
    interval = REPORT_INTERVAL if draw is _log else PANEL_INTERVAL
    while True:
        await clock.sleep(interval)
        draw(meter.update(job.reading()))


def _log(facts: RateFacts) -> None:
    _LOG.info("%s", status_line(facts))


def _mined(config: Config, names: Sequence[VenueName]) -> Callable[[VenueName], Mapping[InstrumentKey, MinedScore]]:
    weight = weights(config.miner.weights, config.miner.preset)
    earlier = {name: EarlierScores(config.data_dir, name, weight) for name in names}

    def scores(venue: VenueName) -> Mapping[InstrumentKey, MinedScore]:
        try:
            return {key: MinedScore(*score) for key, score in earlier[venue].current().items()}
        except IntegrityError as error:
            say(f"warning: {error}: rotation does without what was mined until that day is mined again")
            return {}

    return scores


def _names(config: Config, names: Sequence[str] | None) -> Sequence[str]:
    chosen = list(dict.fromkeys(names or enabled_venues(config)))
    if not chosen:
        raise ConfigError("no venue is enabled; name one, enable one in the configuration, or use --mock")
    return chosen


def _complain(report: CollectReport) -> None:
    """Warn of damaged files; raise TransientError (exit 3) when a venue sent nothing at all.

    Raises SafetyError (exit 5) when the bucket refused the files for good.
    """
    for what in report.damaged:
        say(f"warning: damaged: {what}")
    silent = [
        f"{each.venue}: {each.failure or 'nothing was received'}"
        for each in report.venues
        if each.instruments and not each.events
    ]
    if report.bucket is not None and report.bucket.refused:
        raise SafetyError(f"recorded, but not uploaded: {report.bucket.trouble}")
    if silent:
        raise TransientError("; ".join(silent) + "; check the connection with 'predsurv doctor'")
