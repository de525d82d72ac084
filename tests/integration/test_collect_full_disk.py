"""A recording whose log takes nothing for a while loses rows within its gaps only, whatever happens meanwhile."""

import asyncio
from pathlib import Path

import pytest

from predsurv.collect.collector import Collector, CollectorDeps
from predsurv.core.errors import TransientError
from predsurv.store.layout import Layout
from predsurv.store.read.verify import check_books, check_files, check_tiling
from predsurv.store.wal.segment import SegmentWriter, create_segment
from predsurv.venues.mock.venue import MockVenue
from tests.kit.collect_runs import FastClock, S, column, configured, scan
from tests.kit.disk import Disk
from tests.kit.killed_collector import KNOWN, assert_covered_time_has_all_its_rows, known, record
from tests.kit.patience import until


def assert_whole(data_dir: Path, end: int) -> None:
    layout = Layout(data_dir)
    assert [*check_files(layout), *check_tiling(Layout(data_dir))] == []
    assert list(check_books(layout)) == []
    assert_covered_time_has_all_its_rows(data_dir, end)


async def test_instruments_that_come_and_go_while_the_disk_is_full_are_not_covered(tmp_path: Path, disk: Disk) -> None:
    config, clock = configured(tmp_path, storage__seal_interval="1s", collector__rotation_period="2s"), FastClock()
    await scan(config, clock)
    job = Collector(config, [MockVenue(config.mock, clock)], clock, CollectorDeps())
    scheduler = job.sessions[0].scheduler
    running = asyncio.create_task(job.run())
    await until(lambda: known(job) >= KNOWN)
    disk.full = True
    await until(lambda: disk.refused)
    rotations = scheduler.rotations
    await until(lambda: scheduler.rotations >= rotations + 2)
    assert known(job) == 0, "nobody writes down what is learned now"
    disk.full = False
    await until(lambda: known(job) >= KNOWN)
    rotations = scheduler.rotations
    await until(lambda: scheduler.rotations >= rotations + 2)
    job.stop()
    report = await running
    assert report.venues[0].gap_ns["disk_full"] > 0
    assert_whole(tmp_path, clock.now())


async def test_a_disk_that_is_full_when_the_log_is_rotated_is_a_gap_from_there(
    tmp_path: Path, disk: Disk, monkeypatch: pytest.MonkeyPatch
) -> None:
    config, clock = configured(tmp_path, storage__seal_interval="1s", collector__rotation_period="1h"), FastClock()
    await scan(config, clock)
    job = Collector(config, [MockVenue(config.mock, clock)], clock, CollectorDeps())

    def created(*args: object) -> SegmentWriter:
        writer = create_segment(*args)  # type: ignore[arg-type]
        if known(job) >= KNOWN and not disk.refused:
            disk.full_when = lambda: disk.refused == 0 or (writer.batches == 0 and disk.refused < 3)
        return writer

    monkeypatch.setattr("predsurv.store.wal.log.create_segment", created)
    running = asyncio.create_task(job.run())
    await until(lambda: disk.refused >= 3)
    await until(lambda: known(job) >= KNOWN)
    job.stop()
    await running
    assert any(row[0] == "disk_full" for row in column(tmp_path, "coverage", "reason"))
    assert_whole(tmp_path, clock.now())


async def test_a_stop_on_a_full_disk_is_refused_and_the_next_run_accounts_for_it(tmp_path: Path, disk: Disk) -> None:
    config, clock = configured(tmp_path, collector__rotation_period="1h"), FastClock()
    await scan(config, clock)
    job = Collector(config, [MockVenue(config.mock, clock)], clock, CollectorDeps())
    running = asyncio.create_task(job.run())
    await until(lambda: known(job) >= KNOWN)
    disk.full = True
    await until(lambda: disk.refused)
    job.stop()
    with pytest.raises(TransientError, match="free disk space"):
        await running
    disk.full = False
    clock.wall += 100 * S
    await record(config, clock)
    assert_whole(tmp_path, clock.now())
