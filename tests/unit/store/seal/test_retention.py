"""Tests of predsurv.store.seal.retention."""

import shutil
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from predsurv.core.errors import SafetyError
from predsurv.core.events import Trade
from predsurv.core.ids import InstrumentKey, VenueName
from predsurv.core.num import Price, Size
from predsurv.core.records import Coverage, Record
from predsurv.net.clock import ManualClock
from predsurv.store import manifest
from predsurv.store.layout import FOLDERS, NS_HOUR, Layout, data_files
from predsurv.store.locks import exclusive_lock
from predsurv.store.remote import upload_journal
from predsurv.store.seal.retention import RetentionPolicy, expire
from predsurv.store.seal.seal import seal_segment
from predsurv.store.wal.log import WriteAheadLog

NOON = 1_800_014_400_000_000_000  # 2027-01-15T12:00:00Z
HOURS = range(9, 15)


class Crash(BaseException):
    """The process died here."""


def hour(number: int) -> int:
    """The start of that hour of the day."""
    return NOON + (number - 12) * NS_HOUR


@pytest.fixture
def recorded(layout: Layout, key: InstrumentKey) -> Layout:
    """One trade and one covered hour in each of HOURS, one segment each."""
    for each in HOURS:
        log = WriteAheadLog(layout.state, "c0", ManualClock(hour(each)))
        records: list[Record] = [
            Trade(key, hour(each) + 1, None, Price(1), Size(each), None, None),
            Coverage(key, hour(each), hour(each + 1), "covered", "live", 1),
        ]
        log.append(records)
        path = log.close()
        assert path is not None
        seal_segment(path, layout, ManualClock(hour(each)))
    return layout


def kept(layout: Layout) -> list[int]:
    """The hours that still have their trade."""
    found: list[int] = []
    for path in data_files(layout, "trades"):
        found += [round(size * 1e6) for size in pq.read_table(path, partitioning=None)["size"].to_pylist()]
    return sorted(found)


def covered(layout: Layout) -> list[tuple[int, int]]:
    found: list[tuple[int, int]] = []
    for path in data_files(layout, "coverage"):
        table = pq.read_table(path, partitioning=None)
        times = (table[name].cast(pa.int64()).to_pylist() for name in ("start", "end"))
        found += zip(*times, strict=True)
    return sorted(found)


def whole(layout: Layout) -> None:
    """Everything listed is there as listed, and nothing else."""
    listed = {file.path: file.blake2b for file in manifest.read(layout.manifest)}
    on_disk = {
        path.relative_to(layout.data_dir).as_posix(): manifest.digest(path)
        for dataset in FOLDERS
        for path in data_files(layout, dataset)
    }
    assert listed == on_disk


def size_of(layout: Layout, *hours: int) -> int:
    paths = [path for dataset in FOLDERS for path in data_files(layout, dataset)]
    trades = [path for path in data_files(layout, "trades") if int(path.parent.name[-2:]) not in hours]
    return sum(path.stat().st_size for path in paths if path not in trades)


def test_retention_without_limits_removes_nothing(recorded: Layout) -> None:
    assert expire(recorded, ManualClock(hour(500)), RetentionPolicy()).files == 0
    assert kept(recorded) == list(HOURS)


def test_hours_older_than_the_limit_are_removed_with_their_coverage(recorded: Layout) -> None:
    report = expire(recorded, ManualClock(hour(15) + 5), RetentionPolicy(max_age=3 * NS_HOUR))
    assert (report.cutoff, report.files) == (hour(12), 3)
    assert kept(recorded) == [12, 13, 14]
    assert covered(recorded) == [(hour(each), hour(each + 1)) for each in (12, 13, 14)]
    whole(recorded)
    assert not list(recorded.expired.iterdir())
    assert expire(recorded, ManualClock(hour(15) + 5), RetentionPolicy(max_age=3 * NS_HOUR)).files == 0


def test_a_coverage_interval_across_the_cutoff_is_shortened(layout: Layout, key: InstrumentKey) -> None:
    log = WriteAheadLog(layout.state, "c0", ManualClock(hour(9)))
    log.append([Coverage(key, hour(9) + 7, hour(13) + 9, "gap", "stall", 1)])
    path = log.close()
    assert path is not None
    seal_segment(path, layout, ManualClock(hour(14)))
    expire(layout, ManualClock(hour(14)), RetentionPolicy(max_age=NS_HOUR))
    assert covered(layout) == [(hour(13), hour(13) + 9)]
    whole(layout)


def test_the_oldest_hours_are_removed_until_the_rest_fits(recorded: Layout) -> None:
    report = expire(recorded, ManualClock(hour(20)), RetentionPolicy(max_bytes=size_of(recorded, 13, 14)))
    assert report.cutoff == hour(13)
    assert kept(recorded) == [13, 14]
    whole(recorded)


def test_a_removed_day_leaves_only_the_newest_universe(recorded: Layout) -> None:
    older, newest = (recorded.universe(VenueName("mock"), date) for date in ("2027-01-14", "2027-01-15"))
    for path in (older, newest):
        path.parent.mkdir(parents=True)
        path.touch()
    expire(recorded, ManualClock(hour(60)), RetentionPolicy(max_age=NS_HOUR))
    assert list(recorded.data_dir.rglob("*.parquet")) == []
    assert list(recorded.data_dir.rglob("date=*")) == [newest.parent]
    assert list(manifest.read(recorded.manifest)) == []


def test_retention_keeps_foreign_files(recorded: Layout) -> None:
    universe = recorded.universe(VenueName("mock"), "2027-01-15")
    later = recorded.universe(VenueName("mock"), "2027-01-17")
    hours = {path.parent for path in data_files(recorded, "trades")}
    strange = [folder / name for folder in hours for name in ("notes.txt", "copy.parquet")]
    strange += [universe.with_name("my-universe.jsonl")]
    for path in (*strange, universe, later):
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()
    report = expire(recorded, ManualClock(hour(60)), RetentionPolicy(max_age=NS_HOUR))
    assert report.files == 2 * len(HOURS)
    assert kept(recorded) == []
    assert all(path.exists() for path in strange)
    assert not universe.exists()
    assert later.exists()
    assert not list(recorded.expired.iterdir())
    whole(recorded)


def test_retention_keeps_hours_of_unsealed_segments(recorded: Layout) -> None:
    log = WriteAheadLog(recorded.state, "c1", ManualClock(hour(11) + 5))
    expire(recorded, ManualClock(hour(60)), RetentionPolicy(max_age=NS_HOUR, max_bytes=1))
    assert kept(recorded) == [11, 12, 13, 14]
    log.close()


def test_retention_keeps_the_current_hour(recorded: Layout) -> None:
    expire(recorded, ManualClock(hour(14) + 5), RetentionPolicy(max_bytes=1))
    assert kept(recorded) == [14]


def test_retention_is_completed_after_a_crash_at_any_step(recorded: Layout, tmp_path: Path) -> None:
    policy, clock = RetentionPolicy(max_age=3 * NS_HOUR), ManualClock(hour(15) + 5)
    steps: list[str] = []
    trial = Layout(tmp_path / "trial")
    shutil.copytree(recorded.data_dir, trial.data_dir)
    expire(trial, clock, RetentionPolicy(max_age=3 * NS_HOUR, on_step=steps.append))
    assert len(steps) > 5
    for number in range(len(steps)):
        again = Layout(tmp_path / str(number))
        shutil.copytree(recorded.data_dir, again.data_dir)
        seen: list[str] = []

        def crash(now: str, at: int = number, seen: list[str] = seen) -> None:
            seen.append(now)
            if len(seen) == at + 1:
                raise Crash(now)

        with pytest.raises(Crash):
            expire(again, clock, RetentionPolicy(max_age=3 * NS_HOUR, on_step=crash))
        assert set(kept(again)) >= {12, 13, 14}
        expire(again, clock, policy)
        assert kept(again) == [12, 13, 14]
        assert covered(again) == [(hour(each), hour(each + 1)) for each in (12, 13, 14)]
        whole(again)
        assert not list(again.expired.iterdir())


def test_a_second_retention_run_is_refused(recorded: Layout) -> None:
    with exclusive_lock(recorded.state / "retention", "it"), pytest.raises(SafetyError, match="wait"):
        expire(recorded, ManualClock(hour(60)), RetentionPolicy(max_age=NS_HOUR))


def test_with_a_bucket_only_completely_uploaded_hours_are_removed(recorded: Layout) -> None:
    """Segments 1 and 2 are uploaded, of 3 the manifest is missing, 4 and later wait."""
    for batch in upload_journal.pending_batches(recorded, "c0")[:3]:
        done = [upload_journal.UploadRecord(file.path, file.blake2b, file.bytes) for file in batch.files]
        whole = [upload_journal.UploadRecord(batch.name, "d", 1)] if batch.segment < 3 else []
        upload_journal.append(recorded, "c0", batch.date, [*done, *whole])
    waiting = upload_journal.pending_batches(recorded, "c0")
    policy = RetentionPolicy(max_age=NS_HOUR, confirm=lambda records: [record.path for record in records])
    expire(recorded, ManualClock(hour(20)), policy)
    assert kept(recorded) == [11, 12, 13, 14]
    assert upload_journal.pending_batches(recorded, "c0") == waiting
    for batch in waiting:
        upload_journal.append(recorded, "c0", batch.date, [upload_journal.UploadRecord(batch.name, "d", 1)])
    expire(recorded, ManualClock(hour(14)), policy)
    assert kept(recorded) == [13, 14]
    assert upload_journal.pending_batches(recorded, "c0") == [], "coverage that was trimmed here is not uploaded"
    expire(recorded, ManualClock(hour(24 * 3)), policy)
    assert not list(recorded.uploads.glob("*.jsonl"))
    assert upload_journal.earliest_pending(recorded) is None
