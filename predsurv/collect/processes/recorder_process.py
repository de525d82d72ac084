"""One process of a recording as the command that started it sees it: started, heard, stopped, started again."""

import asyncio
import logging
from collections.abc import Callable
from contextlib import suppress
from multiprocessing import get_context
from multiprocessing.connection import Connection
from multiprocessing.process import BaseProcess
from threading import Thread
from typing import Any, Final

from predsurv.collect.processes.division import CollectorPart
from predsurv.collect.processes.messages import STOP, Ended, Pulse
from predsurv.collect.report import CollectReport
from predsurv.core.errors import TransientError
from predsurv.ports import Clock

LIFE_MIN: Final = 60_000_000_000
"""A process that ends without a word earlier than this (ns) after its start ends the whole recording."""

STOP_SECONDS_MAX: Final = 15.0
"""How long a process that was told to stop may take; then it is killed, and its next start recovers its log."""

Work = Callable[[CollectorPart, int | None, Connection], None]
"""What the process does with its part, a duration (ns, None for no end) and its pipe; a function of a module."""

Hear = Callable[["RecorderProcess", Any], None]
"""Called in the event loop with everything a process says but pulses and its last word."""

_LOG: Final = logging.getLogger(__name__)


class RecorderProcess:
    """The process that records ``part``. ``pulse``: what it said last of itself, None before that."""

    def __init__(self, part: CollectorPart, work: Work, hear: Hear, clock: Clock) -> None:
        self.part = part
        self.pulse: Pulse | None = None
        self.runs = False
        self._work, self._hear, self._clock = work, hear, clock
        self._stopping = asyncio.Event()
        self._pipe: Connection | None = None
        self._exit_code: int | None = None

    async def run(self, duration: int | None) -> CollectReport | None:
        """Return the report of the process once it has ended; one that dies after a while is started again.

        None: it was stopped before anything was recorded.

        Raises what the process failed by, TransientError when it died early or could not be started.
        """
        began = self._clock.monotonic()
        while True:
            started = self._clock.monotonic()
            left = None if duration is None else max(0, duration - (started - began))
            last = await self._live(left)
            if last is not None:
                if last.failure is not None:
                    raise last.failure
                return last.report
            lived = self._clock.monotonic() - started
            told = f"the process of collector {self.part.id} ended without a word after {lived / 1e9:.0f} s"
            told += f" ({_end_text(self._exit_code)})"
            if self._stopping.is_set() or lived < LIFE_MIN:
                raise TransientError(f"{told}; what it had committed is sealed by its next start")
            _LOG.error("%s; it is started again", told)

    def stop(self) -> None:
        """Ask the process to end in good order."""
        self._stopping.set()
        self.say(STOP)

    def say(self, message: object) -> None:
        """Say something to the process, if it runs."""
        if self._pipe is not None:
            with suppress(OSError):  # it has just ended
                self._pipe.send(message)

    async def _live(self, duration: int | None) -> Ended | None:
        """Start the process and return its last word, None when it ended without one."""
        context, loop = get_context("spawn"), asyncio.get_running_loop()
        ended: asyncio.Future[Ended | None] = loop.create_future()
        try:
            here, there = context.Pipe()
            child = context.Process(target=self._work, args=(self.part, duration, there), name=self.part.id)
            with there:
                await asyncio.to_thread(child.start)
        except OSError as error:
            raise TransientError(f"no process can be started ({error}): record in fewer processes") from error
        self._pipe, self.runs = here, True
        if self._stopping.is_set():
            self.say(STOP)
        listener = Thread(target=self._listen, args=(here, loop, ended), name=self.part.id, daemon=True)
        listener.start()
        try:
            return await self._last_word(ended)
        finally:
            self.runs, self._pipe = False, None
            self._exit_code = await asyncio.shield(asyncio.to_thread(_end, child, here, listener))

    async def _last_word(self, ended: "asyncio.Future[Ended | None]") -> Ended | None:
        """Wait for it as long as it takes, but once the process was told to stop only so long as a stop may take."""
        stopping = asyncio.ensure_future(self._stopping.wait())
        try:
            either: list[asyncio.Future[Any]] = [ended, stopping]
            await asyncio.wait(either, return_when=asyncio.FIRST_COMPLETED)
            await asyncio.wait([ended], timeout=STOP_SECONDS_MAX)
        finally:
            stopping.cancel()
        return ended.result() if ended.done() else None

    def _listen(self, pipe: Connection, loop: asyncio.AbstractEventLoop, ended: "asyncio.Future[Ended | None]") -> None:
        """Pass on what the process says, until it has said its last word or is gone."""
        last: Ended | None = None
        with suppress(EOFError, OSError):
            while last is None:
                message = pipe.recv()
                if isinstance(message, Ended):
                    last = message
                else:
                    loop.call_soon_threadsafe(self._heard, message)
        with suppress(RuntimeError):  # the loop is closed: nobody waits any more
            loop.call_soon_threadsafe(_set, ended, last)

    def _heard(self, message: object) -> None:
        if isinstance(message, Pulse):
            self.pulse = message
        else:
            self._hear(self, message)


def _set(ended: "asyncio.Future[Ended | None]", last: Ended | None) -> None:
    if not ended.done():
        ended.set_result(last)


def _end_text(exit_code: int | None) -> str:
    """Return how a process ended, in words: below zero is the signal that killed it."""
    return f"exit code {exit_code}" if exit_code is None or exit_code >= 0 else f"killed by signal {-exit_code}"


def _end(child: BaseProcess, pipe: Connection, listener: Thread) -> int | None:
    """Wait for the end of a process that has said its last word, kill one that has not, and return its exit code."""
    child.join(STOP_SECONDS_MAX if not listener.is_alive() else 0)
    if child.is_alive():
        child.kill()
        child.join()
    listener.join()
    pipe.close()
    code = child.exitcode
    child.close()
    return code
