"""What the connections of one feed share: specification, queue, circuit breaker, epochs."""

import asyncio
from collections.abc import Awaitable, Callable, Coroutine, Mapping, Sequence
from typing import Any, Protocol

from msgspec import Struct

from predsurv.core.ids import VenueName
from predsurv.net import ws
from predsurv.ports import Clock, Mirrors
from predsurv.venues.streaming.circuit_breaker import CircuitBreaker
from predsurv.venues.streaming.codec import CodecFactory
from predsurv.venues.streaming.frame_samples import FrameSamples
from predsurv.venues.streaming.policy import StreamPolicy
from predsurv.venues.streaming.queue import EventSink, FrameQueue


class StreamSocket(Protocol):
    """The part of a WebSocket that a connection uses; ``predsurv.net.ws.Socket`` is one."""

    async def recv_many(self) -> Sequence[bytes]:
        """Return every message that has arrived, waiting for the first."""
        ...

    async def send(self, message: bytes) -> None:
        """Send one message."""
        ...

    async def aclose(self) -> None:
        """Close; safe to call twice."""
        ...


class StreamSpec(Struct, frozen=True, kw_only=True):
    """Where and how a venue streams.

    ``headers`` are made for each handshake (they may be signed). ``capacity`` is read after every
    batch: when the venue announces that connections carry fewer instruments, they are spread over
    more. ``announcement_codec`` makes the codec of one additional connection for announcements
    about the venue as a whole; it carries one instrument, and its books only show that it works: the feed tells by
    ``ChannelChange`` of ``lifecycle`` since when it does and when it was lost. ``set_mirrors``
    takes the mirrors of everything wanted before any codec is asked for it. ``pack`` lets the codecs made from then on
    put level changes together, where they can. ``background``
    runs from the first watched instrument until the feed is closed; it puts events into the queue
    that it is given. ``samples`` gets some of the frames that arrive. ``connect`` replaces the network in tests.
    """

    venue: VenueName
    url: str
    codec: CodecFactory
    instruments_per_connection: int
    headers: Callable[[], Mapping[str, str]] | None = None
    capacity: Callable[[], int | None] = lambda: None
    announcement_codec: CodecFactory | None = None
    set_mirrors: Callable[[Mirrors], None] = lambda _: None
    pack: Callable[[], None] = lambda: None
    background: Callable[[EventSink], Coroutine[Any, Any, None]] | None = None
    policy: StreamPolicy = StreamPolicy()
    samples: FrameSamples | None = None
    connect: Callable[[str, Mapping[str, str] | None], Awaitable[StreamSocket]] = ws.connect


class FeedContext:
    """State shared by the connections of one feed; ``open_connections`` counts those open now."""

    def __init__(self, spec: StreamSpec, clock: Clock, rand: Callable[[], float]) -> None:
        self.spec = spec
        self.clock = clock
        self.rand = rand
        self.queue = FrameQueue(spec.policy)
        self.breaker = CircuitBreaker(clock, spec.policy)
        self.open_connections = 0
        self.error: BaseException | None = None
        self._epoch = 0

    def next_epoch(self) -> int:
        """Return the number of a new connection."""
        self._epoch += 1
        return self._epoch

    def task_done(self, task: asyncio.Task[None]) -> None:
        """End the feed when ``task`` failed: ``batches`` raises the first such error. For ``add_done_callback``."""
        if not task.cancelled() and (error := task.exception()) is not None:
            self.error = self.error or error
            self.queue.wake()
