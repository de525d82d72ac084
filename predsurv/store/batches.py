"""One batch of records as bytes, and back.

Kept apart from the log because this is the hot path: level changes and books are held as columns
with instrument keys numbered, so that neither logging nor sealing handles them one by one.
"""

import struct
from collections.abc import Sequence
from itertools import chain, compress, islice, repeat
from operator import is_not, not_
from typing import Final, TypeVar, cast

import msgspec
from msgspec import Struct

from predsurv.core.events import BookDelta, BookSnapshot, Level
from predsurv.core.ids import InstrumentKey
from predsurv.core.records import BookTop, Coverage, Record

KEY_BATCHES_MAX: Final = 256
"""Batches that share one key table: a damaged batch can cost the records of no more than these."""

INT64_MAX: Final = 2**63 - 1
ABSENT: Final = -(2**63)
SIDES: Final = ("bid", "ask")


class DeltaColumns(Struct, frozen=True, array_like=True):
    """Level changes, one run of native integers per field, little or big endian as the machine is.

    int32: ``key``, an index into the key table. int64: the rest, where ABSENT stands for None; a
    run of one item says the same for every row. ``size`` is that of a bid, or the one's complement
    of that of an ask.
    """

    key: bytes
    ts_venue: bytes
    epoch: bytes
    seq: bytes
    price: bytes
    size: bytes


class BookColumns(Struct, frozen=True, array_like=True):
    """Whole books or their tops, one run per field as in DeltaColumns.

    int32: ``position`` in the batch, ``key``, and how many levels each side has: ``bids``, ``asks``.
    int64: the rest; levels are price and size in turn, book after book. ``mark`` is the epoch of a
    book, or whether the book of a top was trusted.
    """

    position: bytes
    key: bytes
    ts_venue: bytes
    mark: bytes
    seq: bytes
    bids: bytes
    asks: bytes
    bid_levels: bytes
    ask_levels: bytes


class Batch(Struct, frozen=True, array_like=True):
    """What one commit holds: ``keys`` join the table at ``first_key``; 0 starts a new table.

    ``times``: int64, the local time of each record in order of arrival. Records that are not at the
    position of a book, a top or one of the ``others`` are the changes.
    """

    first_key: int
    keys: list[InstrumentKey]
    times: bytes
    deltas: DeltaColumns | None
    books: BookColumns | None
    tops: BookColumns | None
    others: list[tuple[int, Record]]


class Encoded(Struct, frozen=True):
    """A batch as bytes, and how many records it holds."""

    records: int
    body: bytes


_ENCODER = msgspec.msgpack.Encoder()
_DECODER = msgspec.msgpack.Decoder(Batch)
_Books = Sequence[BookSnapshot] | Sequence[BookTop]
_COLUMNS: Final = frozenset({BookSnapshot, BookTop})
_Kind = TypeVar("_Kind", BookSnapshot, BookTop)


class Encoder:
    """Turns records into batches of one segment; holds the key table."""

    def __init__(self) -> None:
        self._table: dict[InstrumentKey, int] = {}
        self._batches = 0

    def encode(self, records: Sequence[Record]) -> Encoded:
        """Return ``records`` (not empty) as one batch.

        A venue's time or sequence number beyond 64 bits becomes None: it cannot be true. Any other
        such int is refused by the venue's decoder long before.
        """
        if self._batches % KEY_BATCHES_MAX == 0:
            self._table.clear()
        self._batches += 1
        first_key = len(self._table)
        kinds = list(map(type, records))
        changes: Sequence[BookDelta] = cast("Sequence[BookDelta]", records)
        books = tops = None
        others: list[tuple[int, Record]] = []
        if kinds.count(BookDelta) < len(kinds):
            # Sorted out by C loops: they pass over every record.
            others_than_changes = list(map(is_not, kinds, repeat(BookDelta)))
            rest = list(compress(range(len(records)), others_than_changes))
            changes = cast("Sequence[BookDelta]", list(compress(records, map(not_, others_than_changes))))
            books = self._books(*_taken(BookSnapshot, records, rest))
            tops = self._tops(*_taken(BookTop, records, rest))
            others = [(i, _bounded(records[i])) for i in rest if type(records[i]) not in _COLUMNS]
        deltas = self._deltas(changes) if changes else None
        keys = list(islice(self._table, first_key, None))
        body = _ENCODER.encode(Batch(first_key, keys, _times(records), deltas, books, tops, others))
        return Encoded(len(records), body)

    def _deltas(self, deltas: Sequence[BookDelta]) -> DeltaColumns:
        # One comprehension per field costs half of anything that makes a tuple per record.
        return DeltaColumns(
            self._numbers([each.key for each in deltas]),
            _run([each.ts_venue for each in deltas]),
            _run([each.epoch for each in deltas]),
            _run([each.seq for each in deltas]),
            _pack("q", [each.price for each in deltas]),
            _pack("q", [each.size if each.side == "bid" else ~each.size for each in deltas]),
        )

    def _books(self, positions: Sequence[int], books: Sequence[BookSnapshot]) -> BookColumns | None:
        if not books:
            return None
        return self._columns(positions, books, [book.epoch for book in books], [book.seq for book in books])

    def _tops(self, positions: Sequence[int], tops: Sequence[BookTop]) -> BookColumns | None:
        if not tops:
            return None
        return self._columns(positions, tops, [top.trusted for top in tops], [None])

    def _columns(
        self, positions: Sequence[int], books: _Books, mark: Sequence[int], seq: Sequence[int | None]
    ) -> BookColumns:
        bids, asks = [book.bids for book in books], [book.asks for book in books]
        return BookColumns(
            _pack("i", positions),
            self._numbers([book.key for book in books]),
            _run([book.ts_venue for book in books]),
            _run(mark),
            _run(seq),
            _pack("i", list(map(len, bids))),
            _pack("i", list(map(len, asks))),
            _levels(bids),
            _levels(asks),
        )

    def _numbers(self, keys: Sequence[InstrumentKey]) -> bytes:
        table = self._table
        try:
            numbers = [table[key] for key in keys]
        except KeyError:
            for key in dict.fromkeys(keys):
                table.setdefault(key, len(table))
            numbers = [table[key] for key in keys]
        return _pack("i", numbers)

    def restart(self) -> None:
        """Begin a new key table: what the last call returned was not written."""
        self._batches = 0


def _taken(kind: type[_Kind], records: Sequence[Record], places: Sequence[int]) -> tuple[list[int], list[_Kind]]:
    at = [i for i in places if type(records[i]) is kind]
    return at, cast("list[_Kind]", [records[i] for i in at])


def time_of(record: Record) -> int:
    """Return the local time (ns UTC) that places ``record`` in the log."""
    return record.start if isinstance(record, Coverage) else record.ts_recv


def _times(records: Sequence[Record]) -> bytes:
    try:
        return _pack("q", [record.ts_recv for record in records])  # type: ignore[union-attr]
    except AttributeError:  # a coverage record, as there are once a minute
        return _pack("q", [time_of(record) for record in records])


def _levels(sides: Sequence[tuple[Level, ...]]) -> bytes:
    return _pack("q", list(chain.from_iterable(chain.from_iterable(sides))))


def _pack(code: str, values: Sequence[int]) -> bytes:
    return struct.pack(f"{len(values)}{code}", *values)


def _run(values: Sequence[int | None]) -> bytes:
    first = values[0]
    if first == values[-1] and values.count(first) == len(values):
        values = values[:1]
    try:
        return _pack("q", cast("Sequence[int]", values))
    except struct.error:  # something is absent, or cannot be true
        return _pack("q", [ABSENT if value is None or not _fits(value) else value for value in values])


def _fits(value: int) -> bool:
    return -INT64_MAX <= value <= INT64_MAX


def _bounded(record: Record) -> Record:
    changes = {
        name: None
        for name in ("ts_venue", "seq")
        if (value := getattr(record, name, None)) is not None and not _fits(value)
    }
    return msgspec.structs.replace(record, **changes) if changes else record


def decode(body: bytes) -> Batch:
    """Return the batch in ``body``; raises msgspec.MsgspecError when it is not one."""
    return _DECODER.decode(body)
