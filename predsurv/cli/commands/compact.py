"""``predsurv compact``: merge each closed hour into one file and apply the storage limits."""

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Annotated

import typer

from predsurv.cli.commands.dates import say_missing, span_of
from predsurv.cli.commands.venue_names import require_venue
from predsurv.cli.options import ConfigFile, Mock, OutputFormat, mock_flag
from predsurv.cli.output.render import Column, Table, say, show
from predsurv.config import Config, load
from predsurv.core.errors import ConfigError, IntegrityError, SafetyError
from predsurv.core.ids import VenueName
from predsurv.mine.recorded_days import nothing_recorded, recorded_days
from predsurv.mine.roll_up import merged_days, roll_up_day
from predsurv.net.clock import SystemClock
from predsurv.store.layout import FOLDERS, Layout, has_recording, how_to_record
from predsurv.store.seal.compact import CompactOptions, CompactReport, collectors_of, compact_closed
from predsurv.store.seal.retention import ExpireReport, RetentionPolicy, expire

_MERGED = (
    Column("collector", "Collector", keep=9),
    Column("hours", "Hours", "int", keep=8),
    Column("files", "Files before", "int", keep=7),
    Column("merged", "Files now", "int", keep=7),
    Column("rows", "Rows", "int", keep=6),
    Column("bytes_before", "Size before", "bytes", keep=5),
    Column("bytes_after", "Size now", "bytes", keep=5),
    Column("duration", "Took", "duration", keep=4),
)
_REMOVED = (
    Column("cutoff", "Everything before", "time", "UTC", keep=9),
    Column("files", "Files", "int", keep=8),
    Column("bytes", "Size", "bytes", keep=7),
)


def compact(
    venue: Annotated[str | None, typer.Argument(metavar="VENUE", help="Only this venue; default: all.")] = None,
    date: Annotated[str | None, typer.Argument(metavar="DATE[..DATE]", help="Only these days, UTC.")] = None,
    *,
    config: ConfigFile = None,
    mock: Mock = False,
    rollups: Annotated[
        bool, typer.Option("--rollups", help="Measure every compacted hour again that has no roll-up of its files.")
    ] = False,
    format: OutputFormat = "table",
) -> None:
    """Make one sorted file of each recorded hour that is over; remove what is beyond storage.max_age and max_bytes.

    What 'mine' needs of a merged hour is measured at once and kept beside it, its roll-up.
    """
    settings = load(config, flags=mock_flag(mock)).config
    layout = Layout(settings.data_dir)
    if settings.bucket:
        raise SafetyError(
            f"objects of {settings.bucket} cannot change places in one step, so its files are never merged; "
            "limits of storage are kept while 'predsurv collect' runs"
        )
    if not has_recording(layout):
        raise ConfigError(f"nothing was recorded in {settings.data_dir}; {how_to_record()}")
    require_venue(settings.data_dir, venue)
    dates = None if date is None else _days(settings.data_dir, venue, date)
    options = CompactOptions(
        compression_level=settings.storage.compression_level,
        venue=None if venue is None else VenueName(venue),
        dates=dates,
    )
    reports = {each: compact_closed(layout, each, SystemClock(), options) for each in collectors_of(layout)}
    tables = [_merged_table(reports)]
    if removed := _removed_table(layout, settings):
        tables.append(removed)
    show(tables, format)
    damaged = [each for report in reports.values() for each in report.damaged]
    days = merged_days(file for report in reports.values() for file in report.merged)
    unmeasured = _roll_up(layout, _every_day(layout, options) if rollups else days)
    if damaged:
        stay = "1 hour stays as it is" if len(damaged) == 1 else f"{len(damaged)} hours stay as they are"
        raise IntegrityError(f"{stay}: {damaged[0]}")
    for line in unmeasured:
        say(line)


def _days(data_dir: Path, venue: str | None, asked: str) -> Sequence[str]:
    """Return the recorded ones of the days asked for; raises ConfigError when there is none."""
    wanted = span_of(asked).dates()
    there = {date for date, name in recorded_days(data_dir, FOLDERS) if venue in (None, name)}
    if there.isdisjoint(wanted):
        raise ConfigError(nothing_recorded(data_dir, venue, asked))
    say_missing(wanted, there)
    return [day for day in wanted if day in there]


def _every_day(layout: Layout, options: CompactOptions) -> list[tuple[VenueName, str]]:
    days = [(VenueName(venue), date) for date, venue in recorded_days(layout.data_dir)]
    return [
        day for day in days if options.venue in (None, day[0]) and (options.dates is None or day[1] in options.dates)
    ]


def _roll_up(layout: Layout, days: Iterable[tuple[VenueName, str]]) -> list[str]:
    """Measure the merged hours of ``days``; return of which days that was not possible, and why."""
    failed = []
    for venue, date in days:
        try:
            roll_up_day(layout.data_dir, venue, date)
        except (ConfigError, IntegrityError) as error:
            failed.append(f"no roll-ups of {venue} {date}: {error}")
    return failed


def _merged_table(reports: dict[str, CompactReport]) -> Table:
    rows = [
        (
            collector,
            report.hours,
            report.files,
            len(report.merged),
            report.rows,
            report.bytes_before,
            report.bytes_after,
            report.duration_ns,
        )
        for collector, report in reports.items()
        if report.hours
    ]
    return Table("compacted", "Compacted", _MERGED, rows, empty="every hour that is over is one file already")


def _removed_table(layout: Layout, settings: Config) -> Table | None:
    storage = settings.storage
    if not (storage.max_age or storage.max_bytes):
        return None
    policy = RetentionPolicy(storage.max_age, storage.max_bytes, storage.compression_level)
    report: ExpireReport = expire(layout, SystemClock(), policy)
    rows = [(report.cutoff, report.files, report.bytes)] if report.files else []
    return Table("removed", "Removed", _REMOVED, rows, empty="nothing is beyond the limits of storage")
