"""One batch of records as bytes, and back.

Kept apart from the log because this is the hot path: level changes are held as columns with
instrument keys numbered, so that neither logging nor sealing handles them one by one.
"""

from array import array
from collections.abc import Iterable, Sequence
from itertools import compress
from operator import attrgetter
from typing import Final, cast

import msgspec
from msgspec import Struct

from predsurv.core.events import BookDelta
from predsurv.core.ids import InstrumentKey
from predsurv.core.records import Coverage, Record

KEY_BATCHES_MAX: Final = 64
"""Batches that share one key table: a damaged batch can cost the records of no more than these."""


INT64_MAX: Final = 2**63 - 1


class DeltaColumns(Struct, frozen=True, array_like=True):
    """Level changes, one run of native integers per field, little or big endian as the machine is.

    int32: ``key``, an index into the key table, and ``arrival``, see ``Encoder``; int8: ``side``,
    an index into SIDES; int64: the rest, where ABSENT stands for None. A run of one item says the
    same for every row.
    """

    arrival: bytes = b""
    key: bytes = b""
    side: bytes = b""
    ts_recv: bytes = b""
    ts_venue: bytes = b""
    epoch: bytes = b""
    seq: bytes = b""
    price: bytes = b""
    size: bytes = b""


SIDES: Final = ("bid", "ask")
ABSENT: Final = -(2**63)
_SIDE_CODE: Final = {side: code for code, side in enumerate(SIDES)}


class Batch(Struct, frozen=True, array_like=True):
    """What one commit holds: ``keys`` join the table at ``first_key``; 0 starts a new table."""

    first_key: int
    keys: list[InstrumentKey]
    deltas: DeltaColumns
    others: list[tuple[int, Record]]


class Encoded(Struct, frozen=True):
    """A batch as bytes with the local times it spans (ns UTC) and how many records it holds."""

    lo: int
    hi: int
    records: int
    body: bytes


_TS_RECV = attrgetter("ts_recv")
_ENCODER = msgspec.msgpack.Encoder()
_DECODER = msgspec.msgpack.Decoder(Batch)


class Encoder:
    """Turns records into batches of one segment; holds the key table and the arrival count.

    Arrival numbers records that share a ``ts_recv``: 0, 1, 2 … in the order of arrival, so that
    (ts_recv, arrival) orders a segment exactly as it was received, across instruments and
    datasets. A record older than one before it gets its number in the segment, which is larger
    than any number given for that time before.
    """

    def __init__(self) -> None:
        self._table: dict[InstrumentKey, int] = {}
        self._batches = 0
        self._records = 0
        self._latest = -1
        self._same = 0

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
        times = _times(records, kinds)
        arrivals = self._arrivals(times)
        is_delta = [kind is BookDelta for kind in kinds]
        is_other = [kind is not BookDelta for kind in kinds]
        deltas = self._columns(list(compress(records, is_delta)), list(compress(arrivals, is_delta)))
        placed = zip(compress(arrivals, is_other), compress(records, is_other), strict=True)
        others = [(arrival, _bounded(record)) for arrival, record in placed]
        keys = list(self._table)[first_key:]
        body = _ENCODER.encode(Batch(first_key, keys, deltas, others))
        return Encoded(min(times), max(times), len(records), body)

    def _columns(self, deltas: Sequence[Record], arrivals: list[int]) -> DeltaColumns:
        if not deltas:
            return DeltaColumns()
        fields = zip(*map(msgspec.structs.astuple, deltas), strict=True)
        keys, ts_recv, ts_venue, epoch, seq, sides, price, size = fields
        for key in set(keys).difference(self._table):
            self._table[key] = len(self._table)
        return DeltaColumns(
            array("i", arrivals).tobytes(),
            array("i", map(self._table.__getitem__, keys)).tobytes(),
            bytes(map(_SIDE_CODE.__getitem__, sides)),
            *map(_run, (ts_recv, ts_venue, epoch, seq, price, size)),
        )

    def restart(self) -> None:
        """Begin a new key table: what the last call returned was not written."""
        self._batches = 0

    def _arrivals(self, times: Iterable[int]) -> list[int]:
        arrivals = []
        latest, same, count = self._latest, self._same, self._records
        for time in times:
            if time > latest:
                latest, same = time, 0
                arrivals.append(0)
            elif time == latest:
                same += 1
                arrivals.append(same)
            else:
                arrivals.append(count)
            count += 1
        self._latest, self._same, self._records = latest, same, count
        return arrivals


def _times(records: Sequence[Record], kinds: Sequence[type]) -> list[int]:
    if Coverage not in kinds:
        return list(map(_TS_RECV, records))
    return [record.start if isinstance(record, Coverage) else record.ts_recv for record in records]


def _run(values: Sequence[int | None]) -> bytes:
    if values[0] == values[-1] and values.count(values[0]) == len(values):
        values = values[:1]
    try:
        return array("q", cast("Sequence[int]", values)).tobytes()
    except (TypeError, OverflowError):  # something is absent, or cannot be true
        return array("q", [ABSENT if value is None or not _fits(value) else value for value in values]).tobytes()


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
