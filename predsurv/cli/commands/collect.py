"""``predsurv collect``: record the venues until told to stop, and say what came of it.

Kept apart from the job itself, which knows no terminal and no signals.
"""

import asyncio
import logging
import os
import signal
import sys
from collections.abc import Iterator, Sequence
from contextlib import AsyncExitStack, contextmanager, nullcontext
from threading import Thread
from typing import Annotated, Final, TextIO, cast

import typer

from predsurv.cli.commands.bucket import bucket_of
from predsurv.cli.commands.plan import plan_table
from predsurv.cli.options import ConfigFile, Duration, Mock, OutputFormat, Venues, mock_flag
from predsurv.cli.output.collect_tables import file_table, venue_table
from predsurv.cli.output.live_panel import Show, Stderr, live_panel, status_line
from predsurv.cli.output.render import near, say, show
from predsurv.collect.collector import Collector, CollectorDeps
from predsurv.collect.rates import RateFacts, RateMeter
from predsurv.collect.report import CollectReport
from predsurv.collect.status import health_of
from predsurv.config import Config, load
from predsurv.config.units import parse_duration
from predsurv.core.errors import ConfigError, SafetyError, TransientError
from predsurv.core.ids import InstrumentId, InstrumentKey, MarketId, VenueName
from predsurv.core.num import MICROS
from predsurv.core.text import path_component, sanitise
from predsurv.net.clock import SystemClock
from predsurv.store import allocator
from predsurv.telemetry import logs
from predsurv.telemetry.monitor import Monitor
from predsurv.venues.registry import enabled_venues, open_venue

LEFT_AT_ONCE: Final = 130
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
    limit = None if duration is None else _duration(duration)
    undo = logs.set_up(stream=cast(TextIO, Stderr()))
    allocator.settle()
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
        aids = CollectorDeps(
            lambda name: latest_scores(config, name), monitor.metrics, monitor.recording, bucket_of(config)
        )
        job = await asyncio.to_thread(Collector, config, opened, clock, aids)
        if plan_only is not None:
            universes = {each.venue.name: each.steering.demand({}).universe for each in job.sessions}
            show(plan_table(job.preview(), universes, config), plan_only)
            return None
        panel = live_panel() if sys.stderr.isatty() else nullcontext(_log)
        with _signals(job), _metrics_server(config, monitor, job), panel as draw:
            watching = asyncio.create_task(_watch(job, clock, draw))
            try:
                return await job.run(limit)
            finally:
                watching.cancel()


async def _watch(job: Collector, clock: SystemClock, draw: Show) -> None:
    panel = RateMeter(job.reading())
    interval = REPORT_INTERVAL if draw is _log else PANEL_INTERVAL
    while True:
        await clock.sleep(interval)
        draw(panel.look(job.reading()))


def _log(facts: RateFacts) -> None:
    _LOG.info("%s", status_line(facts))


@contextmanager
def _signals(job: Collector) -> Iterator[None]:
    """Stop in good order at the first signal, at once at the second, when the log has what was received."""
    loop = asyncio.get_running_loop()
    asked = False

    def on_signal() -> None:
        nonlocal asked
        if asked:
            _leave(job)
        asked = True
        say("stopping: writing what was recorded; interrupt again to leave at once")
        job.stop()

    numbers = (signal.SIGINT, signal.SIGTERM)
    for number in numbers:
        loop.add_signal_handler(number, on_signal)
    try:
        yield
    finally:
        for number in numbers:
            loop.remove_signal_handler(number)


def _leave(job: Collector) -> None:
    """End the process; a disk that does not answer must not keep it."""
    rescue = Thread(target=job.rescue, daemon=True)
    rescue.start()
    rescue.join(RESCUE_SECONDS_MAX)
    os._exit(LEFT_AT_ONCE)


@contextmanager
def _metrics_server(config: Config, monitor: Monitor, job: Collector) -> Iterator[None]:
    try:
        server = monitor.serve(lambda: health_of(job.vitals), config.metrics.host, config.metrics.port)
    except ConfigError as error:
        say(f"warning: {error}")
        yield
        return
    if server.warning:
        say(f"warning: {server.warning}")
    try:
        yield
    finally:
        server.close()


def latest_scores(config: Config, venue: VenueName) -> dict[InstrumentKey, int]:
    """Return the interestingness (micros) that the newest statistics of ``venue`` give, empty without any."""
    folder = config.data_dir / "stats" / f"venue={path_component(venue)}"
    path = max(folder.glob("date=*/stats.parquet"), default=None)
    if path is None:
        return {}
    import polars as pl  # not needed before anything was mined

    try:
        stats = pl.read_parquet(path, columns=["market_id", "instrument_id", "score"])
        rows = stats.filter(pl.col("score").is_finite()).drop_nulls().rows()
    except (OSError, pl.exceptions.PolarsError):
        say(f"warning: {near(path)} cannot be read: no market is preferred until that day is mined again")
        return {}
    return {
        InstrumentKey(venue, MarketId(market), InstrumentId(instrument)): round(score * MICROS)
        for market, instrument, score in rows
    }


def _names(config: Config, names: Sequence[str] | None) -> Sequence[str]:
    chosen = list(dict.fromkeys(names or enabled_venues(config)))
    if not chosen:
        raise ConfigError("no venue is enabled; name one, enable one in the configuration, or use --mock")
    return chosen


def _complain(report: CollectReport) -> None:
    """Name what is damaged; raise TransientError (exit 3) when a venue sent nothing at all.

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


def _duration(text: str) -> int:
    try:
        value = parse_duration(text)
    except ValueError:
        value = 0
    if value <= 0:
        raise ConfigError(f'--duration: expected a time such as "60s" or "5m"; got "{sanitise(text, 40)}"')
    return value
