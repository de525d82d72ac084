"""The write-ahead log: where records wait, safely, until they are sealed.

Kept apart from sealing because the log must take whatever comes at once, and a full or failing
disk must end as a fact in the recording, never as silence.
"""

from collections.abc import Mapping, Sequence
from pathlib import Path
from threading import Lock
from types import MappingProxyType
from typing import Final

from predsurv.core.errors import IntegrityError, PredsurvError, TransientError
from predsurv.core.records import Record
from predsurv.ports import Clock
from predsurv.store.layout import Layout
from predsurv.store.wal.buffer import LogBuffer, LogFact, LogPaused, SegmentReplaced
from predsurv.store.wal.open_segment import OpenSegment
from predsurv.store.wal.segment import PREDECESSOR_NOTE
from predsurv.store.wal.segment_ids import create_segment

_NONE: Final = MappingProxyType[str, bytes]({})


class WriteAheadLog:
    """The one log of a collector, cut into segments ``state/wal/{collector}-{segment}.db``.

    ``append`` and ``note`` only buffer. ``flush`` commits: what it committed survives kill -9.
    ``sync`` makes what was flushed survive a power cut. ``rotate`` closes the segment, for
    sealing, and opens the next. All are safe from any thread; ``sync`` and the slow parts of
    ``rotate`` (about 0.1 s) do not hold up ``append`` or ``flush``, so call them in a worker.
    Facts returned must be acted on. Hold a ``DataLock`` and run ``recover`` before making one.
    """

    def __init__(self, state_dir: Path, collector: str, clock: Clock) -> None:
        """Open a new segment; raises PredsurvError when the disk does not take it."""
        self._layout = Layout(state_dir.parent)
        self._collector = collector
        self._clock = clock
        self._lock = Lock()  # guards the current segment and notes
        self._turn = Lock()  # one sync, rotate or close at a time
        self._intake = LogBuffer(clock)
        self._notes: dict[str, bytes] = {}
        self._sync_failed = False
        self._doomed: str | None = None  # why the open segment must be replaced, which the disk refused so far
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
        return self._intake.paused

    def append(self, records: Sequence[Record], notes: Mapping[str, bytes] = _NONE) -> None:
        """Buffer ``records`` in order, and ``notes`` with them; see ``LogPaused`` for what a full disk changes.

        One commit holds all of it, whoever flushes. Raises IntegrityError when nobody flushed for
        BUFFER_RECORDS_MAX records.
        """
        with self._lock:
            self._intake.take(records)
            self._notes.update(notes)
            for kind, payload in notes.items():
                self._current.note(kind, payload)

    def note(self, kind: str, payload: bytes) -> None:
        """Remember ``payload`` under ``kind``, written by the next flush; the latest of a kind counts.

        Notes are carried into every new segment: the newest segment found at start has them all.
        """
        self.append((), {kind: payload})

    def flush(self) -> tuple[LogFact, ...]:
        """Commit what is buffered; returns what the caller must know, usually nothing."""
        with self._lock:
            self._current.commit(self._intake)
        return self._intake.facts()

    def sync(self) -> tuple[LogFact, ...]:
        """Flush, then make it durable; returns as ``flush``.

        A failed sync is never tried again on the same file: what it may have lost goes into a new
        segment, which is a pause until the disk takes one. Raises IntegrityError when its sync fails too: stop,
        nothing more can be promised.
        """
        with self._turn:
            self._sync()
        return self._intake.facts()

    def _sync(self) -> None:
        with self._lock:
            current = self._current
            current.commit(self._intake)
            mark = current.mark()
        if self._doomed is not None:
            self._replace(self._doomed)
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
                current.covered(mark)

    def _replace(self, reason: str) -> None:
        try:
            writer = create_segment(self._layout, self._collector, self._clock.now())
        except PredsurvError as error:
            self._doomed = reason
            with self._lock:
                self._intake.pause(str(error))
            return
        self._doomed, self._sync_failed = None, True
        with self._lock:
            old, self._current = self._current, OpenSegment(writer, self._notes)
            batches, records = old.unsynced()
            self._intake.put_back(records)
            self._current.note(PREDECESSOR_NOTE, str(batches).encode())
            self._intake.report(SegmentReplaced(self._clock.now(), old.path, reason))
            self._current.commit(self._intake)
        old.writer.abandon()

    def rotate(self) -> Path | None:
        """Close the segment and return its path for sealing; the next one is open from then on.

        None when it is empty or the log is paused, or when the sync before failed: its successor is
        fresh, and must not be sealed before it. Raises PredsurvError when the disk does not take
        another segment: nothing has changed then, try later. Facts come with the next flush.
        """
        with self._turn:
            before = self._current
            self._sync()
            if self._current is not before or self._intake.paused is not None or self._doomed is not None:
                return None
            if before.writer.batches == 0:
                return None
            writer = create_segment(self._layout, self._collector, self._clock.now())
            with self._lock:
                self._current.commit(self._intake)
                old, self._current = self._current, OpenSegment(writer, self._notes)
                self._current.commit(self._intake)  # the notes, before the old segment can go
            return old.close()

    def close(self) -> Path | None:
        """Flush and close for good; returns the last segment's path for sealing, None when empty.

        Raises TransientError when buffered records could not be written: they are lost, and no note claims them.
        """
        with self._turn, self._lock:
            self._current.commit(self._intake)
            path = self._current.close()
            left = len(self._intake.pending())
            if left or self._intake.holds_back:
                raise TransientError(f"{left} records could not be written to {self._current.path}: free disk space")
            return path
