"""The only reconnect loop: one place in a feed, kept up through one connection after another.

Kept apart from venues because reconnecting right is hard and the same everywhere: a venue brings
a codec and an address, and gets jittered reconnects, replacement without a seam and honest gaps.
"""

import asyncio
import logging
from collections.abc import Set as AbstractSet
from contextlib import suppress
from functools import partial
from typing import Final, NoReturn

from msgspec import Struct

from predsurv.core.errors import BrokenInvariant, PredsurvError, RateLimited, TransientError
from predsurv.core.events import Connected, Disconnected, MarketEvent
from predsurv.core.ids import InstrumentKey
from predsurv.core.text import sanitise
from predsurv.net.backoff import Backoff
from predsurv.venues.streaming.codec import CodecFactory
from predsurv.venues.streaming.context import FeedContext, StreamSocket
from predsurv.venues.streaming.session import ConnectionSession, Gate
from predsurv.venues.streaming.takeover import Takeover

_NOT_NEEDED: Final = "not needed any more"
_REPLACED: Final = "replaced by a new connection"

_logger = logging.getLogger(__name__)


class FrozenError(TransientError):
    """The connection is open and dead."""


class OpenConnection:
    """One open connection: what is said on it, and the task that reads and minds it."""

    def __init__(self, pool: FeedContext, talk: ConnectionSession, socket: StreamSocket) -> None:
        self.talk = talk
        self.task = asyncio.create_task(self._converse(), name=f"{pool.stream.venue} connection {talk.epoch}")
        self._pool = pool
        self._socket = socket
        self._stirred = asyncio.Event()
        self._proved = False

    def stir(self) -> None:
        """Send what is to be sent now and not at the next tick."""
        self._stirred.set()

    async def aclose(self) -> None:
        """Stop reading and close."""
        self.task.cancel()
        await asyncio.gather(self.task, return_exceptions=True)
        await self._socket.aclose()

    async def _converse(self) -> NoReturn:
        """Read and mind until either ends, which raises: FrozenError or what the socket raised."""
        tasks = [asyncio.create_task(self._read()), asyncio.create_task(self._mind())]
        try:
            await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
            for task in tasks:
                if task.done():
                    task.result()
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
        raise BrokenInvariant("a connection ended without a reason")

    async def _read(self) -> None:
        """Only take and queue: a reader that does more is the slow consumer that venues drop."""
        inbox, clock, receive = self._pool.inbox, self._pool.clock, self._socket.recv_many
        while True:
            frames = await receive()
            inbox.put_frames(self.talk, clock.now(), frames)

    async def _mind(self) -> None:
        """Send what is to be sent and watch the time; raises FrozenError when nothing comes."""
        talk, clock = self.talk, self._pool.clock
        while True:
            events: list[MarketEvent] = []
            flows = talk.check(clock.now(), clock.monotonic(), events)
            self._pool.inbox.put_events(events)
            if not flows:
                raise FrozenError("no data came although the connection stayed open")
            if talk.heard and not self._proved:
                self._proved = True
                self._pool.admission.proved()
            frames, talk.outgoing = talk.outgoing, []
            for frame in frames:
                await self._socket.send(frame)
            await self._nap()

    async def _nap(self) -> None:
        """Wait a tick, less when something is to be sent."""
        waits = [
            asyncio.ensure_future(self._stirred.wait()),
            asyncio.ensure_future(self._pool.clock.sleep(self._pool.stream.policy.tick)),
        ]
        try:
            await asyncio.wait(waits, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for wait in waits:
                wait.cancel()
        self._stirred.clear()


class ConnectionRole(Struct, frozen=True):
    """What a lane is for; with a ``gate`` it tells only what that lets pass, and books do not matter."""

    codec: CodecFactory
    gate: Gate | None = None


class _Renewal(Struct):
    """A new connection on its way to replace the present one."""

    link: OpenConnection
    handover: Takeover


class ReconnectingConnection:
    """One place in the pool: the instruments it carries and the connection that it keeps up."""

    def __init__(self, pool: FeedContext, role: ConnectionRole) -> None:
        self.keys: set[InstrumentKey] = set()
        self._pool = pool
        self._role = role
        self._policy = pool.stream.policy
        self._venue = pool.stream.venue
        self._backoff = Backoff(pool.rand, base=self._policy.backoff_base, cap=self._policy.backoff_cap)
        self._flapped = False
        self._link: OpenConnection | None = None
        self._renewal: _Renewal | None = None
        self._task = asyncio.create_task(self._run(), name=f"{self._venue} lane")
        self._task.add_done_callback(self._ended)

    def change(self, add: AbstractSet[InstrumentKey], drop: AbstractSet[InstrumentKey]) -> None:
        """Carry ``add`` and no longer ``drop``; events of ``drop`` stop at once."""
        self.keys = (self.keys - drop) | add
        if self._renewal is not None:
            self._renewal.handover.drop(drop)
        for link in (self._link, self._renewal.link if self._renewal is not None else None):
            if link is not None:
                link.talk.ask(add, drop, self._pool.clock.monotonic())
                link.stir()

    async def aclose(self) -> None:
        """Stop; safe to call twice."""
        self._task.cancel()
        with suppress(asyncio.CancelledError):
            await asyncio.wait([self._task])

    def _ended(self, task: asyncio.Task[None]) -> None:
        if not task.cancelled() and (error := task.exception()) is not None:
            self._pool.fail(error)

    async def _run(self) -> None:
        admission = self._pool.admission
        try:
            while True:
                at_least: int | None = None
                try:
                    self._link = self._link or await self._open(self._role.gate)
                    self._link = await self._stay(self._link)
                    continue
                except RateLimited as error:
                    at_least = error.retry_after_ns
                    admission.hold(at_least or self._policy.backoff_base)
                    self._report(error)
                except TransientError as error:
                    at_least = error.retry_after_ns
                    self._report(error)
                self._link = None
                await self._pool.clock.sleep(self._backoff.next_delay(at_least))
        finally:
            admission.leave(self)

    def _report(self, error: PredsurvError) -> None:
        """Say once that this is an outage; the attempts go on."""
        if self._backoff.failures + 1 != self._policy.outage_attempts:
            return
        reason = sanitise(f"outage: {self._policy.outage_attempts} attempts failed, still trying: {error}")
        _logger.error("%s: %s", self._venue, reason)
        now = self._pool.clock.now()
        self._pool.inbox.put_events([Disconnected(self._venue, now, 0, self._pool.connections, reason)])

    async def _open(self, gate: Gate | None) -> OpenConnection:
        """Connect and ask for everything that is wanted; raises TransientError."""
        pool, stream = self._pool, self._pool.stream
        await pool.admission.enter(self, flapped=self._flapped)
        try:
            socket = await stream.connect(stream.url, stream.headers() if stream.headers is not None else None)
        except TransientError:
            pool.admission.failed(self)
            raise
        epoch, now = pool.next_epoch(), pool.clock.monotonic()
        talk = ConnectionSession(self._venue, epoch, self._role.codec(epoch), self._policy, now)
        talk.gate = gate
        pool.connections += 1
        pool.inbox.put_events([Connected(self._venue, pool.clock.now(), epoch, pool.connections)])
        talk.ask(frozenset(self.keys), frozenset(), now)
        return OpenConnection(pool, talk, socket)

    async def _close(self, link: OpenConnection, why: str | Exception) -> None:
        """Declare the end of a connection, and give it back."""
        pool, talk = self._pool, link.talk
        pool.connections -= 1
        reason = sanitise(str(why))
        farewell = Disconnected(self._venue, pool.clock.now(), talk.epoch, pool.connections, reason)
        frozen = isinstance(why, FrozenError)
        pool.inbox.put_end(talk, "stall" if frozen else "disconnect", farewell)
        if isinstance(why, Exception):
            _logger.warning("%s: connection %d is over: %s", self._venue, talk.epoch, reason)
            if talk.stable(pool.clock.monotonic()):
                self._backoff.reset()
            self._flapped = talk.heard and not talk.stable(pool.clock.monotonic())
            if not talk.heard:
                pool.admission.failed(self)
        await asyncio.shield(link.aclose())

    async def _stay(self, link: OpenConnection) -> OpenConnection:
        """Live with a connection; return the one that took its place, or raise TransientError with why it ended."""
        renewing = asyncio.create_task(self._renew(link))
        why: str | Exception = _NOT_NEEDED
        try:
            await asyncio.wait([link.task, renewing], return_when=asyncio.FIRST_COMPLETED)
            if renewing.done():
                why = _REPLACED
                return renewing.result()
            link.task.result()
        except TransientError as error:
            why = error
            if self._renewal is None:
                raise
            return self._renewal.link
        finally:
            await self._part(link, why, renewing)

    async def _part(self, link: OpenConnection, why: str | Exception, renewing: "asyncio.Task[OpenConnection]") -> None:
        """Close ``link``; whatever is on its way takes over, or goes as well."""
        renewing.cancel()
        await asyncio.gather(renewing, return_exceptions=True)
        renewal, self._renewal = self._renewal, None
        stays = renewal is not None and why is not _NOT_NEEDED
        self._link = renewal.link if renewal is not None and stays else None
        try:
            await self._close(link, why)
        finally:
            if renewal is not None and not stays:
                await self._close(renewal.link, why)
            elif renewal is not None and self._role.gate is None:
                self._pool.inbox.put_turn(partial(_switch, renewal, self._pool.clock.now()))

    async def _renew(self, link: OpenConnection) -> OpenConnection:
        """Return a new connection that speaks for everything ``link`` carries; never when there is no need."""
        policy, clock = self._policy, self._pool.clock
        while True:
            if not policy.lifetime:
                await asyncio.Event().wait()
            await clock.sleep(policy.lifetime // 2 + int(self._pool.rand() * policy.lifetime) // 2)
            handover = Takeover()
            if self._role.gate is None:
                link.talk.gate = handover.old
            with suppress(TransientError):
                self._renewal = _Renewal(await self._open(self._role.gate or handover.new), handover)
                if await self._take_over(link, self._renewal):
                    return self._renewal.link
                renewal, self._renewal = self._renewal, None
                await self._close(renewal.link, "did not become ready to take over")
            link.talk.gate = self._role.gate
            self._pool.admission.leave(self)

    async def _take_over(self, link: OpenConnection, renewal: _Renewal) -> bool:
        """Wait until the new connection has every book, and let it speak; return False when it never has."""
        clock, inbox, talk = self._pool.clock, self._pool.inbox, renewal.link.talk
        deadline = clock.monotonic() + self._policy.handover_patience
        ready = 0
        while not ready or clock.monotonic() < ready or not _ready(talk, link.talk):
            if not ready and _ready(talk, link.talk):
                ready = clock.monotonic() + self._policy.overlap
            if renewal.link.task.done() or renewal.handover.overfull or clock.monotonic() >= deadline:
                return False
            await clock.sleep(self._policy.tick)
        if self._role.gate is not None:
            return True
        inbox.put_turn(partial(_switch, renewal, clock.now()))
        deadline = clock.monotonic() + self._policy.catch_up_patience
        while not renewal.handover.done and not renewal.link.task.done():
            if clock.monotonic() >= deadline:
                inbox.put_turn(partial(renewal.handover.settle, clock.now(), force=True))
            await clock.sleep(self._policy.tick)
        return True


def unanswered(lane: ReconnectingConnection) -> AbstractSet[InstrumentKey]:
    """Return what the connection of ``lane`` was asked for in vain."""
    link = lane._link
    return link.talk.unanswered if link is not None else frozenset()


def _ready(new: ConnectionSession, old: ConnectionSession) -> bool:
    """Return whether every instrument has a book on ``new`` that has one on ``old``."""
    return new.heard and new.codec.awaiting() <= old.codec.awaiting()


def _switch(renewal: _Renewal, ts: int, out: list[MarketEvent]) -> None:
    if not renewal.handover.switched:
        talk = renewal.link.talk
        renewal.handover.switch(talk.keys - talk.codec.awaiting())
    renewal.handover.settle(ts, out)
