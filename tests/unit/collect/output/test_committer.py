"""Records, checkpoint, coverage index and damage marker agree at every moment, whatever the disk does."""

import asyncio
from pathlib import Path
from types import SimpleNamespace
from typing import Any, NamedTuple

import pytest

from predsurv.collect.clock import SteadyClock
from predsurv.collect.learning import LiveLearning
from predsurv.collect.metrics import CollectMetrics
from predsurv.collect.output.committer import Committer
from predsurv.collect.output.log_writer import CommitTiming, LogWriter
from predsurv.collect.output.sealer import Sealer
from predsurv.collect.recording.recorder import Recorder
from predsurv.collect.resume.checkpoint import OpenIntervals, find_checkpoint, open_intervals
from predsurv.collect.resume.coverage_index import CoverageIndex
from predsurv.collect.resume.damage import DamageTracker, StartupRepair
from predsurv.collect.selection.candidates import CandidateSet
from predsurv.collect.selection.interest import LiveWeights
from predsurv.collect.session import RecordingSession
from predsurv.core.events import MarketEvent
from predsurv.core.num import MICROS
from predsurv.core.records import Coverage, Record
from predsurv.net.clock import ManualClock
from predsurv.store.layout import Layout, segments_of
from predsurv.store.seal.seal import SealOptions
from predsurv.store.wal import log as wal_log
from predsurv.store.wal import quarantine
from tests.kit.disk import Disk
from tests.kit.recorder_samples import POLICY, START, A, B, S, book, delta

TIMING = CommitTiming(fsync_interval=S, seal_interval=60 * S, seal_bytes=10**9)
DAY = 86_400 * S


class Setup(NamedTuple):
    """A committer with everything around it, recording B."""

    layout: Layout
    clock: ManualClock
    coverage_index: CoverageIndex
    recorder: Recorder
    session: RecordingSession
    committer: Committer

    async def take(self, *events: MarketEvent) -> None:
        self.session.records += self.recorder.apply(events)
        await self.committer.commit()

    def want(self, *keys: Any) -> None:
        self.session.records += self.recorder.want(dict.fromkeys(keys, MICROS), self.coverage_index.lookup(keys))


@pytest.fixture
def setup(tmp_path: Path) -> Setup:
    layout, clock, recorder = Layout(tmp_path), ManualClock(START, jumps=True), Recorder(POLICY)
    index = CoverageIndex(layout.state, "c0")

    async def account(_: CoverageIndex, *, stopping: bool = False) -> list[Record]:
        return []

    venue: Any = SimpleNamespace(name=A.venue)
    scheduler: Any = SimpleNamespace(
        request_snapshots=lambda: None,
        admission=SimpleNamespace(account=account),
        plan=None,
        learning=LiveLearning(LiveWeights()),
        candidates=CandidateSet(),
    )
    session = RecordingSession(
        venue, recorder, scheduler, clock=clock, steady_clock=SteadyClock(clock), on_batch=lambda *_: None
    )
    damage = DamageTracker(layout, "c0")
    writer = LogWriter(layout, "c0", clock, TIMING, Sealer(layout, clock, SealOptions(), damage.retraction))
    recorder.advance(START)
    committer = Committer(
        [session],
        writer=writer,
        index=index,
        damage=damage,
        metrics=CollectMetrics(clock),
        on_sealed=lambda _: None,
    )
    made = Setup(layout, clock, index, recorder, session, committer)
    made.want(B)
    return made


async def test_a_disk_that_is_full_for_long_takes_no_memory(
    setup: Setup, disk: Disk, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(wal_log, "BUFFER_RECORDS_MAX", 100)
    await setup.take(book(B, START))
    disk.full = True
    await setup.take(delta(B, START + S, 41, 1))
    assert setup.committer.writer.paused
    for minute in range(1, 200):
        setup.recorder.advance(START + minute * 60 * S)
        await setup.clock.sleep(60 * S)
        await setup.committer.commit()
        if setup.committer.writer.seal_due:
            await setup.committer.rotate()
    disk.full = False
    await setup.clock.sleep(2 * S)
    await setup.committer.commit()
    assert setup.committer.writer.seal_due
    await setup.committer.rotate()
    assert setup.committer.writer.paused is None


@pytest.mark.parametrize("ends", ["rotation", "stop"])
async def test_the_coverage_index_is_never_ahead_of_a_paused_log(setup: Setup, disk: Disk, ends: str) -> None:
    since = START - 100 * S
    setup.coverage_index.store([(A, since)])
    await setup.take(book(B, START))
    disk.full = True
    await setup.take(delta(B, START + S, 41, 1))
    setup.recorder.advance(START + 2 * S)
    setup.want(A, B)
    setup.recorder.advance(START + 30 * S)
    setup.want(B)
    await setup.committer.commit()
    if ends == "rotation":
        await setup.committer.rotate()
    else:
        await setup.committer._index_idle()
    assert A not in {gap.key for gap in open_intervals(A.venue, find_checkpoint(setup.layout, "c0")).gaps}
    assert setup.coverage_index.lookup([A]) == {A: since}, "the time until then would be lost"
    disk.full = False
    await setup.clock.sleep(2 * S)
    await setup.committer.rotate()
    assert setup.coverage_index.lookup([A]) == {A: START + 30 * S}


async def test_damage_is_corrected_when_the_gaps_that_retract_coverage_are_sealed(setup: Setup) -> None:
    committer, layout = setup.committer, setup.layout
    await setup.take(book(B, START))
    await committer.rotate()
    (path,) = list(segments_of(layout.wal, "c0"))[:1]
    path.write_bytes(b"x" * 9_000)
    await asyncio.to_thread(committer.writer.sealer.finish)
    await committer.process_sealed()
    assert quarantine.damaged_segments(layout, "c0") == [1]
    await setup.take(book(B, START + S))
    await committer.rotate()
    assert quarantine.damaged_segments(layout, "c0") == [1], "killed now, the next start has to repair it"
    await asyncio.to_thread(committer.writer.sealer.finish)
    await committer.process_sealed()
    assert quarantine.damaged_segments(layout, "c0") == []


async def test_repair_finds_lost_coverage_back_to_the_last_recording_however_long_ago(setup: Setup) -> None:
    writer, resumed, end = setup.committer.writer, START + 3 * DAY, START + 3 * DAY + 9 * S
    for interval in (
        Coverage(A, START, START + 60 * S, "covered", "live", 1),
        Coverage(A, START + 60 * S, resumed, "gap", "rotated_out", 0),
        Coverage(A, resumed, end, "covered", "live", 1),
    ):
        await writer.write([interval], [])
        await writer.rotate({})
    list(segments_of(setup.layout.wal, "c0"))[1].write_bytes(b"x" * 9_000)
    setup.coverage_index.store([(A, START + 60 * S)])
    await asyncio.to_thread(writer.finish)
    left = OpenIntervals([], [Coverage(A, end, end, "gap", "crash", 0)], end)
    made = StartupRepair(setup.layout, "c0", ()).repaired(A.venue, left, setup.coverage_index)
    lost = [(piece.start, piece.end, piece.reason) for piece in made.written if piece.end <= resumed]
    assert lost == [(START + 60 * S, resumed, "crash")]
