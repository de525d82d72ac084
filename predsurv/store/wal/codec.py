"""One batch of records as bytes, and back.

Kept apart from the log because this is the hot path: level changes and books are held as columns
with instrument keys numbered, so that neither logging nor sealing handles them one by one.
"""

from collections.abc import Sequence
from itertools import islice
from typing import Final

import msgspec
from msgspec import Struct

from predsurv.core.ids import InstrumentKey
from predsurv.core.records import Record
from predsurv.store.wal import columns_codec as packing

KEY_BATCHES_MAX: Final = 256
"""Batches that share one key table: a damaged batch can cost the records of no more than these."""

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


class LogBatch(Struct, frozen=True, array_like=True):
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


class EncodedBatch(Struct, frozen=True):
    """A batch as bytes, and how many records it holds."""

    records: int
    body: bytes


_ENCODER = msgspec.msgpack.Encoder()
_DECODER = msgspec.msgpack.Decoder(LogBatch)


class BatchEncoder:
    """Turns records into batches of one segment; holds the key table."""

    def __init__(self) -> None:
        self._table: dict[InstrumentKey, int] = {}
        self._batches = 0

    def encode(self, records: Sequence[Record]) -> EncodedBatch:
        """Return ``records`` (not empty) as one batch.

        A venue's time or sequence number beyond 64 bits becomes None: it cannot be true. Any other
        such int is refused by the venue's decoder long before.
        """
        if self._batches % KEY_BATCHES_MAX == 0:
            self._table.clear()
        self._batches += 1
        first_key = len(self._table)
        listed = records if isinstance(records, list) else list(records)
        times, deltas, books, tops, places = packing.columns_of(listed, self._table)
        others = [(place, _bounded(listed[place])) for place in places]
        keys = list(islice(self._table, first_key, None))
        # As a ``LogBatch`` is written, without making one.
        return EncodedBatch(len(listed), _ENCODER.encode((first_key, keys, times, deltas, books, tops, others)))

    def restart(self) -> None:
        """Begin a new key table: what the last call returned was not written."""
        self._batches = 0


def _bounded(record: Record) -> Record:
    changes = {
        name: None
        for name in ("ts_venue", "seq")
        if (value := getattr(record, name, None)) is not None and not packing.fits(value)
    }
    return msgspec.structs.replace(record, **changes) if changes else record


def decode(body: bytes) -> LogBatch:
    """Return the batch in ``body``; raises msgspec.MsgspecError when it is not one."""
    return _DECODER.decode(body)
