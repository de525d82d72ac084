"""Messages that have arrived and not been taken: bounded, and taken many at a time.

Without a socket, so that pausing and waking are tested without one.
"""

import asyncio
from collections import deque
from collections.abc import Callable, Sequence

from predsurv.core.errors import BrokenInvariant


class ReceiveBuffer:
    """One producer appends to ``messages`` and calls ``notify``; one consumer takes them.

    ``pause`` is called when more than ``frames_max`` messages or ``bytes_max`` bytes wait, and
    ``resume`` once they are taken. ``pauses`` counts the calls of ``pause``.
    """

    __slots__ = (
        "_bytes",
        "_bytes_max",
        "_ended",
        "_frames_max",
        "_pause",
        "_paused",
        "_resume",
        "_waiter",
        "messages",
        "pauses",
    )

    def __init__(
        self, *, frames_max: int, bytes_max: int, pause: Callable[[], None], resume: Callable[[], None]
    ) -> None:
        self.messages: deque[bytes] = deque()
        self.pauses = 0
        self._frames_max = frames_max
        self._bytes_max = bytes_max
        self._pause = pause
        self._resume = resume
        self._bytes = 0
        self._paused = False
        self._ended = False
        self._waiter: asyncio.Future[None] | None = None

    def notify(self, received: int) -> None:
        """Account for ``received`` bytes; wakes the consumer when there are messages."""
        if not self.messages:
            return
        self._bytes += received
        self._wake()
        full = len(self.messages) > self._frames_max or self._bytes > self._bytes_max
        if full and not self._paused:
            self._paused = True
            self.pauses += 1
            self._pause()

    def end(self) -> None:
        """Record that no more messages will come."""
        self._ended = True
        self._wake()

    def clear(self) -> None:
        """Discard the waiting messages."""
        self.messages.clear()
        self._emptied()

    async def take_all(self) -> Sequence[bytes]:
        """Return all messages, waiting for the first; raises EOFError after the last one."""
        if not self.messages:
            await self._arrival()
        batch = list(self.messages)
        self.clear()
        return batch

    async def take_one(self) -> bytes:
        """Return the next message, waiting for it; raises EOFError after the last one."""
        if not self.messages:
            await self._arrival()
        message = self.messages.popleft()
        if not self.messages:
            self._emptied()
        return message

    def _emptied(self) -> None:
        self._bytes = 0
        if self._paused:
            self._paused = False
            self._resume()

    def _wake(self) -> None:
        if self._waiter is not None and not self._waiter.done():
            self._waiter.set_result(None)

    async def _arrival(self) -> None:
        if self._waiter is not None:
            raise BrokenInvariant("two tasks receive from one connection; only one may")
        while not self.messages:
            if self._ended:
                raise EOFError
            self._waiter = asyncio.get_running_loop().create_future()
            try:
                await self._waiter
            finally:
                self._waiter = None
