"""Bring records to the log and closed segments into files, off the event loop.

Kept apart from the job because the order matters here: records and the notes that belong to them
go into one commit, so every call to the log comes from one place, one after the other.
"""

import asyncio
import logging
from collections import deque
from collections.abc import Sequence
from pathlib import Path
from threading import Lock
from typing import Final

from msgspec import Struct

from predsurv.collect.carryover import keep_notes
from predsurv.core.errors import PredsurvError, TransientError
from predsurv.core.records import Record
from predsurv.ports import Clock
from predsurv.store.intake import LogFact, SegmentReplaced
from predsurv.store.paths import Layout
from predsurv.store.seal import SealOptions, SealReport, seal_segment
from predsurv.store.wal import Log

SEGMENTS_WAITING_MAX: Final = 8
"""Closed segments waiting to be sealed; with more, the open one just grows."""

SEAL_RETRY_INTERVAL: Final = 5_000_000_000
_IDLE_INTERVAL: Final = 50_000_000
_LOG: Final = logging.getLogger(__name__)


class Timing(Struct, frozen=True, kw_only=True):
    """When what is written reaches which state: intervals in ns, size in bytes."""

    fsync_interval: int
    seal_interval: int
    seal_bytes: int


class Writer:
    """The log of a collector and its sealing. Only ``seal_waiting`` may run beside the other calls."""

    def __init__(self, layout: Layout, collector: str, clock: Clock, timing: Timing, options: SealOptions) -> None:
        """Open the log; the lock must be held and recovery done."""
        self._layout = layout
        self._collector = collector
        self._clock = clock
        self._timing = timing
        self._options = options
        self._log = Log(layout.state, collector, clock)
        self._notes: dict[str, bytes] = {}
        self._waiting: deque[Path] = deque()
        self._sealing = Lock()  # a seal that is under way when the job stops is waited for
        self._synced = self._rotated = clock.monotonic()
        self._reports: list[SealReport] = []

    @property
    def seal_due(self) -> bool:
        """Return whether the open segment should be closed now."""
        if len(self._waiting) >= SEGMENTS_WAITING_MAX:
            return False
        old = self._clock.monotonic() - self._rotated >= self._timing.seal_interval
        return old or self._log.size >= self._timing.seal_bytes

    @property
    def unsealed(self) -> int:
        """Return the bytes in the open segment."""
        return self._log.size

    @property
    def waiting(self) -> int:
        """Return how many closed segments wait to be sealed."""
        return len(self._waiting)

    def reports(self) -> list[SealReport]:
        """Return what was sealed since the last call."""
        reports, self._reports = self._reports, []
        return reports

    async def write(self, records: Sequence[Record], notes: Sequence[tuple[str, bytes]]) -> Sequence[LogFact]:
        """Commit ``records`` with ``notes``; return what the recorders must know."""
        return await asyncio.to_thread(self._write, records, notes)

    async def rotate(self) -> None:
        """Close the open segment for sealing; when the disk refuses, that is tried again later."""
        self._rotated = self._clock.monotonic()
        try:
            path = await asyncio.to_thread(self._log.rotate)
        except PredsurvError as error:
            _LOG.warning("the log segment stays open: %s", error)
            return
        if path is not None:
            self._waiting.append(path)

    async def seal_waiting(self) -> None:
        """Seal closed segments as they come, until cancelled."""
        while True:
            pause = _IDLE_INTERVAL
            if self._waiting:
                try:
                    await asyncio.to_thread(self._seal_next)
                    pause = 0
                except TransientError as error:
                    _LOG.warning("%s", error)
                    pause = SEAL_RETRY_INTERVAL
            await self._clock.sleep(pause)

    def finish(self) -> None:
        """Close the log for good and seal everything; raises TransientError when the disk refuses.

        Whatever is not sealed then stays in the log: the next start seals it.
        """
        self._log.sync()
        keep_notes(self._layout, self._collector, self._notes)
        path = self._log.close()
        if path is not None:
            self._waiting.append(path)
        while self._waiting:
            self._seal_next()

    def _write(self, records: Sequence[Record], notes: Sequence[tuple[str, bytes]]) -> Sequence[LogFact]:
        self._log.append(records)
        for kind, payload in notes:
            self._notes[kind] = payload
            self._log.note(kind, payload)
        now = self._clock.monotonic()
        if now - self._synced < self._timing.fsync_interval:
            facts = self._log.flush()
        else:
            self._synced = now
            facts = self._log.sync()
        self._waiting += (fact.path for fact in facts if isinstance(fact, SegmentReplaced))
        return facts

    def _seal_next(self) -> None:
        with self._sealing:
            if not self._waiting:
                return
            report = seal_segment(self._waiting[0], self._layout, self._clock, self._options)
            self._waiting.popleft()
            self._reports.append(report)
