"""What arrived on all connections of a feed and is not decoded yet: in order, and bounded for each.

Kept apart from reading and from decoding because it is where both meet: the reader only puts, and
decoding happens in the time of whoever takes.
"""

import asyncio
from collections import deque
from collections.abc import Callable, Sequence
from typing import NamedTuple, Protocol

from predsurv.core.events import Disconnected, GapReason, MarketEvent
from predsurv.venues.streaming.session import ConnectionSession, MessagesDropped, StreamPolicy


class EventSink(Protocol):
    """Where what was found out beside the streams goes; ``FrameQueue`` is one."""

    def put_events(self, events: Sequence[MarketEvent]) -> None:
        """Take events."""
        ...


class _QueuedFrames(NamedTuple):
    talk: ConnectionSession
    ts: int
    frames: Sequence[bytes]
    size: int


class _QueuedDrop(NamedTuple):
    talk: ConnectionSession
    ts: int
    overflow: MessagesDropped


class _QueuedEnd(NamedTuple):
    talk: ConnectionSession
    cause: GapReason
    farewell: Disconnected


_Turn = Callable[[list[MarketEvent]], None]
_Item = _QueuedFrames | _QueuedDrop | _QueuedEnd | _Turn | list[MarketEvent]


class FrameQueue:
    """The queue; ``overflows`` is how many connections are losing messages now."""

    def __init__(self, policy: StreamPolicy) -> None:
        self._policy = policy
        self._items: deque[_Item] = deque()
        self._filled = asyncio.Event()
        self.overflows = 0

    def put_frames(self, talk: ConnectionSession, ts: int, frames: Sequence[bytes]) -> None:
        """Take what arrived, or count it as let go when too much of this connection waits."""
        if talk.overflow is not None:
            talk.overflow.count += len(frames)
            return
        size = sum(map(len, frames))
        if (
            talk.waiting_frames + len(frames) > self._policy.waiting_frames_max
            or talk.waiting_bytes + size > self._policy.waiting_bytes_max
        ):
            talk.overflow = MessagesDropped(len(frames))
            self._items.append(_QueuedDrop(talk, ts, talk.overflow))
            self.overflows += 1
        else:
            talk.waiting_frames += len(frames)
            talk.waiting_bytes += size
            self._items.append(_QueuedFrames(talk, ts, frames, size))
        self._filled.set()

    def put_end(self, talk: ConnectionSession, cause: GapReason, farewell: Disconnected) -> None:
        """Take that a connection is over: what it carried is a gap from its last data on."""
        self._items.append(_QueuedEnd(talk, cause, farewell))
        self._filled.set()

    def put_events(self, events: Sequence[MarketEvent]) -> None:
        """Take events that are about the connections themselves."""
        if events:
            self._items.append(list(events))
            self._filled.set()

    def put_turn(self, turn: Callable[[list[MarketEvent]], None]) -> None:
        """Take a function that appends its events when everything before it is decoded."""
        self._items.append(turn)
        self._filled.set()

    def wake(self) -> None:
        """Make ``wait`` return."""
        self._filled.set()

    async def wait(self) -> None:
        """Return when there may be something; always lets other tasks run first."""
        await asyncio.sleep(0)
        await self._filled.wait()

    def drain(self, now: int) -> list[MarketEvent]:
        """Return the events of one turn: everything that waits, up to the bound on a turn."""
        out: list[MarketEvent] = []
        frames = 0
        while self._items and frames < self._policy.turn_frames_max:
            item = self._items.popleft()
            if isinstance(item, _QueuedFrames):
                item.talk.receive(item.frames, item.ts, now, out)
                item.talk.waiting_frames -= len(item.frames)
                item.talk.waiting_bytes -= item.size
                frames += len(item.frames)
            elif isinstance(item, _QueuedDrop):
                self.overflows -= 1
                item.talk.resync(item.overflow, item.ts, now, out)
            elif isinstance(item, _QueuedEnd):
                item.talk.end(item.cause, item.farewell.ts_recv, out)
                out.append(item.farewell)
            elif isinstance(item, list):
                out += item
            else:
                item(out)
        if not self._items:
            self._filled.clear()
        return out
