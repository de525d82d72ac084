"""Where rows lie in the coverage of their instruments: none in a gap that nothing is received in, none outside it all.

Part of the plain verification, because the rows are read there anyway: what is added is a search per batch of rows in
one day's gaps, which are few.
"""

from functools import partial
from pathlib import Path
from typing import Any, Final, NamedTuple

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from predsurv.core.ids import VenueName
from predsurv.core.text import sanitise
from predsurv.state.coverage import COVERED_DELAY, NOTHING_RECEIVED
from predsurv.store.layout import (
    NS_HOUR,
    Layout,
    Partition,
    day_files,
    end_of,
    parse_file,
    segments_of,
    start_of,
    utc_text,
)
from predsurv.store.locks import collector_lock
from predsurv.store.read.verify_books import VerifyFinding
from predsurv.store.read.verify_digests import retry_if_replaced, split_damaged

ALWAYS: Final = 2**62
"""A time (ns UTC) after all others."""

_COLUMNS: Final = ["market_id", "instrument_id", "start", "end", "reason"]
_NONE: Final = pa.scalar(None, pa.int64())
_PLACED: Final = frozenset({"deltas", "snapshots", "trades"})


class _Day(NamedTuple):
    """The coverage of one venue and day by one collector.

    ``spans``: columns id, first, last by instrument; ``markets``: the same by market. ``gaps``: columns id, start, end,
    reason of those in which nothing is received. ``complete``: until when (ns UTC) no coverage is missing.
    """

    spans: Any
    markets: Any
    gaps: Any
    complete: int


class Coverages:
    """The coverage of the days that rows are compared with, one day of one collector at a time in memory."""

    def __init__(self, layout: Layout) -> None:
        self._layout = layout
        self._loaded: dict[tuple[VenueName, str, str], _Day] = {}

    def placement(self, path: Path) -> "RowPlacement | None":
        """Return what checks the rows of the data file ``path``, None where there is nothing to compare them with.

        Raises FileNotFoundError when coverage files keep being replaced.
        """
        try:
            partition, stamp = parse_file(path)
        except ValueError:
            return None
        if partition.dataset not in _PLACED:
            return None
        name = partition.venue, partition.date, stamp.collector
        if name not in self._loaded:
            self._loaded = {name: retry_if_replaced(partial(_load, self._layout, *name))}
        day = self._loaded[name]
        return RowPlacement(partition, day) if day.spans.num_rows else None


def _load(layout: Layout, venue: VenueName, date: str, collector: str) -> _Day:
    running = any(True for _ in segments_of(layout.wal, collector))  # asked first: what it sealed since is listed then
    paths = [
        path
        for path in day_files(layout.data_dir, "coverage", venue, date)
        if parse_file(path)[1].collector == collector
    ]
    intact, damaged = split_damaged(layout, paths)
    tables = [
        pq.read_table(path, columns=_COLUMNS, partitioning=None, page_checksum_verification=True) for path in intact
    ]
    rows = pa.concat_tables([_EMPTY, *(_numbered(table) for table in tables)])
    lost = rows.filter(pc.is_in(rows["reason"], value_set=pa.array(sorted(NOTHING_RECEIVED))))
    gaps = lost.select(["instrument_id", "start", "end", "reason"]).rename_columns(["id", "start", "end", "reason"])
    complete = 0 if running or damaged else _complete_until(layout, collector, rows)
    return _Day(_spans(rows, "instrument_id"), _spans(rows, "market_id"), gaps, complete)


def _complete_until(layout: Layout, collector: str, rows: Any) -> int:
    """Return until when (ns UTC) the coverage ``rows`` of a collector that does not run here are complete.

    In a copy of a recording the last rows may be sealed before their coverage, since that collector may be running.
    """
    if collector_lock(layout.state, collector).exists():
        return ALWAYS
    return (pc.max(rows["end"]).as_py() or 0) - COVERED_DELAY


_EMPTY: Final = pa.table(
    {name: pa.array([], pa.int64() if name in ("start", "end") else pa.string()) for name in _COLUMNS}
)


def _numbered(table: Any) -> Any:
    return pa.table({name: table[name].cast(_EMPTY.schema.field(name).type) for name in _COLUMNS})


def _spans(rows: Any, name: str) -> Any:
    found = rows.group_by(name).aggregate([("start", "min"), ("end", "max")])
    return found.select([name, "start_min", "end_max"]).rename_columns(["id", "first", "last"])


class RowPlacement:
    """Compares the rows of one file, given batch by batch, with the coverage of its day."""

    def __init__(self, partition: Partition, day: _Day) -> None:
        by_market = partition.dataset == "trades"  # trades are told on either outcome, coverage is that of one
        self._id = "market_id" if by_market else "instrument_id"
        self._trusted_only = partition.dataset == "snapshots"
        self._day = day
        self._spans = day.markets if by_market else day.spans
        self._ids = self._spans["id"].combine_chunks()
        self._start = start_of(partition)
        self._gaps = None if by_market else self._gaps_of_hour(end_of(partition))
        self._inside = self._outside = 0
        self._first_inside = self._first_outside = ""

    def add(self, rows: Any) -> None:
        """Compare a batch of rows."""
        if self._trusted_only:
            rows = rows.filter(rows["trusted"])
        times = rows["ts_recv"].cast(pa.int64()).combine_chunks()
        codes = pc.index_in(rows[self._id].combine_chunks(), value_set=self._ids)
        if self._gaps is not None:
            self._look_inside(self._gaps, codes, times)
        if self._day.complete > self._start:
            self._look_outside(rows, codes, times)

    def findings(self, where: str) -> list[VerifyFinding]:
        """Return what was wrong with the rows of the file ``where``, at most one line for each rule."""
        found = []
        if self._inside:
            what = f"{self._inside} rows in gaps, where nothing was received; the first {self._first_inside}"
            found.append(VerifyFinding("gap", where, what))
        if self._outside:
            what = f"{self._outside} rows outside of all coverage; the first {self._first_outside}"
            found.append(VerifyFinding("coverage", where, what))
        return found

    def _gaps_of_hour(self, end: int) -> Any:
        """Return the gaps that reach into the hour sorted by ``key``: instrument and begin as one number."""
        gaps = self._day.gaps
        gaps = gaps.filter(pc.and_(pc.less(gaps["start"], end), pc.greater(gaps["end"], self._start)))
        if not gaps.num_rows:
            return None
        codes = pc.index_in(gaps["id"], value_set=self._ids)
        begins = pc.max_element_wise(gaps["start"], pa.scalar(self._start))
        return gaps.append_column("code", codes).append_column("key", self._keys(codes, begins)).sort_by("key")

    def _keys(self, codes: Any, times: Any) -> Any:
        """Return instrument and time within the hour as one number that sorts as the two do."""
        return pc.add(pc.multiply(codes.cast(pa.int64()), NS_HOUR), pc.subtract(times, self._start))

    def _look_inside(self, gaps: Any, codes: Any, times: Any) -> None:
        after = pc.search_sorted(gaps["key"].combine_chunks(), self._keys(codes, times), side="right")
        at = pc.subtract(after.cast(pa.int64()), 1)  # the last gap that began by then, if any
        gap = gaps.take(pc.if_else(pc.less(at, 0), _NONE, at))
        within = pc.and_(pc.less(gap["start"], times), pc.less(times, gap["end"]))
        within = pc.fill_null(pc.and_(within, pc.equal(gap["code"], codes)), False)  # noqa: FBT003
        number = pc.sum(within).as_py() or 0
        if number and not self._inside:
            row = pc.index(within, True).as_py()
            lost = gap.slice(row, 1).to_pylist()[0]
            span = f"{lost['reason']} from {utc_text(lost['start'])} to {utc_text(lost['end'])}"
            self._first_inside = f"of {sanitise(lost['id'], 80)} at {utc_text(times[row].as_py())} in {span}"
        self._inside += number

    def _look_outside(self, rows: Any, codes: Any, times: Any) -> None:
        span = self._spans.take(codes)
        within = pc.and_(pc.less_equal(span["first"], times), pc.less_equal(times, span["last"]))
        known = pc.less(times, pa.scalar(self._day.complete))
        outside = pc.and_(known, pc.invert(pc.fill_null(within, False)))  # noqa: FBT003
        number = pc.sum(outside).as_py() or 0
        if number and not self._outside:
            row = pc.index(outside, True).as_py()
            name = sanitise(rows[self._id][row].as_py() or "", 80)
            self._first_outside = f"of {name} at {utc_text(times[row].as_py())}"
        self._outside += number
