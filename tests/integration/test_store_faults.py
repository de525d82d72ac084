"""A refusing disk, and flipped bits: a small share of ``tests/proofs/faults.py``, and what it does not reach."""

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from predsurv.core.errors import IntegrityError, TransientError
from predsurv.core.events import BookDelta
from predsurv.core.ids import InstrumentId, InstrumentKey, MarketId, VenueName
from predsurv.core.num import Price, Size
from predsurv.net.clock import ManualClock
from predsurv.store.disk_reserve import RESERVE_BYTES, allocate, release
from predsurv.store.layout import FOLDERS, NS_HOUR, Layout, data_files
from predsurv.store.read.replay import replay
from predsurv.store.seal import retention
from predsurv.store.seal.compact import compact_closed
from predsurv.store.seal.seal import SealOptions, seal_segment
from predsurv.store.wal.log import WriteAheadLog
from tests.kit.patience import PATIENCE_S

ROOT = Path(__file__).resolve().parents[2]
MOCK = VenueName("mock")
KEY = InstrumentKey(MOCK, MarketId("m"), InstrumentId("i"))
NOON = 1_800_014_400_000_000_000
CLOCK = ManualClock(NOON + 30 * NS_HOUR)


SHARED_MEMORY = Path("/dev/shm")  # noqa: S108 - each battery makes a folder of its own in it


def battery(folder: Path, name: str, rounds: int) -> str:
    """Run a battery, in memory if that can be: these wait for the disk at every step; return what it printed."""
    folder = SHARED_MEMORY if SHARED_MEMORY.is_dir() else folder
    done = subprocess.run(
        [sys.executable, "-m", "tests.proofs.faults", name, "--rounds", str(rounds), "--dir", str(folder)],
        capture_output=True, text=True, timeout=PATIENCE_S, check=False, cwd=ROOT,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.mark.skipif(shutil.which("cc") is None, reason="takes a C compiler")
def test_refused_writes_and_syncs_lose_double_and_show_nothing(tmp_path: Path) -> None:
    assert "; 0 findings" in battery(tmp_path, "refusals", 1)


def test_no_flipped_bit_is_read_back_as_a_wrong_row(tmp_path: Path) -> None:
    assert "findings: 0" in battery(tmp_path, "flips", 12)


def change(number: int) -> BookDelta:
    return BookDelta(KEY, NOON + number, None, 1, number, "bid", Price(number + 1), Size(number))


def log_of(layout: Layout, first: int, last: int) -> Path:
    log = WriteAheadLog(layout.state, "c0", CLOCK)
    log.append([change(number) for number in range(first, last)])
    path = log.close()
    assert path is not None
    return path


def numbers(layout: Layout) -> list[int]:
    events = replay(layout.data_dir, MOCK, NOON, NOON + NS_HOUR)
    return [event.size for event in events if isinstance(event, BookDelta)]


def test_a_seal_on_a_full_disk_releases_the_reserve(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    layout = Layout(tmp_path / "data")
    seal_segment(log_of(layout, 0, 10), layout, CLOCK, SealOptions(reserve_bytes=100_000))
    laid = layout.state / "ballast"
    assert laid.stat().st_size == 100_000
    path = log_of(layout, 10, 20)

    def full_while_ballast_is_there(fd: int) -> None:
        if laid.exists():
            raise OSError(28, "No space left on device")

    monkeypatch.setattr("os.fsync", full_while_ballast_is_there)
    seal_segment(path, layout, CLOCK)
    assert numbers(layout) == list(range(20))
    assert not laid.exists()
    assert not release(layout)
    allocate(layout, 10**18)  # no disk has that much to spare
    assert not laid.exists()
    assert RESERVE_BYTES < 64_000_000


def test_unreadable_files_count_as_no_data(tmp_path: Path) -> None:
    layout = Layout(tmp_path / "data")
    seal_segment(log_of(layout, 0, 50), layout, CLOCK)
    (path,) = [path for dataset in FOLDERS for path in data_files(layout, dataset)]
    path.write_bytes(b"")
    with pytest.raises(IntegrityError, match="predsurv verify"):
        numbers(layout)


def test_maintenance_without_room_for_its_lock_can_be_deferred(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    layout = Layout(tmp_path / "data")

    def full(*_: object) -> int:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("os.open", full)
    with pytest.raises(TransientError, match="free disk space"):
        compact_closed(layout, "c0", CLOCK)
    with pytest.raises(TransientError, match="cannot remove"):
        retention.expire(layout, CLOCK, retention.RetentionPolicy(max_age=NS_HOUR))
