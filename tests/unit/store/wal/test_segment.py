"""Tests of predsurv.store.wal.segment."""

import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest

from predsurv.core.errors import IntegrityError
from predsurv.core.records import Record
from predsurv.store.wal.codec import BatchEncoder
from predsurv.store.wal.packed_runs import items_of
from predsurv.store.wal.segment import (
    FORMAT,
    PREDECESSOR_BATCHES,
    IncompleteSegment,
    SegmentHeader,
    SegmentReader,
    SegmentWriter,
    predecessor_limit,
    remove_segment,
    segment_files,
    wal_path,
)

Records = Callable[[int, int], list[Record]]


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "c0-000000000001.db"


@pytest.fixture
def writer(path: Path) -> SegmentWriter:
    return SegmentWriter(path, SegmentHeader(FORMAT, "c0", 1, 5))


def fill(writer: SegmentWriter, records: Records, batches: int) -> None:
    encoder = BatchEncoder()
    for number in range(batches):
        writer.commit([encoder.encode(records(number * 10, 10))], {"n": str(number).encode()})


def read(path: Path, limit: int | None = None) -> tuple[int, list[str], int, bool]:
    with closing(SegmentReader(path)) as reader:
        count = len(list(reader.batches(limit)))
        return count, reader.damaged, reader.segment.torn, reader.segment.complete


def as_after_a_kill(path: Path, target: Path) -> Path:
    """Copy the files of an open segment, as a killed writer would leave them."""
    copy = target / path.name
    for file in segment_files(path):
        (target / file.name).write_bytes(file.read_bytes())
    return copy


@pytest.fixture
def killed(path: Path, writer: SegmentWriter, records: Records, tmp_path: Path) -> Path:
    fill(writer, records, 12)
    (tmp_path / "killed").mkdir()
    copy = as_after_a_kill(path, tmp_path / "killed")
    writer.abandon()
    return copy


def test_a_closed_segment_is_one_complete_file(path: Path, writer: SegmentWriter, records: Records) -> None:
    fill(writer, records, 3)
    writer.close()
    assert segment_files(path) == [path]
    assert read(path) == (3, [], 0, True)
    with closing(SegmentReader(path)) as reader:
        assert reader.segment.header == SegmentHeader(FORMAT, "c0", 1, 5)
        assert reader.segment.metadata == {"n": b"2"}


def test_commits_of_a_killed_writer_are_readable(killed: Path) -> None:
    assert read(killed) == (12, [], 0, False)


def test_reading_changes_nothing(killed: Path) -> None:
    before = {file: file.read_bytes() for file in segment_files(killed) if not file.name.endswith("-shm")}
    read(killed)
    assert {file: file.read_bytes() for file in before} == before


def test_a_limit_leaves_out_what_comes_after(killed: Path) -> None:
    assert read(killed, 5) == (5, [], 0, False)


@pytest.mark.parametrize("with_index", [True, False], ids=["index", "no index"])
def test_a_torn_tail_is_left_out_and_counted(killed: Path, with_index: bool) -> None:
    wal = wal_path(killed)
    content = wal.read_bytes()
    wal.write_bytes(content[: len(content) // 2 + 1000])
    if not with_index:
        killed.with_name(killed.name + "-shm").unlink()
    count, damaged, torn, complete = read(killed)
    assert 0 < count < 12
    assert damaged == []
    assert torn > 0
    assert not complete


def test_garbage_behind_the_end_is_counted_and_costs_nothing(killed: Path) -> None:
    with wal_path(killed).open("ab") as file:
        file.write(b"\xa5" * 40_000)
    assert read(killed) == (12, [], 40_000, False)


def test_a_flipped_bit_costs_one_batch_and_is_named(path: Path, writer: SegmentWriter, records: Records) -> None:
    fill(writer, records, 3)
    body = BatchEncoder().encode(records(0, 10)).body
    writer.close()
    content = bytearray(path.read_bytes())
    at = content.find(body[50:90])
    assert at > 0
    content[at] ^= 4
    path.write_bytes(content)
    count, damaged, _, _ = read(path)
    assert (count, len(damaged)) == (2, 1)
    assert damaged[0].startswith("batch ")


def test_a_lost_batch_of_a_closed_segment_is_reported(path: Path, writer: SegmentWriter, records: Records) -> None:
    fill(writer, records, 3)
    writer.close()
    with closing(sqlite3.connect(path)) as db, db:
        db.execute("DELETE FROM batches WHERE id = 3")
    assert read(path)[:2] == (2, ["batch 3"])


def test_no_bit_flip_is_silent(path: Path, writer: SegmentWriter, records: Records, tmp_path: Path) -> None:
    """Every flip is found, or changes nothing that is read."""
    fill(writer, records, 4)
    writer.close()
    whole = path.read_bytes()
    with closing(SegmentReader(path)) as reader:
        expected = list(reader.batches()), reader.segment.metadata
    victim = tmp_path / "flipped" / path.name
    victim.parent.mkdir()
    for at in range(0, len(whole), len(whole) // 150):
        content = bytearray(whole)
        content[at] ^= 1 << (at % 8)
        victim.write_bytes(content)
        try:
            with closing(SegmentReader(victim)) as reader:
                batches = list(reader.batches())
                assert (batches, reader.segment.metadata) == expected or reader.damaged, at
        except IntegrityError:
            continue


@pytest.mark.parametrize("content", [b"not a database" * 100, b"SQLite format 3\0" + b"\xff" * 20_000])
def test_a_file_that_is_not_a_segment_is_refused(path: Path, content: bytes) -> None:
    path.write_bytes(content)
    with pytest.raises(IntegrityError, match="quarantine"):
        SegmentReader(path)


def test_another_format_is_refused(path: Path) -> None:
    SegmentWriter(path, SegmentHeader(FORMAT + 1, "c0", 1, 5)).close()
    with pytest.raises(IntegrityError, match=f"format {FORMAT + 1}, this version reads 2 and 3"):
        SegmentReader(path)


def test_an_incompletely_created_segment_is_not_damage(path: Path) -> None:
    path.touch()
    with pytest.raises(IncompleteSegment):
        SegmentReader(path)
    with closing(sqlite3.connect(path)) as db:
        db.execute("PRAGMA journal_mode=WAL")
    with pytest.raises(IncompleteSegment):
        SegmentReader(path)


def test_a_full_disk_writes_nothing_and_writing_goes_on_later(
    path: Path, writer: SegmentWriter, records: Records
) -> None:
    fill(writer, records, 1)
    writer._db.execute("PRAGMA max_page_count = 10")
    with pytest.raises(sqlite3.OperationalError, match="full"):
        writer.commit([BatchEncoder().encode(records(10, 5_000))], {"n": b"big"})
    writer._db.execute("PRAGMA max_page_count = 1000000")
    writer.commit([BatchEncoder().encode(records(10, 5_000))], {})
    writer.close()
    with closing(SegmentReader(path)) as reader:
        assert [items_of(batch.deltas.key) for batch in reader.batches() if batch.deltas] == [10, 5_000]
        assert reader.segment.metadata == {"n": b"0"}


def test_a_segment_that_cannot_be_made_leaves_nothing(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(self: SegmentWriter) -> None:
        raise OSError("no space")

    monkeypatch.setattr(SegmentWriter, "sync", fail)
    with pytest.raises(OSError, match="no space"):
        SegmentWriter(path, SegmentHeader(FORMAT, "c0", 1, 5))
    assert list(path.parent.iterdir()) == []


def test_the_limit_of_a_predecessor_is_read_beside_the_writer(path: Path, writer: SegmentWriter) -> None:
    assert predecessor_limit(path) is None
    writer.commit([], {PREDECESSOR_BATCHES: b"7"})
    assert predecessor_limit(path) == 7
    assert predecessor_limit(path.with_name("none.db")) is None
    writer.close()
    assert predecessor_limit(path) == 7


def test_removing_a_segment_removes_all_its_files(killed: Path) -> None:
    remove_segment(killed)
    assert segment_files(killed) == []


def spoil(path: Path, old: bytes, new: bytes) -> None:
    content = path.read_bytes()
    assert old in content
    path.write_bytes(content.replace(old, new, 1))


def test_a_segment_whose_header_names_another_is_damaged(path: Path, writer: SegmentWriter) -> None:
    writer.close()
    spoil(path, b'"segment":1', b'"segment":3')
    with pytest.raises(IntegrityError, match="another"):
        SegmentReader(path)


def test_metadata_under_another_kind_is_damaged(path: Path, writer: SegmentWriter) -> None:
    writer.commit([], {"open:03": b"three"})
    writer.close()
    content = path.read_bytes()
    at = content.rfind(b"open:03", 0, content.find(b"three"))
    path.write_bytes(content[:at] + b"open:02" + content[at + 7 :])
    with closing(SegmentReader(path)) as reader:
        assert (reader.segment.metadata, reader.damaged) == ({}, ["note open:02"])


def test_a_limit_that_is_damaged_is_none(path: Path, writer: SegmentWriter) -> None:
    writer.commit([], {PREDECESSOR_BATCHES: b"71829"})
    writer.close()
    spoil(path, b"71829", b"71828")
    assert predecessor_limit(path) is None


def test_batches_that_the_successor_requires_are_reported_missing(killed: Path) -> None:
    assert read(killed, 14) == (12, ["batches 13 to 14"], 0, False)


@pytest.mark.parametrize("at", [3, 40_000])
def test_a_small_segment_with_commits_is_not_taken_for_an_incomplete_one(
    path: Path, writer: SegmentWriter, records: Records, tmp_path: Path, at: int
) -> None:
    fill(writer, records, 1)
    folder = tmp_path / "killed"
    folder.mkdir()
    copy = as_after_a_kill(path, folder)
    writer.abandon()
    content = bytearray(wal_path(copy).read_bytes())
    content[at] ^= 1
    wal_path(copy).write_bytes(content)
    with pytest.raises(IntegrityError, match="quarantine"):
        SegmentReader(copy)
