"""File operations whose result survives a power cut.

All renames of the store are made here: without the fsync of its directory a rename can be undone.
"""

import ctypes
import errno
import os
from pathlib import Path
from typing import Final

from predsurv.core.errors import ConfigError

PRIVATE_DIR: Final = 0o700

_AT_FDCWD: Final = -100
_RENAME_EXCHANGE: Final = 2
_EXCHANGE_UNSUPPORTED: Final = frozenset({errno.ENOSYS, errno.EINVAL, errno.ENOTSUP})


def sync_dir(path: Path) -> None:
    """Make the entries of directory ``path`` durable; raises OSError."""
    fd = os.open(path, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(fd)
    finally:
        os.close(fd)


def sync_file(path: Path) -> None:
    """Make the content of file ``path`` durable; raises OSError."""
    fd = os.open(path, os.O_RDONLY)
    try:
        os.fsync(fd)
    finally:
        os.close(fd)


def make_dirs(path: Path, mode: int = 0o777) -> None:
    """Create the folder ``path`` and its missing parents, durably; raises OSError."""
    missing = []
    while not path.is_dir():
        missing.append(path)
        path = path.parent
    for folder in reversed(missing):
        folder.mkdir(mode=mode, exist_ok=True)
        sync_dir(folder.parent)


def replace(source: Path, target: Path) -> None:
    """Rename the already synced ``source`` over ``target``; durable after ``sync_dir(target.parent)``."""
    os.replace(source, target)


def exchange_dirs(one: Path, other: Path) -> None:
    """Swap the folders ``one`` and ``other`` atomically: no listing ever shows both contents or neither.

    Durable after ``sync_dir`` of both parents. Raises OSError, and ConfigError where the operating system
    or the file system cannot do it.
    """
    rename = getattr(ctypes.CDLL(None, use_errno=True), "renameat2", None)
    if rename is None:
        raise ConfigError("this system cannot exchange two folders in one step: set storage.compact = false")
    if rename(_AT_FDCWD, os.fsencode(one), _AT_FDCWD, os.fsencode(other), _RENAME_EXCHANGE) == 0:
        return
    code = ctypes.get_errno()
    if code in _EXCHANGE_UNSUPPORTED:
        raise ConfigError(f"the file system of {one} cannot exchange two folders: set storage.compact = false")
    raise OSError(code, os.strerror(code), str(one))


def clear_dir(path: Path) -> None:
    """Delete every file in the folder ``path``, if it exists; raises OSError."""
    for file in path.iterdir() if path.is_dir() else ():
        file.unlink(missing_ok=True)


def write_whole(path: Path, content: bytes) -> None:
    """Replace the content of ``path`` atomically and durably; raises OSError, the old file is unchanged then."""
    draft = path.with_name(path.name + ".draft")
    try:
        with draft.open("wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        replace(draft, path)
    except OSError:
        draft.unlink(missing_ok=True)
        raise
    sync_dir(path.parent)


def append_lines(path: Path, lines: bytes) -> None:
    """Append ``lines`` to ``path`` in one write and make them durable; raises OSError."""
    fd = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
    try:
        if os.write(fd, lines) != len(lines):
            raise OSError(f"short write to {path}: disk full?")
        os.fsync(fd)
    finally:
        os.close(fd)
