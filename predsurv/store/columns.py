"""Records of a segment as columns, dataset by dataset.

Kept apart from sealing because this is pure: batches in, Arrow tables in integer units out. Keys
stay numbers until a file is written; a snapshot record becomes a ``clear`` and its levels.
"""

from collections.abc import Iterator, Sequence
from itertools import accumulate
from typing import Any, Final

import pyarrow as pa
import pyarrow.compute as pc
from msgspec import Struct

from predsurv.core.events import MarketChange, MarketResolved, Trade
from predsurv.core.ids import InstrumentKey
from predsurv.core.records import Coverage, Record
from predsurv.store import lifecycle
from predsurv.store.batches import Batch, Encoder, decode
from predsurv.store.paths import NS_DAY, Dataset
from predsurv.store.runs import Runs, bytes_column, count_of, int64s
from predsurv.store.schema import level_columns

KINDS: Final = ("clear", "snapshot", "change")
TAKER_SIDES: Final = ("buy", "sell")
_CLEAR, _SNAPSHOT, _CHANGE = (pa.scalar(code, pa.int8()) for code in range(3))
_BID, _ASK = (pa.scalar(code, pa.int8()) for code in range(2))
_TAKER_CODE: Final = {side: code for code, side in enumerate(TAKER_SIDES)}
_TIMED: Final = ("key", "ts_recv", "arrival", "position", "ts_venue")

_PLACED: Final = [("key", pa.int32()), ("position", pa.int32()), ("ts_venue", pa.int64())]
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


class Contents(Struct, frozen=True):
    """A segment as tables by dataset; ``key`` columns index ``keys``.

    Rows of equal ``arrival`` are of one record and in order. ``position`` counts the records of
    the segment. ``ordered``: no record is older than one before it. ``lost``: records whose
    instrument was named in a damaged batch.
    """

    keys: list[InstrumentKey]
    tables: dict[Dataset, Any]
    last_coverage: dict[InstrumentKey, Coverage]
    records: int
    lost: int
    ordered: bool


class Collected:
    """Takes the batches of a segment in order and hands back its contents."""

    def __init__(self, levels: int) -> None:
        """``levels``: how many levels a side of a snapshot row has."""
        self._levels = levels
        self._numbers: dict[InstrumentKey, int] = {}
        self._table: list[int] = []  # the current key table of the log, as our numbers; -1 unknown
        self._times: list[bytes] = []
        self._deltas = Runs()
        self._books = Runs()
        self._tops = Runs()
        self._rows: dict[Dataset, list[tuple[object, ...]]] = {dataset: [] for dataset in _ROW_FIELDS}
        self._last_coverage: dict[InstrumentKey, Coverage] = {}
        self._records = 0

    def add(self, batch: Batch) -> None:
        """Take the next batch."""
        if batch.first_key == 0:
            for runs in (self._deltas, self._books, self._tops):
                runs.settle(self._table)
            self._table.clear()
        self._table.extend([-1] * (batch.first_key - len(self._table)))
        self._table.extend(map(self._number, batch.keys))
        first, self._records = self._records, self._records + count_of(batch.times)
        self._times.append(batch.times)
        for runs, columns in ((self._deltas, batch.deltas), (self._books, batch.books), (self._tops, batch.tops)):
            if columns is not None:
                runs.add(columns, first)
        for position, record in batch.others:
            self._add_other(first + position, record)

    def add_records(self, records: Sequence[Record]) -> None:
        """Take more records that are not in the log."""
        if records:
            self.add(decode(Encoder().encode(records).body))

    def contents(self) -> Contents:
        """Return everything taken so far."""
        for runs in (self._deltas, self._books, self._tops):
            runs.settle(self._table)
        times = bytes_column(self._times, pa.int64())
        arrival, ordered = _arrivals(times)
        placing = _Placing(times, arrival)
        rows = {dataset: self._row_table(dataset, placing) for dataset in _ROW_FIELDS}
        books, lost_books = placing.known(_book_table(self._books), "position")
        tops, lost_tops = placing.known(_top_table(self._tops, self._levels), "position")
        changes, lost = placing.changes(self._deltas, [self._books, self._tops], self._other_positions())
        deltas = pa.concat_tables([changes, books.select(changes.column_names)])
        tables: dict[Dataset, Any] = {"snapshots": tops, "deltas": deltas, **rows}
        lost += lost_books + lost_tops
        return Contents(list(self._numbers), tables, self._last_coverage, self._records, lost, ordered)
