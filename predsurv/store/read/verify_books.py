"""The deep part of verification: replay each recorded hour and compare its books with its snapshots.

Digests prove that a file holds what was written; this proves that what was written is consistent.
"""

from collections.abc import Iterator
from typing import Any, Final, NamedTuple

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
from predsurv.store.layout import NS_HOUR, Layout, data_files, parse_file, start_of
from predsurv.store.read.cursor import ReplayQuery
from predsurv.store.read.replay import read_events
from predsurv.store.schema import level_columns, to_micros

STEP_ROWS: Final = 16_384
"""Rows that are Python objects at a time."""

_LEVELS: Final = "levels"

FINDINGS_MAX: Final = 100
"""Findings reported of one hour: a broken hour can have as many as it has rows."""


class VerifyFinding(NamedTuple):
    """Something wrong: the name of the ``check``, ``where`` it is, and ``what`` it is in one line."""

    check: str
    where: str
    what: str


class RecordedHour(Struct, frozen=True, order=True):
    """The recording of one venue by one collector in the hour from ``start`` (ns UTC)."""

    start: int
    venue: VenueName
    collector: str


def recorded_hours(layout: Layout) -> list[RecordedHour]:
    """Return every hour that has order book rows, oldest first."""
    found: set[RecordedHour] = set()
    for path in data_files(layout, "deltas"):
        partition, stamp = parse_file(path)
        found.add(RecordedHour(start_of(partition), partition.venue, stamp.collector))
    return sorted(found)


def check_hour(layout: Layout, hour: RecordedHour) -> Iterator[VerifyFinding]:
    """Yield what is inconsistent in ``hour``, FINDINGS_MAX findings at most.

    Three rules: every change follows a BookSnapshot of the same hour (so that an hour can be replayed
    alone); the venue's sequence numbers of an instrument rise between two of them; each row of the
    dataset ``snapshots`` shows the book as of its time. Raises IntegrityError when a file is damaged,
    FileNotFoundError when one was replaced meanwhile.
    """
    for number, finding in enumerate(_check(layout, hour)):
        if number == FINDINGS_MAX:
            return
        yield finding


def _check(layout: Layout, hour: RecordedHour) -> Iterator[VerifyFinding]:
    wanted = ReplayQuery(hour.venue, hour.start, hour.start + NS_HOUR, None, hour.collector)
    books = _BookReplay(hour)
    snapshots = _snapshot_rows(layout, hour)
    row = next(snapshots, None)
    for event in read_events(layout, wanted):
        while row is not None and row.ts < event.ts_recv:
            yield from books.compare(row)
            row = next(snapshots, None)
        yield from books.apply(event)
    while row is not None:
        yield from books.compare(row)
        row = next(snapshots, None)


class _SnapshotRow(Struct, frozen=True):
    """A snapshot row: the best ``levels`` of each side of a trusted book at ``ts``."""

    ts: int
    key: InstrumentKey
    levels: int
    sides: tuple[tuple[Level, ...], tuple[Level, ...]]


class _BookReplay:
    """The books of an hour, rebuilt from its events."""

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
            known = self._books.get(event.key)
            if known is None:
                yield self._finding(
                    "fold", event.key, f"a change at {event.ts_recv} has no book before it in this hour"
                )
                self._books[event.key] = Book(event.key)
            else:
                known.apply(event)
            yield from self._check_seq(event)

    def _check_seq(self, event: BookDelta) -> Iterator[VerifyFinding]:
        if event.seq is None:
            return
        last = self._seq.get(event.key)
        if last is not None and event.seq <= last:
            yield self._finding("sequence", event.key, f"number {event.seq} at {event.ts_recv} comes after {last}")
        self._seq[event.key] = event.seq

    def compare(self, row: _SnapshotRow) -> Iterator[VerifyFinding]:
        book = self._books.get(row.key)
        if book is None:
            yield self._finding("snapshot", row.key, f"levels at {row.ts} and no book before them in this hour")
        elif book.trusted and book.top(row.levels) != row.sides:
            yield self._finding("snapshot", row.key, f"levels at {row.ts} are not those of the folded book")

    def _finding(self, check: str, key: InstrumentKey, what: str) -> VerifyFinding:
        return VerifyFinding(
            check, f"{self._hour.venue}:{sanitise(key.instrument_id, 80)} by {self._hour.collector}", what
        )


def _snapshot_rows(layout: Layout, hour: RecordedHour) -> Iterator[_SnapshotRow]:
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
            yield from _parse_rows(ordered.slice(start, STEP_ROWS), hour.venue)


def _parse_rows(table: Any, venue: VenueName) -> Iterator[_SnapshotRow]:
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
        yield _SnapshotRow(ts, key, depth, (sides[0], sides[1]))
