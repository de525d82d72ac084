"""Records reach the log in one commit with their checkpoint, and closed segments reach the data folder."""

import asyncio
import sqlite3
from contextlib import closing
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from predsurv.collect.output.log_writer import CommitTiming, LogWriter
from predsurv.collect.output.sealer import Sealer
from predsurv.collect.resume.checkpoint import find_checkpoint
from predsurv.core.errors import IntegrityError
from predsurv.core.records import Coverage
from predsurv.net.clock import ManualClock
from predsurv.store.layout import Layout, date_of, day_files, segments_of
from predsurv.store.retraction import CoverageRetraction
from predsurv.store.seal.seal import SealOptions
from predsurv.store.wal.log import LogPaused
from predsurv.store.wal.segment import SegmentWriter
from tests.kit.disk import Disk
from tests.kit.patience import PATIENCE_S
from tests.kit.recorder_samples import START, A, S, book, delta

TIMING = CommitTiming(fsync_interval=S, seal_interval=60 * S, seal_bytes=1_000)


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock(START, jumps=True)


@pytest.fixture
def writer(tmp_path: Path, clock: ManualClock) -> LogWriter:
    return LogWriter(
        Layout(tmp_path), "c0", clock, TIMING, Sealer(Layout(tmp_path), clock, SealOptions(), CoverageRetraction())
    )


async def until_sealed(writer: LogWriter) -> None:
    sealing = asyncio.create_task(writer.sealer.run())
    async with asyncio.timeout(PATIENCE_S):
        while writer.sealer.waiting:  # noqa: ASYNC110 - the writer has no event to wait for
            await asyncio.sleep(0.001)
    sealing.cancel()
    await asyncio.wait([sealing])


async def test_records_are_in_the_log_with_their_checkpoint(tmp_path: Path, writer: LogWriter) -> None:
    await writer.write([book(A, START), delta(A, START + 1, 41, 1)], [("alive:mock", b"1")])
    (path,) = segments_of(Layout(tmp_path).wal, "c0")
    assert path.exists()
    assert find_checkpoint(Layout(tmp_path), "c0") == {"alive:mock": b"1"}
    assert writer.paused is None
    writer.finish()
    ((report, _),) = writer.sealer.take_sealed()
    assert report.records == 2


async def test_a_segment_is_due_by_size_and_by_age(writer: LogWriter, clock: ManualClock) -> None:
    assert not writer.seal_due
    await writer.write([delta(A, START + n, n % 90 + 1, n) for n in range(1_000)], [])
    assert writer.seal_due
    await writer.rotate({})
    assert not writer.seal_due
    assert writer.sealer.waiting == 1
    await clock.sleep(60 * S)
    assert writer.seal_due
    writer.finish()


async def test_a_closed_segment_is_sealed_once_and_its_beginning_is_known(tmp_path: Path, writer: LogWriter) -> None:
    await writer.write([book(A, START), delta(A, START + 1, 41, 1)], [])
    await writer.rotate({A.venue: START + 1})
    await until_sealed(writer)
    ((report, since),) = writer.sealer.take_sealed()
    assert report.rows["deltas"] == 4
    assert since == {}
    await writer.write([delta(A, START + 2, 41, 2)], [])
    writer.finish()
    ((_, since),) = writer.sealer.take_sealed()
    assert since == {A.venue: START + 1}, "what came while the log was rotated is in the next segment"
    assert writer.sealer.take_sealed() == []
    assert len(list((tmp_path / "book_deltas").rglob("*.parquet"))) == 2


async def test_the_checkpoint_outlives_the_log(tmp_path: Path, writer: LogWriter) -> None:
    await writer.write([book(A, START)], [("alive:mock", b"1")])
    await writer.write([], [("alive:mock", b"2"), ("open:mock:03", b"x")])
    writer.finish()
    assert not list(segments_of(Layout(tmp_path).wal, "c0"))
    assert find_checkpoint(Layout(tmp_path), "c0") == {"alive:mock": b"2", "open:mock:03": b"x"}


async def test_a_rescue_commits_from_any_thread_and_a_closed_log_takes_nothing(
    tmp_path: Path, writer: LogWriter
) -> None:
    await asyncio.to_thread(writer.rescue, [book(A, START)], [("alive:mock", b"7")])
    assert find_checkpoint(Layout(tmp_path), "c0") == {"alive:mock": b"7"}
    writer.finish()
    writer.rescue([book(A, START)], [])
    ((report, _),) = writer.sealer.take_sealed()
    assert report.records == 1


async def test_a_disk_that_is_full_for_the_next_segment_is_reported_at_once(
    writer: LogWriter, monkeypatch: pytest.MonkeyPatch
) -> None:
    await writer.write([book(A, START)], [("alive:mock", b"1")])

    def refuse(*_: object) -> None:
        raise sqlite3.OperationalError("database or disk is full")

    with monkeypatch.context() as patch:
        patch.setattr(SegmentWriter, "commit", refuse)
        (fact,) = await writer.rotate({A.venue: START})
    assert isinstance(fact, LogPaused)
    assert writer.paused == "database or disk is full"


async def test_a_stop_removes_an_empty_segment_and_seals_one_that_was_replaced(
    tmp_path: Path, writer: LogWriter, monkeypatch: pytest.MonkeyPatch
) -> None:
    await writer.write([book(A, START), delta(A, START + 1, 41, 1)], [])

    def fail(_: SegmentWriter) -> None:
        raise OSError(5, "Input/output error")

    sync = SegmentWriter.sync
    failing = [fail]
    monkeypatch.setattr(SegmentWriter, "sync", lambda self: failing.pop()(self) if failing else sync(self))
    writer.finish()
    reports = [report for report, _ in writer.sealer.take_sealed()]
    assert sum(report.rows.get("deltas", 0) for report in reports) == 4, "nothing is there twice"
    assert not list(segments_of(Layout(tmp_path).wal, "c0"))


async def damaged(tmp_path: Path, writer: LogWriter) -> None:
    """Write three segments, of which the second, of the seconds 1 to 3, does not survive."""
    await writer.write([book(A, START)], [])
    await writer.rotate({A.venue: START + S})
    await writer.write([delta(A, START + 2 * S, 41, 1)], [])
    await writer.rotate({A.venue: START + 3 * S})
    segments = list(segments_of(Layout(tmp_path).wal, "c0"))
    segments[1].write_bytes(b"x" * 9_000)


def claims(tmp_path: Path) -> list[tuple[int, int, str]]:
    """The seconds of what is claimed."""
    (path,) = day_files(tmp_path, "coverage", A.venue, date_of(START))
    table = pq.read_table(path, partitioning=None)
    starts, ends = ([(at - START) // S for at in table[name].cast("int64").to_pylist()] for name in ("start", "end"))
    return list(zip(starts, ends, table["reason"].to_pylist(), strict=True))


async def test_coverage_of_rows_in_a_damaged_segment_is_retracted_in_later_ones(
    tmp_path: Path, writer: LogWriter
) -> None:
    await damaged(tmp_path, writer)
    await writer.write([Coverage(A, START, START + 60 * S, "covered", "live", 1)], [])
    writer.finish()
    assert [bool(report.damaged) for report, _ in writer.sealer.take_sealed()] == [False, True, False]
    assert claims(tmp_path) == [(0, 1, "live"), (1, 60, "crash")]


async def test_a_sync_that_fails_while_the_log_is_rotated_doubles_nothing(writer: LogWriter, disk: Disk) -> None:
    await writer.write([book(A, START)], [])
    await writer.write([delta(A, START + 1, 41, 1)], [("alive:mock", b"1")])
    disk.syncs_to_fail = 1
    await writer.rotate({A.venue: START + 1})
    writer.finish()
    assert sum(report.rows.get("deltas", 0) for report, _ in writer.sealer.take_sealed()) == 4


async def test_a_second_failed_sync_ends_the_log_in_a_rotation_too(
    writer: LogWriter, clock: ManualClock, disk: Disk
) -> None:
    await writer.write([book(A, START)], [])
    await clock.sleep(S)
    disk.syncs_to_fail = 2
    await writer.write([delta(A, START + 1, 41, 1)], [])
    with pytest.raises(IntegrityError, match="fails to sync"):
        await writer.rotate({})


async def test_coverage_in_a_damaged_segment_itself_is_retracted(tmp_path: Path, writer: LogWriter) -> None:
    await writer.write([book(A, START)], [])
    await writer.rotate({A.venue: START})
    await until_sealed(writer)
    for records in ([delta(A, START + 2 * S, 41, 1)], [Coverage(A, START, START + 4 * S, "covered", "live", 1)]):
        await writer.write(records, [])
    await writer.rotate({A.venue: START + 4 * S})
    with closing(sqlite3.connect(next(segments_of(Layout(tmp_path).wal, "c0")))) as db, db:
        db.execute("UPDATE batches SET crc = crc + 1 WHERE id = 1")
    writer.finish()
    assert [bool(report.damaged) for report, _ in writer.sealer.take_sealed()] == [False, True, False]
    assert claims(tmp_path) == [(0, 4, "crash")]


async def test_the_first_commit_is_durable(writer: LogWriter, monkeypatch: pytest.MonkeyPatch) -> None:
    synced: list[int] = []
    monkeypatch.setattr(SegmentWriter, "sync", lambda segment: synced.append(segment.batches))
    await writer.write([book(A, START)], [])
    await writer.write([delta(A, START + 1, 41, 1)], [])
    assert synced == [1]
    writer.finish()


class WoundClock(ManualClock):
    """A clock that somebody sets while it runs: ``wound`` by so many ns."""

    wound = 0

    def now(self) -> int:
        return super().now() + self.wound


@pytest.mark.parametrize("hours", [-1, 0, 1])
async def test_retraction_is_bounded_by_the_time_of_the_recording_and_not_of_the_machine(
    tmp_path: Path, hours: int
) -> None:
    clock = WoundClock(START, jumps=True)
    layout, lost = Layout(tmp_path), CoverageRetraction()
    writer = LogWriter(layout, "c0", clock, TIMING, Sealer(layout, clock, SealOptions(), lost))
    await damaged(tmp_path, writer)
    clock.wound = hours * 3_600 * S
    await until_sealed(writer)
    lost.close(START + 4 * S)
    await writer.write([Coverage(A, START, START + 60 * S, "covered", "live", 1)], [])
    writer.finish()
    assert claims(tmp_path) == [(0, 1, "live"), (1, 4, "crash"), (4, 60, "live")]
