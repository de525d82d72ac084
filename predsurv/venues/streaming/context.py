"""What the connections of one feed share: where to, how many, what arrived, and the numbers they get.

Kept apart so that a lane, which lives through one connection after another, is only that.
"""

from collections.abc import Awaitable, Callable, Coroutine, Mapping, Sequence
from typing import Any, Protocol

from msgspec import Struct

from predsurv.core.ids import VenueName
from predsurv.net import ws
from predsurv.ports import Clock
from predsurv.venues.streaming.codec import CodecFactory
from predsurv.venues.streaming.connect_gate import ConnectGate
from predsurv.venues.streaming.queue import FrameQueue
from predsurv.venues.streaming.session import StreamPolicy


class StreamSocket(Protocol):
    """What a lane needs of a connection; ``predsurv.net.ws.Socket`` is one."""

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

    ``headers`` are made for each handshake (they may be signed). ``capacity`` is asked after every
    turn: when the venue has said that connections carry fewer instruments, they are spread over
    more. ``herald`` makes the codec of a connection of its own for what is said about the venue as
    a whole; it carries one instrument and no books. ``beside`` runs as long as the feed watches
    anything, and puts what it finds into the inbox. ``connect`` replaces the network in tests.
    """

    venue: VenueName
    url: str
    codec: CodecFactory
    instruments_per_connection: int
    headers: Callable[[], Mapping[str, str]] | None = None
    capacity: Callable[[], int | None] = lambda: None
    herald: CodecFactory | None = None
    beside: Callable[[FrameQueue], Coroutine[Any, Any, None]] | None = None
    policy: StreamPolicy = StreamPolicy()
    connect: Callable[[str, Mapping[str, str] | None], Awaitable[StreamSocket]] = ws.connect


class FeedContext:
    """The shared part of one feed; ``connections`` are open now."""

    def __init__(self, stream: StreamSpec, clock: Clock, rand: Callable[[], float]) -> None:
        self.stream = stream
        self.clock = clock
        self.rand = rand
        self.inbox = FrameQueue(stream.policy)
        self.admission = ConnectGate(clock, stream.policy)
        self.connections = 0
        self.error: BaseException | None = None
        self._epoch = 0

    def next_epoch(self) -> int:
        """Return the number of a new connection."""
        self._epoch += 1
        return self._epoch

    def fail(self, error: BaseException) -> None:
        """End the feed: ``batches`` raises ``error``."""
        self.error = self.error or error
        self.inbox.wake()
