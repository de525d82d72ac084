"""Records of a segment as columns, dataset by dataset.

Kept apart from sealing because this is pure: batches in, Arrow tables in integer units out. Keys
stay numbers until a file is written; a snapshot record becomes a ``clear`` and its levels.
"""

from collections.abc import Callable, Iterator, Sequence
from typing import Any, Final

import pyarrow as pa
import pyarrow.compute as pc
from msgspec import Struct

from predsurv.core.errors import BrokenInvariant
from predsurv.core.events import BookDelta, BookSnapshot, MarketChange, MarketResolved, Trade
from predsurv.core.ids import InstrumentKey
from predsurv.core.records import BookTop, Coverage, Record
from predsurv.store import lifecycle
from predsurv.store.layout import NS_DAY, Dataset
from predsurv.store.schema import level_columns
from predsurv.store.seal.runs import ColumnRuns, RowPlacement, bytes_column
from predsurv.store.wal import columns_codec as packing
from predsurv.store.wal.codec import BatchEncoder, LogBatch, decode

KINDS: Final = ("clear", "snapshot", "change")
TAKER_SIDES: Final = ("buy", "sell")
_CLEAR, _SNAPSHOT, _CHANGE = (pa.scalar(code, pa.int8()) for code in range(3))
_BID, _ASK = (pa.scalar(code, pa.int8()) for code in range(2))
_TAKER_CODE: Final = {side: code for code, side in enumerate(TAKER_SIDES)}
_ZERO: Final = pa.scalar(0, pa.int64())
_NO_SIDE: Final = pa.scalar(None, pa.int8())

_PLACED: Final = [("key", pa.int32()), ("position", pa.int32()), ("ts_venue", pa.int64())]


def _int32(value: int) -> Any:
    return pa.scalar(value, pa.int32())


_PRICE, _SIZE = map(_int32, range(2))
_ROW_FIELDS: Final[dict[Dataset, list[tuple[str, Any]]]] = {
    "trades": [
        *_PLACED,
        ("price", pa.int64()),
        ("size", pa.int64()),
        ("taker_side", pa.int8()),
        ("trade_id", pa.string()),
    ],
    "coverage": [
        ("key", pa.int32()),
        ("start", pa.int64()),
        ("end", pa.int64()),
        ("state", pa.string()),
        ("reason", pa.string()),
        ("epoch", pa.int64()),
        ("inclusion", pa.int64()),
    ],
    "lifecycle": [*_PLACED, ("kind", pa.string()), ("value", pa.string())],
}


class SegmentContents(Struct, frozen=True):
    """A segment as tables by dataset; ``key`` columns index ``keys``.

    Rows of equal ``arrival`` are of one record and in order. ``position`` counts the records of
    the segment. ``lost``: records whose instrument was named in a damaged batch. ``latest``:
    greatest local time, 0 without records. ``ordered``: no record is older than one before it.
    """

    keys: list[InstrumentKey]
    tables: dict[Dataset, Any]
    last_coverage: dict[InstrumentKey, Coverage]
    records: int
    lost: int
    latest: int
    ordered: bool


class SegmentTables:
    """Takes the batches of a segment in order and hands back its contents."""

    def __init__(self, levels: int, amend: Callable[[Coverage], Sequence[Coverage]] = lambda claim: (claim,)) -> None:
        """``levels``: how many levels a side of a snapshot row has. ``amend``: what becomes of a coverage record."""
        self._levels = levels
        self._amend = amend
        self._numbers: dict[InstrumentKey, int] = {}
        self._table: list[int] = []  # the current key table of the log, as our numbers; -1 unknown
        self._times: list[bytes] = []
        self._deltas = ColumnRuns()
        self._books = ColumnRuns()
        self._tops = ColumnRuns()
        self._rows: dict[Dataset, list[tuple[object, ...]]] = {dataset: [] for dataset in _ROW_FIELDS}
        self._at: list[int] = []  # positions of those rows' records
        self._last_coverage: dict[InstrumentKey, Coverage] = {}
        self._records = 0

    def add(self, batch: LogBatch) -> None:
        """Take the next batch."""
        if batch.first_key == 0:
            for runs in (self._deltas, self._books, self._tops):
                runs.settle(self._table)
            self._table.clear()
        self._table.extend([-1] * (batch.first_key - len(self._table)))
        self._table.extend(map(self._number, batch.keys))
        first, self._records = self._records, self._records + len(batch.times) // 8
        self._times.append(batch.times)
        for runs, columns in ((self._deltas, batch.deltas), (self._books, batch.books), (self._tops, batch.tops)):
            if columns is not None:
                runs.add(columns, first)
        for position, record in batch.others:
            self._add_other(first + position, record)

    def add_records(self, records: Sequence[Record]) -> None:
        """Take more records that are not in the log."""
        if records:
            self.add(decode(BatchEncoder().encode(records).body))

    def contents(self) -> SegmentContents:
        """Return everything taken so far."""
        for runs in (self._deltas, self._books, self._tops):
            runs.settle(self._table)
        placing = RowPlacement(bytes_column(self._times, pa.int64()))
        changes = _change_table(self._deltas, placing.rest([*self._books.positions, *self._tops.positions, *self._at]))
        books = placing.place(_book_table(self._books)).select(changes.column_names)
        tables: dict[Dataset, Any] = {
            "snapshots": placing.place(_top_table(self._tops, self._levels)),
            "deltas": pa.concat_tables([changes, books]).combine_chunks(),
            **{dataset: _row_table(dataset, rows, placing) for dataset, rows in self._rows.items()},
        }
        lost = sum(_drop_unknown(tables, dataset) for dataset in ("snapshots", "deltas"))
        return SegmentContents(
            list(self._numbers), tables, self._last_coverage, self._records, lost, placing.latest, placing.ordered
        )

    def _number(self, key: InstrumentKey) -> int:
        return self._numbers.setdefault(key, len(self._numbers))

    def _add_other(self, position: int, record: Record) -> None:
        self._at.append(position)
        match record:
            case Trade():
                side = None if record.taker_side is None else _TAKER_CODE[record.taker_side]
                placed = (self._number(record.key), position, record.ts_venue)
                self._rows["trades"].append((*placed, record.price, record.size, side, record.trade_id))
            case Coverage():
                for claim in self._amend(record):
                    self._add_coverage(claim)
            case MarketChange() | MarketResolved():
                stored = lifecycle.to_row(record)
                placed = (self._number(stored.key), position, stored.ts_venue)
                self._rows["lifecycle"].append((*placed, stored.kind, stored.value))
            case BookDelta() | BookSnapshot() | BookTop():
                raise BrokenInvariant(f"a batch holds a {type(record).__name__} outside its columns")

    def _add_coverage(self, record: Coverage) -> None:
        self._last_coverage[record.key] = record
        number = self._number(record.key)
        for start, end in _days(record.start, record.end):
            row = (number, start, end, record.state, record.reason, record.epoch, record.inclusion)
            self._rows["coverage"].append(row)


def _change_table(deltas: ColumnRuns, placed: Sequence[Any]) -> Any:
    position, times, arrival = placed
    size = deltas.column("size", pa.int64())
    asked = pc.less(size, _ZERO)
    columns = {
        "key": deltas.keys(),
        "position": position,
        "ts_recv": times,
        "arrival": arrival,
        "ts_venue": deltas.nullable("ts_venue"),
        "epoch": deltas.column("epoch", pa.int64()),
        "seq": deltas.nullable("seq"),
        "kind": pa.repeat(_CHANGE, deltas.rows),
        "side": asked.cast(pa.int8()),
        "price": deltas.column("price", pa.int64()),
        "size": pc.if_else(asked, pc.bit_wise_not(size), size),
    }
    return pa.table(columns)


def _book_table(books: ColumnRuns) -> Any:
    """A ``clear`` row per book, then all bids, then all asks: a stable sort by place puts each book together."""
    bids, asks = _Side(books, "bid"), _Side(books, "ask")
    of = pa.concat_arrays([pa.arange(0, books.rows).cast(pa.int32()), bids.of, asks.of])
    columns = {
        "key": books.keys(),
        "position": pa.array(books.positions, pa.int32()),
        "ts_venue": books.nullable("ts_venue"),
        "epoch": books.column("mark", pa.int64()),
        "seq": books.nullable("seq"),
    }
    words = [(_CLEAR, _NO_SIDE, books.rows), (_SNAPSHOT, _BID, len(bids.of)), (_SNAPSHOT, _ASK, len(asks.of))]
    nothing = pa.nulls(books.rows, pa.int64())
    return pa.table(
        {
            **{name: column.take(of) for name, column in columns.items()},
            "kind": pa.concat_arrays([pa.repeat(kind, count) for kind, _, count in words]),
            "side": pa.concat_arrays([pa.repeat(side, count) for _, side, count in words]),
            "price": pa.concat_arrays([nothing, bids.prices.values, asks.prices.values]),
            "size": pa.concat_arrays([nothing, bids.sizes.values, asks.sizes.values]),
        }
    )


def _top_table(tops: ColumnRuns, levels: int) -> Any:
    """A row per top: the first ``levels`` of each side side by side, null where there are fewer."""
    numbers = [column for side in ("bid", "ask") for column in spread(tops, side, levels)]
    return pa.table(
        {
            "key": tops.keys(),
            "position": pa.array(tops.positions, pa.int32()),
            "ts_venue": tops.nullable("ts_venue"),
            **dict(zip(level_columns(levels), numbers, strict=True)),
            "trusted": tops.column("mark", pa.int64()).cast(pa.bool_()),
        }
    )


def spread(tops: ColumnRuns, side: str, levels: int) -> list[Any]:
    """Return prices, then sizes, of the best ``levels`` of one side: a column each, null where there are fewer."""
    if packing.native is None:
        return _spread_by_arrow(_Side(tops, side), levels)
    columns = packing.native.spread(tops.joined(f"{side}s"), tops.joined(f"{side}_levels"), levels)
    return [
        pa.Array.from_buffers(pa.int64(), tops.rows, [held and pa.py_buffer(held), pa.py_buffer(content)])
        for held, content in columns
    ]


def _spread_by_arrow(side: "_Side", levels: int) -> list[Any]:
    lists = [pc.list_slice(column, 0, levels, return_fixed_size_list=True) for column in (side.prices, side.sizes)]
    return [pc.list_element(column, level) for column in lists for level in map(_int32, range(levels))]


class _Side:
    """One side of books: a list of prices and one of sizes per book; ``of`` says of which book a level is."""

    def __init__(self, books: ColumnRuns, side: str) -> None:
        counts = books.column(f"{side}s", pa.int32())
        offsets = pa.concat_arrays([pa.array([0], pa.int32()), pc.cumulative_sum(counts)])
        pairs = pa.FixedSizeListArray.from_arrays(books.column(f"{side}_levels", pa.int64()), 2)
        self.prices = pa.ListArray.from_arrays(offsets, pc.list_element(pairs, _PRICE))
        self.sizes = pa.ListArray.from_arrays(offsets, pc.list_element(pairs, _SIZE))
        self.of = pc.list_parent_indices(self.prices).cast(pa.int32())


def _row_table(dataset: Dataset, rows: Sequence[tuple[object, ...]], placing: RowPlacement) -> Any:
    fields = _ROW_FIELDS[dataset]
    columns = zip(*rows, strict=True) if rows else ((),) * len(fields)
    arrays = [pa.array(column, kind) for column, (_, kind) in zip(columns, fields, strict=True)]
    table = pa.table(arrays, schema=pa.schema(fields))
    return table if dataset == "coverage" else placing.place(table)


def _drop_unknown(tables: dict[Dataset, Any], dataset: Dataset) -> int:
    """Drop the rows whose key is unknown; return of how many records they were."""
    table = tables[dataset]
    known = pc.greater_equal(table["key"], _int32(0))
    if pc.all(known).as_py() is not False:
        return 0
    tables[dataset] = table.filter(known)
    return len(pc.unique(table.filter(pc.invert(known))["position"]))


def _days(start: int, end: int) -> Iterator[tuple[int, int]]:
    """Cut an interval at midnights: each piece belongs to one date."""
    while start < end:
        midnight = (start // NS_DAY + 1) * NS_DAY
        yield start, min(end, midnight)
        start = midnight
