"""The report of a recording as tables."""

from collections.abc import Sequence
from typing import Final

from predsurv.cli.output.columns import span, volume
from predsurv.cli.output.render import Column, Table, Value
from predsurv.collect.report import CollectReport, VenueReport
from predsurv.store.layout import FOLDERS

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


def venue_table(report: CollectReport) -> Table:
    """Return one row per venue with how much of the wanted time was observed."""
    note = f"recorded for {span(report.duration)}; log segments sealed: {report.seals:,}"
    if report.recovered:
        note += f"; {report.recovered:,} log segments of an earlier run were recovered first"
    if report.rescans is not None and (report.rescans.completed or report.rescans.failed):
        note += f"; lists read again: {report.rescans.completed:,}, with {report.rescans.news:,} markets new or changed"
        note += f", {report.rescans.failed:,} failed" if report.rescans.failed else ""
    return Table("venues", "Recording", _VENUES, [_venue_row(each) for each in report.venues], note)


def file_table(report: CollectReport) -> Table:
    """Return one row per dataset with what was sealed."""
    rows: list[Sequence[Value]] = []
    for dataset, folder in FOLDERS.items():
        count, size = report.rows.get(dataset, 0), report.bytes.get(dataset, 0)
        rate = count * 1_000_000_000 / max(report.duration, 1)
        rows.append((folder, count, size, size / count if count else None, rate))
    return Table("files", "Written", _FILES, rows, _bucket(report))


def _bucket(report: CollectReport) -> str:
    bucket = report.bucket
    if bucket is None:
        return ""
    waiting = f"{bucket.waiting:,} files waiting for the next start" if bucket.waiting else "nothing is waiting"
    lost = f"; {bucket.remote_lost:,} are not as uploaded: see 'predsurv verify --remote'" if bucket.remote_lost else ""
    return f"bucket: {waiting}; {volume(bucket.bytes)} uploaded to {bucket.url}{lost}"


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
