"""What a disk or SQLite refuses is told apart from damage, and leaves what was written whole."""

import sqlite3
import zlib
from contextlib import closing
from pathlib import Path

import pytest

from predsurv.core.errors import IntegrityError
from predsurv.store.wal import segment
from predsurv.store.wal.codec import EncodedBatch
from predsurv.store.wal.segment import (
    FORMAT,
    PREDECESSOR_BATCHES,
    SegmentHeader,
    SegmentReader,
    SegmentWriter,
    opened_at,
    predecessor_limit,
)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "c0-000000000001.db"


@pytest.fixture
def writer(path: Path) -> SegmentWriter:
    return SegmentWriter(path, SegmentHeader(FORMAT, "c0", 1, 5))


@pytest.fixture
def closed(path: Path, writer: SegmentWriter) -> Path:
    """A whole segment of a batch that cannot be decoded, its checksum notwithstanding."""
    body = b"no batch at all"
    writer.commit([], {"n": b"1"})
    writer.close()
    with closing(sqlite3.connect(path)) as db, db:
        db.execute("INSERT INTO batches VALUES (1, 7, ?, ?)", (zlib.crc32(body), body))
    return path


def test_a_disk_that_fills_up_while_a_segment_is_made_is_left_as_it_was(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(segment, "_SCHEMA", f"PRAGMA max_page_count = 2; {segment._SCHEMA}")
    with pytest.raises(sqlite3.OperationalError, match="full"):
        SegmentWriter(path, SegmentHeader(FORMAT, "c0", 1, 5))
    assert list(path.parent.iterdir()) == []


def test_a_commit_that_is_refused_halfway_is_taken_back_as_a_whole(path: Path, writer: SegmentWriter) -> None:
    writer.commit([], {"n": b"before"})
    with closing(sqlite3.connect(path)) as db, db:
        db.execute("CREATE TRIGGER refuse BEFORE INSERT ON notes BEGIN SELECT RAISE(ABORT, 'refused'); END")
    with pytest.raises(sqlite3.IntegrityError, match="refused"):
        writer.commit([EncodedBatch(3, b"lost")], {"n": b"after"})
    assert (writer.batches, writer.bytes) == (0, 0)
    with closing(sqlite3.connect(path)) as db, db:
        db.execute("DROP TRIGGER refuse")
    writer.commit([], {"m": b"later"})
    writer.close()
    with closing(SegmentReader(path)) as reader:
        assert reader.segment.metadata == {"n": b"before", "m": b"later"}
        assert (reader.segment.batches, reader.damaged) == (0, [])


def test_a_segment_that_is_not_there_is_a_matter_of_the_disk(path: Path) -> None:
    with pytest.raises(OSError, match="SQLite: unable to open database file"):
        SegmentReader(path)
    assert opened_at(path) is None


def test_a_batch_that_cannot_be_decoded_is_named_and_passed_over(closed: Path) -> None:
    with closing(SegmentReader(closed)) as reader:
        assert reader.records() == 7
        assert list(reader.batches()) == []
        assert reader.damaged == ["batch 1"]


def test_batches_that_sqlite_does_not_find_are_damage(closed: Path) -> None:
    with closing(SegmentReader(closed)) as reader:
        with closing(sqlite3.connect(closed)) as db, db:
            db.execute("DROP TABLE batches")
        reader._db.close()
        reader._db = segment._open_read_only(closed)
        with pytest.raises(IntegrityError, match=rf"{closed.name}: no such table: batches"):
            reader.records()
        assert list(reader.batches()) == []
        assert reader.damaged == ["batch 1"]


def test_what_interrupts_reading_is_not_damage(closed: Path) -> None:
    with closing(SegmentReader(closed)) as reader:
        reader._db.set_progress_handler(lambda: 1, 1)
        with pytest.raises(OSError, match="SQLite: interrupted"):
            reader.records()
        with pytest.raises(OSError, match="SQLite: interrupted"):
            list(reader.batches())
        assert reader.damaged == []


@pytest.mark.parametrize("content", [b"", b"not a database" * 100])
def test_a_segment_that_cannot_be_read_says_neither_when_it_began_nor_what_it_took_over(
    path: Path, content: bytes
) -> None:
    path.write_bytes(content)
    assert opened_at(path) is None
    assert predecessor_limit(path) is None


def test_a_segment_says_when_it_was_opened_while_it_is_written(path: Path, writer: SegmentWriter) -> None:
    writer.commit([], {PREDECESSOR_BATCHES: b"7"})
    assert opened_at(path) == 5
    writer.close()
    assert opened_at(path) == 5
