"""A text stream that never blocks its writer: a thread of its own passes on what was written.

Whoever reads stderr may stop at any time (a full pipe, Ctrl-S, a disk that hangs), and a program that then waits in a
write neither records nor hears signals.
"""

import os
import select
from collections import deque
from collections.abc import Callable
from contextlib import suppress
from io import TextIOBase, UnsupportedOperation
from pathlib import Path
from threading import Condition, Thread
from typing import Final, TextIO

BYTES_MAX: Final = 1 << 20
"""What may wait to be passed on; what is written beyond that is dropped and counted."""

FILE_MODE: Final = 0o640

_CHUNK: Final = select.PIPE_BUF
"""A pipe that is ready takes this much without blocking."""

_POLL_MS: Final = 100

OnDropped = Callable[[int], None]
"""Called in the relay's thread, once writing goes on, with the number of lines that were dropped meanwhile."""


class OutputRelay(TextIOBase):
    """Passes text on to the descriptor of ``target``.

    What cannot be written (nobody reads any more, the disk is full) is dropped, and later lines are tried: a disk gets
    room, and ``redirect`` names another file. A target without a descriptor is written to at once. ``dropped``: number
    of lines dropped so far.
    """

    def __init__(self, target: TextIO, *, bytes_max: int = BYTES_MAX, on_dropped: OnDropped = lambda _: None) -> None:
        self.target = target
        self.dropped = 0
        self._bytes_max, self._on_dropped = bytes_max, on_dropped
        self._encoding = getattr(target, "encoding", None) or "utf-8"
        errors = getattr(target, "errors", None) or "strict"
        self._errors = "replace" if errors == "strict" else errors  # to write never fails
        self._changed = Condition()
        self._waiting: deque[bytes] = deque()
        self._size = 0
        self._untold = 0  # dropped lines that on_dropped was not told of
        self._ended = False
        self._closed = False  # the descriptor is
        self._descriptor: int | None
        try:
            self._descriptor = os.dup(target.fileno())  # its own: the target may be closed while the thread waits
        except (UnsupportedOperation, AttributeError, ValueError):
            self._descriptor = None
        self._thread = Thread(target=self._pass_on, name="output", daemon=True)
        if self._descriptor is not None:
            with suppress(OSError, ValueError):
                target.flush()  # what is in its buffer comes first
            self._thread.start()

    def write(self, text: str) -> int:
        """Take ``text`` to be passed on, all of it or nothing; never blocks and never fails."""
        if self._descriptor is None:
            with suppress(OSError, ValueError):
                self.target.write(text)
            return len(text)
        content = text.encode(self._encoding, self._errors)
        with self._changed:
            if self._ended or self._size + len(content) > self._bytes_max:
                self.dropped += content.count(b"\n")
                self._untold += content.count(b"\n")
            else:
                self._waiting.append(content)
                self._size += len(content)
                self._changed.notify_all()
        return len(text)

    def flush(self) -> None:
        """Return at once: what was written is on its way."""

    def isatty(self) -> bool:
        """Return whether the target is a terminal."""
        return self.target.isatty()

    def fileno(self) -> int:
        """Return the target's descriptor; raises UnsupportedOperation when it has none."""
        return self.target.fileno()

    @property
    def encoding(self) -> str:  # type: ignore[override]  # an attribute there
        """Return the encoding of what is passed on, which is that of the first target."""
        return self._encoding

    def redirect(self, target: TextIO) -> None:
        """Pass on to ``target`` from now on, which must have a descriptor, and close the target before."""
        with self._changed:
            if self._descriptor is not None and not self._closed:  # its number may be another file's by then
                os.dup2(target.fileno(), self._descriptor, inheritable=False)
            before, self.target = self.target, target
        before.close()

    def finish(self, seconds: float | None = None) -> bool:
        """End the relay once all was passed on, or after ``seconds``; return whether all was."""
        with self._changed:
            done = self._changed.wait_for(lambda: not self._size, seconds)
            self._ended = True
            self._changed.notify_all()
        return done

    def _pass_on(self) -> None:
        descriptor = self._descriptor
        if descriptor is None:
            return
        try:
            self._pass_on_to(descriptor)
        finally:
            with self._changed:
                self._closed = True
                os.close(descriptor)

    def _pass_on_to(self, descriptor: int) -> None:
        while True:
            with self._changed:
                self._changed.wait_for(lambda: self._waiting or self._ended)
                if not self._waiting:
                    return
                content = self._waiting[0]
            try:
                passed = self._write_all(descriptor, content)
            except OSError:
                self._drop_waiting()
                continue
            if not passed:
                return
            with self._changed:
                self._waiting.popleft()
                self._size -= len(content)
                untold = self._untold if not self._waiting else 0
                self._untold -= untold
                self._changed.notify_all()
            if untold:
                self._on_dropped(untold)

    def _write_all(self, descriptor: int, content: bytes) -> bool:
        """Write ``content``; return False when the relay ended before its reader took it. Raises OSError."""
        rest, poll = memoryview(content), select.poll()
        poll.register(descriptor, select.POLLOUT)
        while rest:
            while not poll.poll(_POLL_MS):
                if self._ended:
                    return False
            with suppress(BlockingIOError):  # somebody else who has this pipe made it non-blocking, and was quicker
                rest = rest[os.write(descriptor, rest[:_CHUNK]) :]
        return True

    def _drop_waiting(self) -> None:
        with self._changed:
            lines = sum(content.count(b"\n") for content in self._waiting)
            self.dropped += lines
            self._untold += lines
            self._waiting.clear()
            self._size = 0
            self._changed.notify_all()


def open_log(path: Path) -> TextIO:
    """Return a log file to append to, created readable by owner and group; raises OSError."""
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, FILE_MODE)
    return open(descriptor, "a", encoding="utf-8")
