"""A log segment as one Arrow table per dataset, in integer units; pure, no I/O.

Five records of a segment, and how its batches hold them:

    position   0        1       2        3        4         number of the record in the segment
    record     change   book    trade    change   change
    held in    deltas   books   others   deltas   deltas    fields of ``wal.codec.LogBatch``
    times      10       10      12       12       12        local time of every record
    arrival    0        1       0        1        2         number among the records of that time

Books, tops and others carry their position; changes do not, they are at all the remaining positions,
in order. The table of the dataset ``deltas`` then has these rows, before ``partitions`` sorts them:

    key   position   ts_recv   arrival   kind       side   price   size
    0     0          10        0         change     bid    500     7
    0     3          12        1         change     ask    510     3
    1     4          12        2         change     bid    480     0        the level was removed
    1     1          10        1         clear      null   null    null     a book is a ``clear`` row,
    1     1          10        1         snapshot   bid    490     2        one row per bid
    1     1          10        1         snapshot   ask    520     1        and one per ask

``key`` indexes ``SegmentContents.keys``. The rows of a book share position and arrival: only a stable sort keeps them
in order.
"""

from collections.abc import Callable, Iterator, Sequence
from typing import Any, Final

import pyarrow as pa
import pyarrow.compute as pc
from msgspec import Struct

from predsurv.core import native
from predsurv.core.errors import BrokenInvariant
from predsurv.core.events import BookDelta, BookSnapshot, MarketChange, MarketResolved, Trade, VenuePhase
from predsurv.core.ids import InstrumentKey
from predsurv.core.records import BookTop, Coverage, Record, RotationChoice
from predsurv.store import lifecycle
from predsurv.store.layout import NS_DAY, Dataset
from predsurv.store.schema import level_columns
from predsurv.store.seal.runs import ColumnRuns, RecordOrder, RecordTimes, column_of
from predsurv.store.wal.codec import BatchEncoder, LogBatch, decode
from predsurv.store.wal.packed_runs import items_of

KINDS: Final = ("clear", "snapshot", "change")
TAKER_SIDES: Final = ("buy", "sell")
_CLEAR, _SNAPSHOT, _CHANGE = (pa.scalar(code, pa.int8()) for code in range(3))
_BID, _ASK = (pa.scalar(code, pa.int8()) for code in range(2))
_TAKER_CODE: Final[dict[str | None, int | None]] = {None: None} | {side: code for code, side in enumerate(TAKER_SIDES)}
_NO_SIDE: Final = pa.scalar(None, pa.int8())

_RECORD_FIELDS: Final = [("key", pa.int32()), ("position", pa.int32()), ("ts_venue", pa.int64())]


def _int32(value: int) -> Any:
    return pa.scalar(value, pa.int32())


_ROW_FIELDS: Final[dict[Dataset, list[tuple[str, Any]]]] = {
    "coverage": [
        ("key", pa.int32()),
        ("start", pa.int64()),
        ("end", pa.int64()),
        ("state", pa.string()),
        ("reason", pa.string()),
        ("epoch", pa.int64()),
        ("inclusion", pa.int64()),
        ("trades", pa.string()),
        ("lifecycle", pa.string()),
    ],
    "lifecycle": [*_RECORD_FIELDS, ("kind", pa.string()), ("value", pa.string())],
    "rotations": [
        ("key", pa.int32()),
        ("position", pa.int32()),
        ("period", pa.int64()),
        ("reason", pa.string()),
        ("inclusion", pa.int64()),
        ("interest", pa.int64()),
        ("seed", pa.int64()),
        ("pool", pa.int64()),
        ("drawn", pa.int64()),
    ],
}


class SegmentContents(Struct, frozen=True):
    """A segment as tables by dataset, as drawn above; ``key`` columns index ``keys``.

    ``last_coverage``: the last coverage record of each instrument. ``records``: how many were read.
    ``lost``: records dropped because their key was defined in a damaged batch. ``latest``: greatest
    local time, ns UTC, 0 without records. ``ordered``: no record is older than one before it.
    """

    keys: list[InstrumentKey]
    tables: dict[Dataset, Any]
    last_coverage: dict[InstrumentKey, Coverage]
    records: int
    lost: int
    latest: int
    ordered: bool


class SegmentTables:
    """Builder of SegmentContents from the batches of a segment, added in order."""

    def __init__(
        self,
        top_levels: int,
        rewrite_coverage: Callable[[Coverage], Sequence[Coverage]] = lambda coverage: (coverage,),
    ) -> None:
        """``top_levels``: levels per side of a snapshot row. ``rewrite_coverage``: maps a record to those stored."""
        self._top_levels = top_levels
        self._rewrite_coverage = rewrite_coverage
        self._numbers: dict[InstrumentKey, int] = {}  # number in the segment
        self._key_table: list[int] = []  # the log's current key table, as numbers in the segment; -1 unknown
        self._times: list[bytes] = []
        self._deltas = ColumnRuns()
        self._books = ColumnRuns()
        self._tops = ColumnRuns()
        self._rows: dict[Dataset, list[tuple[object, ...]]] = {dataset: [] for dataset in _ROW_FIELDS}
        self._trades: list[tuple[int, Trade]] = []
        self._other_positions: list[int] = []
        self._last_coverage: dict[InstrumentKey, Coverage] = {}
        self._records = 0

    def add(self, batch: LogBatch) -> None:
        """Add the next batch."""
        if batch.first_key == 0:
            for runs in (self._deltas, self._books, self._tops):
                runs.resolve_keys(self._key_table)
            self._key_table.clear()
        self._key_table.extend([-1] * (batch.first_key - len(self._key_table)))
        self._key_table.extend(map(self._number, batch.keys))
        first, self._records = self._records, self._records + items_of(batch.times)
        self._times.append(batch.times)
        for runs, columns in ((self._deltas, batch.deltas), (self._books, batch.books), (self._tops, batch.tops)):
            if columns is not None:
                runs.add(columns, first)
        for position, record in batch.others:
            if type(record) is Trade:
                self._trades.append((first + position, record))
            else:
                self._add_other(first + position, record)

    def add_records(self, records: Sequence[Record]) -> None:
        """Add records that are not in the log."""
        if records:
            self.add(decode(BatchEncoder().encode(records).body))

    def contents(self) -> SegmentContents:
        """Return everything added so far."""
        for runs in (self._deltas, self._books, self._tops):
            runs.resolve_keys(self._key_table)
        order = RecordOrder(column_of(self._times, pa.int64()))
        trades = [position for position, _ in self._trades]
        others = [*self._books.positions, *self._tops.positions, *self._other_positions, *trades]
        changes = _change_table(self._deltas, order.except_at(others))
        books = order.add_times(_book_table(self._books)).select(changes.column_names)
        tables: dict[Dataset, Any] = {
            "snapshots": order.add_times(_top_table(self._tops, self._top_levels)),
            "deltas": pa.concat_tables([changes, books]).combine_chunks() if books.num_rows else changes,
            "trades": order.add_times(self._trade_table()),
            **{dataset: _row_table(dataset, rows, order) for dataset, rows in self._rows.items()},
        }
        lost = sum(_drop_unknown(tables, dataset) for dataset in ("snapshots", "deltas"))
        return SegmentContents(
            list(self._numbers), tables, self._last_coverage, self._records, lost, order.latest, order.ordered
        )

    def _trade_table(self) -> Any:
        positions, trades = zip(*self._trades, strict=True) if self._trades else ((), ())
        columns = {
            "key": pa.array([self._number(each.key) for each in trades], pa.int32()),
            "position": pa.array(positions, pa.int32()),
            "ts_venue": pa.array([each.ts_venue for each in trades], pa.int64()),
            "price": pa.array([each.price for each in trades], pa.int64()),
            "size": pa.array([each.size for each in trades], pa.int64()),
            "taker_side": pa.array([_TAKER_CODE[each.taker_side] for each in trades], pa.int8()),
            "trade_id": pa.array([each.trade_id for each in trades], pa.string()),
        }
        return pa.table(columns)

    def _number(self, key: InstrumentKey) -> int:
        return self._numbers.setdefault(key, len(self._numbers))

    def _add_other(self, position: int, record: Record) -> None:
        self._other_positions.append(position)
        match record:
            case Coverage():
                for coverage in self._rewrite_coverage(record):
                    self._add_coverage(coverage)
            case MarketChange() | MarketResolved() | VenuePhase():
                stored = lifecycle.to_row(record)
                head = (self._number(stored.key), position, stored.ts_venue)
                self._rows["lifecycle"].append((*head, stored.kind, stored.value))
            case RotationChoice():
                number = self._number(record.key)
                self._rows["rotations"].append((number, position, *_choice(record)))
            case BookDelta() | BookSnapshot() | BookTop() | Trade():
                raise BrokenInvariant(f"a batch holds a {type(record).__name__} outside its columns")

    def _add_coverage(self, record: Coverage) -> None:
        self._last_coverage[record.key] = record
        number = self._number(record.key)
        for start, end in _days(record.start, record.end):
            what = (record.state, record.reason, record.epoch, record.inclusion, record.trades, record.lifecycle)
            self._rows["coverage"].append((number, start, end, *what))


def _choice(record: RotationChoice) -> tuple[object, ...]:
    what = (record.period, record.reason, record.inclusion, record.interest)
    return (*what, record.seed, record.pool, record.drawn)


def _change_table(deltas: ColumnRuns, times: RecordTimes) -> Any:
    columns = {
        "key": deltas.keys(),
        "position": times.position,
        "ts_recv": times.ts_recv,
        "arrival": times.arrival,
        "ts_venue": deltas.nullable("ts_venue"),
        "epoch": deltas.column("epoch", pa.int64()),
        "seq": deltas.nullable("seq"),
        "kind": pa.repeat(_CHANGE, deltas.rows),
        "side": deltas.column("side", pa.int8()),
        "price": deltas.column("price", pa.int64()),
        "size": deltas.column("size", pa.int64()),
    }
    return pa.table(columns)


def _book_table(books: ColumnRuns) -> Any:
    """Return the ``clear`` rows of all books, then all bids, then all asks: a stable sort by position joins them."""
    bids, asks = _SideColumns(books, "bid"), _SideColumns(books, "ask")
    book_of_row = pa.concat_arrays([pa.arange(0, books.rows).cast(pa.int32()), bids.book_of_level, asks.book_of_level])
    columns = {
        "key": books.keys(),
        "position": pa.array(books.positions, pa.int32()),
        "ts_venue": books.nullable("ts_venue"),
        "epoch": books.column("mark", pa.int64()),
        "seq": books.nullable("seq"),
    }
    blocks = [
        (_CLEAR, _NO_SIDE, books.rows),
        (_SNAPSHOT, _BID, len(bids.book_of_level)),
        (_SNAPSHOT, _ASK, len(asks.book_of_level)),
    ]
    nulls = pa.nulls(books.rows, pa.int64())
    return pa.table(
        {
            **{name: column.take(book_of_row) for name, column in columns.items()},
            "kind": pa.concat_arrays([pa.repeat(kind, count) for kind, _, count in blocks]),
            "side": pa.concat_arrays([pa.repeat(side, count) for _, side, count in blocks]),
            "price": pa.concat_arrays([nulls, bids.prices.values, asks.prices.values]),
            "size": pa.concat_arrays([nulls, bids.sizes.values, asks.sizes.values]),
        }
    )


def _top_table(tops: ColumnRuns, top_levels: int) -> Any:
    """Return a row per top: the first ``top_levels`` of each side as columns, null where there are fewer."""
    numbers = [column for side in ("bid", "ask") for column in level_arrays(tops, side, top_levels)]
    return pa.table(
        {
            "key": tops.keys(),
            "position": pa.array(tops.positions, pa.int32()),
            "ts_venue": tops.nullable("ts_venue"),
            **dict(zip(level_columns(top_levels), numbers, strict=True)),
            "trusted": tops.column("mark", pa.int64()).cast(pa.bool_()),
        }
    )


def level_arrays(tops: ColumnRuns, side: str, top_levels: int) -> list[Any]:
    """Return prices, then sizes, of the best ``top_levels`` of one side: an array each, null where there are fewer."""
    if native.speedups is None:
        return _level_arrays_by_arrow(_SideColumns(tops, side), top_levels)
    pieces = [tops.content(f"{side}s", 4), tops.content(f"{side}_prices", 8), tops.content(f"{side}_sizes", 8)]
    columns = native.speedups.level_arrays(*pieces, top_levels)
    return [
        pa.Array.from_buffers(pa.int64(), tops.rows, [valid and pa.py_buffer(valid), pa.py_buffer(content)])
        for valid, content in columns
    ]


def _level_arrays_by_arrow(side: "_SideColumns", top_levels: int) -> list[Any]:
    lists = [pc.list_slice(column, 0, top_levels, return_fixed_size_list=True) for column in (side.prices, side.sizes)]
    return [pc.list_element(column, level) for column in lists for level in map(_int32, range(top_levels))]


class _SideColumns:
    """One side of books: lists of prices and of sizes, one per book; ``book_of_level``: index of each level's book."""

    def __init__(self, books: ColumnRuns, side: str) -> None:
        counts = books.column(f"{side}s", pa.int32())
        offsets = pa.concat_arrays([pa.array([0], pa.int32()), pc.cumulative_sum(counts)])
        self.prices = pa.ListArray.from_arrays(offsets, books.column(f"{side}_prices", pa.int64()))
        self.sizes = pa.ListArray.from_arrays(offsets, books.column(f"{side}_sizes", pa.int64()))
        self.book_of_level = pc.list_parent_indices(self.prices).cast(pa.int32())


def _row_table(dataset: Dataset, rows: Sequence[tuple[object, ...]], order: RecordOrder) -> Any:
    fields = _ROW_FIELDS[dataset]
    columns = zip(*rows, strict=True) if rows else ((),) * len(fields)
    arrays = [pa.array(column, kind) for column, (_, kind) in zip(columns, fields, strict=True)]
    table = pa.table(arrays, schema=pa.schema(fields))
    return table if dataset == "coverage" else order.add_times(table)


def _drop_unknown(tables: dict[Dataset, Any], dataset: Dataset) -> int:
    """Drop the rows whose key is unknown and return how many records they belonged to."""
    table = tables[dataset]
    known = pc.greater_equal(table["key"], _int32(0))
    if pc.all(known).as_py() is not False:
        return 0
    tables[dataset] = table.filter(known)
    return len(pc.unique(table.filter(pc.invert(known))["position"]))


def _days(start: int, end: int) -> Iterator[tuple[int, int]]:
    """Yield [``start``, ``end``) (ns UTC) split at midnight: each piece belongs to one date."""
    while start < end:
        midnight = (start // NS_DAY + 1) * NS_DAY
        yield start, min(end, midnight)
        start = midnight
