"""The process as it was started: its standard streams and its umask, put in order before anything else.

A closed standard stream is ordinary for a daemon. Left closed, its number would go to the next file that is opened, and
whatever prints would write into that file.
"""

import codecs
import os
import select
import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from threading import current_thread, main_thread
from types import FrameType
from typing import Final, TextIO, cast

from predsurv.core.errors import INTERRUPTED

UMASK: Final = 0o022
"""Taken from the mode of every new file and folder beside what the caller's umask takes: only the owner may write."""

RELAY_SECONDS_MAX: Final = 1.0
"""How long the end of a command waits for its last lines on a relayed stderr to be taken."""

_PLAIN: Final = {
    **dict.fromkeys("…√", "~"),
    **dict.fromkeys("–−─‐‑", "-"),
    **dict.fromkeys("×", "x"),
    **dict.fromkeys("·•", "*"),
    **dict.fromkeys("‘’", "'"),
    **dict.fromkeys("“”", '"'),
    **dict(zip("▁▂▃▄▅▆▇█", "_.,-=+*#", strict=True)),
    **dict(zip("▏▎▍▌▋▊▉", ".,:-=+*", strict=True)),
    "±": "~",
    "¢": "c",
    "→": ">",
    "≥": ">",
    "≤": "<",
}
"""One character for each of ours that an encoding may lack, so that tables stay in line."""

_STREAMS: Final = ((0, "stdin", "r"), (1, "stdout", "w"), (2, "stderr", "w"))


_FALLBACK: Final = "predsurv-plain"


def _plain(error: UnicodeError) -> tuple[str, int]:
    """Stand in for what an encoding lacks: an error handler of ``codecs``."""
    if not isinstance(error, UnicodeEncodeError):
        raise error
    return "".join(_PLAIN.get(each, "?") for each in error.object[error.start : error.end]), error.end


codecs.register_error(_FALLBACK, _plain)


def put_in_order() -> None:
    """Replace closed standard streams by the null device, let output never fail to encode, tighten the umask."""
    os.umask(os.umask(UMASK) | UMASK)
    for number, name, mode in _STREAMS:
        if getattr(sys, name) is None:
            setattr(sys, name, _null(number, mode))
    for stream in (sys.stdout, sys.stderr):
        reconfigure = getattr(stream, "reconfigure", None)
        if reconfigure is not None:
            reconfigure(errors=_FALLBACK)


def discard_output() -> None:
    """Send what is printed from now on, and what is still buffered, to the null device: its reader has gone."""
    null = os.open(os.devnull, os.O_WRONLY | os.O_CLOEXEC)
    for stream in (sys.stdout, sys.stderr):
        try:
            stream.flush()
        except (OSError, ValueError):
            with suppress(OSError, ValueError):  # a stream without a descriptor
                os.dup2(null, stream.fileno())
    os.close(null)


@contextmanager
def ending_at_once() -> Iterator[None]:
    """Let an interrupt end the process, with its line and exit code, while the block imports modules.

    Raised as an exception there, it may be swallowed by whatever is being imported, and the program would go on.
    """
    if signal.getsignal(signal.SIGINT) is not signal.default_int_handler or current_thread() is not main_thread():
        yield
        return
    signal.signal(signal.SIGINT, _leave)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, signal.default_int_handler)


def _leave(_number: int, _frame: FrameType | None) -> None:
    say_briefly("interrupted")
    os._exit(INTERRUPTED)


def say_briefly(line: str) -> None:
    """Print ``line`` to stderr, unless nobody takes it within a moment: who was interrupted waits for no reader."""
    try:
        poll = select.poll()
        poll.register(sys.stderr.fileno(), select.POLLOUT)
        if not poll.poll(RELAY_SECONDS_MAX * 1_000):
            return
    except (OSError, ValueError):
        pass  # a stream without a descriptor does not block
    with suppress(OSError):
        print(line, file=sys.stderr, flush=True)


def end_relay() -> None:
    """Wait a moment for what was written to a relayed stderr to be taken, and write to stderr itself again."""
    finish = getattr(sys.stderr, "finish", None)  # its module costs too much to import here
    if finish is not None:
        finish(RELAY_SECONDS_MAX)
        sys.stderr = getattr(sys.stderr, "target", sys.__stderr__)


def _null(number: int, mode: str) -> TextIO:
    """Return a stream on the null device, with the descriptor ``number`` unless that is in use."""
    try:
        os.fstat(number)
    except OSError:
        held = []  # lower numbers may be free too: a new descriptor gets the lowest
        while (descriptor := os.open(os.devnull, os.O_RDWR)) < number:
            held.append(descriptor)
        os.set_inheritable(descriptor, True)  # children have standard streams as well
        for each in held:
            os.close(each)
    else:  # something that Python opened while it started
        descriptor = os.open(os.devnull, os.O_RDWR)
    return cast(TextIO, open(descriptor, mode, encoding="utf-8", errors="replace", closefd=False))
