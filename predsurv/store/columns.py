"""Records of a segment as columns, dataset by dataset.

Kept apart from sealing because this is pure: batches in, Arrow tables in integer units out. Keys
stay numbers until a file is written; a snapshot record becomes a ``clear`` and its levels.
"""

from collections.abc import Iterable, Iterator
from typing import Any, Final

import pyarrow as pa
import pyarrow.compute as pc
from msgspec import Struct

from predsurv.core.events import BookDelta, BookSnapshot, MarketChange, MarketResolved, Trade
from predsurv.core.ids import InstrumentKey
from predsurv.core.records import BookTop, Coverage, Record
from predsurv.store import lifecycle
from predsurv.store.batches import ABSENT, SIDES, Batch, DeltaColumns
from predsurv.store.paths import NS_DAY, Dataset
from predsurv.store.schema import level_columns

CHUNK_ROWS_MAX: Final = 8_192
"""Rows held as Python objects before they become an Arrow chunk."""

KINDS: Final = ("clear", "snapshot", "change")
TAKER_SIDES: Final = ("buy", "sell")
_CLEAR, _SNAPSHOT, _CHANGE = range(3)
_SIDE_CODE: Final = {side: code for code, side in enumerate(SIDES)}
_TAKER_CODE: Final = {side: code for code, side in enumerate(TAKER_SIDES)}

_TIMED: Final = [("key", pa.int32()), ("ts_recv", pa.int64()), ("arrival", pa.int32()), ("ts_venue", pa.int64())]


def _work_fields(levels: int) -> dict[Dataset, list[tuple[str, Any]]]:
    """The columns of each dataset in integer units: keys and words as codes, micros, ns."""
    code, micros, text = pa.int8(), pa.int64(), pa.string()
    return {
        "snapshots": [*_TIMED, *((name, micros) for name in level_columns(levels)), ("trusted", pa.bool_())],
        "deltas": [
            *_TIMED,
            ("epoch", pa.int64()),
            ("seq", pa.int64()),
            ("kind", code),
            ("side", code),
            ("price", micros),
            ("size", micros),
        ],
        "trades": [*_TIMED, ("price", micros), ("size", micros), ("taker_side", code), ("trade_id", text)],
        "coverage": [
            ("key", pa.int32()),
            ("start", pa.int64()),
            ("end", pa.int64()),
            ("state", text),
            ("reason", text),
            ("epoch", pa.int64()),
            ("inclusion", micros),
        ],
        "lifecycle": [*_TIMED, ("kind", text), ("value", text)],
    }


class _Rows:
    """Rows of one dataset: Python tuples for a while, Arrow chunks for good."""

    def __init__(self, schema: Any) -> None:
        self._schema = schema
        self._chunks: list[Any] = []
        self._rows: list[tuple[object, ...]] = []

    def add(self, row: tuple[object, ...]) -> None:
        self._rows.append(row)
        if len(self._rows) >= CHUNK_ROWS_MAX:
            self._settle()

    def add_batch(self, columns: list[Any]) -> int:
        """Take Arrow columns, less the rows whose key is unknown; returns how many those are."""
        self._settle()
        batch = pa.record_batch(columns, schema=self._schema)
        known = pc.greater_equal(batch["key"], 0)
        unknown = len(known) - (pc.sum(known).as_py() or 0)
        self._chunks.append(batch.filter(known) if unknown else batch)
        return int(unknown)

    def _settle(self) -> None:
        if self._rows:
            rows, self._rows = self._rows, []
            columns = zip(*rows, strict=True)
            arrays = [pa.array(column, field.type) for column, field in zip(columns, self._schema, strict=True)]
            self._chunks.append(pa.record_batch(arrays, schema=self._schema))

    def table(self) -> Any:
        """Return everything taken so far."""
        self._settle()
        return pa.Table.from_batches(self._chunks, schema=self._schema)


class Contents(Struct, frozen=True):
    """A segment as tables by dataset, in order of arrival; ``key`` columns index ``keys``.

    ``lost``: level changes whose instrument was named in a damaged batch.
    """

    keys: list[InstrumentKey]
    tables: dict[Dataset, Any]
    last_coverage: dict[InstrumentKey, Coverage]
    records: int
    lost: int


class Collected:
    """Takes the batches of a segment in order and hands back its contents."""

    def __init__(self, levels: int) -> None:
        """``levels``: how many levels a side of a snapshot row has."""
        self._levels = levels
        self._numbers: dict[InstrumentKey, int] = {}
        self._table: list[int] = []  # the current key table of the log, as our numbers; -1 unknown
        self._pending: list[DeltaColumns] = []  # of the current key table
        self._rows = {dataset: _Rows(pa.schema(fields)) for dataset, fields in _work_fields(levels).items()}
        self._last_coverage: dict[InstrumentKey, Coverage] = {}
        self._records = 0
        self._lost = 0

    def add(self, batch: Batch) -> None:
        """Take the next batch."""
        if batch.first_key == 0:
            self._settle()
            self._table.clear()
        self._table.extend([-1] * (batch.first_key - len(self._table)))
        self._table.extend(map(self._number, batch.keys))
        self._records += len(batch.deltas.side) + len(batch.others)
        if batch.deltas.key:
            self._pending.append(batch.deltas)
        for arrival, record in batch.others:
            self._add_other(arrival, record)

    def add_record(self, record: Record) -> None:
        """Take one more record that is not in the log."""
        self._records += 1
        self._add_other(0, record)

    def contents(self) -> Contents:
        """Return everything taken so far."""
        self._settle()
        tables = {dataset: rows.table() for dataset, rows in self._rows.items()}
        tables["deltas"] = _with_nulls(tables["deltas"])
        return Contents(list(self._numbers), tables, self._last_coverage, self._records, self._lost)

    def _number(self, key: InstrumentKey) -> int:
        return self._numbers.setdefault(key, len(self._numbers))

    def _settle(self) -> None:
        """Bring the changes that share a key table into columns, all at once."""
        if not self._pending:
            return
        pending, self._pending = self._pending, []
        keys = pa.array(self._table, pa.int32()).take(_column(pending, "key", pa.int32()))
        kind = pa.repeat(pa.scalar(_CHANGE, pa.int8()), len(keys))
        columns = [
            keys,
            _column(pending, "ts_recv", pa.int64()),
            _column(pending, "arrival", pa.int32()),
            *(_column(pending, name, pa.int64()) for name in ("ts_venue", "epoch", "seq")),
            kind,
            _column(pending, "side", pa.int8()),
            *(_column(pending, name, pa.int64()) for name in ("price", "size")),
        ]
        self._lost += self._rows["deltas"].add_batch(columns)

    def _add_other(self, arrival: int, record: Record) -> None:
        match record:
            case BookTop():
                self._rows["snapshots"].add(_top_row(self._number(record.key), arrival, record, self._levels))
            case BookSnapshot():
                for row in _snapshot_rows(self._number(record.key), arrival, record):
                    self._rows["deltas"].add(row)
            case BookDelta():
                self._rows["deltas"].add(_delta_row(self._number(record.key), arrival, record))
            case Trade():
                self._rows["trades"].add(_trade_row(self._number(record.key), arrival, record))
            case Coverage():
                self._add_coverage(record)
            case MarketChange() | MarketResolved():
                stored = lifecycle.to_row(record)
                timed = (self._number(stored.key), stored.ts_recv, arrival, stored.ts_venue)
                self._rows["lifecycle"].add((*timed, stored.kind, stored.value))

    def _add_coverage(self, record: Coverage) -> None:
        self._last_coverage[record.key] = record
        number = self._number(record.key)
        for start, end in _days(record.start, record.end):
            row = (number, start, end, record.state, record.reason, record.epoch, record.inclusion)
            self._rows["coverage"].add(row)


def _with_nulls(deltas: Any) -> Any:
    for name in ("ts_venue", "seq"):
        absent = pc.equal(deltas[name], ABSENT)
        column = pc.if_else(absent, pa.scalar(None, pa.int64()), deltas[name])
        deltas = deltas.set_column(deltas.schema.get_field_index(name), name, column)
    return deltas


def _column(pending: Iterable[DeltaColumns], name: str, kind: Any) -> Any:
    """Return one field of these changes as an Arrow column; a run of one item is spread over its rows."""
    width = kind.bit_width // 8
    runs = []
    for deltas in pending:
        run, rows = getattr(deltas, name), len(deltas.side)
        runs.append(run if len(run) == rows * width else run * rows)
    content = b"".join(runs)
    return pa.Array.from_buffers(kind, len(content) // width, [None, pa.py_buffer(content)])


def _days(start: int, end: int) -> Iterator[tuple[int, int]]:
    """Cut an interval at midnights: each piece belongs to one date."""
    while start < end:
        midnight = (start // NS_DAY + 1) * NS_DAY
        yield start, min(end, midnight)
        start = midnight


def _top_row(key: int, arrival: int, top: BookTop, levels: int) -> tuple[object, ...]:
    row: list[object] = [key, top.ts_recv, arrival, top.ts_venue]
    for side in (top.bids[:levels], top.asks[:levels]):
        padding = (None,) * (levels - len(side))
        prices, sizes = zip(*side, strict=True) if side else ((), ())
        row += (*prices, *padding, *sizes, *padding)
    row.append(top.trusted)
    return tuple(row)


def _snapshot_rows(key: int, arrival: int, book: BookSnapshot) -> Iterator[tuple[object, ...]]:
    timed = (key, book.ts_recv, arrival, book.ts_venue, book.epoch, book.seq)
    yield (*timed, _CLEAR, None, None, None)
    for side, levels in enumerate((book.bids, book.asks)):
        for price, size in levels:
            yield (*timed, _SNAPSHOT, side, price, size)


def _delta_row(key: int, arrival: int, delta: BookDelta) -> tuple[object, ...]:
    timed = (key, delta.ts_recv, arrival, delta.ts_venue, delta.epoch, delta.seq)
    return (*timed, _CHANGE, _SIDE_CODE[delta.side], delta.price, delta.size)


def _trade_row(key: int, arrival: int, trade: Trade) -> tuple[object, ...]:
    side = None if trade.taker_side is None else _TAKER_CODE[trade.taker_side]
    return (key, trade.ts_recv, arrival, trade.ts_venue, trade.price, trade.size, side, trade.trade_id)
