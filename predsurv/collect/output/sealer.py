"""Turn closed log segments into files, one after the other, beside the recording.

The log takes records whether or not sealing keeps up.
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
"""Closed segments waiting to be sealed; with more, the open one is not closed and just grows."""

RETRY_INTERVAL: Final = 5_000_000_000
_IDLE_INTERVAL: Final = 50_000_000
_LOG: Final = logging.getLogger(__name__)


FirstTimes = Mapping[VenueName, int]
"""The earliest time (ns UTC) that rows of a venue in a segment can have; any time for a venue not in it."""


class SealedSegment(NamedTuple):
    """The result of sealing a segment, and the first times that it was queued with."""

    report: SealReport
    first_times: FirstTimes


class Sealer:
    """The queue of closed segments. Only ``run`` may be in progress during the other calls.

    From the rows of a damaged segment on, covered time is ``crash`` in every later one, until ``retraction``
    is closed by the damage tracker.
    """

    def __init__(self, layout: Layout, clock: Clock, options: SealOptions, retraction: CoverageRetraction) -> None:
        self._layout = layout
        self._clock = clock
        self._retraction = retraction
        self._options = replace(options, rewrite_coverage=retraction.apply)
        self._waiting: deque[tuple[Path, FirstTimes]] = deque()
        self._sealing = Lock()  # a seal in progress when the run ends is waited for
        self._sealed: deque[SealedSegment] = deque()

    @property
    def waiting(self) -> int:
        """Return how many closed segments wait."""
        return len(self._waiting)

    def add(self, path: Path, first_times: FirstTimes) -> None:
        """Queue a segment that nobody writes to any more; ``first_times`` is returned with the result."""
        self._waiting.append((path, first_times))

    def take_sealed(self) -> list[SealedSegment]:
        """Return what was sealed since the last call."""
        return [self._sealed.popleft() for _ in range(len(self._sealed))]

    async def run(self) -> None:
        """Seal segments as they are queued, until cancelled."""
        while True:
            pause = _IDLE_INTERVAL
            if self._waiting:
                try:
                    await asyncio.to_thread(self._seal_next)
                    pause = 0
                except TransientError as error:
                    _LOG.warning("%s", error)
                    pause = RETRY_INTERVAL
            await self._clock.sleep(pause)

    def finish(self) -> None:
        """Seal everything queued; raises TransientError when the disk refuses: the next start seals the rest."""
        while self._waiting:
            self._seal_next()

    def _seal_next(self) -> None:
        with self._sealing:
            if not self._waiting:
                return
            path, first_times = self._waiting[0]
            report = seal_segment(path, self._layout, self._clock, self._options)
            if report.damaged:
                self._retraction.add(first_times)
            self._waiting.popleft()
            self._sealed.append(SealedSegment(report, first_times))
