"""Keeps one connection of a private channel open and passes on what it tells; every gap asks for a comparison."""

import asyncio
import logging
from collections.abc import Callable
from typing import Final

from predsurv.core.errors import TransientError
from predsurv.net import ws
from predsurv.net.backoff import Backoff
from predsurv.ports import Clock
from predsurv.venues.account_reports import AccountReport
from predsurv.venues.execution.gateway import AccountChannel, AccountReader
from predsurv.venues.execution.holds import Holds

KEEPALIVE: Final = 10_000_000_000
STABLE: Final = 30_000_000_000
"""A connection that lasted this long (ns) was a success: the next attempt does not wait long."""

_LOG = logging.getLogger(__name__)


class PrivateChannel:
    """Listens until cancelled; ``absorb`` takes every report, ``on_open`` hears that the channel tells from now on."""

    def __init__(
        self,
        reader: AccountReader,
        holds: Holds,
        clock: Clock,
        rand: Callable[[], float],
    ) -> None:
        self._reader, self._holds, self._clock = reader, holds, clock
        self._backoff = Backoff(rand)

    async def run(self, absorb: Callable[[AccountReport], None], on_open: Callable[[], None]) -> None:
        """Listen; raises PermanentError when the venue refuses the account."""
        while True:
            began = self._clock.monotonic()
            try:
                await self._listen(absorb, on_open)
            except TransientError as error:
                _LOG.warning("the private channel is down: %s", error)
                self._holds.add("channel", "its private channel is down")
                if self._clock.monotonic() - began >= STABLE:
                    self._backoff.reset()
                await self._clock.sleep(self._backoff.next_delay(error.retry_after_ns))

    async def _listen(self, absorb: Callable[[AccountReport], None], on_open: Callable[[], None]) -> None:
        channel = self._reader.channel()
        socket = await ws.connect(channel.url, channel.headers())
        beat: asyncio.Task[None] | None = None
        try:
            for frame in channel.greeting():
                await socket.send(frame)
            beat = asyncio.create_task(self._keep_alive(channel, socket))  # its answer says that we are known
            is_open = False
            while True:
                frames = await socket.recv_many()
                now = self._clock.now()
                for frame in frames:
                    if not is_open and channel.is_ready(frame):
                        is_open = True
                        on_open()
                    for report in channel.decode(frame, now):
                        absorb(report)
        finally:
            if beat is not None:
                beat.cancel()
                await asyncio.gather(beat, return_exceptions=True)
            await socket.aclose()

    async def _keep_alive(self, channel: AccountChannel, socket: ws.Socket) -> None:
        while (message := channel.keepalive()) is not None:
            await socket.send(message)
            await self._clock.sleep(KEEPALIVE)
