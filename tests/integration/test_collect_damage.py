"""After any damage to the log time is still tiled: what is lost is a crash gap, and nothing counts twice."""

import asyncio
import logging
import shutil
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from predsurv.collect.collector import Collector, CollectorDeps
from predsurv.collect.startup import start
from predsurv.config import Config
from predsurv.store.layout import Layout, segments_of
from predsurv.store.read.verify import check_tiling
from predsurv.store.seal import recovery
from predsurv.store.seal.seal import SealReport, seal_segment
from predsurv.store.wal import quarantine
from predsurv.store.wal.log import WriteAheadLog
from predsurv.venues.mock.venue import MockVenue
from tests.kit.collect_runs import FastClock, S, column, configured, scan
from tests.kit.killed_collector import (
    KNOWN,
    assert_covered_time_has_all_its_rows,
    die,
    known,
    record,
    scratch,
    wipe,
)
from tests.kit.patience import until


class Left:
    """What a recorder left that died with several segments in its log; each test takes a copy."""

    def __init__(self, folder: Path) -> None:
        self.clock = FastClock()
        self._folder = folder
        asyncio.run(self._record(self._config(folder)))

    async def _record(self, config: Config) -> None:
        await scan(config, self.clock)
        await record(config, self.clock)
        self.clock.wall += 100 * S
        await die(config, self.clock, lambda _, left: len(left) >= 5, sealing=False)

    def copy(self, folder: Path) -> tuple[Config, list[Path]]:
        """Return how to go on in ``folder`` with a copy, and the segments there."""
        shutil.copytree(self._folder, folder, dirs_exist_ok=True)
        config = self._config(folder)
        return config, list(segments_of(Layout(folder).wal, config.collector.id))

    def _config(self, folder: Path) -> Config:
        return configured(folder, storage__seal_interval="1s", collector__rotation_period="1h")


@pytest.fixture(scope="module")
def left(tmp_path_factory: pytest.TempPathFactory) -> Left:
    return Left(tmp_path_factory.mktemp("left"))


@pytest.mark.parametrize("damage", [wipe, scratch])
@pytest.mark.parametrize("which", ["newest", "oldest", "middle", "all"])
async def test_a_damaged_segment_leaves_no_hole_and_no_overlap(
    left: Left, tmp_path: Path, damage: Callable[[Path], None], which: str, caplog: pytest.LogCaptureFixture
) -> None:
    config, segments = left.copy(tmp_path)
    clock = left.clock
    chosen = {"newest": segments[-1:], "oldest": segments[:1], "middle": segments[1:2], "all": segments}[which]
    for path in chosen:
        damage(path)
    clock.wall += 100 * S
    with caplog.at_level(logging.WARNING):
        await record(config, clock)
    clock.wall += 100 * S
    await record(config, clock)
    assert list(check_tiling(Layout(tmp_path))) == []
    assert quarantine.damaged_segments(Layout(tmp_path), "c0") is None
    if damage is wipe:  # a scratched log may as well be one that was cut short
        assert any("quarantine" in line.message for line in caplog.records)
    crashed = [row for row in column(tmp_path, "coverage", "start", "end", "reason") if row[2] == "crash"]
    assert len(crashed) >= 20
    assert_covered_time_has_all_its_rows(tmp_path, clock.now())


@pytest.mark.parametrize(("damage", "which"), [(wipe, 0), (wipe, 1), (scratch, 1), (wipe, -1)])
async def test_damage_while_instruments_rotate_leaves_no_hole_and_no_overlap(
    tmp_path: Path, damage: Callable[[Path], None], which: int
) -> None:
    config, clock = configured(tmp_path, storage__seal_interval="1s", collector__rotation_period="2s"), FastClock()
    await scan(config, clock)
    segments = await die(
        config, clock, lambda job, found: len(found) >= 3 and job.sessions[0].scheduler.rotations >= 2, sealing=False
    )
    damage(segments[which])
    clock.wall += 100 * S
    await record(config, clock)
    clock.wall += 100 * S
    await record(config, clock)
    assert list(check_tiling(Layout(tmp_path))) == []
    assert_covered_time_has_all_its_rows(tmp_path, clock.now())


async def test_a_damaged_newest_segment_after_others_were_sealed(tmp_path: Path) -> None:
    config, clock = configured(tmp_path, storage__seal_interval="1s", collector__rotation_period="3s"), FastClock()
    await scan(config, clock)
    segments = await die(config, clock, lambda job, _: sum(job._metrics.rows.values()) > 500)
    wipe(segments[-1])
    clock.wall += 100 * S
    await record(config, clock)
    assert list(check_tiling(Layout(tmp_path))) == []


async def test_a_segment_that_rots_before_it_is_sealed_is_a_gap_in_the_running_recording(tmp_path: Path) -> None:
    config, clock = configured(tmp_path, storage__seal_interval="1s", collector__rotation_period="1h"), FastClock()
    await scan(config, clock)
    job = Collector(config, [MockVenue(config.mock, clock)], clock, CollectorDeps())
    rotate = WriteAheadLog.rotate
    spoilt: list[Path] = []

    def rotting(self: WriteAheadLog) -> Path | None:
        path = rotate(self)
        if path is not None and known(job) >= KNOWN and not spoilt:
            spoilt.append(path)
            wipe(path)
        return path

    tries: list[int] = []

    def marking(layout: Layout, collector: str, segments: frozenset[int]) -> None:
        tries.append(len(tries))
        if len(tries) < 2:
            raise OSError(28, "No space left on device")
        quarantine.mark_retracted(layout, collector, segments)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(WriteAheadLog, "rotate", rotting)
        patch.setattr(
            "predsurv.collect.resume.damage.quarantine",
            SimpleNamespace(mark_retracted=marking, damaged_segments=quarantine.damaged_segments),
        )
        running = asyncio.create_task(job.run())
        await until(lambda: job._metrics.damaged)
        seals = job._metrics.seals
        await until(lambda: known(job) >= KNOWN and job._metrics.seals > seals + 3)
        job.stop()
        report = await running
    assert report.venues[0].gap_ns["crash"] > 0
    assert report.venues[0].covered_ns > 0
    assert quarantine.damaged_segments(Layout(tmp_path), "c0") == []
    clock.wall += 100 * S
    await record(config, clock)
    assert list(check_tiling(Layout(tmp_path))) == []
    assert_covered_time_has_all_its_rows(tmp_path, clock.now())


async def test_a_missing_checkpoint_leaves_no_overlap(tmp_path: Path) -> None:
    config, clock = configured(tmp_path, storage__seal_interval="1s", collector__rotation_period="3s"), FastClock()
    await scan(config, clock)
    segments = await die(config, clock, lambda job, _: sum(job._metrics.rows.values()) > 500)
    wipe(segments[-1])
    (tmp_path / "state" / "c0.notes").unlink()
    clock.wall += 100 * S
    await record(config, clock)
    assert list(check_tiling(Layout(tmp_path))) == []


@pytest.mark.parametrize("damage", [wipe, scratch])
@pytest.mark.parametrize("which", [0, 1, -1])
async def test_damage_found_by_a_start_that_dies_is_not_forgotten(
    left: Left, tmp_path: Path, damage: Callable[[Path], None], which: int
) -> None:
    config, segments = left.copy(tmp_path)
    clock = left.clock
    damage(segments[which])
    clock.wall += 100 * S
    start(
        config, Collector(config, [MockVenue(config.mock, clock)], clock, CollectorDeps()).sessions, clock
    )  # and nothing after it
    await record(config, clock)
    assert list(check_tiling(Layout(tmp_path))) == []
    assert_covered_time_has_all_its_rows(tmp_path, clock.now())


@pytest.mark.parametrize("which", [0, 1])
async def test_damage_found_by_a_recovery_that_dies_is_not_forgotten(
    left: Left, tmp_path: Path, which: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    config, segments = left.copy(tmp_path)
    clock = left.clock
    wipe(segments[which])
    clock.wall += 100 * S
    seal = seal_segment

    def dying(path: Path, *more: Any) -> SealReport:
        if path == segments[which + 1]:
            raise SystemError("killed")
        return seal(path, *more)

    with monkeypatch.context() as patch:
        patch.setattr(recovery, "seal_segment", dying)
        with pytest.raises(SystemError):
            start(config, Collector(config, [MockVenue(config.mock, clock)], clock, CollectorDeps()).sessions, clock)
    await record(config, clock)
    assert list(check_tiling(Layout(tmp_path))) == []
    assert_covered_time_has_all_its_rows(tmp_path, clock.now())
