"""The bounded queues between feeds and engine, one per venue, and what happens when they overflow."""

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable, Sequence
from types import TracebackType
from typing import Final, Self

from predsurv.core.events import Dropped, Gap, MarketEvent
from predsurv.core.ids import InstrumentKey, VenueName

QUEUE_EVENTS_MAX: Final = 50_000
"""Most events that wait in one venue's queue."""

Process = Callable[[Sequence[MarketEvent]], Awaitable[None]]

PrimaryOf = Callable[[InstrumentKey], InstrumentKey]
"""Returns the instrument in whose book one trades: a trade may be told on the other outcome."""


class _VenueQueue:
    """One venue's batches; ``waiting`` counts their events.

    ``dropped`` counts the events that did not fit since the last loss report, ``gapped`` holds the
    instruments whose books miss something, with the latest epoch.
    """

    def __init__(self, venue: VenueName, primary_of: PrimaryOf) -> None:
        self.venue = venue
        self._primary_of = primary_of
        self.batches: deque[Sequence[MarketEvent]] = deque()
        self.waiting = 0
        self.busy = False
        self.filled, self.drained = asyncio.Event(), asyncio.Event()
        self.dropped = 0
        self.gapped: dict[InstrumentKey, int] = {}

    def drop(self, batch: Sequence[MarketEvent]) -> None:
        """Drop a batch, remembering its size and its instruments."""
        self.dropped += len(batch)
        for event in batch:
            key = getattr(event, "key", None)
            if key is not None:
                key = self._primary_of(key)
                self.gapped[key] = getattr(event, "epoch", self.gapped.get(key, 0))

    def take_loss(self, ts: int) -> Sequence[MarketEvent]:
        """Return a Dropped event and an ``overflow`` Gap per affected instrument, and reset the loss."""
        loss: list[MarketEvent] = [Dropped(self.venue, ts, self.dropped)]
        loss += [Gap(key, ts, "overflow", epoch) for key, epoch in self.gapped.items()]
        self.dropped, self.gapped = 0, {}
        return loss


class EventQueue:
    """Passes each venue's batches to ``process`` in order, by one worker per venue.

    In real time a batch that does not fit is dropped: a ``Dropped`` and a ``Gap`` for each
    instrument concerned precede the next batch, and ``publish`` then returns those instruments, whose
    subscriptions need a restart. Otherwise (``realtime`` False) ``publish`` waits for room.
    Used as a context manager: on exit the workers finish their queues.
    """

    def __init__(
        self,
        process: Process,
        *,
        realtime: bool,
        capacity: int = QUEUE_EVENTS_MAX,
        primary_of: PrimaryOf = lambda key: key,
    ) -> None:
        self._process, self._realtime, self._capacity, self._primary_of = process, realtime, capacity, primary_of
        self._queues: dict[VenueName, _VenueQueue] = {}
        self._workers = asyncio.TaskGroup()
        self._closing = False

    async def publish(self, venue: VenueName, batch: Sequence[MarketEvent]) -> frozenset[InstrumentKey]:
        """Enqueue a feed's batch; return the instruments that lost events before it and need a restart."""
        queue = self._queue(venue)
        while not self._realtime and queue.waiting >= self._capacity:
            queue.drained.clear()
            await queue.drained.wait()
        if queue.waiting and queue.waiting + len(batch) > self._capacity:
            queue.drop(batch)
            return frozenset()
        gapped = frozenset(queue.gapped)
        if queue.dropped:
            self._put(queue, queue.take_loss(batch[0].ts_recv))
        self._put(queue, batch)
        return gapped

    def idle(self) -> bool:
        """Return whether nothing waits or is being processed."""
        return not any(queue.waiting or queue.busy for queue in self._queues.values())

    async def join(self) -> None:
        """Return when everything enqueued so far has been processed."""
        for queue in tuple(self._queues.values()):
            while queue.waiting or queue.busy:
                queue.drained.clear()
                await queue.drained.wait()

    async def __aenter__(self) -> Self:
        await self._workers.__aenter__()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._closing = True
        for queue in self._queues.values():
            queue.filled.set()
        await self._workers.__aexit__(kind, error, trace)

    def _queue(self, venue: VenueName) -> _VenueQueue:
        queue = self._queues.get(venue)
        if queue is None:
            queue = self._queues[venue] = _VenueQueue(venue, self._primary_of)
            self._workers.create_task(self._work(queue), name=f"queue-{len(self._queues)}")
        return queue

    def _put(self, queue: _VenueQueue, batch: Sequence[MarketEvent]) -> None:
        queue.batches.append(batch)
        queue.waiting += len(batch)
        queue.filled.set()

    async def _work(self, queue: _VenueQueue) -> None:
        while queue.batches or not self._closing:
            if not queue.batches:
                queue.filled.clear()
                await queue.filled.wait()
                continue
            batch = queue.batches.popleft()
            queue.waiting -= len(batch)
            queue.busy = True
            await self._process(batch)
            queue.busy = False
            queue.drained.set()
            await asyncio.sleep(0)  # a busy worker must not starve the feeds
