"""Records, notes, ledger and the mark of damage never say different things, whatever the disk does."""

import asyncio
from pathlib import Path
from types import SimpleNamespace
from typing import Any, NamedTuple

import pytest

from predsurv.collect.clock import SteadyClock
from predsurv.collect.output.committer import Committer
from predsurv.collect.output.log_writer import CommitTiming, LogWriter
from predsurv.collect.recording.checkpoint import OpenIntervals, left_open
from predsurv.collect.recording.recorder import Recorder
from predsurv.collect.resume.checkpoint_file import find_notes
from predsurv.collect.resume.coverage_index import CoverageIndex
from predsurv.collect.session import RecordingSession
from predsurv.collect.startup import _mended
from predsurv.core.events import MarketEvent
from predsurv.core.num import MICROS
from predsurv.core.records import Coverage
from predsurv.net.clock import ManualClock
from predsurv.store.layout import Layout, segments_of
from predsurv.store.seal.seal import SealOptions
from predsurv.store.wal import log as wal_log
from predsurv.store.wal import quarantine
from tests.kit.disk import Disk
from tests.kit.recorder_samples import POLICY, START, A, B, S, book, delta

TIMING = CommitTiming(fsync_interval=S, seal_interval=60 * S, seal_bytes=10**9)
DAY = 86_400 * S


class Desk(NamedTuple):
    """A keeper with everything around it, recording B."""

    layout: Layout
    clock: ManualClock
    ledger: CoverageIndex
    recorder: Recorder
    session: RecordingSession
    keeper: Committer

    async def take(self, *events: MarketEvent) -> None:
        self.session.records += self.recorder.apply(events)
        await self.keeper.commit()

    def want(self, *keys: Any) -> None:
        self.session.records += self.recorder.want(dict.fromkeys(keys, MICROS))


@pytest.fixture
def desk(tmp_path: Path) -> Desk:
    layout, clock, recorder = Layout(tmp_path), ManualClock(START, jumps=True), Recorder(POLICY)
    ledger = CoverageIndex(layout.state, "c0")
    feed: Any = SimpleNamespace(name=A.venue)
    steering: Any = SimpleNamespace(refresh=lambda: None)
    meter: Any = SimpleNamespace(gaps=lambda *_: None, sealed=lambda _: None)
    session = RecordingSession(feed, recorder, steering, clock, SteadyClock(clock))
    writer = LogWriter(layout, "c0", clock, TIMING, SealOptions())
    recorder.advance(START)
    made = Desk(layout, clock, ledger, recorder, session, Committer([session], writer, ledger, meter))
    made.want(B)
    return made


async def test_a_long_full_disk_takes_no_memory(desk: Desk, disk: Disk, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(wal_log, "BUFFER_RECORDS_MAX", 100)
    await desk.take(book(B, START))
    disk.full = True
    await desk.take(delta(B, START + S, 41, 1))
    assert desk.keeper.writer.paused
    for minute in range(1, 200):
        desk.recorder.advance(START + minute * 60 * S)
        await desk.clock.sleep(60 * S)
        await desk.keeper.commit()
        if desk.keeper.writer.seal_due:
            await desk.keeper.rotate()
    disk.full = False
    await desk.clock.sleep(2 * S)
    await desk.keeper.commit()
    assert desk.keeper.writer.seal_due
    await desk.keeper.rotate()
    assert desk.keeper.writer.paused is None


@pytest.mark.parametrize("ends", ["rotation", "stop"])
async def test_the_ledger_is_never_ahead_of_a_paused_log(desk: Desk, disk: Disk, ends: str) -> None:
    since = START - 100 * S
    desk.ledger.leave([(A, since)])
    await desk.take(book(B, START))
    disk.full = True
    await desk.take(delta(B, START + S, 41, 1))
    desk.recorder.account.resume([Coverage(A, since, since, "gap", "rotated_out", 0)])  # as it takes its turn
    desk.recorder.advance(START + 2 * S)
    desk.want(A, B)
    desk.recorder.advance(START + 30 * S)
    desk.want(B)
    await desk.keeper.commit()
    if ends == "rotation":
        await desk.keeper.rotate()
    else:
        await desk.keeper._hand_over()
    assert A not in {gap.key for gap in left_open(A.venue, find_notes(desk.layout, "c0")).gaps}
    assert desk.ledger.ends([A]) == {A: since}, "nobody would know of the time until then"
    disk.full = False
    await desk.clock.sleep(2 * S)
    await desk.keeper.rotate()
    assert desk.ledger.ends([A]) == {A: START + 30 * S}


async def test_damage_is_settled_when_the_claims_that_take_it_back_are_sealed(desk: Desk) -> None:
    keeper, layout = desk.keeper, desk.layout
    await desk.take(book(B, START))
    await keeper.rotate()
    (path,) = list(segments_of(layout.wal, "c0"))[:1]
    path.write_bytes(b"x" * 9_000)
    await asyncio.to_thread(keeper.writer.sealing.finish)
    await keeper.sealed()
    assert quarantine.damaged_segments(layout, "c0") == [1]
    await desk.take(book(B, START + S))
    await keeper.rotate()
    assert quarantine.damaged_segments(layout, "c0") == [1], "killed now, the next start has to mend it"
    await asyncio.to_thread(keeper.writer.sealing.finish)
    await keeper.sealed()
    assert quarantine.damaged_segments(layout, "c0") == []


async def test_what_was_lost_reaches_back_to_the_last_turn_however_long_ago(desk: Desk) -> None:
    writer, turn, end = desk.keeper.writer, START + 3 * DAY, START + 3 * DAY + 9 * S
    for claim in (
        Coverage(A, START, START + 60 * S, "covered", "live", 1),
        Coverage(A, START + 60 * S, turn, "gap", "rotated_out", 0),
        Coverage(A, turn, end, "covered", "live", 1),
    ):
        await writer.write([claim], [])
        await writer.rotate({})
    list(segments_of(desk.layout.wal, "c0"))[1].write_bytes(b"x" * 9_000)
    desk.ledger.leave([(A, START + 60 * S)])
    await asyncio.to_thread(writer.finish)
    owed = OpenIntervals([], [Coverage(A, end, end, "gap", "crash", 0)], end)
    made = _mended(A.venue, owed, desk.layout, desk.ledger, "c0")
    lost = [(piece.start, piece.end, piece.reason) for piece in made.written if piece.end <= turn]
    assert lost == [(START + 60 * S, turn, "crash")]
