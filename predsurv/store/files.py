"""File operations whose result survives a power cut.

Kept apart because forgetting one directory fsync undoes a rename, so nobody else renames.
"""

import os
from pathlib import Path

PRIVATE_DIR = 0o700


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
    """Create ``path`` and its parents, each durable in its own parent; raises OSError."""
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


def clear_dir(path: Path) -> None:
    """Delete every file in ``path``, if there is such a folder; raises OSError."""
    for file in path.iterdir() if path.is_dir() else ():
        file.unlink(missing_ok=True)


def write_whole(path: Path, content: bytes) -> None:
    """Replace ``path`` by ``content`` so that a reader sees the old or the new, and make it durable.

    Raises OSError and then leaves the old file as it was.
    """
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
