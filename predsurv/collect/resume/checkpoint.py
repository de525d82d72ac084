"""Checkpoints: what a restart needs to know of each venue, and where the latest one is found.

A checkpoint holds the open interval of every instrument and the watermark of the feed. It consists of
entries, (kind, payload), of which the latest of a kind counts; the log commits each together with the
records it belongs to, so intervals and records agree after any crash. While a run is under way the
entries are in its newest log segment; as they were when that segment was opened they are also in
``state/{collector}.notes``, as are the last ones of a run that ended well.
"""

from collections.abc import Iterable, Mapping, Sequence
from contextlib import closing
from hashlib import blake2b
from pathlib import Path
from typing import Final, NamedTuple
from zlib import crc32

import msgspec
from msgspec import Struct

from predsurv.collect.recording.coverage import OpenIntervalChange
from predsurv.core.errors import IntegrityError
from predsurv.core.ids import InstrumentKey, VenueName
from predsurv.core.records import Coverage
from predsurv.state.coverage import (
    ChannelHistory,
    ChannelStates,
    between,
    decode_intervals,
    encode_intervals,
    open_gap,
)
from predsurv.store.files import PRIVATE_DIR, make_dirs, write_whole
from predsurv.store.layout import Layout, segments_of
from predsurv.store.wal.segment import IncompleteSegment, SegmentReader

BUCKETS: Final = 64
"""Entries per venue that the open intervals are spread over: a change rewrites one of them only."""

CheckpointEntry = tuple[str, bytes]
"""Kind and payload; ``open:{venue}:{bucket}``, ``channels:{venue}``, ``exploited:{venue}``, ``rotation:{venue}`` or
``alive:{venue}``."""

_STAYS_OPEN: Final = frozenset({"rotated_out", "no_capacity", "shutdown", "crash"})
_DIGEST_BYTES: Final = 8
_FILE_DECODER: Final = msgspec.msgpack.Decoder(dict[str, bytes])
_CHANNELS: Final = msgspec.msgpack.Decoder(tuple[ChannelStates, ...])


class CheckpointWriter:
    """The checkpoint entries of one venue."""

    def __init__(self, venue: VenueName) -> None:
        self._venue = venue
        self._buckets: list[dict[InstrumentKey, Coverage]] = [{} for _ in range(BUCKETS)]
        self._channels: tuple[ChannelStates, ...] = ()
        self._exploited: frozenset[InstrumentKey] = frozenset()
        self._rotations = 0

    def update(self, changes: Sequence[OpenIntervalChange]) -> list[CheckpointEntry]:
        """Return the entries to write after ``changes``."""
        buckets = {self._put(key, interval) for key, interval in changes}
        return [
            (f"open:{self._venue}:{number:02d}", encode_intervals(self._buckets[number].values()))
            for number in sorted(buckets)
        ]

    def channels(self, states: tuple[ChannelStates, ...]) -> list[CheckpointEntry]:
        """Return the entry to write when ``states`` (how the channels were observed) are not the last ones written."""
        if states == self._channels:
            return []
        self._channels = states
        return [(f"channels:{self._venue}", msgspec.msgpack.encode(states))]

    def exploited(self, keys: frozenset[InstrumentKey]) -> list[CheckpointEntry]:
        """Return the entry to write when ``keys``, recorded for being interesting, are not the last ones written."""
        if keys == self._exploited:
            return []
        self._exploited = keys
        return [(f"exploited:{self._venue}", b"".join(sorted(map(digest_of, keys))))]

    def rotation(self, number: int, period: int, since: int) -> list[CheckpointEntry]:
        """Return the entry to write when ``number``, of rotations so far, is not the last one written.

        ``period``: ns. ``since``: when the current one began, ns UTC. For who looks on; a restart begins a new one.
        """
        if number == self._rotations:
            return []
        self._rotations = number
        return [(f"rotation:{self._venue}", f"{period} {since}".encode())]

    def alive(self, watermark: int) -> CheckpointEntry:
        """Return the entry that says that everything up to ``watermark`` (ns UTC) is in the log."""
        return f"alive:{self._venue}", str(watermark).encode()

    def _put(self, key: InstrumentKey, interval: Coverage | None) -> int:
        number = crc32(key.instrument_id.encode("utf-8", "replace")) % BUCKETS
        bucket = self._buckets[number]
        if interval is None:
            bucket.pop(key, None)
        else:
            bucket[key] = interval
        return number


class OpenIntervals(Struct, frozen=True):
    """What an earlier run left open.

    ``written``: intervals to write now. ``gaps``: open intervals to resume. ``watermark``: time up to which
    that run's records are complete (ns UTC), 0 when there was none.
    """

    written: list[Coverage]
    gaps: list[Coverage]
    watermark: int


def open_intervals(venue: VenueName, checkpoint: Mapping[str, bytes], last_record: int = 0) -> OpenIntervals:
    """Return what ``checkpoint`` says an earlier run left open of ``venue``.

    What was open counts until the run's watermark (its last one, or ``last_record`` ns UTC when that is
    later); from there on it is a ``crash``. After an orderly stop only the ``shutdown`` gaps are left.
    Raises msgspec.DecodeError or ValueError when the checkpoint cannot be decoded.
    """
    watermark = max(last_record, logged_until(venue, checkpoint))
    written: list[Coverage] = []
    gaps: list[Coverage] = []
    stored = checkpoint.get(f"channels:{venue}")  # None in checkpoints of versions that did not tell channels apart
    channels = ChannelHistory(() if stored is None else _CHANNELS.decode(stored))
    for interval in intervals_in(venue, checkpoint):
        if interval.reason in _STAYS_OPEN:
            gaps.append(interval)
            continue
        end = max(watermark, interval.start)
        if end > interval.start:
            written += channels.told(between(interval, interval.start, end))
        gaps.append(open_gap(interval.key, end, "crash"))
    return OpenIntervals(written, gaps, watermark)


def entries_after(venue: VenueName, left: OpenIntervals, checkpoint: Mapping[str, bytes]) -> list[CheckpointEntry]:
    """Return the entries that replace those of ``checkpoint`` once ``left.written`` is written.

    For a venue that takes no part in this run: its gaps stay open until it does.
    """
    writer = CheckpointWriter(venue)
    empty = {kind: encode_intervals([]) for kind in checkpoint if kind.startswith(f"open:{venue}:")}
    return [*(empty | dict(writer.update([(gap.key, gap) for gap in left.gaps]))).items(), writer.alive(left.watermark)]


def logged_until(venue: VenueName, checkpoint: Mapping[str, bytes]) -> int:
    """Return the time (ns UTC) up to which everything of ``venue`` is in the log, 0 when ``checkpoint`` has none.

    Raises ValueError when it cannot be decoded.
    """
    return int(checkpoint.get(f"alive:{venue}", b"0"))


def intervals_in(venue: VenueName, checkpoint: Mapping[str, bytes]) -> Iterable[Coverage]:
    """Yield the open intervals of ``venue`` in ``checkpoint``; raises msgspec.DecodeError when they are damaged."""
    for kind, payload in sorted(checkpoint.items()):
        if kind.startswith(f"open:{venue}:"):
            yield from decode_intervals(payload)


def digest_of(key: InstrumentKey) -> bytes:
    """Return what stands for an instrument in the entry of the exploited ones, which a rotation writes anew."""
    name = f"{key.market_id}\n{key.instrument_id}".encode("utf-8", "replace")
    return blake2b(name, digest_size=_DIGEST_BYTES).digest()


def exploited_in(venue: VenueName, checkpoint: Mapping[str, bytes]) -> frozenset[bytes]:
    """Return the digests of the instruments of ``venue`` that were recorded for being interesting."""
    body = checkpoint.get(f"exploited:{venue}", b"")
    return frozenset(body[at : at + _DIGEST_BYTES] for at in range(0, len(body), _DIGEST_BYTES))


class RotationNote(NamedTuple):
    """The rotation period (ns) of a venue, and when the current one began (ns UTC)."""

    period: int
    since: int


def rotation_in(venue: VenueName, checkpoint: Mapping[str, bytes]) -> RotationNote | None:
    """Return the current rotation of ``venue``, None where ``checkpoint`` has none; raises ValueError."""
    body = checkpoint.get(f"rotation:{venue}")
    if body is None:
        return None
    period, since = body.split()
    return RotationNote(int(period), int(since))


def venues_in(checkpoint: Mapping[str, bytes]) -> set[VenueName]:
    """Return the venues that ``checkpoint`` has entries of."""
    return {VenueName(kind.split(":")[1]) for kind in checkpoint}


def find_checkpoint(layout: Layout, collector: str) -> dict[str, bytes]:
    """Return the latest checkpoint of the run before, empty when there was none; call with the lock held.

    Without the lock it is that of a moment ago, and what it reads may be gone (OSError).
    Raises IntegrityError when it is in the file beside the log and cannot be decoded.
    """
    for path in reversed(list(segments_of(layout.wal, collector))):
        checkpoint = _checkpoint_in(path)
        if checkpoint:
            return checkpoint
    path = _path(layout, collector)
    try:
        return _FILE_DECODER.decode(path.read_bytes())
    except FileNotFoundError:
        return {}
    except msgspec.MsgspecError as error:
        raise IntegrityError(
            f"{path} is damaged ({error}): move it away, the time since then stays unexplained"
        ) from None


def store_checkpoint(layout: Layout, collector: str, checkpoint: Mapping[str, bytes]) -> None:
    """Durably write ``checkpoint`` to the file that is read when the log has none; raises OSError."""
    make_dirs(layout.state, PRIVATE_DIR)
    write_whole(_path(layout, collector), msgspec.msgpack.encode(dict(checkpoint)))


def _path(layout: Layout, collector: str) -> Path:
    return layout.state / f"{collector}.notes"


def _checkpoint_in(path: Path) -> dict[str, bytes]:
    try:
        with closing(SegmentReader(path)) as reader:
            return {kind: body for kind, body in reader.segment.metadata.items() if ":" in kind}
    except (IncompleteSegment, IntegrityError):
        return {}
