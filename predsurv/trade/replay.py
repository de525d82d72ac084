"""A recording as a feed, and the clock that goes with it.

Kept apart so that the runner cannot tell a recording from a venue: events in their order, time
as they tell it.
"""

import asyncio
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from collections.abc import Set as AbstractSet
from itertools import islice
from typing import Final

from predsurv.core.events import MarketEvent
from predsurv.core.ids import InstrumentKey

BATCH_EVENTS: Final = 1_000
"""Events read at a time."""

Source = Callable[[AbstractSet[InstrumentKey]], Iterator[MarketEvent]]
"""Opens the recording for the instruments wanted; may raise IntegrityError while it is read."""


class EventClock:
    """``ports.Clock`` that stands wherever the events have come to."""

    def __init__(self, start: int = 0) -> None:
        self._now = self._start = start

    def now(self) -> int:
        """Return the time of the last event, ns UTC."""
        return self._now

    def monotonic(self) -> int:
        """Return ns since the recording began."""
        return self._now - self._start

    async def sleep(self, duration: int) -> None:  # noqa: ARG002  # nothing to wait for
        """Return at once: in a recording nobody waits."""
        await asyncio.sleep(0)

    def advance(self, ts: int) -> None:
        """Move on to ``ts``; never back."""
        self._start = self._start or ts
        self._now = max(self._now, ts)


class ReplayFeed:
    """``ports.Feed`` over a recording; ``watch`` is what it is opened for, once."""

    def __init__(self, source: Source, clock: EventClock) -> None:
        self._source, self._clock = source, clock
        self._want: frozenset[InstrumentKey] = frozenset()
        self._closed = False

    async def watch(self, want: AbstractSet[InstrumentKey]) -> None:
        """Set what to read; what is asked for after reading began is not added."""
        self._want = frozenset(want)

    async def batches(self) -> AsyncIterator[Sequence[MarketEvent]]:
        """Yield the recording in order, in pieces; ends with it."""
        events = self._source(self._want)
        while not self._closed and (batch := tuple(islice(events, BATCH_EVENTS))):
            self._clock.advance(batch[0].ts_recv)
            yield batch

    async def aclose(self) -> None:
        """Read no further."""
        self._closed = True
