"""One segment of the write-ahead log: an SQLite file that batches are committed to.

SQLite runs in WAL mode and is never checkpointed while the segment is open. A commit is a
``write()`` to the ``-wal`` file: it survives the death of the process, costs no fsync, and a torn
or half-written commit is dropped by SQLite's own frame checksums. ``sync`` is one ``fdatasync`` of
that file, from any thread, beside further commits. Not checkpointing has two reasons: a
checkpointed WAL is overwritten from its start, which needs an fsync inside the next commit; and the
length of a WAL that only grows shows whether its tail was torn. ``close`` checkpoints once with
``synchronous=FULL``, so that a closed segment is one durable file.

A segment number is used once: sealed files are named after it, so a second use would overwrite them.
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

from predsurv.core.errors import IntegrityError, PredsurvError, disk_trouble
from predsurv.store.files import PRIVATE_DIR, make_dirs, sync_dir, write_whole
from predsurv.store.layout import FOLDERS, Layout, data_files, parse_file, parse_segment, segment_name, segments_of
from predsurv.store.wal import format_2
from predsurv.store.wal.codec import EncodedBatch, LogBatch, decode

FORMAT: Final = 3
"""The format that is written; `format_2` is read too, so that a newer version seals what an older one left."""

_DECODERS: Final = {format_2.FORMAT: format_2.decode, FORMAT: decode}
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
"""SQLite errors that mean a damaged file; any other is a matter of the disk, a lock or memory."""

_INCOMPLETE_WAL_MAX: Final = 32 * (_FRAME_HEADER + PAGE_BYTES)
_SHM_FRAMES: Final = slice(16, 20)  # mxFrame in SQLite's WAL-index header (sqlite.org/walformat.html)

_SCHEMA: Final = """
CREATE TABLE header (body BLOB NOT NULL);
CREATE TABLE batches (
    id INTEGER PRIMARY KEY, records INTEGER NOT NULL, crc INTEGER NOT NULL, body BLOB NOT NULL
);
CREATE TABLE notes (kind TEXT PRIMARY KEY, crc INTEGER NOT NULL, body BLOB NOT NULL);
CREATE TABLE closed (batches INTEGER NOT NULL);
"""

PREDECESSOR_BATCHES: Final = "predecessor-batches"
"""Metadata kind: how many batches of the previous segment are valid. After a failed sync the rest was
written again here, in the transaction that wrote this."""


class IncompleteSegment(Exception):
    """The segment's creation was interrupted: it holds no record."""


class SegmentHeader(Struct, frozen=True):
    """Identity of a segment. ``opened``: ns UTC."""

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

    def commit(self, batches: Sequence[EncodedBatch], metadata: Mapping[str, bytes]) -> None:
        """Write ``batches`` and ``metadata`` in one transaction; on sqlite3.Error nothing is written."""
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
                [(kind, zlib.crc32(body), body) for kind, body in metadata.items()],
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
        """Mark the segment complete and merge its WAL into one durable file; raises sqlite3.Error or OSError."""
        try:
            self._db.execute("INSERT INTO closed VALUES (?)", (self.batches,))
            self._db.execute("PRAGMA synchronous=FULL")
            self._db.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        finally:
            self.abandon()
        sync_dir(self.path.parent)

    def abandon(self) -> None:
        """Close the file as it is, without marking it complete."""
        self._db.close()
        os.close(self._fd)


def create_segment(layout: Layout, collector: str, opened: int) -> SegmentWriter:
    """Create the next segment of ``collector``, opened at ``opened`` (ns UTC).

    Its number is durably reserved before the file exists. Raises PredsurvError when the disk refuses.
    """
    try:
        make_dirs(layout.state, PRIVATE_DIR)
        make_dirs(layout.wal, PRIVATE_DIR)
        number = last_segment_number(layout, collector) + 1
        write_whole(_last_number_path(layout, collector), str(number).encode())
        path = layout.wal / segment_name(collector, number)
        return SegmentWriter(path, SegmentHeader(FORMAT, collector, number, opened))
    except (sqlite3.Error, OSError) as error:
        raise PredsurvError(disk_trouble(f"cannot open a log segment in {layout.wal}", error)) from error


def last_segment_number(layout: Layout, collector: str) -> int:
    """Return the highest segment number ever reserved by ``collector``, 0 when none was.

    It is recorded in ``{collector}.last``; where that is missing or unreadable, the names of sealed files are used.
    """
    found = max((parse_segment(path)[1] for path in segments_of(layout.wal, collector)), default=0)
    try:
        recorded = int(_last_number_path(layout, collector).read_bytes())
    except (OSError, ValueError):
        paths = (path for dataset in FOLDERS for path in data_files(layout, dataset))
        stamps = (parse_file(path)[1] for path in paths)
        recorded = max((stamp.segment for stamp in stamps if stamp.collector == collector), default=0)
    return max(found, recorded)


def _last_number_path(layout: Layout, collector: str) -> Path:
    return layout.wal / f"{collector}.last"


class SegmentInfo(Struct, frozen=True):
    """Header and state of a segment.

    ``metadata``: the latest payload of each kind. ``complete``: its writer closed it. ``batches``: how many
    were committed as far as is known. ``torn``: bytes at the end of its WAL that are not a complete commit.
    """

    header: SegmentHeader
    metadata: dict[str, bytes]
    complete: bool
    batches: int
    torn: int


class SegmentReader:
    """Reader of a closed or abandoned segment; read-only, skips damaged batches where SQLite finds the rest.

    ``damaged`` names what could not be read; it grows while ``batches`` is consumed.
    """

    def __init__(self, path: Path) -> None:
        """Open ``path``; raises IncompleteSegment, IntegrityError when it is damaged, OSError when the disk refuses."""
        self._path = path
        self.damaged: list[str] = []
        try:
            self._db = _open_read_only(path)
        except sqlite3.Error as error:
            raise OSError(f"SQLite: {error}") from error
        try:
            self.segment = self._read_segment()
        except (sqlite3.Error, msgspec.MsgspecError) as error:
            incomplete = self._is_incomplete()
            self._db.close()
            _raise_unless_damage(error)
            if incomplete:
                raise IncompleteSegment(path.name) from error
            raise IntegrityError(f"log segment {path.name} is unreadable ({error}): look into quarantine") from error

    def _read_segment(self) -> SegmentInfo:
        db = self._db
        (body,) = db.execute("SELECT body FROM header").fetchone() or (b"",)
        header = msgspec.json.decode(body, type=SegmentHeader)
        if header.format not in _DECODERS:
            known = " and ".join(map(str, _DECODERS))
            raise msgspec.ValidationError(f"format {header.format}, this version reads {known}")
        if f"{header.collector}-{header.segment:012d}.db" != self._path.name:
            raise msgspec.ValidationError("it says that it is another")
        closed = db.execute("SELECT batches FROM closed").fetchone()
        (last,) = db.execute("SELECT max(id) FROM batches").fetchone()
        expected = max(last or 0, closed[0] if closed else 0)
        return SegmentInfo(header, self._metadata(), closed is not None, expected, _torn_bytes(self._path))

    def _metadata(self) -> dict[str, bytes]:
        metadata = {}
        indexed = "SELECT count(*) FROM notes WHERE kind = ?"  # the checksum does not cover the kind
        for kind, crc, body in self._db.execute("SELECT kind, crc, body FROM notes").fetchall():
            if zlib.crc32(body) == crc and self._db.execute(indexed, (kind,)).fetchone() == (1,):
                metadata[kind] = body
            else:
                self.damaged.append(f"note {kind}")
        return metadata

    def _is_incomplete(self) -> bool:
        """Return whether creation was interrupted: no table yet, and no commit in the WAL."""
        wal = wal_path(self._path)
        if wal.exists() and (wal.stat().st_size > _INCOMPLETE_WAL_MAX or _has_commit(wal)):
            return False
        try:
            (tables,) = self._db.execute("SELECT count(*) FROM sqlite_master").fetchone()
        except sqlite3.Error:
            return self._path.stat().st_size == 0
        return bool(tables == 0)

    def records(self) -> int:
        """Return how many records its batches say to have, without reading them; raises IntegrityError."""
        try:
            (count,) = self._db.execute("SELECT coalesce(sum(records), 0) FROM batches").fetchone()
        except sqlite3.Error as error:
            _raise_unless_damage(error)
            raise IntegrityError(f"{self._path}: {error}") from error
        return int(count)

    def batches(self, limit: int | None = None) -> Iterator[LogBatch]:
        """Yield each readable batch in order, of the first ``limit`` batches (None: all)."""
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
                return _DECODERS[self.segment.header.format](row[1])
        except (sqlite3.Error, msgspec.MsgspecError, TypeError, ValueError) as error:
            _raise_unless_damage(error)
        self.damaged.append(f"batch {number}")
        return None

    def close(self) -> None:
        """Close the file."""
        self._db.close()


def _open_read_only(path: Path) -> sqlite3.Connection:
    # Without a WAL there is no writer and SQLite needs no WAL index, for which a full disk has no room.
    how = "mode=ro" if wal_path(path).exists() else "mode=ro&immutable=1"
    return sqlite3.connect(f"{path.resolve().as_uri()}?{how}", uri=True, isolation_level=None)


def _raise_unless_damage(error: Exception) -> None:
    """Raise OSError when ``error`` is not damage of the file but, for example, a full disk or a lock."""
    if isinstance(error, sqlite3.Error) and getattr(error, "sqlite_errorcode", None) not in _DAMAGE:
        raise OSError(f"SQLite: {error}") from error


def _has_commit(wal: Path) -> bool:
    """Return whether any frame of ``wal``, valid or not, is marked as the last one of a commit."""
    content = wal.read_bytes()
    sizes = (content[at + 4 : at + 8] for at in range(_WAL_HEADER, len(content), _FRAME_HEADER + PAGE_BYTES))
    return any(any(size) for size in sizes)


def _torn_bytes(path: Path) -> int:
    """Return the bytes after the last complete commit in the WAL; call after a first read has indexed it."""
    wal, shm = wal_path(path), _shm_path(path)
    if not wal.exists() or not shm.exists():
        return 0
    with shm.open("rb") as file:
        frames = int.from_bytes(file.read(_SHM_FRAMES.stop)[_SHM_FRAMES], sys.byteorder)
    return max(0, wal.stat().st_size - _WAL_HEADER - frames * (_FRAME_HEADER + PAGE_BYTES))


def wal_path(path: Path) -> Path:
    """Return the path of SQLite's own write-ahead log of the segment at ``path``."""
    return path.with_name(path.name + "-wal")


def _shm_path(path: Path) -> Path:
    return path.with_name(path.name + "-shm")


def segment_files(path: Path) -> list[Path]:
    """Return the existing files of the segment at ``path``, the database file first."""
    return [file for file in (path, wal_path(path), _shm_path(path)) if file.exists()]


def remove_segment(path: Path) -> None:
    """Delete a segment, its database file first: without that it does not exist; raises OSError."""
    path.unlink(missing_ok=True)
    sync_dir(path.parent)
    wal_path(path).unlink(missing_ok=True)
    _shm_path(path).unlink(missing_ok=True)


def opened_at(path: Path) -> int | None:
    """Return when the segment at ``path`` was opened (ns UTC), None when it cannot be read.

    It may be open for writing, in this process or another.
    """
    try:
        with closing(_open_read_only(path)) as db:
            row = db.execute("SELECT body FROM header").fetchone()
        return msgspec.json.decode(row[0], type=SegmentHeader).opened if row else None
    except (sqlite3.Error, msgspec.MsgspecError):
        return None


def predecessor_limit(successor: Path) -> int | None:
    """Return how many batches of the segment before ``successor`` are valid, None when all are.

    The successor may be open for writing, in this process or another. Raises OSError when the disk refuses.
    """
    if not successor.exists():
        return None
    try:
        with closing(_open_read_only(successor)) as db:
            row = db.execute("SELECT body, crc FROM notes WHERE kind = ?", (PREDECESSOR_BATCHES,)).fetchone()
    except sqlite3.Error as error:
        _raise_unless_damage(error)
        return None  # the successor is damaged or incomplete itself, which its own sealing reports
    return int(row[0]) if row and zlib.crc32(row[0]) == row[1] else None
