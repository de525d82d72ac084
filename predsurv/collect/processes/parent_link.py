"""The end of the pipe in a process of a recording: it never waits for the command that started it, nor outlives it."""

import asyncio
import logging
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from io import TextIOBase
from logging.handlers import QueueHandler
from multiprocessing.connection import Connection
from queue import Full, Queue
from threading import Lock, Thread
from typing import Any, Final

from predsurv.collect.processes.messages import STOP, Ended, ListingFound, ListingWanted, LoggedThere, StderrText
from predsurv.collect.rescan import ListedUniverse
from predsurv.core.ids import VenueName

OUTBOX_MAX: Final = 1_000
"""Messages that wait while nobody reads the pipe; later ones are dropped."""

FAREWELL_SECONDS_MAX: Final = 5.0
"""How long the last word waits to be taken."""


class ParentLink:
    """Says what happens here to whoever started this process, and hears when to stop.

    When the pipe ends (the command that started it was killed) this process stops in good order too. ``dropped``:
    messages that nobody took.
    """

    def __init__(self, pipe: Connection) -> None:
        self.dropped = 0
        self._pipe = pipe
        self._outbox: Queue[Any] = Queue(OUTBOX_MAX)
        self._lock = Lock()
        self._loop: asyncio.AbstractEventLoop | None = None
        self._stop: Callable[[], object] = lambda: None
        self._stopping = False
        self._listings: dict[VenueName, asyncio.Future[ListingFound]] = {}
        self._sender = Thread(target=self._send, name="said", daemon=True)
        self._sender.start()
        Thread(target=self._hear, name="heard", daemon=True).start()

    def tell(self, message: object) -> None:
        """Say it as soon as the pipe takes it; any thread may call it."""
        try:
            self._outbox.put_nowait(message)
        except Full:
            self.dropped += 1

    def end(self, last: Ended) -> None:
        """Say the last word, before which nothing is lost as long as somebody reads."""
        with suppress(Full):
            self._outbox.put(last, timeout=FAREWELL_SECONDS_MAX)
            self._outbox.put(None, timeout=FAREWELL_SECONDS_MAX)
        self._sender.join(FAREWELL_SECONDS_MAX)

    async def listing(self, venue: VenueName) -> ListedUniverse:
        """Have the list of ``venue`` read, by whoever started this process; raises PredsurvError."""
        loop = asyncio.get_running_loop()
        waiting = self._listings[venue] = loop.create_future()
        self.tell(ListingWanted(venue))
        try:
            found = (await waiting).found
        finally:
            del self._listings[venue]
        if isinstance(found, ListedUniverse):
            return found
        raise found

    @contextmanager
    def stopping_with(self, stop: Callable[[], object]) -> Iterator[None]:
        """Call ``stop`` in the running event loop, once asked to stop while the block runs, or before it."""
        with self._lock:
            self._loop, self._stop = asyncio.get_running_loop(), stop
            asked = self._stopping
        if asked:
            stop()
        try:
            yield
        finally:
            with self._lock:
                self._loop = None

    def _hear(self) -> None:
        while True:
            try:
                message = self._pipe.recv()
            except (EOFError, OSError):
                message = STOP
            if isinstance(message, ListingFound):
                self._in_loop(self._answer, message)
                continue
            with self._lock:
                self._stopping = True
            self._in_loop(self._stop)
            return

    def _in_loop(self, do: Callable[..., object], *arguments: object) -> None:
        with self._lock, suppress(RuntimeError):  # the loop was closed just now
            if self._loop is not None:
                self._loop.call_soon_threadsafe(do, *arguments)

    def _answer(self, listing: ListingFound) -> None:
        waiting = self._listings.get(listing.venue)
        if waiting is not None and not waiting.done():
            waiting.set_result(listing)

    def _send(self) -> None:
        gone = False
        while (message := self._outbox.get()) is not None:
            if gone:
                continue
            try:
                self._pipe.send(message)
            except OSError:
                gone = True


class LinkLogHandler(logging.Handler):
    """Passes log records on to the command that started this process, with the id of this collector in each."""

    def __init__(self, link: ParentLink, collector: str) -> None:
        super().__init__()
        self._link, self._collector = link, collector
        self._preparing = QueueHandler(Queue())

    def emit(self, record: logging.LogRecord) -> None:
        """Pass it on with its message complete, since its arguments may not travel."""
        whole = self._preparing.prepare(record)
        whole.collector = self._collector
        self._link.tell(LoggedThere(whole))


class LinkStderr(TextIOBase):
    """Standard error of a process of a recording: the lines appear on that of the command."""

    def __init__(self, link: ParentLink) -> None:
        self._link = link

    def write(self, text: str) -> int:
        """Pass it on."""
        self._link.tell(StderrText(text))
        return len(text)
