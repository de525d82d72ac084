"""A feed over as many streaming connections as the desired set needs: which connection carries what."""

import asyncio
from collections import deque
from collections.abc import AsyncIterator, Callable, Sequence
from collections.abc import Set as AbstractSet
from typing import Final

from predsurv.core.errors import PermanentError
from predsurv.core.events import Gap, MarketEvent
from predsurv.core.ids import InstrumentKey
from predsurv.core.level_changes import PackedEvent
from predsurv.ports import NO_MIRRORS, Clock, Mirrors
from predsurv.venues.streaming.announcements import AnnouncementFilter
from predsurv.venues.streaming.connection import ConnectionRole, ReconnectingConnection
from predsurv.venues.streaming.context import FeedContext, StreamSpec

CONNECTIONS_MAX: Final = 1_000
"""Most connections of one feed."""


class StreamingFeed:
    """A ``Feed`` over as many connections as the desired set needs.

    Must be made and used inside one running event loop. ``rand`` gives jitter in [0, 1).
    """

    def __init__(self, spec: StreamSpec, clock: Clock, rand: Callable[[], float]) -> None:
        self._context = FeedContext(spec, clock, rand)
        self._capacity = spec.instruments_per_connection
        self._want: AbstractSet[InstrumentKey] = frozenset()
        self._connections: list[ReconnectingConnection] = []
        self._closing: set[ReconnectingConnection] = set()
        self._moved: set[InstrumentKey] = set()
        """Instruments that were moved to another connection because one never answered."""
        self._announcements: ReconnectingConnection | None = None
        self._background: asyncio.Task[None] | None = None
        self._closed = False

    async def watch(self, want: AbstractSet[InstrumentKey], mirrors: Mirrors = NO_MIRRORS) -> None:
        """Set the whole desired set; raises PermanentError beyond what all connections can carry.

        An instrument and its mirror are one for this purpose: whether to request both is the codec's business.
        """
        if not self._closed:
            self._context.spec.set_mirrors(mirrors)
            await self._assign(want)

    async def _assign(self, want: AbstractSet[InstrumentKey]) -> None:
        """Spread ``want`` over the connections."""
        if len(want) > CONNECTIONS_MAX * self._capacity:
            raise PermanentError(
                f"{len(want)} instruments are more than {CONNECTIONS_MAX} connections carry; want fewer"
            )
        self._want = want
        carried: set[InstrumentKey] = set()
        carried_before = {key for connection in self._connections for key in connection.keys}
        for connection in self._connections:
            carried |= set(sorted(connection.keys & want)[: self._capacity])
        self._moved &= want
        missing = deque(sorted(want - carried))
        now = self._context.clock.now()
        self._context.queue.put_events([Gap(key, now, "subscribing", 0) for key in missing if key in carried_before])
        for connection in list(self._connections):
            drop = connection.keys - carried
            add = _take(missing, self._capacity - len(connection.keys) + len(drop))
            if add or drop:
                connection.change(add, drop)
            if not connection.keys:
                await self._remove(connection)
        while missing:
            self._new_connection().change(_take(missing, self._capacity), frozenset())
        await self._watch_announcements(want)
        self._start_background(want)

    async def batches(self) -> AsyncIterator[Sequence[MarketEvent]]:
        """Yield what arrived since the last batch; decoding happens here, in the consumer's time.

        Raises PermanentError when the venue refuses the handshake for good (401, 403), and
        whatever a defect raised in a connection's task.
        """
        context = self._context
        while True:
            await context.queue.wait()
            if self._closed:
                return
            events = context.queue.drain(context.clock.monotonic())
            if events:
                yield events
            if context.error is not None:
                raise context.error
            await self._reduce_capacity()
            await self._move_unanswered()

    def packed_batches(self) -> AsyncIterator[Sequence[PackedEvent]]:
        """Do as ``batches`` does, with level changes put together from the connections that are opened from now on."""
        self._context.spec.pack()
        return self.batches()

    async def aclose(self) -> None:
        """Close every connection and end ``batches``; safe to call twice."""
        self._closed = True
        connections, self._connections = [*self._connections, *self._closing], []
        if self._announcements is not None:
            connections.append(self._announcements)
        self._context.queue.wake()
        if self._background is not None:
            self._background.cancel()
            await asyncio.wait([self._background])
        await asyncio.gather(*(connection.aclose() for connection in connections))

    def _new_connection(self) -> ReconnectingConnection:
        connection = ReconnectingConnection(self._context, ConnectionRole(self._context.spec.codec))
        self._connections.append(connection)
        return connection

    async def _remove(self, connection: ReconnectingConnection) -> None:
        self._connections.remove(connection)
        self._closing.add(connection)  # whoever waits here may be cancelled: ``aclose`` waits for it, too
        await connection.aclose()
        self._closing.discard(connection)

    async def _watch_announcements(self, want: AbstractSet[InstrumentKey]) -> None:
        """Keep the connection for announcements, carrying one wanted instrument, as long as there is one."""
        codec = self._context.spec.announcement_codec
        if codec is None:
            return
        if not want and self._announcements is not None:
            await self._announcements.aclose()
            self._announcements = None
        elif want and self._announcements is None:
            self._announcements = ReconnectingConnection(
                self._context, ConnectionRole(codec, AnnouncementFilter(self._context.spec.venue))
            )
        if self._announcements is not None and self._announcements.keys.isdisjoint(want):
            self._announcements.change({min(want)}, self._announcements.keys)

    def _start_background(self, want: AbstractSet[InstrumentKey]) -> None:
        spec = self._context.spec
        if want and spec.background is not None and self._background is None:
            background = spec.background(self._context.queue)
            self._background = asyncio.create_task(background, name=f"{spec.venue} background")
            self._background.add_done_callback(self._context.task_done)

    async def _move_unanswered(self) -> None:
        """Move what one connection requested without an answer to another one: once, as settled ones never answer."""
        for connection in list(self._connections):
            if self._closed:
                return  # while an empty one was closing
            stuck = (connection.unanswered & connection.keys) - self._moved
            for key in sorted(stuck):
                others = [
                    each for each in self._connections if each is not connection and len(each.keys) < self._capacity
                ]
                if not others and len(self._connections) < CONNECTIONS_MAX:
                    others = [self._new_connection()]
                if others:
                    self._moved.add(key)
                    connection.change(frozenset(), {key})
                    min(others, key=lambda each: len(each.keys)).change({key}, frozenset())
            if stuck and not connection.keys:
                await self._remove(connection)

    async def _reduce_capacity(self) -> None:
        """Spread the desired set over more connections when the venue wants each to carry less."""
        capacity = self._context.spec.capacity()
        if capacity is not None and capacity < self._capacity and not self._closed:
            self._capacity = capacity
            await self._assign(self._want)


def _take(keys: deque[InstrumentKey], count: int) -> set[InstrumentKey]:
    return {keys.popleft() for _ in range(min(count, len(keys)))}
