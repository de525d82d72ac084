"""The store with a disk that says no: full at every write of a seal, a sync that fails at every call, flipped bits."""

import os
import resource
import shutil
import signal
from collections.abc import Callable
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from predsurv.core.errors import IntegrityError, PredsurvError, TransientError
from predsurv.core.events import BookDelta, BookSnapshot
from predsurv.core.ids import InstrumentId, InstrumentKey, MarketId, VenueName
from predsurv.core.num import Price, Size
from predsurv.core.records import Record
from predsurv.net.clock import ManualClock
from predsurv.store.ballast import BALLAST_BYTES, give_up, keep
from predsurv.store.compact import compact_closed
from predsurv.store.intake import SegmentReplaced
from predsurv.store.paths import FOLDERS, NS_HOUR, Layout, data_files, segments_of
from predsurv.store.reader import replay
from predsurv.store.recovery import recover
from predsurv.store.seal import SealOptions, seal_segment
from predsurv.store.wal import Log

MOCK = VenueName("mock")
NOON = 1_800_014_400_000_000_000
KEYS = [InstrumentKey(MOCK, MarketId(f"m{n}"), InstrumentId(f"i{n}")) for n in range(50)]
CLOCK = ManualClock(NOON + 30 * NS_HOUR)


def change(number: int) -> BookDelta:
    price = Price(number * 7919 % 1_000_000)
    return BookDelta(KEYS[number % 50], NOON + number * 1_000, None, 1, number, "bid", price, Size(number))


def records(first: int, count: int) -> list[Record]:
    levels = tuple((Price(price), Size(price)) for price in range(900_000, 0, -100_000))
    made: list[Record] = [change(number) for number in range(first, first + count)]
    return [*made, BookSnapshot(KEYS[0], NOON + (first + count) * 1_000, None, 1, None, levels, ())]


def segment(layout: Layout, count: int = 3_000) -> Path:
    log = Log(layout.state, "c0", CLOCK)
    log.append(records(0, count))
    path = log.close()
    assert path is not None
    return path


def numbers(layout: Layout) -> list[int]:
    events = replay(layout.data_dir, MOCK, NOON, NOON + NS_HOUR)
    return [event.size for event in events if isinstance(event, BookDelta)]


def visible(layout: Layout) -> list[Path]:
    return [path for dataset in FOLDERS for path in data_files(layout, dataset)]


def in_child(run: Callable[[], int]) -> int:
    """Run in a process of its own, which may limit itself; return its exit code."""
    pid = os.fork()
    if pid == 0:
        code = 99
        try:
            code = run()
        finally:
            os._exit(code)
    return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])


def test_a_disk_that_is_full_at_any_write_of_a_seal_shows_nothing_and_loses_nothing(tmp_path: Path) -> None:
    layout = Layout(tmp_path / "data")
    path = segment(layout)
    kept = path.read_bytes()

    def sealed_within(limit: int) -> int:
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        resource.setrlimit(resource.RLIMIT_FSIZE, (limit, limit))
        try:
            seal_segment(path, layout, CLOCK)
        except TransientError:
            return 7
        return 0

    refused = 0
    for limit in range(0, 200_000, 1_500):
        code = in_child(lambda limit=limit: sealed_within(limit))  # type: ignore[misc]
        if code == 0:
            break
        assert code == 7
        refused += 1
        assert all(pq.ParquetFile(found).metadata.num_rows for found in visible(layout))
        assert path.read_bytes() == kept
    assert refused >= 10
    assert not path.exists()
    assert numbers(layout) == list(range(3_000))


class Syncs:
    """Counts the syncs of this process and lets one of them fail."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.count = 0
        self.failing = -1
        monkeypatch.setattr("os.fsync", self.sync)
        monkeypatch.setattr("os.fdatasync", self.sync)

    def sync(self, fd: int) -> None:
        self.count += 1
        if self.count == self.failing:
            raise OSError(5, "Input/output error")


def keep_trying(step: Callable[[], object]) -> object:
    for _ in range(3):
        try:
            return step()
        except (TransientError, PredsurvError, OSError):
            continue
    raise AssertionError("it never worked again")


def recording(layout: Layout) -> None:
    """Record, rotate, seal and compact as the collector does, trying again what fails."""
    keep_trying(lambda: recover(layout, "c0", CLOCK))
    log = keep_trying(lambda: Log(layout.state, "c0", CLOCK))
    assert isinstance(log, Log)
    waiting: list[Path] = []
    for turn in range(4):
        log.append([change(turn * 100 + number) for number in range(100)])
        facts = log.sync()
        waiting += [fact.path for fact in facts if isinstance(fact, SegmentReplaced)]
        if turn % 2:
            path = keep_trying(log.rotate)
            waiting += [fact.path for fact in log.flush() if isinstance(fact, SegmentReplaced)]
            waiting += [path] if isinstance(path, Path) else []
        for path in sorted(waiting):
            keep_trying(lambda path=path: seal_segment(path, layout, CLOCK))  # type: ignore[misc]
        waiting.clear()
    last = log.close()
    if last is not None:
        keep_trying(lambda: seal_segment(last, layout, CLOCK))
    keep_trying(lambda: recover(layout, "c0", CLOCK))  # forgets the last segment, which is empty
    keep_trying(lambda: compact_closed(layout, "c0", CLOCK))


def test_a_sync_that_fails_at_any_call_loses_and_doubles_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    syncs = Syncs(monkeypatch)
    recording(Layout(tmp_path / "whole"))
    calls = syncs.count
    assert calls > 40
    for failing in range(1, calls + 1):
        syncs.count, syncs.failing = 0, failing
        layout = Layout(tmp_path / str(failing))
        recording(layout)
        assert numbers(layout) == list(range(400)), failing
        assert not list(segments_of(layout.wal, "c0")), failing
        shutil.rmtree(layout.data_dir)


@pytest.mark.parametrize("stride", [97])
def test_no_flipped_bit_of_a_log_segment_becomes_a_wrong_row(tmp_path: Path, stride: int) -> None:
    layout = Layout(tmp_path / "data")
    path = segment(layout, 300)
    whole = path.read_bytes()
    expected = set(range(300))
    silent = 0
    for at in range(0, len(whole), len(whole) // stride):
        again = Layout(tmp_path / str(at))
        again.wal.mkdir(parents=True)
        content = bytearray(whole)
        content[at] ^= 1 << (at % 8)
        target = again.wal / path.name
        target.write_bytes(content)
        report = seal_segment(target, again, CLOCK)
        found = numbers(again)
        assert set(found) <= expected
        assert report.damaged or len(found) == 300
        silent += not report.damaged
        shutil.rmtree(again.data_dir)
    assert silent < stride


def test_a_full_disk_is_given_its_ballast_back(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    layout = Layout(tmp_path / "data")
    first = segment(layout, 10)
    seal_segment(first, layout, CLOCK, SealOptions(ballast=100_000))
    laid = layout.state / "ballast"
    assert laid.stat().st_size == 100_000
    log = Log(layout.state, "c0", CLOCK)
    log.append([change(number) for number in range(10, 20)])
    path = log.close()
    assert path is not None

    def full_while_ballast_is_there(fd: int) -> None:
        if laid.exists():
            raise OSError(28, "No space left on device")

    monkeypatch.setattr("os.fsync", full_while_ballast_is_there)
    seal_segment(path, layout, CLOCK)
    assert numbers(layout) == list(range(20))
    assert not laid.exists()
    assert not give_up(layout)
    keep(layout, 10**18)  # no disk has that much to spare
    assert not laid.exists()
    assert BALLAST_BYTES < 64_000_000


def test_what_cannot_be_read_is_no_data(tmp_path: Path) -> None:
    layout = Layout(tmp_path / "data")
    seal_segment(segment(layout, 50), layout, CLOCK)
    (path,) = visible(layout)
    path.write_bytes(b"")
    with pytest.raises(IntegrityError, match="predsurv verify"):
        numbers(layout)
