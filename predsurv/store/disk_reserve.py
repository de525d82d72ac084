"""Some disk kept back for the moment when there is none left.

Kept apart because whoever finds the disk full must be able to make room without deciding anything:
sealing needs a little space to give back a lot.
"""

import os
from contextlib import suppress
from pathlib import Path
from typing import Final

from predsurv.store.layout import Layout

RESERVE_BYTES: Final = 16_000_000
"""Enough for the files of one segment of the largest usual size (64 MB of log)."""

_SPARE: Final = 4
"""The disk must have so many times the ballast free before it is laid down again."""


def allocate(layout: Layout, size: int) -> None:
    """Lay down the ballast of ``size`` bytes unless it is there or the disk is too full for it."""
    path = layout.state / "ballast"
    if path.exists():
        return
    with suppress(OSError):
        disk = os.statvfs(layout.state)
        if disk.f_bavail * disk.f_frsize >= _SPARE * size:
            _lay_down(path, size)


def _lay_down(path: Path, size: int) -> None:
    fd = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        os.posix_fallocate(fd, 0, size)
    except OSError:
        path.unlink()
        raise
    finally:
        os.close(fd)


def release(layout: Layout) -> bool:
    """Give the ballast back to the disk; returns whether there was any."""
    try:
        (layout.state / "ballast").unlink()
    except FileNotFoundError:
        return False
    return True
