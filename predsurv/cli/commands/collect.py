"""``predsurv collect``: record the venues until stopped, then print a report."""

import asyncio
import logging
import sys
from collections.abc import Mapping, Sequence
from contextlib import AsyncExitStack, nullcontext
from functools import partial
from threading import Thread
from typing import Annotated, Final, TextIO, cast

import typer

from predsurv.cli.commands.bucket import bucket_of
from predsurv.cli.commands.plan import plan_table
from predsurv.cli.commands.rescan import rescan
from predsurv.cli.options import ConfigFile, Duration, Mock, OutputFormat, Venues, mock_flag
from predsurv.cli.output.collect_tables import file_table, venue_table
from predsurv.cli.output.live_panel import Show, Stderr, live_panel, status_line
from predsurv.cli.output.render import say, show
from predsurv.cli.runtime import duration_ns, metrics_server, stop_on_signal
from predsurv.collect.collector import Collector, CollectorDeps
from predsurv.collect.rates import RateFacts, RateMeter
from predsurv.collect.report import CollectReport
from predsurv.collect.status import health_of
from predsurv.config import Config, load
from predsurv.core.errors import ConfigError, IntegrityError, SafetyError, TransientError
from predsurv.core.ids import InstrumentKey, VenueName
from predsurv.mine.previous_scores import latest_scores
from predsurv.net.clock import SystemClock
from predsurv.store import allocator
from predsurv.telemetry import logs
from predsurv.telemetry.monitor import Monitor
from predsurv.venues.registry import enabled_venues, open_venue

RESCUE_SECONDS_MAX: Final = 0.4
"""How long a second signal waits for the last records to reach the log."""
PANEL_INTERVAL: Final = 500_000_000
"""How often (ns) the live panel is drawn on a terminal."""
REPORT_INTERVAL: Final = 30_000_000_000
"""How often (ns) a line is printed elsewhere."""
_LOG: Final = logging.getLogger("predsurv.collect")


def collect(
    venues: Venues = None,
    *,
    config: ConfigFile = None,
    mock: Mock = False,
    duration: Duration = None,
    plan: Annotated[bool, typer.Option("--plan", help="Show what recording would take; connect to nothing.")] = False,
    format: OutputFormat = "table",
) -> int:
    """Record order books and trades of the venues, gaps included, until stopped."""
    loaded = load(config, flags=mock_flag(mock)).config
    limit = duration_ns(duration)
    undo = logs.set_up(stream=cast(TextIO, Stderr()))
    allocator.limit_heaps()
    try:
        report = asyncio.run(_run(loaded, venues, limit, None if not plan else format))
    finally:
        undo()
    if report is not None:
        show([venue_table(report), file_table(report)], format)
        _complain(report)
    return 0


async def _run(
    config: Config, names: Sequence[str] | None, limit: int | None, plan_only: OutputFormat | None
) -> CollectReport | None:
    clock = SystemClock()
    async with AsyncExitStack() as stack:
        opened = [open_venue(name, config, clock) for name in _names(config, names)]
        for venue in opened:
            stack.push_async_callback(venue.aclose)
        monitor = Monitor([venue.name for venue in opened])
        deps = CollectorDeps(
            scores=lambda name: _scores(config, name),
            metrics=monitor.metrics,
            gauges=monitor.recording,
            bucket=bucket_of(config),
            scan=partial(rescan, config, {venue.name: venue for venue in opened}),
        )
        job = await asyncio.to_thread(Collector, config, opened, clock, deps)
        if plan_only is not None:
            previews = job.preview()
            plans = {name: preview.plan for name, preview in previews.items()}
            universes = {name: preview.candidates for name, preview in previews.items()}
            show(plan_table(plans, universes, config), plan_only)
            return None
        panel = live_panel() if sys.stderr.isatty() else nullcontext(_log)
        stopping = stop_on_signal(job.stop, "writing what was recorded", lambda: _rescue(job))
        serving = metrics_server(
            lambda: monitor.serve(lambda: health_of(job.status), config.metrics.host, config.metrics.port)
        )
        with stopping, serving, panel as draw:
            watching = asyncio.create_task(_watch(job, clock, draw))
            try:
                return await job.run(limit)
            finally:
                watching.cancel()


async def _watch(job: Collector, clock: SystemClock, draw: Show) -> None:
    meter = RateMeter(job.reading())
    interval = REPORT_INTERVAL if draw is _log else PANEL_INTERVAL
    while True:
        await clock.sleep(interval)
        draw(meter.update(job.reading()))


def _log(facts: RateFacts) -> None:
    _LOG.info("%s", status_line(facts))


def _rescue(collector: Collector) -> None:
    """Write the last records to the log, waiting at most RESCUE_SECONDS_MAX for the disk."""
    rescue = Thread(target=collector.rescue, daemon=True)
    rescue.start()
    rescue.join(RESCUE_SECONDS_MAX)


def _scores(config: Config, venue: VenueName) -> Mapping[InstrumentKey, int]:
    try:
        return latest_scores(config.data_dir, venue)
    except IntegrityError as error:
        say(f"warning: {error}: no market is preferred until that day is mined again")
        return {}


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
