"""Kills, stops and failures at unlucky moments leave no hole, no overlap and no covered time without its rows."""

import asyncio
import threading
from collections import Counter, defaultdict
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import msgspec
import pytest

from predsurv.collect.collector import Collector, CollectorDeps
from predsurv.collect.output.committer import Committer
from predsurv.collect.output.log_writer import LogWriter
from predsurv.collect.output.sealer import FirstTimes
from predsurv.collect.resume import coverage_index
from predsurv.collect.resume.checkpoint import find_checkpoint, open_intervals
from predsurv.collect.resume.coverage_index import CoverageIndex
from predsurv.collect.session import RecordingSession
from predsurv.config import Config
from predsurv.core.events import MarketEvent
from predsurv.core.ids import VenueName
from predsurv.ports import MarketQuery, Venue
from predsurv.store.layout import Layout, segments_of
from predsurv.store.read.verify import check_tiling
from predsurv.store.universe_writer import UniverseWriter
from predsurv.store.wal import quarantine
from predsurv.venues.mock.venue import MockVenue
from tests.kit.collect_runs import BrokenVenue, FastClock, S, column, configured, scan
from tests.kit.disk import Disk
from tests.kit.killed_collector import KNOWN, assert_covered_time_has_all_its_rows, die, known, record, wipe
from tests.kit.patience import PATIENCE_S, until


async def prepared(folder: Path, **flags: object) -> tuple[Config, FastClock]:
    flags = {"collector__rotation_period": "1h", "storage__seal_interval": "1s"} | flags
    config, clock = configured(folder, **flags), FastClock()
    await scan(config, clock)
    return config, clock


def started(config: Config, clock: FastClock) -> tuple[Collector, asyncio.Task[object]]:
    job = Collector(config, [MockVenue(config.mock, clock)], clock, CollectorDeps())
    return job, asyncio.create_task(job.run())


async def killed(job: Collector, running: asyncio.Task[object], patch: pytest.MonkeyPatch) -> None:
    patch.setattr(Committer, "finish", Committer.process_sealed)
    job.stop()
    await running


async def elapse(clock: FastClock, seconds: int) -> None:
    began = clock.monotonic()
    await until(lambda: clock.monotonic() - began > seconds * S)


def stamps(folder: Path) -> list[int]:
    return [int(str(ts)) for (ts,) in column(folder, "deltas", "ts_recv")]


async def know_another_venue(config: Config, clock: FastClock) -> None:
    with UniverseWriter(config.data_dir, BrokenVenue.name, clock.now()) as writer:
        async for market in MockVenue(config.mock, clock).catalog().markets(MarketQuery(limit=10)):
            writer.write(msgspec.structs.replace(market, venue=BrokenVenue.name))
        writer.commit()


async def test_a_venue_that_is_left_out_of_a_run_keeps_its_coverage(tmp_path: Path) -> None:
    config, clock = await prepared(tmp_path)
    await know_another_venue(config, clock)
    mock, other = MockVenue(config.mock, clock), BrokenVenue()
    runs: list[list[Venue]] = [[other, mock], [mock], [other, mock]]
    for venues in runs:
        await Collector(config, venues, clock, CollectorDeps()).run(3 * S)
        assert {kind.split(":")[1] for kind in find_checkpoint(Layout(tmp_path), "c0")} == {"mock", BrokenVenue.name}
        clock.wall += 100 * S
    assert list(check_tiling(Layout(tmp_path))) == []


async def left_out(config: Config, clock: FastClock) -> None:
    """Run without the mock venue, then with it again."""
    clock.wall += 100 * S
    await Collector(config, [BrokenVenue()], clock, CollectorDeps()).run(2 * S)
    clock.wall += 100 * S
    await record(config, clock)


def coverage_ends(config: Config) -> dict[object, int]:
    """Return by instrument where the time begins that is open after a run: in the checkpoint, or in the index."""
    layout, venue = Layout(config.data_dir), VenueName("mock")
    with closing(CoverageIndex(layout.state, "c0")) as index:
        ends: dict[object, int] = {key.instrument_id: end for key, end in index.all_of(venue).items()}
    checkpoint = open_intervals(venue, find_checkpoint(layout, "c0"))
    assert checkpoint.written == []
    return ends | {gap.key.instrument_id: gap.start for gap in checkpoint.gaps}


async def test_a_venue_left_out_after_a_kill_is_accounted_for_when_it_is_back(tmp_path: Path) -> None:
    config, clock = await prepared(tmp_path, storage__seal_interval="1h")
    await know_another_venue(config, clock)
    await die(config, clock, lambda job, _: job.sessions[0].scheduler.closed >= 3)
    killed_at = clock.now()
    await left_out(config, clock)
    written: dict[object, list[range]] = defaultdict(list)
    for instrument, start, stop in column(tmp_path, "coverage", "instrument_id", "start", "end"):
        written[instrument].append(range(int(str(start)), int(str(stop))))
    open_since = coverage_ends(config)
    assert {instrument: max(span.stop for span in spans) for instrument, spans in written.items()} == {
        instrument: open_since[instrument] for instrument in written
    }
    rows = [(instrument, int(str(ts))) for instrument, ts in column(tmp_path, "deltas", "instrument_id", "ts_recv")]
    first = [(instrument, ts) for instrument, ts in rows if ts <= killed_at]
    assert len(first) > 100
    # A market that closes empties its book at the very time at which its coverage ends: these rows are in the
    # interval that is open from then on, which is written when (and if) the instrument is recorded again.
    outside = [(instrument, ts) for instrument, ts in first if not any(ts in span for span in written[instrument])]
    assert [(instrument, ts) for instrument, ts in outside if ts != open_since[instrument]] == []
    assert list(check_tiling(Layout(tmp_path))) == []


@pytest.mark.parametrize("which", [0, 1, -1])
async def test_damage_found_while_its_venue_is_left_out_is_repaired_then(tmp_path: Path, which: int) -> None:
    config, clock = await prepared(tmp_path)
    await know_another_venue(config, clock)
    segments = await die(config, clock, lambda _, left: len(left) >= 5, sealing=False)
    wipe(segments[which])
    await left_out(config, clock)
    assert list(check_tiling(Layout(tmp_path))) == []
    assert quarantine.damaged_segments(Layout(tmp_path), "c0") is None
    assert_covered_time_has_all_its_rows(tmp_path, clock.now())


@pytest.mark.parametrize("kill", [False, True])
async def test_a_sync_that_fails_on_a_disk_that_is_full_doubles_nothing(
    tmp_path: Path, disk: Disk, monkeypatch: pytest.MonkeyPatch, *, kill: bool
) -> None:
    config, clock = await prepared(tmp_path, storage__seal_interval="1h")
    await record(config, clock)
    clock.wall += 100 * S
    job, running = started(config, clock)
    await until(lambda: known(job) >= KNOWN)
    disk.syncs_to_fail, disk.fills_up = 1, True
    await until(lambda: disk.refused)
    await elapse(clock, 3)
    with monkeypatch.context() as patch:
        if kill:
            await killed(job, running, patch)
            disk.full = False
        else:
            disk.full = False
            await until(lambda: known(job) >= KNOWN)
            job.stop()
            await running
    clock.wall += 100 * S
    await record(config, clock)
    rows = column(tmp_path, "deltas", "instrument_id", "epoch", "seq", "kind", "side", "price", "size", "ts_recv")
    assert [row for row, count in Counter(rows).items() if count > 1] == []
    assert list(check_tiling(Layout(tmp_path))) == []
    assert_covered_time_has_all_its_rows(tmp_path, clock.now())


async def test_the_checkpoint_is_never_ahead_of_a_paused_log(
    tmp_path: Path, disk: Disk, monkeypatch: pytest.MonkeyPatch
) -> None:
    config, clock = await prepared(tmp_path)
    await record(config, clock)
    clock.wall += 100 * S
    await die(config, clock, lambda *_: True)
    clock.wall += 100 * S
    disk.full = True
    job, running = started(config, clock)
    await until(lambda: disk.refused)
    await elapse(clock, 6)  # several times the interval after which the segment would be closed
    with monkeypatch.context() as patch:
        await killed(job, running, patch)
    disk.full = False
    clock.wall += 100 * S
    await record(config, clock)
    assert list(check_tiling(Layout(tmp_path))) == []


@pytest.mark.parametrize("ends", ["well", "killed"])
async def test_time_never_goes_back_behind_a_run_that_recorded_nothing(
    tmp_path: Path, ends: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    config, clock = await prepared(tmp_path)
    await record(config, clock)
    last = max(stamps(tmp_path))
    job = Collector(config, [MockVenue(config.mock, clock)], clock, CollectorDeps())
    with monkeypatch.context() as patch:
        if ends == "killed":
            patch.setattr(Committer, "finish", Committer.process_sealed)
        job.stop()
        await job.run()
    before = len(stamps(tmp_path))
    clock.wall -= 1_000 * S
    await record(config, clock)
    after = stamps(tmp_path)
    assert len(after) > before
    assert sum(ts > last for ts in after) == len(after) - before


async def test_a_coverage_index_that_cannot_be_read_does_not_end_the_recording(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    config, clock = await prepared(tmp_path, collector__rotation_period="2s")
    job, running = started(config, clock)
    await until(lambda: known(job) >= KNOWN and job.sessions[0].scheduler.rotations >= 3)
    monkeypatch.setattr(coverage_index, "_LOOKUP", "SELECT ended FROM nowhere WHERE ? = ? AND ? = ''")
    await until(lambda: job.sessions[0].failure)
    assert not running.done()
    monkeypatch.undo()
    await until(lambda: known(job) >= KNOWN)
    job.stop()
    await running
    assert list(check_tiling(Layout(tmp_path))) == []


async def test_a_mistake_while_the_log_is_rotated_orphans_no_segment(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    config, clock = await prepared(tmp_path)
    job = Collector(config, [MockVenue(config.mock, clock)], clock, CollectorDeps())
    loop, rotate, take_in = asyncio.get_running_loop(), LogWriter._rotate, RecordingSession._take_in
    rotated, broken = threading.Event(), threading.Event()

    def slow(self: LogWriter, watermarks: FirstTimes) -> object:
        facts = rotate(self, watermarks)
        if known(job) >= KNOWN:
            rotated.set()
            assert broken.wait(PATIENCE_S)
            for _ in range(50):  # until whoever waits for this is cancelled
                asyncio.run_coroutine_threadsafe(asyncio.sleep(0), loop).result(PATIENCE_S)
        return facts

    def breaking(self: RecordingSession, batch: list[MarketEvent]) -> None:
        if rotated.is_set():
            broken.set()
            raise RuntimeError("a mistake of ours")
        take_in(self, batch)

    with monkeypatch.context() as patch:
        patch.setattr(LogWriter, "_rotate", slow)
        patch.setattr(RecordingSession, "_take_in", breaking)
        with pytest.raises(RuntimeError):
            await job.run()
    assert list(segments_of(Layout(tmp_path).wal, "c0")) == []
    clock.wall += 100 * S
    await record(config, clock)
    assert list(check_tiling(Layout(tmp_path))) == []


async def test_a_rescue_commits_what_waits_for_a_worker_thread(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    config, clock = await prepared(tmp_path, storage__seal_interval="1h")
    job, running = started(config, clock)
    await until(lambda: known(job) >= KNOWN)
    await elapse(clock, 2)  # their books are in the log: what is lost from now on is missed
    stuck: list[int] = []

    async def waiting(_: Callable[..., object], *__: object) -> None:
        stuck.append(1)
        await asyncio.Event().wait()

    with monkeypatch.context() as patch:
        patch.setattr("predsurv.collect.output.log_writer.asyncio.to_thread", waiting)
        await until(lambda: stuck)
        await elapse(clock, 3)
        job.rescue()
        patch.setattr(Committer, "_complete", waiting)
        patch.setattr(Committer, "finish", Committer.process_sealed)
        for task in asyncio.all_tasks() - {asyncio.current_task()}:
            task.cancel()
        await asyncio.wait([running], timeout=PATIENCE_S)
    clock.wall += 100 * S
    await record(config, clock)
    assert list(check_tiling(Layout(tmp_path))) == []
    assert_covered_time_has_all_its_rows(tmp_path, clock.now())
