"""A recording as a feed, and the clock that follows its events."""

import asyncio
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from collections.abc import Set as AbstractSet
from itertools import islice
from typing import Final

from predsurv.core.events import MarketEvent
from predsurv.core.ids import InstrumentKey
from predsurv.ports import NO_MIRRORS, Mirrors

BATCH_EVENTS: Final = 1_000
"""Events per batch."""

Source = Callable[[], Iterator[MarketEvent]]
"""Opens the recording; may raise IntegrityError while it is read."""


class EventClock:
    """``ports.Clock`` whose time is that of the latest batch of events."""

    def __init__(self, start: int = 0) -> None:
        self._now = self._start = start

    def now(self) -> int:
        """Return the time it was last advanced to, ns UTC."""
        return self._now

    def monotonic(self) -> int:
        """Return ns since the recording began."""
        return self._now - self._start

    async def sleep(self, duration: int) -> None:  # noqa: ARG002
        """Return at once: the time of a recording does not pass by itself."""
        await asyncio.sleep(0)

    def advance(self, ts: int) -> None:
        """Set the time to ``ts`` (ns UTC), unless it is earlier."""
        self._start = self._start or ts
        self._now = max(self._now, ts)


class ReplayFeed:
    """``ports.Feed`` over a recording, which has the instruments that it has; advances ``clock``."""

    def __init__(self, source: Source, clock: EventClock) -> None:
        self._source, self._clock = source, clock
        self._closed = False

    async def watch(self, want: AbstractSet[InstrumentKey], mirrors: Mirrors = NO_MIRRORS) -> None:
        """Do nothing: the source was opened for what the run is to hear of, whenever it enters the watch list."""

    async def batches(self) -> AsyncIterator[Sequence[MarketEvent]]:
        """Yield the recording in order, ``BATCH_EVENTS`` at a time, and end with it."""
        events = self._source()
        while not self._closed and (batch := tuple(islice(events, BATCH_EVENTS))):
            self._clock.advance(batch[0].ts_recv)
            yield batch

    async def aclose(self) -> None:
        """Stop reading."""
        self._closed = True
