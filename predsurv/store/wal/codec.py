"""The format of a batch of records: MessagePack around columns of packed integers.

Level changes and books are stored as columns, their instrument keys as numbers, so that neither logging
nor sealing handles them one by one. Every ``bytes`` is a packed run (``packed_runs``).
"""

from collections.abc import Sequence
from itertools import islice
from typing import Final

import msgspec
from msgspec import Struct

from predsurv.core.ids import InstrumentKey
from predsurv.core.level_changes import PackedRecord
from predsurv.core.records import Record
from predsurv.store.wal import columns_codec

KEY_BATCHES_MAX: Final = 256
"""Batches that share one key table: a damaged batch can make the records of at most these unreadable."""

SIDES: Final = ("bid", "ask")


class DeltaColumns(Struct, frozen=True, array_like=True):
    """Level changes: one packed run per field, each of as many items.

    ``key``: an index into the key table. ``side``: an index into SIDES. ABSENT stands for None.
    """

    key: bytes
    ts_venue: bytes
    epoch: bytes
    seq: bytes
    side: bytes
    price: bytes
    size: bytes


class BookColumns(Struct, frozen=True, array_like=True):
    """Whole books or their tops: one packed run per field as in DeltaColumns.

    ``position`` in the batch. ``bids``, ``asks``: the number of levels per side; the others of these names: their
    prices and sizes, best first, book after book. ``mark``: the epoch of a book, or whether the book of a top was
    trusted (0, 1).
    """

    position: bytes
    key: bytes
    ts_venue: bytes
    mark: bytes
    seq: bytes
    bids: bytes
    asks: bytes
    bid_prices: bytes
    bid_sizes: bytes
    ask_prices: bytes
    ask_sizes: bytes


class LogBatch(Struct, frozen=True, array_like=True):
    """A batch: ``keys`` are appended to the key table at ``first_key``; 0 starts a new table.

    ``times``: a packed run, the local time (ns UTC) of each record in order of arrival. ``others``: all other
    records with their positions. The records at the remaining positions are the changes.
    """

    first_key: int
    keys: list[InstrumentKey]
    times: bytes
    deltas: DeltaColumns | None
    books: BookColumns | None
    tops: BookColumns | None
    others: list[tuple[int, Record]]


class EncodedBatch(Struct, frozen=True):
    """A batch as bytes, and its number of records."""

    records: int
    body: bytes


_ENCODER = msgspec.msgpack.Encoder()
_DECODER = msgspec.msgpack.Decoder(LogBatch)


class BatchEncoder:
    """Encoder of the batches of one segment, with its key table."""

    def __init__(self) -> None:
        self._table: dict[InstrumentKey, int] = {}
        self._batches = 0

    def encode(self, records: Sequence[PackedRecord]) -> EncodedBatch:
        """Return ``records`` (not empty) as one batch.

        A venue's time or sequence number beyond 64 bits becomes None: it cannot be valid. The venue's
        decoder rejects any other such integer.
        """
        if self._batches % KEY_BATCHES_MAX == 0:
            self._table.clear()
        self._batches += 1
        first_key = len(self._table)
        listed = records if isinstance(records, list) else list(records)
        count, times, deltas, books, tops, others_of = columns_codec.columns_of(listed, self._table)
        others = [(position, _bounded(record)) for position, record in others_of]
        keys = [*islice(reversed(self._table), len(self._table) - first_key)][::-1]  # new ones are few
        # The encoding of a ``LogBatch``, without constructing one.
        return EncodedBatch(count, _ENCODER.encode((first_key, keys, times, deltas, books, tops, others)))

    def restart(self) -> None:
        """Begin a new key table, because the last batch was not written."""
        self._batches = 0


def _bounded(record: Record) -> Record:
    """Return ``record`` with None for a venue's time or sequence number that 64 bits do not hold."""
    changes = {
        name: None
        for name in ("ts_venue", "seq")
        if (value := getattr(record, name, None)) is not None and not columns_codec.fits_int64(value)
    }
    return msgspec.structs.replace(record, **changes) if changes else record


def decode(body: bytes) -> LogBatch:
    """Return the batch in ``body``; raises msgspec.MsgspecError when it is malformed."""
    return _DECODER.decode(body)
