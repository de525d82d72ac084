"""One open connection: a session, its socket, and the task that reads and writes."""

import asyncio
from collections.abc import Set as AbstractSet
from typing import NoReturn

from predsurv.core.errors import BrokenInvariant, TransientError
from predsurv.core.events import MarketEvent
from predsurv.core.ids import InstrumentKey
from predsurv.venues.streaming.context import FeedContext, StreamSocket
from predsurv.venues.streaming.session import ConnectionSession


class FrozenError(TransientError):
    """The connection is open, but no data flows."""


class OpenConnection:
    """A session on an open socket. ``task`` ends with FrozenError, or with what the socket raised."""

    def __init__(self, context: FeedContext, session: ConnectionSession, socket: StreamSocket) -> None:
        self.session = session
        self._context = context
        self._socket = socket
        self._flush = asyncio.Event()
        self._proved = False
        self.task = asyncio.create_task(self._run(), name=f"{context.spec.venue} connection {session.epoch}")

    def request(self, add: AbstractSet[InstrumentKey], drop: AbstractSet[InstrumentKey]) -> None:
        """Request ``add`` and cancel ``drop``; the frames are sent at once, not at the next tick."""
        self.session.subscriptions.change(add, drop, self._context.clock.monotonic())
        self._flush.set()

    async def aclose(self) -> None:
        """Stop the task and close the socket."""
        self.task.cancel()
        await asyncio.gather(self.task, return_exceptions=True)
        await self._socket.aclose()

    async def _run(self) -> NoReturn:
        """Read and maintain until either fails; raises FrozenError or what the socket raised."""
        tasks = [asyncio.create_task(self._read()), asyncio.create_task(self._maintain())]
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
        """Queue what arrives, and nothing more: venues drop consumers that read slowly."""
        queue, clock, receive = self._context.queue, self._context.clock, self._socket.recv_many
        samples = self._context.spec.samples
        while True:
            frames = await receive()
            now = clock.now()
            queue.put_frames(self.session, now, frames)
            if samples is not None and now >= samples.due:
                samples.take(frames, now)

    async def _maintain(self) -> None:
        """Check the session every tick and send its frames; raises FrozenError when it is frozen."""
        session, clock = self.session, self._context.clock
        while True:
            events: list[MarketEvent] = []
            flows = session.check(clock.now(), clock.monotonic(), events)
            self._context.queue.put_events(events)
            if not flows:
                raise FrozenError("no data came although the connection stayed open")
            if session.delivered and not self._proved:
                self._proved = True
                self._context.breaker.success()
            for frame in session.subscriptions.take_outgoing():
                await self._socket.send(frame)
            await self._next_tick()

    async def _next_tick(self) -> None:
        """Wait a tick, or until there is something to send."""
        waits = [
            asyncio.ensure_future(self._flush.wait()),
            asyncio.ensure_future(self._context.clock.sleep(self._context.spec.policy.tick)),
        ]
        try:
            await asyncio.wait(waits, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for wait in waits:
                wait.cancel()
        self._flush.clear()
