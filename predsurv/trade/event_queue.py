"""One lane per venue between the feeds and the engine.

Kept apart because here is the only queue of a trading run: what happens when a feed is faster
than the strategies is decided in this file and nowhere else.
"""

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable, Sequence
from types import TracebackType
from typing import Final, Self

from predsurv.core.events import Dropped, Gap, MarketEvent
from predsurv.core.ids import InstrumentKey, VenueName

LANE_EVENTS_MAX: Final = 50_000
"""Events that wait in one lane at most."""

Process = Callable[[Sequence[MarketEvent]], Awaitable[None]]


class _VenueQueue:
    """A bounded queue of batches with its worker; ``lost`` is what did not fit since the last one."""

    def __init__(self, venue: VenueName) -> None:
        self.venue = venue
        self.batches: deque[Sequence[MarketEvent]] = deque()
        self.waiting = 0
        self.busy = False
        self.filled, self.drained = asyncio.Event(), asyncio.Event()
        self.lost = 0
        self.blind: dict[InstrumentKey, int] = {}

    def drop(self, batch: Sequence[MarketEvent]) -> None:
        """Let a batch go and remember whose events it held."""
        self.lost += len(batch)
        for event in batch:
            key = getattr(event, "key", None)
            if key is not None:
                self.blind[key] = getattr(event, "epoch", 0)

    def own_up(self, ts: int) -> Sequence[MarketEvent]:
        """Return the loss as events: how much, and from whom nothing is known now."""
        said: list[MarketEvent] = [Dropped(self.venue, ts, self.lost)]
        said += [Gap(key, ts, "overflow", epoch) for key, epoch in self.blind.items()]
        self.lost, self.blind = 0, {}
        return said


class EventQueue:
    """Sends each batch down its venue's lane; a lane's worker keeps the order of what it is given.

    In real time a full lane drops what comes and says so with ``Dropped`` and a ``Gap`` for each
    instrument concerned before the next batch; ``publish`` then returns those instruments, whose
    books need a new start. Otherwise (``realtime`` False) the feed is made to wait.
    Used as a context manager: leaving it lets every lane finish.
    """

    def __init__(self, process: Process, *, realtime: bool, capacity: int = LANE_EVENTS_MAX) -> None:
        self._process, self._realtime, self._capacity = process, realtime, capacity
        self._lanes: dict[VenueName, _VenueQueue] = {}
        self._group = asyncio.TaskGroup()
        self._closing = False

    async def publish(self, venue: VenueName, batch: Sequence[MarketEvent]) -> frozenset[InstrumentKey]:
        """Hand a feed's batch over; return the instruments that lost events and are to be restarted."""
        lane = self._lane(venue)
        while not self._realtime and lane.waiting >= self._capacity:
            lane.drained.clear()
            await lane.drained.wait()
        if lane.waiting and lane.waiting + len(batch) > self._capacity:
            lane.drop(batch)
            return frozenset()
        blind = frozenset(lane.blind)
        if lane.lost:
            self._put(lane, lane.own_up(batch[0].ts_recv))
        self._put(lane, batch)
        return blind

    def idle(self) -> bool:
        """Return whether nothing waits or is being worked on."""
        return not any(lane.waiting or lane.busy for lane in self._lanes.values())

    async def join(self) -> None:
        """Return when everything handed over so far has been worked on."""
        for lane in tuple(self._lanes.values()):
            while lane.waiting or lane.busy:
                lane.drained.clear()
                await lane.drained.wait()

    def depth(self) -> int:
        """Return how many events wait."""
        return sum(lane.waiting for lane in self._lanes.values())

    async def __aenter__(self) -> Self:
        await self._group.__aenter__()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._closing = True
        for lane in self._lanes.values():
            lane.filled.set()
        await self._group.__aexit__(kind, error, trace)

    def _lane(self, venue: VenueName) -> _VenueQueue:
        lane = self._lanes.get(venue)
        if lane is None:
            lane = self._lanes[venue] = _VenueQueue(venue)
            self._group.create_task(self._work(lane), name=f"lane-{len(self._lanes)}")
        return lane

    def _put(self, lane: _VenueQueue, batch: Sequence[MarketEvent]) -> None:
        lane.batches.append(batch)
        lane.waiting += len(batch)
        lane.filled.set()

    async def _work(self, lane: _VenueQueue) -> None:
        while lane.batches or not self._closing:
            if not lane.batches:
                lane.filled.clear()
                await lane.filled.wait()
                continue
            batch = lane.batches.popleft()
            lane.waiting -= len(batch)
            lane.busy = True
            await self._process(batch)
            lane.busy = False
            lane.drained.set()
            await asyncio.sleep(0)  # a busy lane must not starve the feeds
