"""Tests of predsurv.store.wal.log."""

import os
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest
from msgspec.structs import replace

from predsurv.core.errors import IntegrityError, PredsurvError, TransientError
from predsurv.core.events import BookDelta
from predsurv.core.ids import InstrumentKey
from predsurv.core.level_changes import LevelChanges
from predsurv.core.records import Coverage, Record
from predsurv.net.clock import ManualClock
from predsurv.store.layout import Layout, segments_of
from predsurv.store.seal.tables import SegmentTables
from predsurv.store.wal import log as wal_log
from predsurv.store.wal.log import LogPaused, LogResumed, SegmentReplaced, WriteAheadLog
from predsurv.store.wal.packed_runs import items_of
from predsurv.store.wal.segment import SegmentReader, last_segment_number, predecessor_limit
from tests.kit.disk import Disk

Records = Callable[[int, int], list[Record]]


@pytest.fixture
def log(layout: Layout, clock: ManualClock) -> WriteAheadLog:
    return WriteAheadLog(layout.state, "c0", clock)


def sizes(*paths: Path) -> list[int]:
    """The numbers of the changes that the segments hold, in order."""
    found: list[int] = []
    for path in paths:
        collected = SegmentTables(2)
        with closing(SegmentReader(path)) as reader:
            for batch in reader.batches(predecessor_limit(path.with_name(f"c0-{int(path.stem[3:]) + 1:012d}.db"))):
                collected.add(batch)
            assert reader.damaged == []
        rows = collected.contents().tables["deltas"]
        found += [
            size for size, kind in zip(rows["size"].to_pylist(), rows["kind"].to_pylist(), strict=True) if kind == 2
        ]
    return found


def metadata(path: Path) -> dict[str, bytes]:
    with closing(SegmentReader(path)) as reader:
        return reader.segment.metadata


def test_flushed_records_can_be_read_by_another_reader(log: WriteAheadLog, records: Records) -> None:
    log.append(records(0, 5))
    assert sizes(log.path) == []
    assert log.flush() == ()
    assert sizes(log.path) == [0, 1, 2, 3, 4]
    assert log.size > 0


def test_a_long_buffer_is_written_in_bounded_batches(
    log: WriteAheadLog, records: Records, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("predsurv.store.wal.log.BATCH_RECORDS_MAX", 3)
    log.append([record for record in records(0, 8) if isinstance(record, BookDelta)])
    log.flush()
    with closing(SegmentReader(log.path)) as reader:
        assert [items_of(batch.times) for batch in reader.batches()] == [3, 3, 2]


def put_together(records: Records, first: int, count: int) -> LevelChanges:
    """Return the changes of ``records`` as if all had the time of the first."""
    deltas = [record for record in records(first, count) if isinstance(record, BookDelta)]
    return LevelChanges([replace(each, ts_recv=deltas[0].ts_recv) for each in deltas])


def test_changes_that_are_put_together_are_counted_one_by_one(
    log: WriteAheadLog, records: Records, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(wal_log, "BATCH_RECORDS_MAX", 5)
    monkeypatch.setattr(wal_log, "BUFFER_RECORDS_MAX", 20)
    runs = [put_together(records, first, 3) for first in (1, 4, 11)]
    log.append([*records(0, 1)[:1], *runs[:2], *records(7, 3)])
    log.append([runs[2], put_together(records, 21, 9)])
    with pytest.raises(IntegrityError, match="nobody flushed"):
        log.append(records(31, 1))
    log.flush()
    with closing(SegmentReader(log.path)) as reader:
        assert [items_of(batch.times) for batch in reader.batches()] == [4, 5, 4, 9]
    assert sizes(log.path) == [*range(10), *range(11, 14), *range(21, 30)]
    log.append(records(31, 1))
    log.flush()


async def test_changes_that_a_pause_refuses_are_counted_one_by_one(
    log: WriteAheadLog, disk: Disk, clock: ManualClock, records: Records
) -> None:
    log.append([put_together(records, 1, 3)])
    disk.full = True
    log.flush()
    log.append([put_together(records, 11, 7)])
    disk.full = False
    await clock.advance(wal_log.RETRY_INTERVAL)
    assert log.flush() == (LogResumed(clock.now(), 7),)
    assert sizes(log.path) == [1, 2, 3]


def test_changes_that_no_sync_covered_are_put_back_together(
    log: WriteAheadLog, disk: Disk, records: Records, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(wal_log, "BUFFER_RECORDS_MAX", 3)
    log.append([put_together(records, 1, 3)])
    log.flush()
    disk.syncs_to_fail = 1
    old = log.path
    log.sync()
    log.append([put_together(records, 4, 3)])
    log.sync()
    assert sizes(old, log.path) == [1, 2, 3, 4, 5, 6]


def test_rotation_hands_over_everything_and_keeps_the_metadata(log: WriteAheadLog, records: Records) -> None:
    log.append((), {"wanted": b"1"})
    log.append(records(0, 3))
    first = log.rotate()
    assert first is not None
    assert log.rotate() is None
    log.append((), {"wanted": b"2"})
    log.append(records(3, 3))
    second = log.close()
    assert second is not None
    assert sizes(first, second) == [0, 1, 2, 3, 4, 5]
    assert (metadata(first), metadata(second)) == ({"wanted": b"1"}, {"wanted": b"2"})


def test_metadata_is_in_the_new_segment_before_the_old_can_go(log: WriteAheadLog, records: Records) -> None:
    log.append((), {"wanted": b"1"})
    log.append(records(0, 1))
    log.rotate()
    assert metadata(log.path) == {"wanted": b"1"}


def test_a_clean_end_without_data_leaves_nothing_to_seal(log: WriteAheadLog) -> None:
    assert log.close() is None


async def test_a_full_disk_is_reported_and_loses_no_buffered_record(
    log: WriteAheadLog, disk: Disk, clock: ManualClock, records: Records, key: InstrumentKey
) -> None:
    log.append(records(0, 3))
    disk.full = True
    paused = LogPaused(clock.now(), "database or disk is full")
    assert log.flush() == (paused,)
    assert log.paused == paused
    gap = Coverage(key, 1, 2, "gap", "disk_full", 1)
    log.append([*records(3, 3), gap])
    refused = len(records(3, 3)) - sum(isinstance(record, Coverage) for record in records(3, 3))
    assert log.flush() == ()
    disk.full = False
    assert log.flush() == ()  # not asked again before the interval is over
    await clock.advance(wal_log.RETRY_INTERVAL)
    assert log.flush() == (LogResumed(clock.now(), refused),)
    assert log.paused is None
    log.append(records(6, 2))
    log.flush()
    assert sizes(log.path) == [0, 1, 2, 6, 7]


async def test_a_pause_ends_without_data_to_write(
    log: WriteAheadLog, disk: Disk, clock: ManualClock, records: Records
) -> None:
    log.append((), {"wanted": b"1"})
    disk.full = True
    log.flush()
    disk.full = False
    await clock.advance(wal_log.RETRY_INTERVAL)
    assert log.sync() == (LogResumed(clock.now(), 0),)
    assert metadata(log.path)["wanted"] == b"1"


def test_a_paused_log_does_not_rotate(log: WriteAheadLog, disk: Disk, records: Records) -> None:
    log.append(records(0, 3))
    log.flush()
    disk.full = True
    log.append(records(3, 3))
    before = log.path
    assert log.rotate() is None
    assert log.path == before
    assert isinstance(log.flush()[0], LogPaused)  # the fact that rotate met waits for the next flush


def test_closing_on_a_full_disk_says_what_is_missing(log: WriteAheadLog, disk: Disk, records: Records) -> None:
    log.append(records(0, 2))
    log.flush()
    disk.full = True
    log.append([*records(2, 1), put_together(records, 3, 3)])
    with pytest.raises(TransientError, match="4 records could not be written"):
        log.close()
    assert sizes(log.path) == [0, 1]


def test_the_buffer_is_bounded(log: WriteAheadLog, records: Records, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(wal_log, "BUFFER_RECORDS_MAX", 10)
    log.append(records(0, 12))  # at once: a backlog
    with pytest.raises(IntegrityError, match="nobody flushed"):
        log.append(records(12, 1))
    log.flush()
    log.append(records(12, 1))
    log.flush()
    assert sizes(log.path) == list(range(13))


def test_a_failed_sync_moves_the_uncovered_records_to_a_new_segment(
    log: WriteAheadLog, disk: Disk, clock: ManualClock, records: Records
) -> None:
    log.append((), {"wanted": b"1"})
    log.append(records(0, 3))
    log.sync()
    log.append(records(3, 3))
    log.flush()
    old = log.path
    disk.syncs_to_fail = 1
    log.append(records(6, 1))
    assert log.sync() == (SegmentReplaced(clock.now(), old, "I/O error"),)
    assert log.path != old
    log.append(records(7, 1))
    log.sync()
    assert sizes(old, log.path) == [0, 1, 2, 3, 4, 5, 6, 7]
    assert sizes(old) == [0, 1, 2]
    assert metadata(log.path)["wanted"] == b"1"


def test_the_segment_after_a_failed_sync_is_not_closed_before_its_predecessor(
    log: WriteAheadLog, disk: Disk, clock: ManualClock, records: Records
) -> None:
    log.append(records(0, 3))
    log.flush()
    old = log.path
    disk.syncs_to_fail = 1
    assert log.rotate() is None
    assert log.flush() == (SegmentReplaced(clock.now(), old, "I/O error"),)
    assert log.rotate() is not None


def test_two_failed_syncs_in_a_row_raise(log: WriteAheadLog, disk: Disk, records: Records) -> None:
    disk.syncs_to_fail = 2
    log.append(records(0, 3))
    log.sync()
    with pytest.raises(IntegrityError, match="fails to sync"):
        log.sync()


async def test_a_failed_sync_is_never_retried_on_the_same_segment(
    log: WriteAheadLog, disk: Disk, clock: ManualClock, records: Records, monkeypatch: pytest.MonkeyPatch
) -> None:
    log.append(records(0, 3))
    log.flush()
    old = log.path

    def refuse(*_: object) -> None:
        raise PredsurvError("cannot open a log segment: disk is full")

    disk.syncs_to_fail = 1
    with monkeypatch.context() as patch:
        patch.setattr("predsurv.store.wal.log.create_segment", refuse)
        (fact,) = log.sync()
        assert isinstance(fact, LogPaused)
        await clock.advance(wal_log.RETRY_INTERVAL)
        log.sync()
        assert log.rotate() is None
        assert log.path == old
    await clock.advance(wal_log.RETRY_INTERVAL)
    facts = log.sync()
    assert SegmentReplaced(clock.now(), old, "I/O error") in facts
    assert log.path != old
    log.append(records(3, 1))
    log.sync()
    assert sizes(old, log.path) == [0, 1, 2, 3]


def test_only_the_segment_after_a_failed_sync_limits_its_predecessor(
    log: WriteAheadLog, disk: Disk, records: Records
) -> None:
    """Only the segment right after a failed sync cuts the one before it."""
    disk.syncs_to_fail = 1
    log.append(records(0, 3))
    log.sync()
    log.append(records(3, 3))
    second = log.rotate()
    log.append(records(6, 3))
    log.flush()
    assert second is not None
    assert sizes(second, log.path) == list(range(9))


def test_segment_numbers_are_never_used_twice(layout: Layout, clock: ManualClock, records: Records) -> None:
    seen = []
    for _ in range(3):
        log = WriteAheadLog(layout.state, "c0", clock)
        seen.append(log.path)
        log.close()
        log.path.unlink()
    assert len(set(seen)) == 3


def test_a_lost_number_is_found_in_the_sealed_files(layout: Layout, clock: ManualClock) -> None:
    folder = layout.data_dir / "trades" / "venue=mock" / "date=2027-01-15" / "hour=12"
    folder.mkdir(parents=True)
    (folder / "trades_20270115T120000Z-c0-000000000041.parquet").touch()
    (folder / "trades_20270115T120000Z-other-000000000099.parquet").touch()
    (folder / "stranger.parquet").touch()
    assert last_segment_number(layout, "c0") == 41
    assert WriteAheadLog(layout.state, "c0", clock).path.name == "c0-000000000042.db"


def test_the_state_folder_is_private(layout: Layout, log: WriteAheadLog) -> None:
    assert layout.state.stat().st_mode & 0o077 == 0
    assert list(segments_of(layout.wal, "c0")) == [log.path]


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write anywhere")
def test_a_folder_that_refuses_is_one_line(tmp_path: Path, clock: ManualClock) -> None:
    tmp_path.chmod(0o500)
    with pytest.raises(PredsurvError, match="cannot open a log segment"):
        WriteAheadLog(tmp_path / "data" / "state", "c0", clock)


def test_a_path_that_is_no_folder_is_one_line(tmp_path: Path, clock: ManualClock) -> None:
    (tmp_path / "data").touch()
    with pytest.raises(PredsurvError, match="cannot open a log segment"):
        WriteAheadLog(tmp_path / "data" / "state", "c0", clock)
