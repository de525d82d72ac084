"""``predsurv collect``: record the venues until stopped, then print a report."""

import asyncio
import logging
import os
import sys
from collections.abc import Callable, Sequence
from contextlib import nullcontext
from functools import partial
from typing import Annotated, Final, NamedTuple, Protocol

import typer

from predsurv.cli.commands.bucket import bucket_of, expect_recordable
from predsurv.cli.commands.collect_processes import ProcessesRecording
from predsurv.cli.commands.collector_deps import collector_deps, open_venues, venue_names
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
    request_levels,
    show_last,
)
from predsurv.cli.service_manager import ServiceManager
from predsurv.cli.signals import StopSignals
from predsurv.collect.collector import Collector
from predsurv.collect.health import recording_health
from predsurv.collect.processes.division import CollectorPart, divide
from predsurv.collect.processes.left_behind import seal_left_behind
from predsurv.collect.rates import CounterReading, RateFacts, RateMeter
from predsurv.collect.report import CollectReport
from predsurv.collect.rescan import ScanVenue
from predsurv.config import Config, load
from predsurv.config.value_types import Shard
from predsurv.core.errors import SafetyError, TransientError
from predsurv.net.clock import SystemClock
from predsurv.ports import Venue
from predsurv.store import allocator
from predsurv.telemetry.health import RunHealth
from predsurv.telemetry.monitor import Monitor
from predsurv.telemetry.process_metrics import ProcessMetrics

PANEL_INTERVAL: Final = 500_000_000
"""How often (ns) the live panel is drawn on a terminal."""
REPORT_INTERVAL: Final = 30_000_000_000
"""How often (ns) a line is printed elsewhere."""
_SEALING: Final = "starting: sealing what an earlier run left"
_STOPPING: Final = "writing what was recorded"
_LOG: Final = logging.getLogger("predsurv.collect")


def collect(
    venues: Venues = None,
    *,
    config: ConfigFile = None,
    mock: Mock = False,
    duration: Duration = None,
    plan: Annotated[bool, typer.Option("--plan", help="Show what recording would take; record nothing.")] = False,
    processes: Annotated[
        int, typer.Option("--processes", metavar="N", help="Divide the markets among so many processes.")
    ] = 1,
    log_file: LogFile = None,
    format: OutputFormat = "table",
) -> int:
    """Record order books and trades of the venues, gaps included, until stopped."""
    loaded = load(config, flags=mock_flag(mock)).config
    limit = duration_ns(duration)
    parts = divide(loaded, processes)
    allocator.limit_heaps()
    clock = SystemClock()
    with long_run(log_file, data_dir=loaded.data_dir, collector=loaded.collector.id) as signals:
        run = Supervision(clock, ServiceManager(os.environ, clock))
        try:
            if plan:
                asyncio.run(_plan(loaded, venues, signals, format))
                return 0
            if processes > 1:
                report = asyncio.run(_record_in_processes(parts, loaded, venues, _Terms(limit, signals, run)))
            else:
                report = asyncio.run(_record(loaded, venues, _Terms(limit, signals, run)))
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
    async with open_venues(config, names, clock) as opened:
        with signals.stopping_with(cancel_this(), ""):
            await scan_missing(config, opened, clock)
            deps = collector_deps(config, opened, None, _scan_of(config, opened))
            job = await asyncio.to_thread(Collector, config, opened, clock, deps)
    previews = job.preview()
    plans = {name: preview.plan for name, preview in previews.items()}
    universes = {name: preview.candidates for name, preview in previews.items()}
    show(plan_table(plans, universes, config), format)


def _scan_of(config: Config, opened: Sequence[Venue]) -> ScanVenue:
    return partial(rescan, config, {venue.name: venue for venue in opened})


class _Terms(NamedTuple):
    """How a recording runs: for ``limit`` ns, None for no end, until ``signals`` stop it, as ``run`` tells."""

    limit: int | None
    signals: StopSignals
    run: Supervision


async def _record(config: Config, names: Sequence[str] | None, terms: _Terms) -> CollectReport:
    clock, run = SystemClock(), terms.run
    async with open_venues(config, names, clock) as opened, run.watched():
        monitor = Monitor([venue.name for venue in opened])
        monitor.metrics.lines_dropped = lines_dropped
        monitor.metrics.request_levels = lambda: request_levels((venue.name, venue) for venue in opened)
        with metrics_server(lambda: monitor.serve(run.health, config.metrics.host, config.metrics.port)):
            with terms.signals.stopping_with(cancel_this(), ""):
                deps = collector_deps(config, opened, monitor, _scan_of(config, opened))
                await _prepare(config, opened, run, [CollectorPart(config, Shard())])
                run.begin("starting: reading the universe")
                job = await asyncio.to_thread(Collector, config, opened, clock, deps)

            def look() -> RunHealth:
                status = job.status
                return recording_health(status, max(0, clock.monotonic() - status.at))

            return await _run(job, job.rescue, look, terms)


async def _record_in_processes(
    parts: Sequence[CollectorPart],
    config: Config,
    names: Sequence[str] | None,
    terms: _Terms,
) -> CollectReport:
    clock, run = SystemClock(), terms.run
    job = ProcessesRecording(config, venue_names(config, names), parts, clock)
    metrics = ProcessMetrics(job.metrics)
    async with run.watched():
        with metrics_server(lambda: metrics.serve(run.health, config.metrics.host, config.metrics.port)):
            async with open_venues(config, names, clock) as opened:
                with terms.signals.stopping_with(cancel_this(), ""):
                    await _prepare(config, opened, run, parts)
            return await _run(job, lambda: None, job.health, terms, job.starting)


async def _prepare(config: Config, opened: Sequence[Venue], run: Supervision, parts: Sequence[CollectorPart]) -> None:
    """Read the lists of venues that have none, and seal what another number of processes left."""
    clock = SystemClock()
    bucket = bucket_of(config)
    if bucket is not None and not all_listed(config, opened):
        await expect_recordable(bucket, clock)  # rather than after minutes of scanning
    run.begin("starting: reading the venues' lists")
    await scan_missing(config, opened, clock)
    run.begin(_SEALING)
    await seal_left_behind(config, parts, clock)


class _Recording(Protocol):
    """What is recorded, in one process or in several."""

    recording: asyncio.Event

    async def run(self, duration: int | None) -> CollectReport: ...

    def stop(self) -> None: ...

    def reading(self) -> CounterReading | None: ...


async def _run(
    job: _Recording,
    rescue: Callable[[], None],
    look: Callable[[], RunHealth],
    terms: _Terms,
    starting: Callable[[], str] = lambda: _SEALING,
) -> CollectReport:
    """Record; ``starting`` says what goes on until there are figures."""
    clock, run = SystemClock(), terms.run

    def stop() -> None:
        run.stopping(_STOPPING)
        job.stop()

    panel = live_panel(starting) if sys.stderr.isatty() else nullcontext(_log)
    run.begin(_SEALING)
    with terms.signals.stopping_with(stop, _STOPPING, rescue), panel as draw:
        recording = asyncio.create_task(job.run(terms.limit))
        others = [asyncio.create_task(_watch(job, clock, draw)), asyncio.create_task(_go_on(job, run, look))]
        try:
            return await recording
        finally:
            run.stopping(_STOPPING)
            for task in (recording, *others):
                task.cancel()


async def _go_on(job: _Recording, run: Supervision, look: Callable[[], RunHealth]) -> None:
    """Let ``run`` be healthy from the moment at which ``job`` records."""
    await job.recording.wait()
    run.go_on("recording", look)


async def _watch(job: _Recording, clock: SystemClock, draw: Show) -> None:
    meter: RateMeter | None = None
    interval = REPORT_INTERVAL if draw is _log else PANEL_INTERVAL
    while True:
        reading = job.reading()
        if reading is None:
            await clock.sleep(PANEL_INTERVAL)
            continue
        if meter is None:
            meter = RateMeter(reading)
        else:
            draw(meter.update(reading))
        await clock.sleep(interval)


def _log(facts: RateFacts) -> None:
    _LOG.info("%s", status_line(facts))


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
