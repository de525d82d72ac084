"""The write-ahead log of a collector: records are durable here from commit until they are sealed.

    append ─▶ LogBuffer ─ flush ─▶ OpenSegment ─ rotate ─▶ closed segment, for sealing
              (memory)             (SQLite file; one is open at a time)

A full or failing disk never raises from ``append`` or ``flush``: it pauses the log, and the caller learns
of it as a ``LogFact`` that has to end up in the recording as a gap.
"""

import sqlite3
from collections.abc import Mapping, Sequence
from contextlib import suppress
from itertools import chain
from pathlib import Path
from threading import Lock
from types import MappingProxyType
from typing import Final, NamedTuple

from msgspec import Struct

from predsurv.core.errors import IntegrityError, PredsurvError, TransientError
from predsurv.core.events import MarketChange, MarketResolved
from predsurv.core.level_changes import LevelChanges, PackedRecord, count_of
from predsurv.core.records import Coverage
from predsurv.ports import Clock
from predsurv.store.layout import NS_SECOND, Layout
from predsurv.store.wal.codec import BatchEncoder
from predsurv.store.wal.segment import PREDECESSOR_BATCHES, SegmentWriter, create_segment

BATCH_RECORDS_MAX: Final = 4_096
"""Records in one batch; a longer buffer is committed as several, in one transaction."""

BUFFER_RECORDS_MAX: Final = 500_000
"""Records that may wait for a flush, or for the end of a pause; beyond that the log raises IntegrityError."""

RETRY_INTERVAL: Final = NS_SECOND
"""How often a paused log tries to write again, ns."""

_TAKEN_WHILE_PAUSED = (Coverage, MarketChange, MarketResolved)
_PROBE: Final = "probe"
_NONE: Final = MappingProxyType[str, bytes]({})


class LogPaused(Struct, frozen=True):
    """The disk refused a write at ``ts`` (ns UTC).

    Records appended before are kept and written on resume. From now on books, changes and trades
    are refused and counted; coverage and lifecycle records are still taken. The caller has to record
    a ``disk_full`` gap from ``ts`` on for every wanted instrument.
    """

    ts: int
    reason: str


class LogResumed(Struct, frozen=True):
    """The disk accepts data again at ``ts`` (ns UTC); ``refused`` records were dropped. Books need snapshots."""

    ts: int
    refused: int


class SegmentReplaced(Struct, frozen=True):
    """A sync failed at ``ts`` (ns UTC): seal ``path`` now; what its syncs did not cover was written again."""

    ts: int
    path: Path
    reason: str


LogFact = LogPaused | LogResumed | SegmentReplaced


class LogBuffer:
    """Records that wait for a commit, how many are ``waiting``, whether the log is paused, and the facts to report."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._buffer: list[PackedRecord] = []
        self.waiting = 0  # records in it, each change counted
        self._refused = 0
        self._retry_at = 0
        self._facts: list[LogFact] = []
        self.paused: LogPaused | None = None

    def add(self, records: Sequence[PackedRecord]) -> None:
        """Buffer ``records``, less what a pause refuses; raises IntegrityError when the bound is exceeded already.

        A single call may exceed it: a disk that stalled for a while leaves a backlog that fits again now.
        """
        if self.waiting > BUFFER_RECORDS_MAX:
            why = self.paused.reason if self.paused else "nobody flushed"
            raise IntegrityError(f"the log holds {BUFFER_RECORDS_MAX} unwritten records ({why}): free disk space")
        if self.paused is not None:
            kept = [record for record in records if isinstance(record, _TAKEN_WHILE_PAUSED)]
            self._refused += count_of(records) - len(kept)
            records = kept
        self._buffer.extend(records)
        self.waiting += count_of(records)

    def pending(self) -> list[list[PackedRecord]]:
        """Return the waiting records, oldest first, in lists of at most BATCH_RECORDS_MAX, each change counted.

        A single object of more is a list of its own.
        """
        if self.waiting <= BATCH_RECORDS_MAX:
            return [list(self._buffer)] if self._buffer else []
        chunks, held = [list[PackedRecord]()], 0
        for record in self._buffer:
            count = len(record) if isinstance(record, LevelChanges) else 1
            if held and held + count > BATCH_RECORDS_MAX:
                chunks.append([])
                held = 0
            chunks[-1].append(record)
            held += count
        return chunks

    def may_write(self) -> bool:
        """Return whether to try a write now: always, except within RETRY_INTERVAL of the last refusal."""
        return self.paused is None or self._clock.monotonic() >= self._retry_at

    def drop_written(self) -> None:
        """Remove what ``pending`` returned, which is committed now, and end a pause; nothing was added meanwhile."""
        self.waiting = 0
        self._buffer.clear()
        if self.paused is not None:
            self._facts.append(LogResumed(self._clock.now(), self._refused))
            self.paused, self._refused = None, 0

    def pause(self, reason: str) -> None:
        """Begin or prolong a pause: the disk refused for ``reason``."""
        self._retry_at = self._clock.monotonic() + RETRY_INTERVAL
        if self.paused is None:
            self.paused = LogPaused(self._clock.now(), reason)
            self._facts.append(self.paused)

    def put_back(self, records: Sequence[PackedRecord]) -> None:
        """Insert ``records`` before everything that waits."""
        self._buffer[:0] = records
        self.waiting += count_of(records)

    def add_fact(self, fact: LogFact) -> None:
        """Keep ``fact`` for the next ``take_facts``."""
        self._facts.append(fact)

    @property
    def withholds_facts(self) -> bool:
        """Whether there is a fact that must not be reported yet: a ``SegmentReplaced`` while the log is paused."""
        return self.paused is not None and any(isinstance(fact, SegmentReplaced) for fact in self._facts)

    def take_facts(self) -> tuple[LogFact, ...]:
        """Remove and return the facts since the last call.

        SegmentReplaced is withheld during a pause: until the successor states, on disk, how many batches of the
        replaced segment count, sealing that one would double the records that were put back.
        """
        facts, self._facts = self._facts, []
        if self.paused is not None:
            self._facts = [fact for fact in facts if isinstance(fact, SegmentReplaced)]
        return tuple(fact for fact in facts if fact not in self._facts)


class SyncPoint(NamedTuple):
    """How far a sync reaches: ``chunks`` of records not synced before, and ``batches`` since the segment was opened."""

    chunks: int
    batches: int


class OpenSegment:
    """The open segment with all state of the same lifetime: key table, metadata to write, unsynced records.

    Replacing the segment replaces the object, so nothing of the old one is carried over by accident.
    Only ``writer.sync`` may run beside another call.
    """

    def __init__(self, writer: SegmentWriter, metadata: Mapping[str, bytes]) -> None:
        self.writer = writer
        self._metadata = dict(metadata)
        self._encoder = BatchEncoder()
        self._unsynced: list[Sequence[PackedRecord]] = []
        self._synced_batches = 0

    @property
    def path(self) -> Path:
        """Path of the segment's database file."""
        return self.writer.path

    def set_metadata(self, kind: str, payload: bytes) -> None:
        """Write ``payload`` under ``kind`` with the next commit."""
        self._metadata[kind] = payload

    def commit(self, buffer: LogBuffer) -> None:
        """Write what waits in ``buffer`` and drop it there; when the disk refuses, pause ``buffer``."""
        if not buffer.may_write():
            return
        pending, metadata = buffer.pending(), dict(self._metadata)
        if buffer.paused is not None:
            metadata[_PROBE] = b""  # only a write shows whether the disk accepts data again
        if not (pending or metadata):
            return
        try:
            self.writer.commit([self._encoder.encode(chunk) for chunk in pending], metadata)
        except sqlite3.Error as error:
            self._encoder.restart()
            buffer.pause(str(error))
        else:
            self._metadata.clear()
            self._unsynced.extend(pending)
            buffer.drop_written()

    def sync_point(self) -> SyncPoint:
        """Return what a sync that starts now will cover."""
        return SyncPoint(len(self._unsynced), self.writer.batches)

    def mark_synced(self, point: SyncPoint) -> None:
        """Drop the records that a sync started at ``point`` has made durable."""
        self._synced_batches = point.batches
        del self._unsynced[: point.chunks]

    @property
    def synced_batches(self) -> int:
        """Number of batches that syncs have covered."""
        return self._synced_batches

    def unsynced(self) -> list[PackedRecord]:
        """Return the committed records that no sync has covered, oldest first."""
        return list(chain.from_iterable(self._unsynced))

    def close(self) -> Path | None:
        """Close it and return its path, None when it is empty.

        When the disk refuses, what was committed stays readable as after a crash.
        """
        with suppress(sqlite3.Error, OSError):
            self.writer.close()
        return self.path if self.writer.batches else None


class WriteAheadLog:
    """The one log of a collector, cut into segments ``state/wal/{collector}-{segment}.db``.

    ``append`` only buffers. ``flush`` commits: what it committed survives kill -9. ``sync`` makes what
    was flushed survive a power cut. ``rotate`` closes the segment, for sealing, and opens the next. All
    are safe from any thread; ``sync`` and the slow parts of ``rotate`` (about 0.1 s) do not block
    ``append`` or ``flush``, so call them in a worker. The facts returned must be acted on. Hold a
    ``CollectorLock`` and run ``recover`` before making one.
    """

    def __init__(self, state_dir: Path, collector: str, clock: Clock) -> None:
        """Open a new segment; raises PredsurvError when the disk refuses."""
        self._layout = Layout(state_dir.parent)
        self._collector = collector
        self._clock = clock
        self._lock = Lock()  # guards the current segment and the metadata
        self._turn = Lock()  # one sync, rotate or close at a time
        self._buffer = LogBuffer(clock)
        self._metadata: dict[str, bytes] = {}
        self._sync_failed = False
        self._replace_reason: str | None = None  # why the open segment must be replaced as soon as the disk allows
        self._current = OpenSegment(create_segment(self._layout, collector, clock.now()), {})

    @property
    def path(self) -> Path:
        """The open segment's path."""
        return self._current.path

    @property
    def size(self) -> int:
        """Bytes committed to the open segment."""
        return self._current.writer.bytes

    @property
    def paused(self) -> LogPaused | None:
        """Why the log takes no data now; None when it does."""
        return self._buffer.paused

    def append(self, records: Sequence[PackedRecord], metadata: Mapping[str, bytes] = _NONE) -> None:
        """Buffer ``records`` in order, with ``metadata`` by kind; see ``LogPaused`` for what a pause refuses.

        One commit holds all of it. The latest payload of a kind counts, and every new segment starts with
        all kinds: the newest segment found at start has them. Raises IntegrityError when more than
        BUFFER_RECORDS_MAX records wait unflushed.
        """
        with self._lock:
            self._buffer.add(records)
            self._metadata.update(metadata)
            for kind, payload in metadata.items():
                self._current.set_metadata(kind, payload)

    def flush(self) -> tuple[LogFact, ...]:
        """Commit what is buffered; returns what the caller must act on, usually nothing."""
        with self._lock:
            self._current.commit(self._buffer)
        return self._buffer.take_facts()

    def sync(self) -> tuple[LogFact, ...]:
        """Flush, then make it durable; returns as ``flush``.

        A failed sync is never retried on the same file: what it may have lost goes into a new segment,
        and the log pauses until the disk accepts one. Raises IntegrityError when the first sync of that
        one fails too: stop, durability cannot be promised any more.
        """
        with self._turn:
            self._sync()
        return self._buffer.take_facts()

    def _sync(self) -> None:
        with self._lock:
            current = self._current
            current.commit(self._buffer)
            point = current.sync_point()
        if self._replace_reason is not None:
            self._replace(self._replace_reason)
            return
        try:
            current.writer.sync()
        except OSError as error:
            if self._sync_failed:
                raise IntegrityError(
                    f"the disk under {self._layout.wal} fails to sync ({error}): stop and check it"
                ) from error
            self._replace(str(error))
        else:
            self._sync_failed = False
            with self._lock:
                current.mark_synced(point)

    def _replace(self, reason: str) -> None:
        try:
            writer = create_segment(self._layout, self._collector, self._clock.now())
        except PredsurvError as error:
            self._replace_reason = reason
            with self._lock:
                self._buffer.pause(str(error))
            return
        self._replace_reason, self._sync_failed = None, True
        with self._lock:
            old, self._current = self._current, OpenSegment(writer, self._metadata)
            self._buffer.put_back(old.unsynced())
            self._current.set_metadata(PREDECESSOR_BATCHES, str(old.synced_batches).encode())
            self._buffer.add_fact(SegmentReplaced(self._clock.now(), old.path, reason))
            self._current.commit(self._buffer)
        old.writer.abandon()

    def rotate(self) -> Path | None:
        """Close the segment and return its path for sealing; the next one is open from then on.

        None when it is empty or the log is paused, or when the sync before failed: its successor is
        fresh, and must not be sealed before it. Raises PredsurvError when the disk refuses another
        segment: nothing has changed then, try later. Facts come with the next flush.
        """
        with self._turn:
            before = self._current
            self._sync()
            if self._current is not before or self._buffer.paused is not None or self._replace_reason is not None:
                return None
            if before.writer.batches == 0:
                return None
            writer = create_segment(self._layout, self._collector, self._clock.now())
            with self._lock:
                self._current.commit(self._buffer)
                old, self._current = self._current, OpenSegment(writer, self._metadata)
                self._current.commit(self._buffer)  # the metadata, before the old segment can go
            return old.close()

    def close(self) -> Path | None:
        """Flush and close for good; returns the last segment's path for sealing, None when empty.

        Raises TransientError when buffered records could not be written: they are lost, and no metadata covers them.
        """
        with self._turn, self._lock:
            self._current.commit(self._buffer)
            path = self._current.close()
            left = self._buffer.waiting
            if left or self._buffer.withholds_facts:
                raise TransientError(f"{left} records could not be written to {self._current.path}: free disk space")
            return path
