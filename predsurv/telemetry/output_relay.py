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
    """Passes text on to the descriptor of ``target``; after an error of writing (nobody reads any more) to nobody.

    A target without a descriptor is written to at once. ``dropped``: number of lines dropped so far.
    """

    def __init__(self, target: TextIO, *, bytes_max: int = BYTES_MAX, on_dropped: OnDropped = lambda _: None) -> None:
        self.target = target
        self.dropped = 0
        self._bytes_max, self._on_dropped = bytes_max, on_dropped
        self._changed = Condition()
        self._waiting: deque[bytes] = deque()
        self._size = 0
        self._untold = 0  # dropped lines that on_dropped was not told of
        self._ended = False
        self._descriptor: int | None
        try:
            self._descriptor = target.fileno()
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
        content = text.encode(errors="replace")
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
        """Return the encoding of what is passed on."""
        return "utf-8"

    def finish(self, seconds: float | None = None) -> bool:
        """End the relay once all was passed on, or after ``seconds``; return whether all was."""
        with self._changed:
            done = self._changed.wait_for(lambda: not self._size, seconds)
            self._ended = True
            self._changed.notify_all()
        return done

    def _pass_on(self) -> None:
        while True:
            with self._changed:
                self._changed.wait_for(lambda: self._waiting or self._ended)
                if not self._waiting:
                    return
                content = self._waiting[0]
            try:
                passed = self._write_all(content)
            except OSError:
                self._give_up()
                return
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

    def _write_all(self, content: bytes) -> bool:
        """Write ``content``; return False when the relay ended before its reader took it. Raises OSError."""
        rest = memoryview(content)
        while rest:
            if not self._ready():
                return False
            rest = rest[self._put(rest[:_CHUNK]) :]
        return True

    def _put(self, content: memoryview) -> int:
        try:
            return os.write(self.fileno(), content)
        except BlockingIOError:  # somebody else who has this pipe made it non-blocking, and was quicker
            return 0

    def _ready(self) -> bool:
        """Wait until the descriptor takes a chunk; return False when the relay has ended meanwhile."""
        poll = select.poll()
        poll.register(self.fileno(), select.POLLOUT)
        while not poll.poll(_POLL_MS):
            if self._ended:
                return False
        return True

    def _give_up(self) -> None:
        with self._changed:
            self._ended = True
            self.dropped += sum(content.count(b"\n") for content in self._waiting)
            self._waiting.clear()
            self._size = 0
            self._changed.notify_all()


class LogFile:
    """A file for an ``OutputRelay`` to append to; ``reopen`` lets another program rename it away (log rotation)."""

    def __init__(self, path: Path) -> None:
        """Open it; raises OSError."""
        self._path = path
        self._descriptor = self._open()

    def write(self, text: str) -> int:
        """Append ``text``; raises OSError."""
        return os.write(self._descriptor, text.encode(errors="replace"))

    def flush(self) -> None:
        """Return at once: nothing is buffered."""

    def isatty(self) -> bool:
        """Return False."""
        return False

    def fileno(self) -> int:
        """Return the descriptor, the same after ``reopen``."""
        return self._descriptor

    def reopen(self) -> None:
        """Go on in a new file when the old one was renamed away; raises OSError, and goes on in the old one."""
        descriptor = self._open()
        os.dup2(descriptor, self._descriptor, inheritable=False)
        os.close(descriptor)

    def _open(self) -> int:
        return os.open(self._path, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, FILE_MODE)
