"""What another number of processes left in its log is sealed, and nothing of a collector that runs."""

from pathlib import Path

from predsurv.collect.processes.division import divide
from predsurv.collect.processes.left_behind import left_behind, seal_left_behind
from predsurv.store.layout import Layout, segments_of
from predsurv.store.locks import CollectorLock
from tests.kit.collect_runs import FastClock, assert_whole, column, configured, scan
from tests.kit.killed_collector import die


async def test_a_killed_collector_is_sealed_by_another_number_of_processes(tmp_path: Path) -> None:
    clock = FastClock()
    config = configured(tmp_path)
    await scan(config, clock)
    await die(config, clock, lambda _, segments: len(segments) > 1, sealing=False)
    parts = divide(config, 2)
    assert left_behind(config, parts) == ["c0"]
    assert left_behind(config, divide(config, 1)) == [], "that is recovered as it starts"
    with CollectorLock(Layout(tmp_path).state, "c0"):
        await seal_left_behind(config, parts, clock)
        assert left_behind(config, parts) == ["c0"], "it runs"
    await seal_left_behind(config, parts, clock)
    assert left_behind(config, parts) == []
    assert list(segments_of(Layout(tmp_path).wal, "c0")) == []
    assert_whole(tmp_path)
    assert {reason for (reason,) in column(tmp_path, "coverage", "reason")} >= {"live", "subscribing"}


async def test_processes_that_were_killed_are_sealed_by_fewer(tmp_path: Path) -> None:
    clock = FastClock()
    config = configured(tmp_path, collector__max_instruments=80)
    await scan(config, clock)
    _, second = divide(config, 2)
    await die(second.config, clock, lambda _, segments: len(segments) > 1, sealing=False)
    assert left_behind(config, divide(config, 3)) == []
    assert left_behind(config, divide(config, 1)) == ["c0-2"]
    await seal_left_behind(config, divide(config, 1), clock)
    assert left_behind(config, divide(config, 1)) == []
    assert_whole(tmp_path)
