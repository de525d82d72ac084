"""Write records to the log, off the event loop.

Records and their checkpoint entries go into one commit, and commits into one order: every call to the log
is made here, one after the other.
"""

import asyncio
import logging
import sqlite3
from collections.abc import Sequence
from contextlib import suppress
from typing import Final

from msgspec import Struct

from predsurv.collect.output.sealer import SEGMENTS_WAITING_MAX, FirstTimes, Sealer
from predsurv.collect.resume.checkpoint import CheckpointEntry, store_checkpoint
from predsurv.core.errors import IntegrityError, PredsurvError, disk_refused
from predsurv.core.level_changes import PackedRecord
from predsurv.ports import Clock
from predsurv.store.layout import Layout, parse_segment
from predsurv.store.wal.log import LogFact, SegmentReplaced, WriteAheadLog

_LOG: Final = logging.getLogger(__name__)


class CommitTiming(Struct, frozen=True, kw_only=True):
    """When records become durable and when the open segment is closed: intervals in ns, size in bytes."""

    fsync_interval: int
    seal_interval: int
    seal_bytes: int


class LogWriter:
    """The log of a collector, opened at ``opened`` (ns UTC); ``sealer`` takes the segments it closes.

    ``closed``: number of the last segment that a rotation closed, 0 before the first; it is durable.
    """

    def __init__(self, layout: Layout, collector: str, clock: Clock, timing: CommitTiming, sealer: Sealer) -> None:
        """Open the log; the lock must be held and recovery done."""
        self.sealer = sealer
        self._layout = layout
        self._collector = collector
        self._clock = clock
        self._timing = timing
        self._log = WriteAheadLog(layout.state, collector, clock)
        self.opened = clock.now()
        self.closed = 0
        self._first_times: FirstTimes = {}
        self._checkpoint: dict[str, bytes] = {}
        self._rotated = clock.monotonic()
        self._synced = self._rotated - timing.fsync_interval  # the first commit may repair damage: it must be durable

    @property
    def seal_due(self) -> bool:
        """Return whether the open segment should be closed now."""
        if self.sealer.waiting >= SEGMENTS_WAITING_MAX or self._log.paused is not None:
            return False  # while nothing can be written, coverage cannot be cut either
        old = self._clock.monotonic() - self._rotated >= self._timing.seal_interval
        return old or self._log.size >= self._timing.seal_bytes

    @property
    def unsealed(self) -> int:
        """Return the bytes in the open segment."""
        return self._log.size

    @property
    def paused(self) -> str | None:
        """Return why nothing can be written right now, None when it can."""
        paused = self._log.paused
        return None if paused is None else paused.reason

    async def write(self, records: Sequence[PackedRecord], entries: Sequence[CheckpointEntry]) -> Sequence[LogFact]:
        """Commit ``records`` with ``entries``; return what changed about the log."""
        # Buffered before anything is awaited: a rescue must not commit later records without these.
        self.buffer(records, entries)
        return await asyncio.to_thread(self.flush)

    def buffer(self, records: Sequence[PackedRecord], entries: Sequence[CheckpointEntry]) -> None:
        """Buffer ``records`` with ``entries`` for the next flush; one commit will hold both."""
        self._checkpoint.update(entries)
        self._log.append(records, dict(entries))

    def rescue(self, records: Sequence[PackedRecord], entries: Sequence[CheckpointEntry]) -> None:
        """Commit at once, from any thread, before the process dies; does nothing when the log is closed."""
        with suppress(PredsurvError, sqlite3.Error, OSError):
            self._log.append(records, dict(entries))
            self._log.flush()

    async def rotate(self, watermarks: FirstTimes) -> Sequence[LogFact]:
        """Close the open segment for sealing; when the disk refuses, that is tried again later.

        ``watermarks``: by venue, how far (ns UTC) the records committed before reach: the next segment begins
        there. Returns what changed about the log.
        """
        self._rotated = self._clock.monotonic()
        return await asyncio.to_thread(self._rotate, watermarks)

    def finish(self) -> None:
        """Close the log and seal everything; raises TransientError when the disk refuses.

        What is not sealed then stays in the log, and the next start seals it.
        """
        self._queue_replaced(self._log.sync())
        path = self._log.close() or self._log.path  # sealing an empty segment removes it
        try:
            store_checkpoint(self._layout, self._collector, self._checkpoint)
        except OSError as error:  # the checkpoint is in the last segment only: it has to stay
            raise disk_refused(f"cannot write in {self._layout.state}", error) from error
        self.sealer.add(path, self._first_times)
        self.sealer.finish()

    def _rotate(self, watermarks: FirstTimes) -> Sequence[LogFact]:
        # While the log is paused the checkpoint is ahead of it: it must not be on disk before its records.
        if self._log.paused is None:
            try:
                # Should the next segment be damaged, this is the checkpoint to resume from: it agrees with what is
                # sealed by then.
                store_checkpoint(self._layout, self._collector, self._checkpoint)
                path = self._log.rotate()
            except IntegrityError:
                raise
            except (PredsurvError, OSError) as error:
                _LOG.warning("the log segment stays open: %s", error)
            else:
                if path is not None:  # queued here, since the task that awaits this may have been cancelled
                    self.sealer.add(path, self._first_times)
                    self._first_times = watermarks
                    _, self.closed = parse_segment(path)
        return self._queue_replaced(self._log.flush())

    def flush(self) -> Sequence[LogFact]:
        """Commit what is buffered, durably when that is due; return what changed about the log."""
        now = self._clock.monotonic()
        if now - self._synced < self._timing.fsync_interval:
            facts = self._log.flush()
        else:
            self._synced = now
            facts = self._log.sync()
        return self._queue_replaced(facts)

    def _queue_replaced(self, facts: Sequence[LogFact]) -> Sequence[LogFact]:
        for fact in facts:
            if isinstance(fact, SegmentReplaced):
                self.sealer.add(fact.path, self._first_times)  # what was not synced is in its successor as well
        return facts
