"""The only reconnect loop: a feed made of a pool of connections that watch over themselves.

Kept apart from venues because reconnecting right is hard and the same everywhere: a venue brings
a codec and an address, and gets jittered reconnects, bounded queues and honest gaps.
"""

import asyncio
import logging
from collections import deque
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from collections.abc import Set as AbstractSet
from contextlib import suppress
from typing import Final, NamedTuple, Protocol

from msgspec import Struct

from predsurv.core.errors import PermanentError, PredsurvError, RateLimited, TransientError
from predsurv.core.events import Connected, Disconnected, Gap, GapReason, MarketEvent
from predsurv.core.ids import InstrumentKey, VenueName
from predsurv.core.text import sanitise
from predsurv.net import ws
from predsurv.net.backoff import Backoff
from predsurv.net.limiter import TokenBucket
from predsurv.ports import Clock
from predsurv.venues.codec import CodecFactory
from predsurv.venues.conversation import Conversation, Overflow, StreamPolicy

LANES_MAX: Final = 1_000
"""Most connections of one feed."""

_CLOSED: Final[tuple[GapReason, str]] = ("disconnect", "not needed any more")

_logger = logging.getLogger(__name__)


class Socket(Protocol):
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


class Stream(Struct, frozen=True, kw_only=True):
    """Where and how a venue streams.

    ``headers`` are made for each handshake (they may be signed). ``capacity`` is asked after every
    turn: when the venue has said that connections carry fewer instruments, they are spread over
    more. ``connect`` replaces the network in tests.
    """

    venue: VenueName
    url: str
    codec: CodecFactory
    instruments_per_connection: int
    headers: Callable[[], Mapping[str, str]] | None = None
    capacity: Callable[[], int | None] = lambda: None
    policy: StreamPolicy = StreamPolicy()
    connect: Callable[[str, Mapping[str, str] | None], Awaitable[Socket]] = ws.connect


class _FrozenError(TransientError):
    """The connection is open and dead."""


class _Arrived(NamedTuple):
    talk: Conversation
    ts: int
    frames: Sequence[bytes]
    size: int


class _LetGo(NamedTuple):
    talk: Conversation
    ts: int
    overflow: Overflow


_Item = _Arrived | _LetGo | Sequence[MarketEvent]


class Inbox:
    """What arrived on all connections, in order, not yet decoded; bounded for each connection."""

    def __init__(self, policy: StreamPolicy) -> None:
        self._policy = policy
        self._items: deque[_Item] = deque()
        self._filled = asyncio.Event()
        self.overflows = 0

    def put_frames(self, talk: Conversation, ts: int, frames: Sequence[bytes]) -> None:
        """Take what arrived, or count it as let go when too much of this connection waits."""
        if talk.overflow is not None:
            talk.overflow.count += len(frames)
            return
        size = sum(map(len, frames))
        if (
            talk.waiting_frames + len(frames) > self._policy.waiting_frames_max
            or talk.waiting_bytes + size > self._policy.waiting_bytes_max
        ):
            talk.overflow = Overflow(len(frames))
            self._items.append(_LetGo(talk, ts, talk.overflow))
            self.overflows += 1
        else:
            talk.waiting_frames += len(frames)
            talk.waiting_bytes += size
            self._items.append(_Arrived(talk, ts, frames, size))
        self._filled.set()

    def put_events(self, events: Sequence[MarketEvent]) -> None:
        """Take events that are about the connections themselves."""
        if events:
            self._items.append(events)
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
            if isinstance(item, _Arrived):
                item.talk.receive(item.frames, item.ts, now, out)
                item.talk.waiting_frames -= len(item.frames)
                item.talk.waiting_bytes -= item.size
                frames += len(item.frames)
            elif isinstance(item, _LetGo):
                self.overflows -= 1
                item.talk.resync(item.overflow, item.ts, now, out)
            else:
                out += item
        if not self._items:
            self._filled.clear()
        return out


class Pool:
    """What the lanes of one feed share."""

    def __init__(self, stream: Stream, clock: Clock, rand: Callable[[], float]) -> None:
        policy = stream.policy
        self.stream = stream
        self.clock = clock
        self.rand = rand
        self.inbox = Inbox(policy)
        self.gate = TokenBucket(clock, tokens=1, period=policy.handshake_interval, burst=1)
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


class Lane:
    """One place in the pool: the instruments it carries and the connection that it keeps up."""

    def __init__(self, pool: Pool) -> None:
        self.keys: set[InstrumentKey] = set()
        self._pool = pool
        self._policy = pool.stream.policy
        self._venue = pool.stream.venue
        self._backoff = Backoff(pool.rand, base=self._policy.backoff_base, cap=self._policy.backoff_cap)
        self._talk: Conversation | None = None
        self._stirred = asyncio.Event()
        self._task = asyncio.create_task(self._run(), name=f"{self._venue} lane")
        self._task.add_done_callback(self._ended)

    def change(self, add: AbstractSet[InstrumentKey], drop: AbstractSet[InstrumentKey]) -> None:
        """Carry ``add`` and no longer ``drop``; events of ``drop`` stop at once."""
        self.keys = (self.keys - drop) | add
        if self._talk is not None:
            self._talk.ask(add, drop, self._pool.clock.monotonic())
        self._stirred.set()

    async def aclose(self) -> None:
        """Stop; safe to call twice."""
        self._task.cancel()
        with suppress(asyncio.CancelledError):
            await asyncio.wait([self._task])

    def _ended(self, task: asyncio.Task[None]) -> None:
        if not task.cancelled() and (error := task.exception()) is not None:
            self._pool.fail(error)

    async def _run(self) -> None:
        while True:
            at_least: int | None = None
            try:
                await self._pool.gate.acquire()
                await self._connection()
            except RateLimited as error:
                at_least = error.retry_after_ns
                self._pool.gate.hold(at_least or self._policy.backoff_base)
                self._report(error)
            except TransientError as error:
                at_least = error.retry_after_ns
                self._report(error)
            await self._pool.clock.sleep(self._backoff.next_delay(at_least))

    def _report(self, error: PredsurvError) -> None:
        """Say once that this is an outage; the attempts go on."""
        if self._backoff.failures + 1 != self._policy.outage_attempts:
            return
        reason = sanitise(f"outage: {self._policy.outage_attempts} attempts failed, still trying: {error}")
        _logger.error("%s: %s", self._venue, reason)
        now = self._pool.clock.now()
        self._pool.inbox.put_events([Disconnected(self._venue, now, 0, self._pool.connections, reason)])

    async def _connection(self) -> None:
        """Live through one connection; raises TransientError with why it ended."""
        pool, stream = self._pool, self._pool.stream
        socket = await stream.connect(stream.url, stream.headers() if stream.headers is not None else None)
        epoch = pool.next_epoch()
        talk = Conversation(self._venue, epoch, stream.codec(epoch), self._policy, pool.clock.monotonic())
        pool.connections += 1
        pool.inbox.put_events([Connected(self._venue, pool.clock.now(), epoch, pool.connections)])
        cause, reason = _CLOSED
        try:
            talk.ask(frozenset(self.keys), frozenset(), pool.clock.monotonic())
            self._talk = talk
            await self._converse(talk, socket)
        except TransientError as error:
            cause = "stall" if isinstance(error, _FrozenError) else "disconnect"
            reason = sanitise(str(error))
            _logger.warning("%s: connection %d is over: %s", self._venue, epoch, reason)
            raise
        finally:
            self._talk = None
            pool.connections -= 1
            now = pool.clock.now()
            farewell = Disconnected(self._venue, now, epoch, pool.connections, reason)
            pool.inbox.put_events([*talk.gaps(cause, now), farewell])
            if talk.stable(pool.clock.monotonic()):
                self._backoff.reset()
            await socket.aclose()

    async def _converse(self, talk: Conversation, socket: Socket) -> None:
        """Read and mind until either ends, which raises: _FrozenError or what the socket raised."""
        tasks = [asyncio.create_task(self._read(talk, socket)), asyncio.create_task(self._mind(talk, socket))]
        try:
            await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
            for task in tasks:
                if task.done():
                    task.result()
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)

    async def _read(self, talk: Conversation, socket: Socket) -> None:
        """Only take and queue: a reader that does more is the slow consumer that venues drop."""
        inbox, clock = self._pool.inbox, self._pool.clock
        while True:
            frames = await socket.recv_many()
            inbox.put_frames(talk, clock.now(), frames)

    async def _mind(self, talk: Conversation, socket: Socket) -> None:
        """Send what is to be sent and watch the time; raises _FrozenError when nothing comes."""
        clock = self._pool.clock
        while True:
            events: list[MarketEvent] = []
            flows = talk.check(clock.now(), clock.monotonic(), events)
            self._pool.inbox.put_events(events)
            if not flows:
                raise _FrozenError("no data came although the connection stayed open")
            frames, talk.outgoing = talk.outgoing, []
            for frame in frames:
                await socket.send(frame)
            await self._nap()

    async def _nap(self) -> None:
        """Wait a tick, less when something is to be sent."""
        waits = [
            asyncio.ensure_future(self._stirred.wait()),
            asyncio.ensure_future(self._pool.clock.sleep(self._policy.tick)),
        ]
        try:
            await asyncio.wait(waits, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for wait in waits:
                wait.cancel()
        self._stirred.clear()


class StreamingFeed:
    """A ``Feed`` over as many connections as the desired set needs.

    Must be made and used inside one running event loop. ``rand`` gives jitter in [0, 1).
    """

    def __init__(self, stream: Stream, clock: Clock, rand: Callable[[], float]) -> None:
        self._pool = Pool(stream, clock, rand)
        self._capacity = stream.instruments_per_connection
        self._want: AbstractSet[InstrumentKey] = frozenset()
        self._lanes: list[Lane] = []
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
            lane = Lane(self._pool)
            lane.change(_take(missing, self._capacity), frozenset())
            self._lanes.append(lane)

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
        self._pool.inbox.wake()
        await asyncio.gather(*(lane.aclose() for lane in lanes))


def _take(keys: deque[InstrumentKey], count: int) -> set[InstrumentKey]:
    return {keys.popleft() for _ in range(min(count, len(keys)))}
