"""After any damage to the log time is still tiled: what nobody can account for is a crash, nothing counts twice."""

import asyncio
import logging
from collections import defaultdict
from collections.abc import Callable
from pathlib import Path

import pytest

from predsurv.cli.status import check_tiling
from predsurv.collect.carryover import is_damaged
from predsurv.collect.job import Aids, Job
from predsurv.collect.keeping import Keeper
from predsurv.collect.sealing import Sealing
from predsurv.collect.writer import Writer
from predsurv.config import Config
from predsurv.core.events import BookDelta, BookSnapshot
from predsurv.core.ids import InstrumentKey
from predsurv.store.paths import Layout, segments_of
from predsurv.store.reader import replay
from predsurv.venues.mock.venue import MockVenue
from tests.integration.test_collect_job import MOCK, START, FastClock, S, column, configured, record, scan

Damage = Callable[[list[Path]], None]


async def die(config: Config, clock: FastClock, duration: int, *, sealing: bool = True) -> list[Path]:
    """Record for a while and end as suddenly as a killed process does; return the log segments left."""

    async def nothing(_: object) -> None:
        await asyncio.Event().wait()

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Keeper, "finish", Keeper.sealed)
        if not sealing:
            patch.setattr(Sealing, "run", nothing)
        await Job(config, [MockVenue(config.mock, clock)], clock, Aids()).run(duration)
    return list(segments_of(Layout(config.data_dir).wal, config.collector.id))


def wipe(path: Path) -> None:
    """Leave nothing of a segment that can be read."""
    for file in path.parent.glob(path.name + "*"):
        file.write_bytes(b"\0" * 100_000)


def scratch(path: Path) -> None:
    """Damage some pages in the middle."""
    for file in (path, path.with_name(path.name + "-wal")):
        if file.exists():
            content = bytearray(file.read_bytes())
            for at in range(len(content) // 3, 2 * len(content) // 3, 20_000):
                content[at : at + 64] = b"\xa5" * 64
            file.write_bytes(content)


def assert_nothing_is_claimed_without_its_rows(data_dir: Path, end: int) -> None:
    """The venue numbers its changes: within covered time none may be missing.

    Instruments whose place ended are left out: that writes down, in a good segment, claims about time whose rows
    may be in a damaged one.
    """
    tiles = column(data_dir, "coverage", "instrument_id", "start", "end", "state", "reason")
    left = {row[0] for row in tiles if row[4] == "rotated_out"}
    gaps: dict[object, list[tuple[int, int]]] = defaultdict(list)
    for instrument, start, stop, state, _ in tiles:
        if state == "gap":
            gaps[instrument].append((int(str(start)), int(str(stop))))
    seen: dict[InstrumentKey, int] = {}
    for event in replay(data_dir, MOCK, START, end):
        if isinstance(event, BookSnapshot | BookDelta) and event.key.instrument_id not in left and event.seq:
            if any(start <= event.ts_recv < stop for start, stop in gaps[event.key.instrument_id]):
                seen.pop(event.key, None)
                continue
            if isinstance(event, BookDelta) and event.key in seen:
                assert event.seq == seen[event.key] + 1, f"{event.key} at {event.ts_recv}"
            seen[event.key] = event.seq


@pytest.mark.parametrize("damage", [wipe, scratch])
@pytest.mark.parametrize("which", ["newest", "oldest", "middle", "all"])
async def test_a_damaged_segment_leaves_no_hole_and_no_overlap(
    tmp_path: Path, damage: Callable[[Path], None], which: str, caplog: pytest.LogCaptureFixture
) -> None:
    config, clock = configured(tmp_path, storage__seal_interval="2s", collector__rotation_period="1h"), FastClock()
    await scan(config, clock)
    await record(config, clock, 4 * S)
    clock.wall += 100 * S
    left = await die(config, clock, 13 * S, sealing=False)
    assert len(left) >= 3
    chosen = {"newest": left[-1:], "oldest": left[:1], "middle": left[1:2], "all": left}[which]
    for path in chosen:
        damage(path)
    clock.wall += 100 * S
    with caplog.at_level(logging.WARNING):
        await record(config, clock, 5 * S)
    clock.wall += 100 * S
    await record(config, clock, 4 * S)
    assert list(check_tiling(tmp_path)) == []
    assert not is_damaged(Layout(tmp_path), "c0")
    if damage is wipe:  # a scratched log may as well be one that was cut short
        assert any("quarantine" in line.message for line in caplog.records)
    crashed = [row for row in column(tmp_path, "coverage", "start", "end", "reason") if row[2] == "crash"]
    assert len(crashed) >= 20
    assert_nothing_is_claimed_without_its_rows(tmp_path, clock.now())


@pytest.mark.parametrize("damage", [wipe, scratch])
@pytest.mark.parametrize("which", [0, 1, -1])
async def test_damage_while_instruments_rotate_leaves_no_hole_and_no_overlap(
    tmp_path: Path, damage: Callable[[Path], None], which: int
) -> None:
    config, clock = configured(tmp_path, storage__seal_interval="2s", collector__rotation_period="2s"), FastClock()
    await scan(config, clock)
    left = await die(config, clock, 13 * S, sealing=False)
    damage(left[which])
    clock.wall += 100 * S
    await record(config, clock, 5 * S)
    clock.wall += 100 * S
    await record(config, clock, 4 * S)
    assert list(check_tiling(tmp_path)) == []


async def test_a_damaged_newest_segment_after_others_were_sealed(tmp_path: Path) -> None:
    config, clock = configured(tmp_path, storage__seal_interval="2s", collector__rotation_period="3s"), FastClock()
    await scan(config, clock)
    left = await die(config, clock, 9 * S)
    wipe(left[-1])
    clock.wall += 100 * S
    await record(config, clock, 5 * S)
    assert list(check_tiling(tmp_path)) == []


async def test_a_segment_that_rots_before_it_is_sealed_is_a_gap_in_the_running_recording(tmp_path: Path) -> None:
    config, clock = configured(tmp_path, storage__seal_interval="3s", collector__rotation_period="1h"), FastClock()
    await scan(config, clock)
    job = Job(config, [MockVenue(config.mock, clock)], clock, Aids())
    rotate = Writer._rotate
    spoilt: list[Path] = []

    def rotting(self: Writer) -> Path | None:
        path = rotate(self)
        if path is not None and not spoilt:
            spoilt.append(path)
            wipe(path)
        return path

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Writer, "_rotate", rotting)
        report = await job.run(14 * S)
    assert spoilt
    assert report.venues[0].gap_ns["crash"] > 35 * 2 * S
    assert report.venues[0].covered_ns > 35 * 5 * S
    assert is_damaged(Layout(tmp_path), "c0")
    clock.wall += 100 * S
    await record(config, clock, 4 * S)
    assert list(check_tiling(tmp_path)) == []
    assert_nothing_is_claimed_without_its_rows(tmp_path, clock.now())


async def test_notes_that_are_gone_leave_no_overlap(tmp_path: Path) -> None:
    config, clock = configured(tmp_path, collector__rotation_period="3s"), FastClock()
    await scan(config, clock)
    left = await die(config, clock, 7 * S)
    wipe(left[-1])
    (tmp_path / "state" / "c0.notes").unlink()
    clock.wall += 100 * S
    await record(config, clock, 5 * S)
    assert list(check_tiling(tmp_path)) == []
