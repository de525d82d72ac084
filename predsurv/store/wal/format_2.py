"""Format 2 of the log, which is only read: its columns were native integers, as wide as they could ever be.

int32: ``position``, ``key``, ``bids`` and ``asks``; int64: all others. A run of one item of ``ts_venue``, ``epoch``,
``mark`` or ``seq`` is the value of every row. The size of an ask was its one's complement, which is negative; levels
alternated price and size. Otherwise as in ``codec``.
"""

import sys
from array import array
from typing import Final

import msgspec
from msgspec import Struct

from predsurv.core.ids import InstrumentKey
from predsurv.core.records import Record
from predsurv.store.wal.codec import BookColumns, DeltaColumns, LogBatch
from predsurv.store.wal.packed_runs import as_stored, repeated

FORMAT: Final = 2


class _Deltas(Struct, frozen=True, array_like=True):
    key: bytes
    ts_venue: bytes
    epoch: bytes
    seq: bytes
    price: bytes
    size: bytes


class _Books(Struct, frozen=True, array_like=True):
    position: bytes
    key: bytes
    ts_venue: bytes
    mark: bytes
    seq: bytes
    bids: bytes
    asks: bytes
    bid_levels: bytes
    ask_levels: bytes


class _Batch(Struct, frozen=True, array_like=True):
    first_key: int
    keys: list[InstrumentKey]
    times: bytes
    deltas: _Deltas | None
    books: _Books | None
    tops: _Books | None
    others: list[tuple[int, Record]]


_DECODER: Final = msgspec.msgpack.Decoder(_Batch)


def decode(body: bytes) -> LogBatch:
    """Return the batch in ``body`` in today's format; raises msgspec.MsgspecError when it is malformed."""
    batch = _DECODER.decode(body)
    return LogBatch(
        batch.first_key,
        batch.keys,
        as_stored(batch.times, 8),
        None if batch.deltas is None else _changes(batch.deltas),
        None if batch.books is None else _books(batch.books),
        None if batch.tops is None else _books(batch.tops),
        batch.others,
    )


def _changes(old: _Deltas) -> DeltaColumns:
    rows, sizes = len(old.key) // 4, array("q", old.size)
    return DeltaColumns(
        as_stored(old.key, 4),
        _maybe_repeated(old.ts_venue, rows),
        _maybe_repeated(old.epoch, rows),
        _maybe_repeated(old.seq, rows),
        as_stored(bytes(size < 0 for size in sizes), 1),
        as_stored(old.price, 8),
        as_stored(array("q", [~size if size < 0 else size for size in sizes]).tobytes(), 8),
    )


def _books(old: _Books) -> BookColumns:
    rows, bids, asks = len(old.key) // 4, array("q", old.bid_levels), array("q", old.ask_levels)
    return BookColumns(
        as_stored(old.position, 4),
        as_stored(old.key, 4),
        _maybe_repeated(old.ts_venue, rows),
        _maybe_repeated(old.mark, rows),
        _maybe_repeated(old.seq, rows),
        as_stored(old.bids, 4),
        as_stored(old.asks, 4),
        *(as_stored(levels[start::2].tobytes(), 8) for levels in (bids, asks) for start in (0, 1)),
    )


def _maybe_repeated(run: bytes, rows: int) -> bytes:
    """Return a run of int64 in which one item may stand for ``rows``."""
    return repeated(int.from_bytes(run, sys.byteorder, signed=True), rows) if len(run) == 8 else as_stored(run, 8)
