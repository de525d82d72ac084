"""Sealed coverage, read back: up to which time each instrument of a collector is accounted for.

Needed after damage, when the log is incomplete and the sealed files are the only record.
"""

from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final, NamedTuple

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from predsurv.core.ids import InstrumentId, InstrumentKey, MarketId, VenueName
from predsurv.store import manifest
from predsurv.store.layout import Layout, data_files, date_of, day_files, parse_file


class SealedInterval(NamedTuple):
    """The time of one coverage row, covered or gap; ``start`` and ``end`` in ns UTC, ``end`` exclusive."""

    key: InstrumentKey
    start: int
    end: int


_COLUMNS: Final = ["market_id", "instrument_id", "start", "end"]


def sealed_intervals(layout: Layout, collector: str, venue: VenueName, since: int) -> Iterator[SealedInterval]:
    """Yield the coverage that ``collector`` wrote of ``venue`` on the day of ``since`` (ns UTC) and later, by file.

    An unreadable file is skipped: its time appears as a hole, which ``verify`` reports together with the file.
    """
    first = date_of(since)
    for date, path in _coverage_files(layout, collector, venue):
        table = _read_columns(path, _COLUMNS) if date >= first else None
        if table is None:
            continue
        times = (table[name].cast(pa.int64()).to_pylist() for name in ("start", "end"))
        ids = (table[name].to_pylist() for name in ("market_id", "instrument_id"))
        for market, instrument, start, end in zip(*ids, *times, strict=True):
            yield SealedInterval(InstrumentKey(venue, MarketId(market), InstrumentId(instrument)), start, end)


def sealed_coverage_ends(layout: Layout, collector: str, venue: VenueName, before: int) -> dict[InstrumentKey, int]:
    """Return by instrument the end (ns UTC) of the last coverage that ``collector`` wrote before the day of ``before``.

    An unreadable file is skipped.
    """
    first = date_of(before)
    ends: dict[InstrumentKey, int] = {}
    for date, path in _coverage_files(layout, collector, venue):
        table = _read_columns(path, _COLUMNS) if date < first else None
        if table is None:
            continue
        latest = table.group_by(["market_id", "instrument_id"]).aggregate([("end", "max")])
        columns = (latest[name].to_pylist() for name in ("market_id", "instrument_id"))
        for market, instrument, end in zip(*columns, latest["end_max"].cast(pa.int64()).to_pylist(), strict=True):
            key = InstrumentKey(venue, MarketId(market), InstrumentId(instrument))
            ends[key] = max(end, ends.get(key, 0))
    return ends


def last_sealed_times(layout: Layout, collector: str, segment: int) -> dict[VenueName, int]:
    """Return by venue the time (ns UTC) of the latest row that ``collector`` sealed of segments before ``segment``.

    A venue's rows are written in order, so none in ``segment`` is earlier. The time at which ``segment``
    was opened is no such bound: records that had arrived but were not committed by then are in it too.
    """
    latest: dict[VenueName, int] = {}
    for file in manifest.read(layout.manifest) if layout.manifest.is_dir() else ():
        partition, stamp = parse_file(Path(file.path))
        if stamp.collector == collector and stamp.segment < segment:
            latest[partition.venue] = max(file.hi, latest.get(partition.venue, 0))
    return latest


def covered_time(layout: Layout, venue: VenueName, date: str) -> int:
    """Return the covered time of ``venue`` on ``date`` (YYYY-MM-DD) in ns, summed over instruments.

    An unreadable file counts as 0.
    """
    total = 0
    for path in day_files(layout.data_dir, "coverage", venue, date):
        table = _read_columns(path, ["start", "end", "state"])
        if table is None:
            continue
        covered = table.filter(pc.equal(table["state"], "covered"))
        span = pc.subtract(covered["end"].cast(pa.int64()), covered["start"].cast(pa.int64()))
        total += pc.sum(span).as_py() or 0
    return total


def _coverage_files(layout: Layout, collector: str, venue: VenueName) -> Iterator[tuple[str, Path]]:
    """Yield the coverage files of ``collector`` and ``venue`` with their dates (YYYY-MM-DD), sorted by path."""
    for path in data_files(layout, "coverage"):
        partition, stamp = parse_file(path)
        if partition.venue == venue and stamp.collector == collector:
            yield partition.date, path


def _read_columns(path: Path, columns: list[str]) -> Any:
    """Return these columns of a data file, None when it cannot be read."""
    try:
        return pq.read_table(path, columns=columns, partitioning=None, page_checksum_verification=True)
    except (OSError, pa.ArrowException):
        return None
