"""A feed made of as many streaming connections as the desired set needs.

Kept apart from ``lane`` (which keeps one connection up) because it only decides who carries what.
"""

import asyncio
from collections import deque
from collections.abc import AsyncIterator, Callable, Sequence
from collections.abc import Set as AbstractSet
from typing import Final

from predsurv.core.errors import PermanentError
from predsurv.core.events import Gap, Malformed, MarketChange, MarketEvent, MarketResolved, Unknown
from predsurv.core.ids import InstrumentKey
from predsurv.ports import Clock
from predsurv.venues.streaming.connection import ConnectionRole, ReconnectingConnection, unanswered
from predsurv.venues.streaming.context import FeedContext, StreamSocket, StreamSpec

__all__ = ["LANES_MAX", "StreamSocket", "StreamSpec", "StreamingFeed"]

LANES_MAX: Final = 1_000
"""Most connections of one feed."""


class StreamingFeed:
    """A ``Feed`` over as many connections as the desired set needs.

    Must be made and used inside one running event loop. ``rand`` gives jitter in [0, 1).
    """

    def __init__(self, stream: StreamSpec, clock: Clock, rand: Callable[[], float]) -> None:
        self._pool = FeedContext(stream, clock, rand)
        self._capacity = stream.instruments_per_connection
        self._want: AbstractSet[InstrumentKey] = frozenset()
        self._lanes: list[ReconnectingConnection] = []
        self._moved: set[InstrumentKey] = set()
        self._herald: ReconnectingConnection | None = None
        self._beside: asyncio.Task[None] | None = None
        self._closed = False

    async def watch(self, want: AbstractSet[InstrumentKey]) -> None:
        """Set the whole desired set; raises PermanentError beyond what all connections can carry."""
        if self._closed:
            return
        if len(want) > LANES_MAX * self._capacity:
            raise PermanentError(f"{len(want)} instruments are more than {LANES_MAX} connections carry; want fewer")
        self._want = want
        carried: set[InstrumentKey] = set()
        held = {key for lane in self._lanes for key in lane.keys}
        for lane in self._lanes:
            carried |= set(sorted(lane.keys & want)[: self._capacity])
        self._moved &= want
        missing = deque(sorted(want - carried))
        now = self._pool.clock.now()
        self._pool.inbox.put_events([Gap(key, now, "subscribing", 0) for key in missing if key in held])
        for lane in list(self._lanes):
            drop = lane.keys - carried
            add = _take(missing, self._capacity - len(lane.keys) + len(drop))
            if add or drop:
                lane.change(add, drop)
            if not lane.keys:
                self._lanes.remove(lane)
                await lane.aclose()
        while missing:
            lane = ReconnectingConnection(self._pool, ConnectionRole(self._pool.stream.codec))
            lane.change(_take(missing, self._capacity), frozenset())
            self._lanes.append(lane)
        await self._accompany(want)

    async def _accompany(self, want: AbstractSet[InstrumentKey]) -> None:
        """Keep up what runs beside the lanes as long as anything is wanted."""
        stream = self._pool.stream
        if stream.herald is not None:
            if not want and self._herald is not None:
                await self._herald.aclose()
                self._herald = None
            elif want and self._herald is None:
                self._herald = ReconnectingConnection(self._pool, ConnectionRole(stream.herald, only_about_markets))
            if self._herald is not None and self._herald.keys.isdisjoint(want):
                self._herald.change({min(want)}, self._herald.keys)
        if want and stream.beside is not None and self._beside is None:
            self._beside = asyncio.create_task(stream.beside(self._pool.inbox), name=f"{stream.venue} beside")
            self._beside.add_done_callback(self._ended)

    def _ended(self, task: asyncio.Task[None]) -> None:
        if not task.cancelled() and (error := task.exception()) is not None:
            self._pool.fail(error)

    @property
    def overflowing(self) -> bool:
        """Whether messages are being let go now because ``batches`` is not read fast enough."""
        return self._pool.inbox.overflows > 0

    async def batches(self) -> AsyncIterator[Sequence[MarketEvent]]:
        """Yield what arrived since the last turn; decoding happens here, in the consumer's time.

        Raises PermanentError when the venue refuses the handshake for good (401, 403), and
        whatever a defect raised in a connection's task.
        """
        pool = self._pool
        while True:
            await pool.inbox.wait()
            if self._closed:
                return
            events = pool.inbox.drain(pool.clock.monotonic())
            if events:
                yield events
            if pool.error is not None:
                raise pool.error
            await self._shrink()
            await self._move_unanswered()

    async def _move_unanswered(self) -> None:
        """Carry elsewhere what one connection was asked for in vain: once, as settled ones never answer."""
        for lane in list(self._lanes):
            if self._closed:
                return  # while an empty one was closing
            stuck = (unanswered(lane) & lane.keys) - self._moved
            for key in sorted(stuck):
                others = [each for each in self._lanes if each is not lane and len(each.keys) < self._capacity]
                if not others and len(self._lanes) < LANES_MAX:
                    others = [ReconnectingConnection(self._pool, ConnectionRole(self._pool.stream.codec))]
                    self._lanes += others
                if others:
                    self._moved.add(key)
                    lane.change(frozenset(), {key})
                    min(others, key=lambda each: len(each.keys)).change({key}, frozenset())
            if stuck and not lane.keys:
                self._lanes.remove(lane)
                await lane.aclose()

    async def _shrink(self) -> None:
        """Spread what is wanted over more connections when the venue wants each to carry less."""
        capacity = self._pool.stream.capacity()
        if capacity is not None and capacity < self._capacity and not self._closed:
            self._capacity = capacity
            await self.watch(self._want)

    async def aclose(self) -> None:
        """Close every connection and end ``batches``; safe to call twice."""
        self._closed = True
        lanes, self._lanes = self._lanes, []
        if self._herald is not None:
            lanes.append(self._herald)
        self._pool.inbox.wake()
        if self._beside is not None:
            self._beside.cancel()
            await asyncio.wait([self._beside])
        await asyncio.gather(*(lane.aclose() for lane in lanes))


def only_about_markets(events: Sequence[MarketEvent], out: list[MarketEvent]) -> None:
    """Pass on what a herald says about markets, and what it could not read."""
    out += (event for event in events if isinstance(event, MarketChange | MarketResolved | Malformed | Unknown))


def _take(keys: deque[InstrumentKey], count: int) -> set[InstrumentKey]:
    return {keys.popleft() for _ in range(min(count, len(keys)))}
