"""Signals of a command that runs for a while, heard by a thread of its own.

An event loop hears signals only when it turns, and whoever sends one may do so because it does not. The interpreter
writes the number of a signal into a socket at once, whatever Python code is doing, and the thread reads it there.
"""

import asyncio
import os
import signal
import socket
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from threading import Event, Thread
from types import FrameType
from typing import Final

from predsurv.cli.output.render import say

LEFT_AT_ONCE: Final = 130
"""Exit code after a second signal."""

LEFT_FROZEN: Final = 1
"""Exit code after a signal that the event loop did not react to."""

REACTION_SECONDS_MAX: Final = 4.0
"""How long an event loop may take to react to the first signal; an orderly stop is no longer possible then."""

HOLD_SECONDS_MAX: Final = 0.2
"""How long a second signal waits for the event loop to stand still."""

RESCUE_SECONDS_MAX: Final = 0.4
"""How long a second signal waits for the last records to reach the log."""

OUTPUT_SECONDS_MAX: Final = 0.2
"""How long a process that leaves at once waits for its output to be taken."""

_STDERR: Final = 2
_AFTER_PANEL: Final = b"\x1b[?25h\n"
"""Shows the cursor, which a panel hides, and goes to a line of its own."""

_STOP: Final = frozenset({signal.SIGINT, signal.SIGTERM, signal.SIGHUP})


class StopSignals:
    """Stops a run in good order at the first SIGINT, SIGTERM or SIGHUP; leaves at once at a second of the first two.

    With ``reopen`` SIGHUP calls that instead, in a thread of its own: a disk that hangs keeps no other signal from
    being heard. Without, a SIGHUP that the process was started to ignore (nohup) stays ignored, and one after the first
    signal says nothing new: a terminal that is closed sends several.
    """

    def __init__(self, reopen: Callable[[], None] | None = None) -> None:
        self.stopping = False
        self._reopen = reopen
        self._loop: asyncio.AbstractEventLoop | None = None
        self._stop: Callable[[], object] = lambda: None
        self._rescue: Callable[[], None] = lambda: None
        self._doing: str | None = ""
        self._begun = self._interrupting = self._heard = self._told = False
        self._reacted = Event()
        self._sender, self._receiver = socket.socketpair()
        self._sender.setblocking(False)

    @contextmanager
    def heard(self) -> Iterator["StopSignals"]:
        """Hear signals while the block runs; to be called in the main thread, before there is an event loop.

        A handler of the caller's own for SIGINT is told afterwards of a signal that ended the block, without a frame.
        Raises RuntimeError inside an event loop: the handler of ``asyncio.run`` would then be told, and end with 130
        what stopped in good order.
        """
        if _in_event_loop():
            self._sender.close()
            self._receiver.close()
            raise RuntimeError("signals have to be heard before there is an event loop")
        thread = Thread(target=self._hear, name="signals", daemon=True)
        deaf = {signal.SIGHUP} if self._reopen is None and _ignored(signal.SIGHUP) else set[signal.Signals]()
        before = {number: signal.signal(number, self._in_main_thread) for number in sorted(_STOP - deaf)}
        wakeup = signal.set_wakeup_fd(self._sender.fileno(), warn_on_full_buffer=False)
        thread.start()
        try:
            yield self
        finally:
            signal.set_wakeup_fd(wakeup)
            for number, handler in before.items():
                signal.signal(number, handler)
            self._sender.close()
            thread.join()
            self._receiver.close()
            own = before[signal.SIGINT]
            if self.stopping and callable(own) and own is not signal.default_int_handler:
                own(signal.SIGINT, None)

    @contextmanager
    def stopping_with(
        self, stop: Callable[[], object], doing: str | None, rescue: Callable[[], None] | None = None
    ) -> Iterator[None]:
        """Stop with ``stop``, called in the running event loop, while the block runs; ``doing`` is said, None: nothing.

        ``rescue`` is called in another thread, while the event loop stands still, before the process leaves at once.
        """
        before = self._loop, self._stop, self._doing, self._rescue
        self._loop, self._doing, self._rescue = asyncio.get_running_loop(), doing, rescue or (lambda: None)
        self._stop, self._begun = stop, True
        if self.stopping:
            stop()  # asked for before
        try:
            yield
        finally:
            self._loop, self._stop, self._doing, self._rescue = before

    @contextmanager
    def interrupting(self) -> Iterator[None]:
        """Let the first signal raise KeyboardInterrupt in the main thread while the block runs.

        For what does not turn the event loop meanwhile, and leaves nothing behind that has to end in good order.
        """
        self._interrupting = True
        try:
            if self.stopping:
                raise KeyboardInterrupt  # asked for before
            yield
        finally:
            self._interrupting = False

    def _in_main_thread(self, number: int, _: FrameType | None) -> None:
        """End a block that is to be interrupted; a handler has to be there for the number to reach the socket."""
        if number == signal.SIGHUP and self._reopen is not None:
            return
        self.stopping = True
        if self._interrupting:
            self._interrupting = False
            self._reacted.set()
            raise KeyboardInterrupt

    def _hear(self) -> None:
        while True:
            self._receiver.settimeout(self._patience())
            try:
                heard = self._receiver.recv(1)
            except TimeoutError:
                if not self._reacted.is_set():
                    self._leave(LEFT_FROZEN, "error: the event loop stands still and could not stop in good order")
                continue
            if not heard:
                return
            self._on_signal(heard[0])

    def _patience(self) -> float | None:
        return REACTION_SECONDS_MAX if self.stopping and not self._reacted.is_set() else None

    def _on_signal(self, number: int) -> None:
        if number not in _STOP:
            return
        if number == signal.SIGHUP and self._reopen is not None:
            Thread(target=self._reopen, name="reopen", daemon=True).start()
        elif not self._heard:
            self._heard = self.stopping = True
            self._ask_loop()
        elif number != signal.SIGHUP:
            self._leave(LEFT_AT_ONCE, "" if self._told else "interrupted")

    def _react(self) -> None:
        self._reacted.set()
        if self._doing is not None:
            self._told = True
            say(f"stopping: {self._doing}; interrupt again to leave at once" if self._doing else "stopping")
        self._stop()

    def _ask_loop(self) -> None:
        loop = self._loop
        if self._interrupting:
            self._reacted.set()  # the main thread sees to it, at its next step
        if loop is not None:
            with suppress(RuntimeError):  # it was closed just now
                loop.call_soon_threadsafe(self._react)
                return
        if self._begun and not self._reacted.is_set():
            self._leave(0)  # all is written; only output may still wait for its reader
        else:
            self._reacted.set()  # the run will see it as it begins

    def _leave(self, code: int, line: str = "") -> None:
        """Write the last records to the log, waiting at most a moment for the disk, and end the process."""
        rescue, loop = Thread(target=self._rescue, daemon=True), self._loop
        if loop is not None:  # one that turned meanwhile would change what is being written
            held = Event()
            with suppress(RuntimeError):
                loop.call_soon_threadsafe(_hold, held)
            held.wait(HOLD_SECONDS_MAX)
        rescue.start()
        rescue.join(RESCUE_SECONDS_MAX)
        last_words = Thread(target=_say_finally, args=(line,), daemon=True)
        last_words.start()  # who stands still may hold the terminal
        last_words.join(2 * OUTPUT_SECONDS_MAX)
        os._exit(code)


def _in_event_loop() -> bool:
    try:
        asyncio.get_running_loop()
    except RuntimeError:
        return False
    return True


def _hold(held: Event) -> None:
    held.set()
    Event().wait()


def _say_finally(line: str) -> None:
    if line:
        say(line)
    finish_output(OUTPUT_SECONDS_MAX)
    with suppress(OSError):
        if os.isatty(_STDERR):
            os.write(_STDERR, _AFTER_PANEL)


def finish_output(seconds: float | None) -> None:
    """Wait until what was written to relayed standard streams has been taken, at most ``seconds``."""
    for stream in (sys.stdout, sys.stderr):
        finish = getattr(stream, "finish", None)
        if finish is not None:
            finish(seconds)


def _ignored(number: signal.Signals) -> bool:
    return signal.getsignal(number) is signal.SIG_IGN
