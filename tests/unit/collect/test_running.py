"""What runs is told from its lock and its log, and what cannot be read is not told."""

import os
from pathlib import Path

import pytest

from predsurv.collect.resume.checkpoint import CheckpointEntry, CheckpointWriter
from predsurv.collect.running import RunningCollector, RunningVenue, running_collectors
from predsurv.core.events import CoverageReason
from predsurv.core.ids import InstrumentId, InstrumentKey, MarketId, VenueName
from predsurv.core.records import Coverage
from predsurv.net.clock import ManualClock
from predsurv.store.layout import Layout
from predsurv.store.locks import CollectorLock, LockHolder, collector_lock
from predsurv.store.wal.log import WriteAheadLog

SINCE = 1_800_000_000_000_000_000
SECOND = 1_000_000_000
MOCK, OTHER = VenueName("mock"), VenueName("other")
REASONS: list[CoverageReason] = ["live", "live", "stall", "rotated_out", "no_capacity", "crash", "shutdown"]


def entries(venue: VenueName, logged: int) -> list[CheckpointEntry]:
    writer = CheckpointWriter(venue)
    keys = [InstrumentKey(venue, MarketId("m"), InstrumentId(f"i{number}")) for number in range(len(REASONS))]
    opened = [
        (key, Coverage(key, SINCE, SINCE, "covered" if reason == "live" else "gap", reason, 1))
        for key, reason in zip(keys, REASONS, strict=True)
    ]
    return [*writer.update(opened), writer.alive(logged)]


@pytest.fixture
def layout(tmp_path: Path) -> Layout:
    return Layout(tmp_path)


def hold(layout: Layout) -> CollectorLock:
    lock = CollectorLock(layout.state, "c0")
    lock.acquire()
    os.utime(collector_lock(layout.state, "c0"), ns=(SINCE, SINCE))
    return lock


def write(layout: Layout, *checkpoint: CheckpointEntry) -> WriteAheadLog:
    log = WriteAheadLog(layout.state, "c0", ManualClock(SINCE))
    log.append([], dict(checkpoint))
    log.flush()
    return log


def test_the_log_tells_of_each_venue_how_far_it_reaches_and_what_is_wanted_now(layout: Layout) -> None:
    assert running_collectors(layout) == []
    lock = hold(layout)
    holder = LockHolder("c0", str(os.getpid()), SINCE)
    assert running_collectors(layout) == [RunningCollector(holder)], "it starts"
    log = write(layout, *entries(MOCK, SINCE + SECOND), *entries(OTHER, SINCE - SECOND))
    (found,) = running_collectors(layout)
    assert found == RunningCollector(holder, (RunningVenue(MOCK, SINCE + SECOND, {"live": 2, "stall": 1}, SINCE),)), (
        "the other venue was left by an earlier run"
    )
    log.append([], dict(entries(OTHER, SINCE + 2 * SECOND)))
    log.flush()
    assert [(each.venue, each.logged - SINCE) for each in running_collectors(layout)[0].venues] == [
        (MOCK, SECOND),
        (OTHER, 2 * SECOND),
    ]
    log.close()
    lock.release()
    assert running_collectors(layout) == []


@pytest.mark.parametrize("damaged", [("alive:mock", b"x"), ("open:mock:00", b"\xc1")])
def test_a_checkpoint_that_cannot_be_decoded_tells_nothing(layout: Layout, damaged: CheckpointEntry) -> None:
    lock, log = hold(layout), write(layout, *entries(MOCK, SINCE + SECOND), damaged)
    assert [each.venues for each in running_collectors(layout)] == [()]
    log.close()
    lock.release()


def test_notes_beside_the_log_that_are_damaged_tell_nothing(layout: Layout) -> None:
    lock = hold(layout)
    (layout.state / "c0.notes").write_bytes(b"\xc1")
    assert [each.venues for each in running_collectors(layout)] == [()]
    lock.release()
