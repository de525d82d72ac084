"""Prove from the files alone that a recording makes sense: order, sequence, and books that add up.

Kept apart from checksums because these say that a file is what was written, and this says that what
was written is right.
"""

from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from msgspec import Struct

from predsurv.core.errors import IntegrityError
from predsurv.core.events import BookDelta, BookSnapshot, Level
from predsurv.core.ids import InstrumentId, InstrumentKey, MarketId, VenueName
from predsurv.core.num import Price, Size
from predsurv.core.text import sanitise
from predsurv.state.book import Book
from predsurv.store.layout import NS_HOUR, Layout, Partition, data_files, parse_file, start_of
from predsurv.store.read.cursor import RowFilter
from predsurv.store.read.replay import recorded
from predsurv.store.schema import level_columns, to_micros

STEP_ROWS: Final = 16_384
"""Rows that are Python objects at a time."""

_LEVELS: Final = "levels"

FINDINGS_MAX: Final = 100
"""Findings told of one hour: a broken hour has as many as it has rows."""


class VerifyFinding(Struct, frozen=True):
    """What is wrong: which ``check``, ``where``, and ``what`` in one line."""

    check: str
    where: str
    what: str


class RecordedHour(Struct, frozen=True, order=True):
    """The recording of one venue by one collector in the hour from ``start`` (ns UTC)."""

    start: int
    venue: VenueName
    collector: str


def hours(layout: Layout) -> list[RecordedHour]:
    """Return every hour that has order book rows, oldest first."""
    found: set[RecordedHour] = set()
    for path in data_files(layout, "deltas"):
        partition, stamp = parse_file(path)
        found.add(RecordedHour(start_of(partition), partition.venue, stamp.collector))
    return sorted(found)


def check_order(path: Path, rows: int) -> None:
    """Read ``path`` whole; raises ValueError when a row is not in its order, its hour or its number.

    Order: instrument, market, time, segment, arrival. Raises OSError or ValueError when it is damaged.
    """
    partition, _ = parse_file(path)
    file: Any = pq.ParquetFile(path, page_checksum_verification=True)
    time = "start" if partition.dataset == "coverage" else "ts_recv"
    names = ["instrument_id", "market_id", time, "segment", "arrival"]
    names = [name for name in names if name in file.schema_arrow.names]
    count, last = 0, None
    for batch in file.iter_batches(batch_size=STEP_ROWS * 4):
        count += batch.num_rows
        table = pa.table(batch).select(names)
        _check_hour(partition, table[time].cast(pa.int64()))
        joined = table if last is None else pa.concat_tables([last, table])
        if joined.num_rows > 1 and not _ascending(joined.combine_chunks(), names):
            raise ValueError("rows are not sorted by instrument and time")
        last = table.slice(table.num_rows - 1)
    if count != rows:
        raise ValueError(f"{count} rows, {rows} were sealed")


def _check_hour(partition: Partition, times: Any) -> None:
    bounds = pc.min_max(times).as_py()
    length = NS_HOUR if partition.hour is not None else 24 * NS_HOUR
    if not start_of(partition) <= bounds["min"] <= bounds["max"] < start_of(partition) + length:
        raise ValueError("rows are of another hour than the folder says")


def _ascending(table: Any, names: list[str]) -> bool:
    """Whether each row is not before the one above it, comparing ``names`` in turn."""
    fine = pa.array([False] * (table.num_rows - 1))
    equal = pa.array([True] * (table.num_rows - 1))
    for name in names:
        column = table[name].combine_chunks()
        if name == "instrument_id":
            column = pc.fill_null(column, pa.scalar(""))
        above, below = column[:-1], column[1:]
        fine = pc.or_(fine, pc.and_(equal, pc.less(above, below)))
        equal = pc.and_(equal, pc.equal(above, below))
    return bool(pc.all(pc.or_(fine, equal)).as_py())


def audit(layout: Layout, hour: RecordedHour) -> Iterator[VerifyFinding]:
    """Yield what does not add up in ``hour``, FINDINGS_MAX at most.

    Every change needs a book from this very hour (so that an hour can be replayed alone), numbers of
    the venue rise between two books of an instrument, and after the events up to its time each row
    of the snapshots shows the folded book. Raises IntegrityError when a file is damaged.
    """
    for number, finding in enumerate(_audit(layout, hour)):
        if number == FINDINGS_MAX:
            return
        yield finding


def _audit(layout: Layout, hour: RecordedHour) -> Iterator[VerifyFinding]:
    wanted = RowFilter(hour.venue, hour.start, hour.start + NS_HOUR, None, hour.collector)
    fold = _BookReplay(hour)
    shown = _shown(layout, hour)
    row = next(shown, None)
    for event in recorded(layout, wanted):
        while row is not None and row.ts < event.ts_recv:
            yield from fold.compare(row)
            row = next(shown, None)
        yield from fold.apply(event)
    while row is not None:
        yield from fold.compare(row)
        row = next(shown, None)


class _Row(Struct, frozen=True):
    """A snapshot row: the best ``levels`` of each side of a trusted book at ``ts``."""

    ts: int
    key: InstrumentKey
    levels: int
    sides: tuple[tuple[Level, ...], tuple[Level, ...]]


class _BookReplay:
    """The books of an hour, folded."""

    def __init__(self, hour: RecordedHour) -> None:
        self._hour = hour
        self._books: dict[InstrumentKey, Book] = {}
        self._seq: dict[InstrumentKey, int] = {}

    def apply(self, event: object) -> Iterator[VerifyFinding]:
        if isinstance(event, BookSnapshot):
            book = self._books.setdefault(event.key, Book(event.key))
            book.apply(event)
            self._seq.pop(event.key, None)
            if event.seq is not None:
                self._seq[event.key] = event.seq
        elif isinstance(event, BookDelta):
            folded = self._books.get(event.key)
            if folded is None:
                yield self._finding(
                    "fold", event.key, f"a change at {event.ts_recv} has no book before it in this hour"
                )
                self._books[event.key] = Book(event.key)
            else:
                folded.apply(event)
            yield from self._check_seq(event)

    def _check_seq(self, event: BookDelta) -> Iterator[VerifyFinding]:
        if event.seq is None:
            return
        last = self._seq.get(event.key)
        if last is not None and event.seq <= last:
            yield self._finding("sequence", event.key, f"number {event.seq} at {event.ts_recv} comes after {last}")
        self._seq[event.key] = event.seq

    def compare(self, row: _Row) -> Iterator[VerifyFinding]:
        book = self._books.get(row.key)
        if book is None:
            yield self._finding("snapshot", row.key, f"levels at {row.ts} and no book before them in this hour")
        elif book.trusted and book.top(row.levels) != row.sides:
            yield self._finding("snapshot", row.key, f"levels at {row.ts} are not those of the folded book")

    def _finding(self, check: str, key: InstrumentKey, what: str) -> VerifyFinding:
        return VerifyFinding(
            check, f"{self._hour.venue}:{sanitise(key.instrument_id, 80)} by {self._hour.collector}", what
        )


def _shown(layout: Layout, hour: RecordedHour) -> Iterator[_Row]:
    """Yield the trusted snapshot rows of ``hour`` by time."""
    tables = []
    for path in data_files(layout, "snapshots"):
        partition, stamp = parse_file(path)
        if RecordedHour(start_of(partition), partition.venue, stamp.collector) == hour:
            try:
                table = pq.read_table(path, partitioning=None, page_checksum_verification=True)
            except FileNotFoundError:
                raise
            except (OSError, pa.ArrowException) as error:
                raise IntegrityError(f"{path} is damaged ({error})") from error
            levels = sum(name.startswith("bid_px_") for name in table.column_names)
            table = table.append_column(_LEVELS, pa.repeat(pa.scalar(levels), table.num_rows))
            tables.append(table.filter(table["trusted"]))
    for table in tables and [pa.concat_tables(tables, promote_options="default")]:
        ordered = table.take(pc.sort_indices(table, sort_keys=[("ts_recv", "ascending")]))
        for start in range(0, ordered.num_rows, STEP_ROWS):
            yield from _rows(ordered.slice(start, STEP_ROWS), hour.venue)


def _rows(table: Any, venue: VenueName) -> Iterator[_Row]:
    levels = sum(name.startswith("bid_px_") for name in table.column_names)
    numbers = [to_micros(table[name]).to_pylist() for name in level_columns(levels)]
    ids = (table[name].to_pylist() for name in ("market_id", "instrument_id"))
    times, depths = table["ts_recv"].cast(pa.int64()).to_pylist(), table[_LEVELS].to_pylist()
    for ts, depth, market, instrument, *row in zip(times, depths, *ids, *numbers, strict=True):
        sides = [
            tuple((Price(px), Size(sz)) for px, sz in zip(prices, sizes, strict=True) if px is not None)
            for prices, sizes in (
                (row[:levels], row[levels : 2 * levels]),
                (row[2 * levels : 3 * levels], row[3 * levels :]),
            )
        ]
        key = InstrumentKey(venue, MarketId(market), InstrumentId(instrument))
        yield _Row(ts, key, depth, (sides[0], sides[1]))
