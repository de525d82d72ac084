"""Turn closed log segments into files, one after the other, beside the recording.

Kept apart from the writer because the log must take records whether or not sealing keeps up.
"""

import asyncio
import logging
from collections import deque
from collections.abc import Mapping
from pathlib import Path
from threading import Lock
from typing import Final, NamedTuple

from msgspec.structs import replace

from predsurv.core.errors import TransientError
from predsurv.core.ids import VenueName
from predsurv.ports import Clock
from predsurv.store.layout import Layout
from predsurv.store.retraction import CoverageRetraction
from predsurv.store.seal.seal import SealOptions, SealReport, seal_segment

SEGMENTS_WAITING_MAX: Final = 8
"""Closed segments waiting to be sealed; with more, the open one just grows."""

RETRY_INTERVAL: Final = 5_000_000_000
_IDLE_INTERVAL: Final = 50_000_000
_LOG: Final = logging.getLogger(__name__)


Since = Mapping[VenueName, int]
"""From when on (ns UTC) a segment can hold what a venue sent; nothing of it when the venue is not named."""


class SealedSegment(NamedTuple):
    """What became of a segment; ``since`` as it was added with."""

    report: SealReport
    since: Since


class Sealer:
    """The queue of closed segments. Only ``run`` may go on beside the other calls."""

    def __init__(self, layout: Layout, clock: Clock, options: SealOptions) -> None:
        self._layout = layout
        self._clock = clock
        self._losses = CoverageRetraction()
        self._options = replace(options, rewrite_coverage=self._losses.apply)
        self._waiting: deque[tuple[Path, Since]] = deque()
        self._turn = Lock()  # a seal that is under way when the job stops is waited for
        self._done: deque[SealedSegment] = deque()

    @property
    def waiting(self) -> int:
        """Return how many closed segments wait."""
        return len(self._waiting)

    def add(self, path: Path, since: Since) -> None:
        """Queue a segment that nobody writes to any more; ``since`` comes back with what became of it."""
        self._waiting.append((path, since))

    def done(self) -> list[SealedSegment]:
        """Return what was sealed since the last call."""
        return [self._done.popleft() for _ in range(len(self._done))]

    def heard(self, mark: int) -> None:
        """Believe claims of time from ``mark`` (ns UTC) on again: the recording takes back the others itself by now."""
        self._losses.close(mark)

    async def run(self) -> None:
        """Seal segments as they come, until cancelled."""
        while True:
            pause = _IDLE_INTERVAL
            if self._waiting:
                try:
                    await asyncio.to_thread(self._next)
                    pause = 0
                except TransientError as error:
                    _LOG.warning("%s", error)
                    pause = RETRY_INTERVAL
            await self._clock.sleep(pause)

    def finish(self) -> None:
        """Seal everything; raises TransientError when the disk refuses: the next start seals the rest."""
        while self._waiting:
            self._next()

    def _next(self) -> None:
        with self._turn:
            if not self._waiting:
                return
            path, since = self._waiting[0]
            report = seal_segment(path, self._layout, self._clock, self._options)
            if report.damaged:
                self._losses.add(since)
            self._waiting.popleft()
            self._done.append(SealedSegment(report, since))
