"""``predsurv collect``: record the venues until told to stop, and say what came of it.

Kept apart from the job itself, which knows no terminal and no signals.
"""

import asyncio
import logging
import os
import signal
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import AsyncExitStack, contextmanager
from typing import Annotated, Final

import typer
from prometheus_client import CollectorRegistry

from predsurv.cli.cells import span, volume
from predsurv.cli.options import ConfigFile, Duration, Mock, OutputFormat, Venues, mock_flag
from predsurv.cli.progress import Update, progress_line
from predsurv.cli.render import Column, Table, Value, say, show
from predsurv.collect.job import Aids, Job
from predsurv.collect.panel import Facts, Panel
from predsurv.collect.report import CollectReport, VenueReport
from predsurv.collect.rotation import Plan
from predsurv.collect.session import Session
from predsurv.config import Config, load
from predsurv.config.kinds import parse_duration
from predsurv.core.errors import ConfigError, TransientError
from predsurv.core.ids import InstrumentId, InstrumentKey, MarketId, VenueName
from predsurv.core.num import MICROS
from predsurv.core.text import path_component, sanitise
from predsurv.net.clock import SystemClock
from predsurv.store.paths import FOLDERS, Dataset
from predsurv.telemetry import logs
from predsurv.telemetry.metrics import Metrics
from predsurv.telemetry.server import MetricsServer
from predsurv.venues.registry import enabled_venues, open_venue

LEFT_AT_ONCE: Final = 130
PANEL_INTERVAL: Final = 500_000_000
"""How often (ns) the live line is drawn on a terminal."""
REPORT_INTERVAL: Final = 30_000_000_000
"""How often (ns) a line is printed elsewhere."""
_HOUR: Final = 3_600 * 1_000_000_000
_LOG: Final = logging.getLogger("predsurv.collect")

_VENUES: Final = (
    Column("venue", "Venue", keep=9),
    Column("instruments", "Instruments", "int", keep=7),
    Column("events", "Events", "int", keep=8),
    Column("observed", "Observed", "bar", "share of wanted time", places=3, keep=9),
    Column("covered_s", "Observed", "duration", "sum", keep=6),
    Column("gap_s", "Gaps", "duration", "sum", keep=8),
    Column("gap_reasons", "Gaps by reason", keep=5),
    Column("lag_p50_s", "Lag p50", "duration", keep=4),
    Column("lag_p99_s", "Lag p99", "duration", keep=4),
    Column("lag_peak_s", "Lag peak", "duration", keep=1),
    Column("malformed", "Malformed", "int", keep=2),
    Column("unknown", "Unknown", "int", keep=1),
    Column("dropped", "Dropped", "int", keep=3),
    Column("orphans", "Orphans", "int", keep=0),
)
_FILES: Final = (
    Column("dataset", "Dataset", keep=9),
    Column("rows", "Rows", "int", keep=9),
    Column("bytes", "Size", "bytes", keep=8),
    Column("bytes_per_row", "Per row", "decimal", "B", places=1, keep=5),
    Column("rows_per_s", "Rate", "decimal", "rows/s", places=1, keep=4),
)
_PLAN: Final = (
    Column("venue", "Venue", keep=9),
    Column("candidates", "Tradable", "int", "instruments", keep=8),
    Column("chosen", "Recorded", "int", keep=9),
    Column("pinned", "Pinned", "int", keep=6),
    Column("exploited", "Most interesting", "int", keep=6),
    Column("explored", "Exploring", "int", keep=6),
    Column("revisit_s", "All seen within", "duration", keep=8),
    Column("connections", "Connections", "int", keep=7),
    Column("bytes_per_hour", "Expected", "bytes", "per hour", keep=7),
)


def collect(
    venues: Venues = None,
    *,
    config: ConfigFile = None,
    mock: Mock = False,
    duration: Duration = None,
    plan: Annotated[bool, typer.Option("--plan", help="Show what would be recorded; connect to nothing.")] = False,
    format: OutputFormat = "table",
) -> int:
    """Record order books and trades of the venues, gaps included, until stopped."""
    loaded = load(config, flags=mock_flag(mock)).config
    limit = None if duration is None else _duration(duration)
    undo = logs.set_up()
    try:
        report = asyncio.run(_run(loaded, venues, limit, None if not plan else format))
    finally:
        undo()
    if report is not None:
        show([venue_table(report), file_table(report)], format)
        _complain(report)
    return 0


def venue_table(report: CollectReport) -> Table:
    """Return one row per venue with how much of the wanted time was observed."""
    note = f"recorded for {span(report.duration)}; {report.seals:,} seals"
    if report.recovered:
        note += f"; {report.recovered:,} log segments of an earlier run were recovered first"
    return Table("venues", "Recording", _VENUES, [_venue_row(each) for each in report.venues], note)


def file_table(report: CollectReport) -> Table:
    """Return one row per dataset with what was sealed."""
    rows: list[Sequence[Value]] = []
    for dataset, folder in FOLDERS.items():
        count, size = report.rows.get(dataset, 0), report.bytes.get(dataset, 0)
        rate = count * 1_000_000_000 / max(report.duration, 1)
        rows.append((folder, count, size, size / count if count else None, rate))
    return Table("files", "Written", _FILES, rows)


def plan_table(plans: Mapping[VenueName, Plan], candidates: Mapping[VenueName, int], config: Config) -> Table:
    """Return one row per venue with what its first period would record."""
    collector = config.collector
    rows: list[Sequence[Value]] = [
        (
            name,
            candidates[name],
            len(made.want),
            made.count("pinned"),
            made.count("exploited") + made.count("everything"),
            made.count("explored"),
            max(1, made.revisit_periods()) * collector.rotation_period,
            -(-len(made.want) // collector.instruments_per_connection),
            _bytes_per_hour(config, name, len(made.want)),
        )
        for name, made in plans.items()
    ]
    left_out = sum(made.left_out for made in plans.values())
    note = f"{left_out:,} pinned instruments find no place: raise collector.max_instruments" if left_out else ""
    return Table("plan", "Plan for the first period", _PLAN, rows, note)


def _venue_row(venue: VenueReport) -> Sequence[Value]:
    gap = sum(venue.gap_ns.values())
    wanted = venue.covered_ns + gap
    reasons = sorted(venue.gap_ns.items(), key=lambda item: -item[1])
    return (
        venue.venue,
        venue.instruments,
        venue.events,
        venue.covered_ns / wanted if wanted else None,
        venue.covered_ns,
        gap,
        ", ".join(f"{reason} {span(time)}" for reason, time in reasons) or "none",
        venue.lag_p50,
        venue.lag_p99,
        venue.lag_peak,
        venue.malformed,
        venue.unknown,
        venue.dropped,
        venue.orphans,
    )


async def _run(
    config: Config, names: Sequence[str] | None, limit: int | None, plan_only: OutputFormat | None
) -> CollectReport | None:
    clock = SystemClock()
    registry = CollectorRegistry()
    async with AsyncExitStack() as stack:
        opened = [open_venue(name, config, clock) for name in _names(config, names)]
        for venue in opened:
            stack.push_async_callback(venue.aclose)
        metrics = Metrics(registry, venues=[venue.name for venue in opened])
        aids = Aids(lambda name: latest_scores(config, name), metrics)
        job = await asyncio.to_thread(Job, config, opened, clock, aids)
        if plan_only is not None:
            candidates = {each.venue.name: _tradable(each) for each in job.sessions}
            show(plan_table(job.preview(), candidates, config), plan_only)
            return None
        with _signals(job), _metrics_server(config, registry, job), progress_line() as update:
            watching = asyncio.create_task(_watch(job, clock, update))
            try:
                return await job.run(limit)
            finally:
                watching.cancel()


async def _watch(job: Job, clock: SystemClock, update: Update) -> None:
    panel = Panel(job.reading())
    live = sys.stderr.isatty()
    while True:
        await clock.sleep(PANEL_INTERVAL if live else REPORT_INTERVAL)
        line = status_line(panel.look(job.reading()))
        if live:
            update(("collect", line))
        else:
            _LOG.info("%s", line)


def status_line(facts: Facts) -> str:
    """Return the running totals as one line for people."""
    lag = "–" if facts.lag_p50 is None else f"{span(facts.lag_p50)}/{span(facts.lag_p99 or 0)}"
    rotation = "" if facts.next_rotation is None else f" · rotation in {span(max(facts.next_rotation, 0))}"
    return (
        f"{facts.events_per_s:,} events/s · books {facts.trusted:,}/{facts.wanted:,} · lag p50/p99 {lag} · "
        f"{facts.gaps:,} gaps · {facts.rows:,} rows sealed · {volume(facts.bytes)} written{rotation}"
    )


@contextmanager
def _signals(job: Job) -> Iterator[None]:
    """Stop in good order at the first signal, at once at the second: the log keeps what was committed."""
    loop = asyncio.get_running_loop()
    asked = False

    def on_signal() -> None:
        nonlocal asked
        if asked:
            os._exit(LEFT_AT_ONCE)
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


@contextmanager
def _metrics_server(config: Config, registry: CollectorRegistry, job: Job) -> Iterator[None]:
    try:
        server = MetricsServer(registry, lambda: health(job), host=config.metrics.host, port=config.metrics.port)
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


def health(job: Job) -> dict[str, object]:
    """Return what /healthz says; not ok while nothing that is wanted can be seen."""
    venues = {each.venue.name: each.recorder.tally.trusted for each in job.sessions}
    wanted = sum(len(each.recorder.fold.lines) for each in job.sessions)
    return {"ok": not wanted or any(venues.values()), "wanted": wanted, "trusted": venues}


def latest_scores(config: Config, venue: VenueName) -> dict[InstrumentKey, int]:
    """Return the interestingness (micros) that the newest statistics of ``venue`` give, empty without any."""
    folder = config.data_dir / "stats" / f"venue={path_component(venue)}"
    path = max(folder.glob("date=*/stats.parquet"), default=None)
    if path is None:
        return {}
    import polars as pl  # not needed before anything was mined

    rows = pl.read_parquet(path, columns=["market_id", "instrument_id", "score"]).drop_nulls().rows()
    return {
        InstrumentKey(venue, MarketId(market), InstrumentId(instrument)): round(score * MICROS)
        for market, instrument, score in rows
    }


def _tradable(session: Session) -> int:
    return sum(candidate.tradable for candidate in session.steering.demand({}).universe)


def _bytes_per_hour(config: Config, venue: VenueName, instruments: int) -> int | None:
    """Return the expected growth from what the last recorded day cost per observed second, None without one."""
    folders = [config.data_dir / FOLDERS[each] / f"venue={path_component(venue)}" for each in _PLANNED]
    days = [path.name for folder in folders for path in folder.glob("date=*")]
    if not days:
        return None
    from predsurv.cli.status import covered_seconds

    size = sum(file.stat().st_size for folder in folders for file in (folder / max(days)).rglob("*.parquet"))
    seconds = covered_seconds(config.data_dir, venue, max(days).removeprefix("date="))
    return round(size / seconds * 3_600 * instruments) if seconds else None


_PLANNED: Final[tuple[Dataset, ...]] = ("snapshots", "deltas", "trades", "coverage")


def _names(config: Config, names: Sequence[str] | None) -> Sequence[str]:
    chosen = list(dict.fromkeys(names or enabled_venues(config)))
    if not chosen:
        raise ConfigError("no venue is enabled; name one, enable one in the configuration, or use --mock")
    return chosen


def _complain(report: CollectReport) -> None:
    """Name what is damaged; raise TransientError (exit 3) when a venue sent nothing at all."""
    for what in report.damaged:
        say(f"warning: damaged: {what}")
    silent = [
        f"{each.venue}: {each.failure or 'nothing was received'}"
        for each in report.venues
        if each.instruments and not each.events
    ]
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
