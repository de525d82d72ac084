"""The file beneath an order journal: made whole, opened, and synced when asked to.

SQLite appends what is committed to a log beside the file and syncs it only where it has to for its own consistency.
When our entries are on disk is decided by whoever sends what they say, and waiting for that need not stop the run.
"""

import errno
import os
import sqlite3
import threading
from contextlib import closing
from pathlib import Path
from typing import Final

from predsurv.core.errors import TransientError, disk_refused
from predsurv.store.files import sync_dir

VERSION: Final = 1


class LogSync:
    """Puts on disk what was committed to the journal at ``path``; ``sync`` and ``close`` may come from any thread."""

    def __init__(self, path: Path) -> None:
        self._log = path.with_name(path.name + "-wal")
        self._fd: int | None = None
        self._is_closed = self._has_failed = False
        self._lock = threading.Lock()  # a file is not closed while it is being synced

    def sync(self) -> None:
        """Return when every commit before this call would survive a power cut; raises OSError.

        After a failure it raises every time: what the disk lost, no later sync brings back.
        """
        with self._lock:
            if self._is_closed:
                return
            if self._has_failed:
                raise OSError(errno.EIO, os.strerror(errno.EIO))
            self._has_failed = True
            if self._fd is None:
                self._fd = os.open(self._log, os.O_RDONLY | os.O_CLOEXEC)
                sync_dir(self._log.parent)
            _sync_data(self._fd)
            self._has_failed = False

    def close(self) -> None:
        """Close it; safe to call twice."""
        with self._lock:
            self._is_closed = True
            if self._fd is not None:
                os.close(self._fd)
                self._fd = None


_sync_data: Final = getattr(os, "fdatasync", os.fsync)  # macOS has only the latter


def create_journal(path: Path) -> None:
    """Create an empty journal, renamed into place so that one that exists is always complete.

    Raises TransientError when the disk refuses.
    """
    draft = path.with_suffix(".new")
    try:
        for old in (path.with_suffix(".db-wal"), path.with_suffix(".db-shm"), draft):
            old.unlink(missing_ok=True)
        _write_empty(draft)
        draft.replace(path)
        sync_dir(path.parent)
    except (sqlite3.OperationalError, OSError) as error:
        raise disk_refused(f"cannot write {path}", error) from error


def _write_empty(draft: Path) -> None:
    with closing(sqlite3.connect(draft)) as db:
        draft.chmod(0o600)
        db.execute("CREATE TABLE entries (seq INTEGER PRIMARY KEY, chain INTEGER NOT NULL, body BLOB NOT NULL) STRICT")
        db.execute(f"PRAGMA user_version={VERSION}")


def unreadable(path: Path, error: sqlite3.DatabaseError) -> TransientError:
    """Return what is raised where the place, not the file, is in the way."""
    return TransientError(f"{path}: cannot be read ({error}): see to permissions and the disk, then run again")


def connect_journal(path: Path, *, durable: bool, readonly: bool) -> sqlite3.Connection:
    """Open the file; where it is damaged, reading it finds and names that."""
    if readonly:
        mode = "mode=ro&immutable=1" if _is_still(path) else "mode=ro"
        return sqlite3.connect(f"{path.absolute().as_uri()}?{mode}", uri=True)
    db = sqlite3.connect(path)
    try:
        db.execute("PRAGMA journal_mode=WAL")
        db.execute(f"PRAGMA synchronous={'NORMAL' if durable else 'OFF'}")
    except sqlite3.DatabaseError:
        return db
    return db


def _is_still(path: Path) -> bool:
    """Return whether all of a journal is in its file, and SQLite cannot put beside it what readers share."""
    log = path.with_name(path.name + "-wal")
    return not os.access(path.parent, os.W_OK, effective_ids=True) and not (log.exists() and log.stat().st_size)
