"""One segment of the write-ahead log: an SQLite file that batches are committed to.

Kept apart from the log so that what SQLite is asked to do, and why, is in one place.

SQLite runs in WAL mode and is never checkpointed while the segment is open. A commit is a
``write()`` to the ``-wal`` file: it survives the death of the process, costs no fsync, and a torn
or half-written commit is dropped by SQLite's own frame checksums. ``sync`` is one ``fdatasync`` of
that file, from any thread, beside further commits. Not checkpointing has two reasons: a
checkpointed WAL is overwritten from its start, which needs an fsync inside the next commit; and a
WAL that only grows says by its length whether its tail was torn. ``close`` checkpoints once with
``synchronous=FULL``, so that a closed segment is one durable file.
"""

import os
import sqlite3
import sys
import zlib
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing
from pathlib import Path
from typing import Final

import msgspec
from msgspec import Struct

from predsurv.core.errors import IntegrityError
from predsurv.store.files import sync_dir
from predsurv.store.wal.codec import EncodedBatch, LogBatch, decode

FORMAT: Final = 2
PAGE_BYTES: Final = 8_192
_WAL_HEADER: Final = 32
_FRAME_HEADER: Final = 24

_DAMAGE: Final = frozenset(
    {
        None,  # not from SQLite at all
        sqlite3.SQLITE_ERROR,  # no such table
        sqlite3.SQLITE_CORRUPT,
        sqlite3.SQLITE_NOTADB,
        sqlite3.SQLITE_IOERR_READ,
        sqlite3.SQLITE_IOERR_SHORT_READ,
        sqlite3.SQLITE_IOERR_CORRUPTFS,
        sqlite3.SQLITE_READONLY_RECOVERY,
        sqlite3.SQLITE_TOOBIG,
        sqlite3.SQLITE_MISMATCH,
    }
)
"""What SQLite says when the file itself is wrong; anything else is the disk, a lock or memory."""

_UNBORN_WAL_MAX: Final = 32 * (_FRAME_HEADER + PAGE_BYTES)
_SHM_FRAMES: Final = slice(16, 20)  # mxFrame in SQLite's WAL-index header (sqlite.org/walformat.html)

_SCHEMA: Final = """
CREATE TABLE header (body BLOB NOT NULL);
CREATE TABLE batches (
    id INTEGER PRIMARY KEY, records INTEGER NOT NULL, crc INTEGER NOT NULL, body BLOB NOT NULL
);
CREATE TABLE notes (kind TEXT PRIMARY KEY, crc INTEGER NOT NULL, body BLOB NOT NULL);
CREATE TABLE closed (batches INTEGER NOT NULL);
"""

PREDECESSOR_NOTE: Final = "predecessor-batches"
"""Note saying how many batches of the segment before this one count: after a failed sync the rest
was written again here, in the transaction that wrote the note."""


class IncompleteSegment(Exception):
    """A segment whose writer died while creating it: it never took a record."""


class SegmentHeader(Struct, frozen=True):
    """What a segment is. ``opened``: ns UTC."""

    format: int
    collector: str
    segment: int
    opened: int


class SegmentWriter:
    """An open segment. ``commit`` and ``close`` belong to one thread at a time, ``sync`` to any."""

    def __init__(self, path: Path, header: SegmentHeader) -> None:
        """Create the file; raises sqlite3.Error or OSError and then leaves nothing behind."""
        self.path = path
        self.batches = 0
        self.bytes = 0
        try:
            self._db = self._create(header)
            self._fd = os.open(wal_path(path), os.O_RDONLY | os.O_CLOEXEC)
            self.sync()
            sync_dir(path.parent)
        except (sqlite3.Error, OSError):
            remove_segment(path)
            raise

    def _create(self, header: SegmentHeader) -> sqlite3.Connection:
        db = sqlite3.connect(self.path, isolation_level=None, check_same_thread=False)
        try:
            db.execute(f"PRAGMA page_size={PAGE_BYTES}")
            db.execute("PRAGMA journal_mode=WAL")
            db.execute("PRAGMA wal_autocheckpoint=0")
            db.execute("PRAGMA synchronous=NORMAL")
            db.executescript(f"BEGIN; {_SCHEMA}")
            db.execute("INSERT INTO header VALUES (?)", (msgspec.json.encode(header),))
            db.execute("COMMIT")
        except sqlite3.Error:
            db.close()
            raise
        return db

    def commit(self, batches: Sequence[EncodedBatch], notes: Mapping[str, bytes]) -> None:
        """Write all of ``batches`` and ``notes`` or, raising sqlite3.Error, nothing."""
        db = self._db
        db.execute("BEGIN IMMEDIATE")
        try:
            rows = [
                (number, each.records, zlib.crc32(each.body), each.body)
                for number, each in enumerate(batches, self.batches + 1)
            ]
            db.executemany("INSERT INTO batches VALUES (?,?,?,?)", rows)
            db.executemany(
                "INSERT OR REPLACE INTO notes VALUES (?,?,?)",
                [(kind, zlib.crc32(body), body) for kind, body in notes.items()],
            )
            db.execute("COMMIT")
        except sqlite3.Error:
            if db.in_transaction:
                db.execute("ROLLBACK")
            raise
        self.batches += len(batches)
        self.bytes += sum(len(each.body) for each in batches)

    def sync(self) -> None:
        """Make every commit so far survive a power cut; raises OSError."""
        os.fdatasync(self._fd)

    def close(self) -> None:
        """Mark the segment complete and fold it into one durable file; raises sqlite3.Error or OSError."""
        try:
            self._db.execute("INSERT INTO closed VALUES (?)", (self.batches,))
            self._db.execute("PRAGMA synchronous=FULL")
            self._db.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        finally:
            self.abandon()
        sync_dir(self.path.parent)

    def abandon(self) -> None:
        """Let go of the file as it is."""
        self._db.close()
        os.close(self._fd)


class SegmentInfo(Struct, frozen=True):
    """What a segment says of itself.

    ``batches``: how many were committed as far as is known. ``complete``: its writer closed it.
    ``torn``: bytes at the end of its WAL that are no whole commit.
    """

    header: SegmentHeader
    notes: dict[str, bytes]
    complete: bool
    batches: int
    torn: int


class SegmentReader:
    """Reads a segment nobody writes to, changing nothing, past damage where SQLite finds the rest.

    ``damaged`` fills while ``batches`` is read.
    """

    def __init__(self, path: Path) -> None:
        """Open ``path``; raises UnbornSegment or IntegrityError, and OSError when the disk refuses to say."""
        self._path = path
        self.damaged: list[str] = []
        try:
            self._db = _open_read_only(path)
        except sqlite3.Error as error:
            raise OSError(f"SQLite: {error}") from error
        try:
            self.segment = self._read_segment()
        except (sqlite3.Error, msgspec.MsgspecError) as error:
            unborn = self._is_unborn()
            self._db.close()
            _raise_refusal(error)
            if unborn:
                raise IncompleteSegment(path.name) from error
            raise IntegrityError(f"log segment {path.name} is unreadable ({error}): look into quarantine") from error

    def _read_segment(self) -> SegmentInfo:
        db = self._db
        (body,) = db.execute("SELECT body FROM header").fetchone() or (b"",)
        header = msgspec.json.decode(body, type=SegmentHeader)
        if header.format != FORMAT:
            raise msgspec.ValidationError(f"format {header.format}, this version reads {FORMAT}")
        if f"{header.collector}-{header.segment:012d}.db" != self._path.name:
            raise msgspec.ValidationError("it says that it is another")
        closed = db.execute("SELECT batches FROM closed").fetchone()
        (last,) = db.execute("SELECT max(id) FROM batches").fetchone()
        expected = max(last or 0, closed[0] if closed else 0)
        return SegmentInfo(header, self._notes(), closed is not None, expected, _torn_bytes(self._path))

    def _notes(self) -> dict[str, bytes]:
        notes = {}
        indexed = "SELECT count(*) FROM notes WHERE kind = ?"  # the checksum does not say whose the note is
        for kind, crc, body in self._db.execute("SELECT kind, crc, body FROM notes").fetchall():
            if zlib.crc32(body) == crc and self._db.execute(indexed, (kind,)).fetchone() == (1,):
                notes[kind] = body
            else:
                self.damaged.append(f"note {kind}")
        return notes

    def _is_unborn(self) -> bool:
        """Whether the segment died while it was made: no table yet, and no commit in the WAL."""
        wal = wal_path(self._path)
        if wal.exists() and (wal.stat().st_size > _UNBORN_WAL_MAX or _has_commit(wal)):
            return False
        try:
            (tables,) = self._db.execute("SELECT count(*) FROM sqlite_master").fetchone()
        except sqlite3.Error:
            return self._path.stat().st_size == 0
        return bool(tables == 0)

    def batches(self, limit: int | None = None) -> Iterator[LogBatch]:
        """Yield each whole batch in order, the first ``limit`` only."""
        last = self.segment.batches if limit is None else min(limit, self.segment.batches)
        if limit is not None and limit > last:
            self.damaged.append(f"batches {last + 1} to {limit}")
        for number in range(1, last + 1):
            batch = self._batch(number)
            if batch is not None:
                yield batch

    def _batch(self, number: int) -> LogBatch | None:
        try:
            row = self._db.execute("SELECT crc, body FROM batches WHERE id = ?", (number,)).fetchone()
            if row is not None and zlib.crc32(row[1]) == row[0]:
                return decode(row[1])
        except (sqlite3.Error, msgspec.MsgspecError, TypeError) as error:
            _raise_refusal(error)
        self.damaged.append(f"batch {number}")
        return None

    def close(self) -> None:
        """Let go of the file."""
        self._db.close()


def _open_read_only(path: Path) -> sqlite3.Connection:
    # Without a WAL nobody writes, and no index beside it is needed: on a full disk there is no room for one.
    how = "mode=ro" if wal_path(path).exists() else "mode=ro&immutable=1"
    return sqlite3.connect(f"{path.resolve().as_uri()}?{how}", uri=True, isolation_level=None)


def _raise_refusal(error: Exception) -> None:
    """Raise OSError when ``error`` says nothing of the file: a full disk or a lock is no damage."""
    if isinstance(error, sqlite3.Error) and getattr(error, "sqlite_errorcode", None) not in _DAMAGE:
        raise OSError(f"SQLite: {error}") from error


def _has_commit(wal: Path) -> bool:
    """Whether a frame of ``wal`` says that it ended a commit, be it whole or not."""
    content = wal.read_bytes()
    sizes = (content[at + 4 : at + 8] for at in range(_WAL_HEADER, len(content), _FRAME_HEADER + PAGE_BYTES))
    return any(any(size) for size in sizes)


def _torn_bytes(path: Path) -> int:
    """Bytes behind the last whole commit in the WAL; call after a first read has indexed it."""
    wal, shm = wal_path(path), _shm_path(path)
    if not wal.exists() or not shm.exists():
        return 0
    with shm.open("rb") as file:
        frames = int.from_bytes(file.read(_SHM_FRAMES.stop)[_SHM_FRAMES], sys.byteorder)
    return max(0, wal.stat().st_size - _WAL_HEADER - frames * (_FRAME_HEADER + PAGE_BYTES))


def wal_path(path: Path) -> Path:
    """Return the path of SQLite's own log beside ``path``."""
    return path.with_name(path.name + "-wal")


def _shm_path(path: Path) -> Path:
    return path.with_name(path.name + "-shm")


def segment_files(path: Path) -> list[Path]:
    """Return the files that make up the segment at ``path``, those that exist."""
    return [file for file in (path, wal_path(path), _shm_path(path)) if file.exists()]


def remove_segment(path: Path) -> None:
    """Forget a segment: once its database file is durably gone it does not exist; raises OSError."""
    path.unlink(missing_ok=True)
    sync_dir(path.parent)
    wal_path(path).unlink(missing_ok=True)
    _shm_path(path).unlink(missing_ok=True)


def opened_at(path: Path) -> int | None:
    """Return when the segment at ``path`` was opened (ns UTC), None when it does not say.

    It may be open for writing, here or elsewhere.
    """
    try:
        with closing(_open_read_only(path)) as db:
            row = db.execute("SELECT body FROM header").fetchone()
        return msgspec.json.decode(row[0], type=SegmentHeader).opened if row else None
    except (sqlite3.Error, msgspec.MsgspecError):
        return None


def predecessor_limit(successor: Path) -> int | None:
    """Return how many batches of the segment before ``successor`` count; None means all.

    The successor may be open for writing, here or elsewhere. Raises OSError when the disk refuses.
    """
    if not successor.exists():
        return None
    try:
        with closing(_open_read_only(successor)) as db:
            row = db.execute("SELECT body, crc FROM notes WHERE kind = ?", (PREDECESSOR_NOTE,)).fetchone()
    except sqlite3.Error as error:
        _raise_refusal(error)
        return None  # damaged or unborn itself: its own sealing says so
    return int(row[0]) if row and zlib.crc32(row[0]) == row[1] else None
