"""Bring records to the log, off the event loop.

Kept apart from the job because the order matters here: records and the notes that belong to them
go into one commit, so every call to the log comes from one place, one after the other.
"""

import asyncio
import logging
import sqlite3
from collections.abc import Sequence
from contextlib import suppress
from typing import Final

from msgspec import Struct

from predsurv.collect.output.sealer import SEGMENTS_WAITING_MAX, Sealer, Since
from predsurv.collect.resume.checkpoint_file import keep_notes
from predsurv.core.errors import IntegrityError, PredsurvError, TransientError
from predsurv.core.records import Record
from predsurv.ports import Clock
from predsurv.store.layout import Layout, parse_segment
from predsurv.store.seal.seal import SealOptions
from predsurv.store.wal.log import LogFact, SegmentReplaced, WriteAheadLog

_LOG: Final = logging.getLogger(__name__)


class CommitTiming(Struct, frozen=True, kw_only=True):
    """When what is written reaches which state: intervals in ns, size in bytes."""

    fsync_interval: int
    seal_interval: int
    seal_bytes: int


class LogWriter:
    """The log of a collector, ``opened`` at a time in ns UTC; ``sealing`` takes what it closes."""

    def __init__(
        self, layout: Layout, collector: str, clock: Clock, timing: CommitTiming, options: SealOptions
    ) -> None:
        """Open the log; the lock must be held and recovery done."""
        self.layout = layout
        self.collector = collector
        self.sealing = Sealer(layout, clock, options)
        self._clock = clock
        self._timing = timing
        self._log = WriteAheadLog(layout.state, collector, clock)
        self.opened = clock.now()
        self.closed = 0  # the number of the last segment closed by a rotation, which is durable
        self._since: Since = {}
        self._notes: dict[str, bytes] = {}
        self._rotated = clock.monotonic()
        self._synced = self._rotated - timing.fsync_interval  # what mends damage comes first, and must be durable

    @property
    def seal_due(self) -> bool:
        """Return whether the open segment should be closed now."""
        if self.sealing.waiting >= SEGMENTS_WAITING_MAX or self._log.paused is not None:
            return False  # while nothing can be written there is nothing to write down either
        old = self._clock.monotonic() - self._rotated >= self._timing.seal_interval
        return old or self._log.size >= self._timing.seal_bytes

    @property
    def unsealed(self) -> int:
        """Return the bytes in the open segment."""
        return self._log.size

    @property
    def paused(self) -> str | None:
        """Return why nothing can be written right now, None when all is well."""
        paused = self._log.paused
        return None if paused is None else paused.reason

    async def write(self, records: Sequence[Record], notes: Sequence[tuple[str, bytes]]) -> Sequence[LogFact]:
        """Commit ``records`` with ``notes``; return what the recorders must know."""
        # Taken in before anything is waited for: a rescue must not bring later ones to the log without these.
        self.take(records, notes)
        return await asyncio.to_thread(self.flush)

    def take(self, records: Sequence[Record], notes: Sequence[tuple[str, bytes]]) -> None:
        """Buffer ``records`` with ``notes`` for the next flush; one commit will hold both."""
        self._notes.update(notes)
        self._log.append(records, dict(notes))

    def rescue(self, records: Sequence[Record], notes: Sequence[tuple[str, bytes]]) -> None:
        """Commit at once, from any thread, for a process that is about to die; a closed log takes nothing."""
        with suppress(PredsurvError, sqlite3.Error, OSError):
            self._log.append(records, dict(notes))
            self._log.flush()

    async def rotate(self, marks: Since) -> Sequence[LogFact]:
        """Close the open segment for sealing; when the disk refuses, that is tried again later.

        ``marks``: by venue, how far (ns UTC) what was written before reaches: the next segment begins
        there. Returns what the recorders must know, for the disk may be full from then on.
        """
        self._rotated = self._clock.monotonic()
        return await asyncio.to_thread(self._rotate, marks)

    def finish(self) -> None:
        """Close the log for good and seal everything; raises TransientError when the disk refuses.

        Whatever is not sealed then stays in the log: the next start seals it.
        """
        self._heeded(self._log.sync())
        path = self._log.close() or self._log.path  # an empty one is forgotten by sealing it
        try:
            keep_notes(self.layout, self.collector, self._notes)
        except OSError as error:  # they are in the last segment: it has to stay
            raise TransientError(f"cannot write in {self.layout.state} ({error}): free disk space") from error
        self.sealing.add(path, self._since)
        self.sealing.finish()

    def _rotate(self, marks: Since) -> Sequence[LogFact]:
        # While the log is paused the notes are ahead of it: nothing they say may be on disk before its records.
        if self._log.paused is None:
            try:
                # Should the next segment be damaged, these are its notes: they agree with what is sealed by then.
                keep_notes(self.layout, self.collector, self._notes)
                path = self._log.rotate()
            except IntegrityError:
                raise
            except (PredsurvError, OSError) as error:
                _LOG.warning("the log segment stays open: %s", error)
            else:
                if path is not None:  # queued here: whoever waits for this may be gone by now
                    self.sealing.add(path, self._since)
                    self._since = marks
                    _, self.closed = parse_segment(path)
        return self._heeded(self._log.flush())

    def flush(self) -> Sequence[LogFact]:
        """Commit what is buffered, durably when that is due; return what the recorders must know."""
        now = self._clock.monotonic()
        if now - self._synced < self._timing.fsync_interval:
            facts = self._log.flush()
        else:
            self._synced = now
            facts = self._log.sync()
        return self._heeded(facts)

    def _heeded(self, facts: Sequence[LogFact]) -> Sequence[LogFact]:
        for fact in facts:
            if isinstance(fact, SegmentReplaced):
                self.sealing.add(fact.path, self._since)  # its successor takes over what was not synced
        return facts
