"""On disk: where the coverage of every instrument that is not recorded now ended, and what rotation learnt of them.

The checkpoint is rewritten all the time and must stay small. This index grows with the universe, is read
only when an instrument is recorded again, and keeps closed markets and earlier runs for ever, so coverage
has no hole however long an instrument was not recorded.
"""

import logging
import os
import sqlite3
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import closing, contextmanager
from pathlib import Path
from threading import Lock
from typing import Final

from predsurv.collect.recording.coverage import CoverageEnd
from predsurv.core.errors import TransientError, disk_refused
from predsurv.core.events import GapReason
from predsurv.core.ids import InstrumentId, InstrumentKey, MarketId, VenueName
from predsurv.store.files import PRIVATE_DIR, make_dirs

_LOG: Final = logging.getLogger(__name__)
_SCHEMA: Final = """
CREATE TABLE IF NOT EXISTS ends (
    venue TEXT NOT NULL, instrument_id TEXT NOT NULL, market_id TEXT NOT NULL, ended INTEGER NOT NULL,
    reason TEXT NOT NULL DEFAULT 'rotated_out',
    PRIMARY KEY (venue, instrument_id, market_id)
) WITHOUT ROWID
"""
_LEARNT_SCHEMA: Final = "CREATE TABLE IF NOT EXISTS learnt (venue TEXT PRIMARY KEY, sums BLOB NOT NULL) WITHOUT ROWID"
# Files of versions before there was ``no_capacity`` lack the column.
_ADD_REASON: Final = "ALTER TABLE ends ADD COLUMN reason TEXT NOT NULL DEFAULT 'rotated_out'"
_STORE: Final = "INSERT OR REPLACE INTO ends (venue, instrument_id, market_id, ended, reason) VALUES (?, ?, ?, ?, ?)"
# One statement for one instrument: the driver caches every statement that it prepared, and a statement
# for many instruments would be another for each number of them.
_LOOKUP: Final = "SELECT ended FROM ends WHERE venue = ? AND instrument_id = ? AND market_id = ?"


class CoverageIndex:
    """One collector's ``state/{collector}.ledger.db``; safe from any thread, one call at a time."""

    def __init__(self, state_dir: Path, collector: str) -> None:
        """Open it, the lock held; a damaged file is renamed and replaced. Raises TransientError on a disk error."""
        make_dirs(state_dir, PRIVATE_DIR)
        self._path = state_dir / f"{collector}.ledger.db"
        self._lock = Lock()
        try:
            try:
                self._db = _open(self._path)
            except sqlite3.DatabaseError as error:
                if isinstance(error, sqlite3.OperationalError):
                    raise
                _rename_damaged(self._path, error)
                self._db = _open(self._path)
        except (sqlite3.Error, OSError) as error:
            raise TransientError(f"cannot open {self._path} ({error}): check the disk and start again") from error

    def store(self, ends: Iterable[CoverageEnd], waiting: Iterable[CoverageEnd] = ()) -> None:
        """Store ``ends``, durably when this returns; raises TransientError, and then stores none of them.

        ``waiting``: those whose time since then is ``no_capacity`` instead of ``rotated_out``.
        """
        reasons: Sequence[GapReason] = ("rotated_out", "no_capacity")
        rows = [
            (key.venue, _text(key.instrument_id), _text(key.market_id), ended, reason)
            for reason, each in zip(reasons, (ends, waiting), strict=True)
            for key, ended in each
        ]
        try:
            with self._lock, self._db:
                self._db.executemany(_STORE, rows)
        except sqlite3.Error as error:
            raise disk_refused(f"cannot write {self._path}", error) from error

    def lookup(self, keys: Iterable[InstrumentKey]) -> dict[InstrumentKey, int | None]:
        """Return where the coverage of each of ``keys`` ended (ns UTC), None when it never had any.

        Raises TransientError.
        """
        found: dict[InstrumentKey, int | None] = {}
        with self._reading() as db:
            for key in keys:
                row = db.execute(_LOOKUP, (key.venue, _text(key.instrument_id), _text(key.market_id))).fetchone()
                found[key] = row[0] if row else None
        return found

    def all_of(
        self, venue: VenueName, keep: Callable[[InstrumentKey], bool] = lambda _: True
    ) -> dict[InstrumentKey, int]:
        """Return where the coverage of each instrument of ``venue`` ended (ns UTC); raises TransientError.

        ``keep``: which of them; the index holds every instrument ever recorded, most of them long closed.
        """
        query = "SELECT market_id, instrument_id, ended FROM ends WHERE venue = ?"
        with self._reading() as db:
            found = (
                (InstrumentKey(venue, MarketId(m), InstrumentId(i)), ended)
                for m, i, ended in db.execute(query, (venue,))
            )
            return {key: ended for key, ended in found if keep(key)}

    def waiting(self, venue: VenueName) -> dict[InstrumentKey, int]:
        """Return the instruments of ``venue`` that wait for a place, and since when (ns UTC); raises TransientError."""
        query = "SELECT market_id, instrument_id, ended FROM ends WHERE venue = ? AND reason = 'no_capacity'"
        with self._reading() as db:
            rows = db.execute(query, (venue,)).fetchall()
        return {InstrumentKey(venue, MarketId(m), InstrumentId(i)): ended for m, i, ended in rows}

    def store_learnt(self, venue: VenueName, sums: bytes) -> None:
        """Store what is known of how busy the instruments of ``venue`` were, durably; raises TransientError.

        In the place of what was stored before, which stays if this process dies meanwhile.
        """
        try:
            with self._lock, self._db:
                self._db.execute("INSERT OR REPLACE INTO learnt (venue, sums) VALUES (?, ?)", (venue, sums))
        except sqlite3.Error as error:
            raise disk_refused(f"cannot write {self._path}", error) from error

    def learnt(self, venue: VenueName) -> bytes | None:
        """Return what was stored of ``venue`` last, None when nothing was; raises TransientError."""
        with self._reading() as db:
            row = db.execute("SELECT sums FROM learnt WHERE venue = ?", (venue,)).fetchone()
        return bytes(row[0]) if row else None

    @contextmanager
    def _reading(self) -> Iterator[sqlite3.Connection]:
        try:
            with self._lock:
                yield self._db
        except sqlite3.Error as error:
            raise TransientError(f"cannot read {self._path} ({error}): check the disk") from error

    def close(self) -> None:
        """Close the file; safe to call twice."""
        with self._lock:
            self._db.close()


def _open(path: Path) -> sqlite3.Connection:
    os.close(os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600))
    db = sqlite3.connect(path, check_same_thread=False)
    try:
        db.execute("PRAGMA journal_mode=WAL")
        db.execute("PRAGMA synchronous=FULL")  # what is stored here is dropped from the checkpoint
        db.execute(_SCHEMA)
        db.execute(_LEARNT_SCHEMA)
        if "reason" not in {row[1] for row in db.execute("PRAGMA table_info(ends)")}:
            db.execute(_ADD_REASON)
        with closing(db.execute("PRAGMA quick_check(1)")) as answer:
            (verdict,) = answer.fetchone()
        if verdict != "ok":
            raise sqlite3.DatabaseError(verdict)
    except sqlite3.Error:
        db.close()
        raise
    return db


def _rename_damaged(path: Path, error: Exception) -> None:
    _LOG.warning("%s is damaged (%s); kept as %s.damaged, some rotated-out time stays unexplained", path, error, path)
    path.replace(path.with_name(path.name + ".damaged"))
    for suffix in ("-wal", "-shm"):
        path.with_name(path.name + suffix).unlink(missing_ok=True)


def _text(name: str) -> str:
    """Return ``name`` in a form that SQLite accepts: a lone surrogate has no UTF-8."""
    return name.encode("utf-8", "backslashreplace").decode()
