"""The lock of a journal: two traders with one account would not know of each other's orders."""

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from predsurv.core.errors import SafetyError


def lock(path: Path) -> int:
    """Return the descriptor of a journal's lock, held until it is closed; raises SafetyError when it is taken."""
    fd = os.open(path.with_suffix(".lock"), os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(fd)
        raise SafetyError(f"another trader is using {path}; stop it first, two would not know each other") from None
    return fd


@contextmanager
def locked(path: Path) -> Iterator[None]:
    """Hold the lock of a journal, whether it exists or not; raises SafetyError when it is taken."""
    fd = lock(path)
    try:
        yield
    finally:
        os.close(fd)
