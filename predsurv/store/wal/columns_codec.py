"""Records as columns of packed integers: the hot path of the log, every record passes here.

``columns_of`` is the compiled twin of ``python_columns`` (``csrc/``) where there was a C compiler at installation.
"""

import struct
from collections.abc import Callable, Sequence
from itertools import compress, repeat
from operator import is_not, not_
from typing import Final, TypeVar, cast

from predsurv.core.events import BookDelta, BookSnapshot, Level
from predsurv.core.ids import InstrumentKey
from predsurv.core.level_changes import PackedRecord, each_record
from predsurv.core.native import speedups
from predsurv.core.records import BookTop, Coverage, Record
from predsurv.store.wal.packed_runs import ABSENT, HUNDREDTHS, MILLISECONDS, TICKS, pack

LEVEL_BYTES: Final = 16
INT64_MAX: Final = 2**63 - 1

Runs = tuple[bytes, ...]
Columns = tuple[int, bytes, Runs | None, Runs | None, Runs | None, list[tuple[int, Record]]]
"""How many records, each change counted; times; the runs of ``DeltaColumns``, of ``BookColumns`` for books and for
tops; all other records with their positions."""

_Books = Sequence[BookSnapshot] | Sequence[BookTop]
_COLUMNS: Final = frozenset({BookSnapshot, BookTop})
_Kind = TypeVar("_Kind", BookSnapshot, BookTop)


def python_columns(packed: list[PackedRecord], table: dict[InstrumentKey, int]) -> Columns:
    """Return the columns of what ``packed`` holds (not empty); new keys are numbered and added to ``table``.

    A venue's time or sequence number beyond 64 bits becomes ABSENT: it cannot be valid. Raises OverflowError for
    any other such integer.
    """
    records = each_record(packed)
    kinds = list(map(type, records))
    changes: Sequence[BookDelta] = cast("Sequence[BookDelta]", records)
    books = tops = None
    others: list[tuple[int, Record]] = []
    if kinds.count(BookDelta) < len(kinds):
        # Selected by loops in C: they visit every record.
        others_than_changes = list(map(is_not, kinds, repeat(BookDelta)))
        rest = list(compress(range(len(records)), others_than_changes))
        changes = cast("Sequence[BookDelta]", list(compress(records, map(not_, others_than_changes))))
        books = _book_runs(*_select(BookSnapshot, records, rest), table)
        tops = _top_runs(*_select(BookTop, records, rest), table)
        others = [(i, records[i]) for i in rest if type(records[i]) not in _COLUMNS]
    deltas = _delta_runs(changes, table) if changes else None
    return len(records), _time_run(records), deltas, books, tops, others


ColumnsOf = Callable[[list[PackedRecord], dict[InstrumentKey, int]], Columns]
columns_of: ColumnsOf = python_columns if speedups is None else speedups.columns_of


def _delta_runs(deltas: Sequence[BookDelta], table: dict[InstrumentKey, int]) -> Runs:
    # One comprehension per field costs half of what a tuple per record does.
    return (
        pack(_key_numbers([each.key for each in deltas], table)),
        _pack_maybe([each.ts_venue for each in deltas], MILLISECONDS),
        _pack_maybe([each.epoch for each in deltas]),
        _pack_maybe([each.seq for each in deltas]),
        pack([each.side != "bid" for each in deltas]),
        _pack([each.price for each in deltas], TICKS),
        _pack([each.size for each in deltas], HUNDREDTHS),
    )


def _book_runs(positions: Sequence[int], books: Sequence[BookSnapshot], table: dict[InstrumentKey, int]) -> Runs | None:
    if not books:
        return None
    return (
        *_common_runs(positions, books, table),
        _pack_maybe([book.epoch for book in books]),
        _pack_maybe([book.seq for book in books]),
        pack([len(book.bids) for book in books]),
        pack([len(book.asks) for book in books]),
        *_levels([level for book in books for level in book.bids]),
        *_levels([level for book in books for level in book.asks]),
    )


def _top_runs(positions: Sequence[int], tops: Sequence[BookTop], table: dict[InstrumentKey, int]) -> Runs | None:
    if not tops:
        return None
    return (
        *_common_runs(positions, tops, table),
        pack([top.trusted for top in tops]),
        pack([ABSENT] * len(tops)),
        pack([len(top.bids) // LEVEL_BYTES for top in tops]),
        pack([len(top.asks) // LEVEL_BYTES for top in tops]),
        *_levels([level for top in tops for level in struct.iter_unpack("qq", top.bids)]),
        *_levels([level for top in tops for level in struct.iter_unpack("qq", top.asks)]),
    )


def _common_runs(positions: Sequence[int], books: _Books, table: dict[InstrumentKey, int]) -> Runs:
    keys = _key_numbers([book.key for book in books], table)
    return pack(positions), pack(keys), _pack_maybe([book.ts_venue for book in books], MILLISECONDS)


def _key_numbers(keys: Sequence[InstrumentKey], table: dict[InstrumentKey, int]) -> list[int]:
    try:
        return [table[key] for key in keys]
    except KeyError:
        for key in dict.fromkeys(keys):
            table.setdefault(key, len(table))
        return [table[key] for key in keys]


def _select(kind: type[_Kind], records: Sequence[Record], places: Sequence[int]) -> tuple[list[int], list[_Kind]]:
    at = [i for i in places if type(records[i]) is kind]
    return at, cast("list[_Kind]", [records[i] for i in at])


def _time_of(record: Record) -> int:
    """Return the local time of ``record``, ns UTC."""
    return record.start if isinstance(record, Coverage) else record.ts_recv


def _time_run(records: Sequence[Record]) -> bytes:
    try:
        return _pack([record.ts_recv for record in records])  # type: ignore[union-attr]
    except AttributeError:  # a coverage record, as there are once a minute
        return _pack([_time_of(record) for record in records])


def _levels(levels: Sequence[Level] | Sequence[tuple[int, int]]) -> Runs:
    return _pack([price for price, _ in levels], TICKS), _pack([size for _, size in levels], HUNDREDTHS)


def _pack(values: Sequence[int], scale: int = 0) -> bytes:
    if values and not (-INT64_MAX - 1 <= min(values) <= max(values) <= INT64_MAX):
        raise OverflowError("64 bits do not hold this number")
    return pack(values, scale)


def _pack_maybe(values: Sequence[int | None], scale: int = 0) -> bytes:
    return pack([ABSENT if value is None or not fits_int64(value) else value for value in values], scale)


def fits_int64(value: int) -> bool:
    """Return whether ``value`` can be stored: 64 bits, except the value of ABSENT."""
    return -INT64_MAX <= value <= INT64_MAX
