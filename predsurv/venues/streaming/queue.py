"""The queue between readers and consumer: frames of all connections, in order, bounded per connection.

Readers only append; decoding happens in ``drain``, in the consumer's time.
"""

import asyncio
from collections import deque
from collections.abc import Callable, Sequence
from typing import NamedTuple, Protocol

from predsurv.core.events import Disconnected, GapReason, MarketEvent
from predsurv.venues.streaming.policy import StreamPolicy
from predsurv.venues.streaming.session import ConnectionSession, DroppedFrames


class EventSink(Protocol):
    """Takes events that do not come from a stream; ``FrameQueue`` is one."""

    def put_events(self, events: Sequence[MarketEvent]) -> None:
        """Append events."""
        ...


class _QueuedFrames(NamedTuple):
    session: ConnectionSession
    ts: int
    frames: Sequence[bytes]
    size: int


class _QueuedOverflow(NamedTuple):
    session: ConnectionSession
    ts: int
    overflow: DroppedFrames


class _QueuedEnd(NamedTuple):
    session: ConnectionSession
    cause: GapReason
    disconnected: Disconnected


_Callback = Callable[[list[MarketEvent]], None]
_Item = _QueuedFrames | _QueuedOverflow | _QueuedEnd | _Callback | list[MarketEvent]


class FrameQueue:
    """Frames, events and callbacks in order of arrival."""

    def __init__(self, policy: StreamPolicy) -> None:
        self._policy = policy
        self._items: deque[_Item] = deque()
        self._filled = asyncio.Event()

    def put_frames(self, session: ConnectionSession, ts: int, frames: Sequence[bytes]) -> None:
        """Append what one read returned at ``ts`` (ns UTC), or count it as dropped.

        Frames are dropped from the moment when too many frames or bytes of ``session`` wait until
        ``drain`` has reached that moment.
        """
        if session.overflow is not None:
            session.overflow.count += len(frames)
            return
        size = sum(map(len, frames))
        if (
            session.waiting_frames + len(frames) > self._policy.waiting_frames_max
            or session.waiting_bytes + size > self._policy.waiting_bytes_max
        ):
            session.overflow = DroppedFrames(len(frames))
            self._items.append(_QueuedOverflow(session, ts, session.overflow))
        else:
            session.waiting_frames += len(frames)
            session.waiting_bytes += size
            self._items.append(_QueuedFrames(session, ts, frames, size))
        self._filled.set()

    def put_end(self, session: ConnectionSession, cause: GapReason, disconnected: Disconnected) -> None:
        """Append the end of a connection: a Gap for everything it carried, then ``disconnected``."""
        self._items.append(_QueuedEnd(session, cause, disconnected))
        self._filled.set()

    def put_events(self, events: Sequence[MarketEvent]) -> None:
        """Append events that do not come from frames."""
        if events:
            self._items.append(list(events))
            self._filled.set()

    def put_callback(self, callback: Callable[[list[MarketEvent]], None]) -> None:
        """Append a function that appends its events once everything before it is decoded."""
        self._items.append(callback)
        self._filled.set()

    def wake(self) -> None:
        """Make ``wait`` return."""
        self._filled.set()

    async def wait(self) -> None:
        """Return when there may be something to drain; always lets other tasks run first."""
        await asyncio.sleep(0)
        await self._filled.wait()

    def drain(self, now: int) -> list[MarketEvent]:
        """Decode what waits, up to the bound on one batch, and return its events; ``now`` is monotonic (ns)."""
        out: list[MarketEvent] = []
        frames = 0
        while self._items and frames < self._policy.turn_frames_max:
            item = self._items.popleft()
            if isinstance(item, _QueuedFrames):
                item.session.receive(item.frames, item.ts, now, out)
                item.session.waiting_frames -= len(item.frames)
                item.session.waiting_bytes -= item.size
                frames += len(item.frames)
            elif isinstance(item, _QueuedOverflow):
                item.session.resync(item.overflow, item.ts, now, out)
            elif isinstance(item, _QueuedEnd):
                item.session.end(item.cause, item.disconnected.ts_recv, out)
                out.append(item.disconnected)
            elif isinstance(item, list):
                out += item
            else:
                item(out)
        if not self._items:
            self._filled.clear()
        return out
