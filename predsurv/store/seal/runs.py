"""The building blocks of ``tables``: column bytes of many batches as Arrow arrays, and the order of records.

A run is one column of one batch (see ``wal.packed_runs``).
"""

from array import array
from collections import defaultdict
from collections.abc import Sequence
from typing import Any, Final, NamedTuple

import pyarrow as pa
import pyarrow.compute as pc

from predsurv.core import native
from predsurv.store.wal.codec import BookColumns, DeltaColumns
from predsurv.store.wal.packed_runs import ABSENT, items_of, unpack

_ABSENT: Final = pa.scalar(ABSENT, pa.int64())


class ColumnRuns:
    """The columns of one kind of record (changes, books or tops) over all batches of a segment."""

    def __init__(self) -> None:
        self.rows = 0
        self.positions: list[int] = []
        self._runs: defaultdict[str, list[bytes]] = defaultdict(list)
        self._keys: list[Any] = []
        self._pending: list[bytes] = []  # key columns whose key table is not complete yet

    def add(self, columns: DeltaColumns | BookColumns, first: int) -> None:
        """Append the columns of a batch whose first record is at position ``first`` of the segment."""
        self.rows += items_of(columns.key)
        self._pending.append(columns.key)
        if isinstance(columns, BookColumns):
            self.positions += [first + at for at in array("i", unpack([columns.position], 4))]
        for name in columns.__struct_fields__:
            self._runs[name].append(getattr(columns, name))

    def resolve_keys(self, key_table: Sequence[int]) -> None:
        """Translate the keys added since the last call; ``key_table``: by number in the log, number in the segment."""
        if self._pending:
            numbers, self._pending = pa.array(key_table, pa.int32()), []
            self._keys.append(numbers.take(column_of(self._runs.pop("key"), pa.int32())))

    def keys(self) -> Any:
        """Return the number of each row's key in the segment, int32; -1 where it is unknown."""
        return pa.concat_arrays(self._keys) if self._keys else pa.array([], pa.int32())

    def column(self, name: str, kind: Any) -> Any:
        """Return one field as an Arrow array of ``kind``; ABSENT stands for None."""
        return column_of(self._runs[name], kind)

    def content(self, name: str, width: int) -> bytes:
        """Return one field as native integers of ``width`` bytes, back to back."""
        return unpack(self._runs[name], width)

    def nullable(self, name: str) -> Any:
        """Return one int64 field with nulls for ABSENT."""
        return with_nulls(self.column(name, pa.int64()))


def column_of(runs: Sequence[bytes], kind: Any) -> Any:
    """Return packed runs as one array of the Arrow type ``kind``: int8, int32 or int64."""
    content = unpack(runs, kind.bit_width // 8)
    return pa.Array.from_buffers(kind, len(content) * 8 // kind.bit_width, [None, pa.py_buffer(content)])


def with_nulls(column: Any) -> Any:
    """Return ``column`` (int64) with nulls for ABSENT."""
    absent = pc.equal(column, _ABSENT)
    if not pc.any(absent).as_py():
        return column
    if pc.all(absent).as_py():
        return pa.nulls(len(column), pa.int64())
    return pc.if_else(absent, pa.scalar(None, pa.int64()), column)


class RecordTimes(NamedTuple):
    """Of some records of a segment: ``position`` int32, ``ts_recv`` int64 (ns UTC), ``arrival`` int32."""

    position: Any
    ts_recv: Any
    arrival: Any


class RecordOrder:
    """Local time and arrival number of every record of a segment, by its position.

    ``position`` counts the records of the segment. ``arrival`` counts those that share a local time: 0,
    1, 2 … in the order they were received, so (ts_recv, arrival) restores the order of reception across
    instruments and datasets. A record with an earlier time than one before it gets its position as
    arrival, which is greater than any arrival assigned to that time before. ``ordered``: no such
    record. ``latest``: greatest local time, 0 without records.
    """

    def __init__(self, times: Any) -> None:
        """``times``: int64, local time of each record in order of position."""
        self._times = times
        self.latest: int = pc.max(times).as_py() or 0
        self.ordered = is_sorted(times)
        self._arrival = arrival_numbers(times)

    def except_at(self, positions: Sequence[int]) -> RecordTimes:
        """Return the times of all records but those at ``positions``, in order of position."""
        rest = all_but(len(self._times), positions)
        if not positions:
            return RecordTimes(rest, self._times, self._arrival)
        return RecordTimes(rest, self._times.take(rest), self._arrival.take(rest))

    def add_times(self, table: Any) -> Any:
        """Return ``table`` with columns ``ts_recv`` and ``arrival`` for the record at each row's ``position``."""
        at = table["position"].combine_chunks()
        return table.append_column("ts_recv", self._times.take(at)).append_column("arrival", self._arrival.take(at))


def arrival_numbers(times: Any) -> Any:
    """Return the arrival number of each record, int32, as ``RecordOrder`` defines it; ``times``: int64."""
    if native.speedups is None:
        return python_arrival_numbers(times)
    return _int32_column(native.speedups.arrival_numbers(times.buffers()[1], times.offset, len(times)))


def python_arrival_numbers(times: Any) -> Any:
    """Return what ``arrival_numbers`` does, which has a compiled twin (``csrc/arrivals.c``)."""
    positions = pa.arange(0, len(times)).cast(pa.int32())
    latest = pc.cumulative_max(times)
    advances = pa.concat_arrays(
        [pa.array([True] * min(1, len(times)), pa.bool_()), pc.greater(latest[1:], latest[:-1])]
    )
    null = pa.scalar(None, pa.int32())
    first = pc.fill_null_forward(pc.if_else(advances, positions, null))
    return pc.if_else(pc.equal(times, latest), pc.subtract(positions, first), positions)


def all_but(count: int, positions: Sequence[int]) -> Any:
    """Return the numbers below ``count`` that are not among ``positions``, int32; those below 0 and beyond are none."""
    if native.speedups is None:
        return python_all_but(count, positions)
    return _int32_column(native.speedups.all_but(count, array("i", positions)))


def python_all_but(count: int, positions: Sequence[int]) -> Any:
    """Return what ``all_but`` does, which has a compiled twin (``csrc/arrivals.c``)."""
    every = pa.arange(0, count).cast(pa.int32())
    return every.filter(pc.invert(pc.is_in(every, value_set=pa.array(positions, pa.int32()))))


def _int32_column(content: bytes) -> Any:
    return pa.Array.from_buffers(pa.int32(), len(content) // 4, [None, pa.py_buffer(content)])


def is_sorted(column: Any) -> bool:
    """Return whether no value of ``column`` (no nulls) is less than the one before it."""
    return len(column) < 2 or bool(pc.all(pc.greater_equal(column[1:], column[:-1])).as_py())
