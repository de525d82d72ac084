"""Runs of native integers, batch after batch, as Arrow columns.

Kept apart from what the columns mean: this is only joining bytes, numbering keys anew and placing
rows in the segment's one order of arrival.
"""

import struct
from collections.abc import Iterable, Sequence
from typing import Any, Final

import pyarrow as pa
import pyarrow.compute as pc

from predsurv.store.wal.codec import BookColumns, DeltaColumns
from predsurv.store.wal.columns_codec import ABSENT

_ABSENT: Final = pa.scalar(ABSENT, pa.int64())
_REPEATED: Final = frozenset({"ts_venue", "epoch", "mark", "seq"})


class ColumnRuns:
    """The columns of one kind of record, in the order of their batches."""

    def __init__(self) -> None:
        self.rows = 0
        self.positions: list[int] = []
        self._runs: dict[str, list[bytes]] = {}
        self._keys: list[Any] = []
        self._pending: list[bytes] = []  # keys that are numbers in the current table of the log

    def add(self, columns: DeltaColumns | BookColumns, first: int) -> None:
        """Take the columns of a batch whose first record is number ``first`` of the segment."""
        rows = len(columns.key) // 4
        self.rows += rows
        self._pending.append(columns.key)
        if isinstance(columns, BookColumns):
            self.positions += [first + at for at in struct.unpack(f"{rows}i", columns.position)]
        for name in columns.__struct_fields__:
            run = getattr(columns, name)
            self._runs.setdefault(name, []).append(run * rows if name in _REPEATED and len(run) == 8 else run)

    def settle(self, table: Sequence[int]) -> None:
        """Turn the keys since the last call into our numbers, ``table`` being the log's up to now."""
        if self._pending:
            numbers, self._pending = pa.array(table, pa.int32()), []
            self._keys.append(numbers.take(bytes_column(self._runs.pop("key"), pa.int32())))

    def keys(self) -> Any:
        """Return our number of each row's key; -1 where it is unknown."""
        return pa.concat_arrays(self._keys) if self._keys else pa.array([], pa.int32())

    def column(self, name: str, kind: Any) -> Any:
        """Return one field as an Arrow array of ``kind``; ABSENT stands for None."""
        return bytes_column(self._runs.get(name, ()), kind)

    def joined(self, name: str) -> bytes:
        """Return one field as the native integers that it is."""
        return b"".join(self._runs.get(name, ()))

    def nullable(self, name: str) -> Any:
        """Return one int64 field with nulls where nothing is known."""
        return with_nulls(self.column(name, pa.int64()))


def bytes_column(runs: Iterable[bytes], kind: Any) -> Any:
    """Return runs of native integers of Arrow type ``kind`` as one array."""
    content = b"".join(runs)
    return pa.Array.from_buffers(kind, len(content) * 8 // kind.bit_width, [None, pa.py_buffer(content)])


def with_nulls(column: Any) -> Any:
    """Return ``column`` (int64) with nulls for ABSENT."""
    absent = pc.equal(column, _ABSENT)
    if not pc.any(absent).as_py():
        return column
    if pc.all(absent).as_py():
        return pa.nulls(len(column), pa.int64())
    return pc.if_else(absent, pa.scalar(None, pa.int64()), column)


class RowPlacement:
    """Every record's place in a segment: its local time, and its number among those of that time.

    ``arrival`` numbers records that share a local time: 0, 1, 2 … in the order they came, so that
    (ts_recv, arrival) orders a segment exactly as it was received, across instruments and datasets.
    A record older than one before it gets its position in the segment, which is larger than any
    number given for that time before. ``ordered``: there is no such record.
    """

    def __init__(self, times: Any) -> None:
        """``times``: int64, local time of each record in order of arrival."""
        self._times = times
        self._positions = pa.arange(0, len(times)).cast(pa.int32())
        self.latest: int = pc.max(times).as_py() or 0
        self.ordered = is_sorted(times)
        latest = times if self.ordered else pc.cumulative_max(times)
        fresh = pa.concat_arrays(
            [pa.array([True] * min(1, len(times)), pa.bool_()), pc.greater(latest[1:], latest[:-1])]
        )
        nothing = pa.scalar(None, pa.int32())
        first = pc.fill_null_forward(pc.if_else(fresh, self._positions, nothing))
        arrival = pc.subtract(self._positions, first)
        self._arrival = arrival if self.ordered else pc.if_else(pc.equal(times, latest), arrival, self._positions)

    def rest(self, positions: Sequence[int]) -> list[Any]:
        """Return position, local time and arrival of every record that is not at ``positions``."""
        columns = [self._positions, self._times, self._arrival]
        if not positions:
            return columns
        taken = pc.is_in(self._positions, value_set=pa.array(positions, pa.int32()))
        kept = pc.invert(taken)
        return [column.filter(kept) for column in columns]

    def place(self, table: Any) -> Any:
        """Return ``table``, whose rows name their ``position``, with local time and arrival."""
        at = table["position"].combine_chunks()
        return table.append_column("ts_recv", self._times.take(at)).append_column("arrival", self._arrival.take(at))


def is_sorted(column: Any) -> bool:
    """Return whether no value of ``column`` (no nulls) is less than the one before it."""
    return len(column) < 2 or bool(pc.all(pc.greater_equal(column[1:], column[:-1])).as_py())
