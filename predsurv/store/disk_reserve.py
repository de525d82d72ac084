"""Reserve file, released when the disk is full so that one more segment can be sealed.

Sealing needs a little space to free a lot: the files of a segment take a fifth of its log.
"""

import os
from contextlib import suppress
from pathlib import Path
from typing import Final

from predsurv.store.layout import Layout

RESERVE_BYTES: Final = 16_000_000
"""Enough for the files of one segment of the largest usual size (64 MB of log)."""

_FREE_FACTOR: Final = 4
"""The disk must have this many times the reserve free before it is allocated again."""


def allocate(layout: Layout, size: int) -> None:
    """Allocate the reserve of ``size`` bytes unless it exists or the disk is too full for it."""
    path = layout.state / "ballast"
    if path.exists():
        return
    with suppress(OSError):
        disk = os.statvfs(layout.state)
        if disk.f_bavail * disk.f_frsize >= _FREE_FACTOR * size:
            _allocate(path, size)


def _allocate(path: Path, size: int) -> None:
    fd = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        os.posix_fallocate(fd, 0, size)
    except OSError:
        path.unlink()
        raise
    finally:
        os.close(fd)


def release(layout: Layout) -> bool:
    """Delete the reserve file; returns whether there was one."""
    try:
        (layout.state / "ballast").unlink()
    except FileNotFoundError:
        return False
    return True
