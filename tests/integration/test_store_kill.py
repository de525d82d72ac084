"""The store under kill -9, power cuts and a full disk: nothing lost, doubled or invented.

Run as a program, this file is the victim: it forks a recorder, kills it at a random moment, damages
the log as a power cut would, and starts again, many times over.
"""

import os
import random
import resource
import signal
import sqlite3
import subprocess
import sys
import time
from pathlib import Path

import pytest

from predsurv.core.events import BookDelta
from predsurv.core.ids import InstrumentId, InstrumentKey, MarketId, VenueName
from predsurv.core.num import Price, Size
from predsurv.net.clock import SystemClock
from predsurv.store.intake import LogPaused, LogResumed
from predsurv.store.lock import DataLock
from predsurv.store.paths import Layout, segments_of
from predsurv.store.reader import replay
from predsurv.store.recovery import recover
from predsurv.store.seal import seal_segment
from predsurv.store.segment import wal_path
from predsurv.store.wal import Log

MOCK = VenueName("mock")
KEYS = [InstrumentKey(MOCK, MarketId(f"m{n}"), InstrumentId(f"i{n}")) for n in range(20)]
NOON = 1_800_014_400_000_000_000
CLOCK = SystemClock()


def change(number: int) -> BookDelta:
    return BookDelta(KEYS[number % 20], NOON + number * 1000, None, 1, number, "bid", Price(1), Size(number))


def record(layout: Layout, first: int, told: int) -> None:
    """Recover, then record changes from ``first`` on until killed, telling what is flushed."""
    with DataLock(layout.state, "c0"):
        recover(layout, "c0", CLOCK)
        log = Log(layout.state, "c0", CLOCK)
        number = first
        for turn in range(1_000_000):
            log.append([change(number + step) for step in range(40)])
            number += 40
            log.flush()
            os.write(told, f"{number} ".encode())
            if turn % 5 == 4:
                log.sync()
            if turn % 12 == 11:
                path = log.rotate()
                if path is not None:
                    seal_segment(path, layout, CLOCK)


def cycle(layout: Layout, first: int, rng: random.Random) -> int:
    """Run a recorder, kill it; return the end of what it said is flushed."""
    told, telling = os.pipe()
    pid = os.fork()
    if pid == 0:
        os.close(told)
        try:
            record(layout, first, telling)
        finally:
            os._exit(1)
    os.close(telling)
    time.sleep(rng.uniform(0.05, 0.5))
    os.kill(pid, signal.SIGKILL)
    os.waitpid(pid, 0)
    with os.fdopen(told, "rb") as file:
        words = file.read().decode().split()
    return int(words[-1]) if words else first


def cut_power(layout: Layout, rng: random.Random) -> bool:
    """Tear the tail of the open segment's log off, and half the time leave garbage in its place."""
    for path in segments_of(layout.wal, "c0"):
        wal = wal_path(path)
        if wal.exists() and wal.stat().st_size > 200_000:
            with wal.open("r+b") as file:
                file.truncate(wal.stat().st_size - rng.randrange(1, 20_000))
                if rng.random() < 0.5:
                    file.seek(0, 2)
                    file.write(rng.randbytes(rng.randrange(1, 40_000)))
            return True
    return False


def recorded(layout: Layout) -> list[int]:
    events = list(replay(layout.data_dir, MOCK, NOON, NOON + 7_200_000_000_000))
    assert all(event == change(event.size) for event in events if isinstance(event, BookDelta))
    return [event.size for event in events if isinstance(event, BookDelta)]


def torture(data_dir: Path, cycles: int, seed: int) -> None:
    rng = random.Random(seed)
    layout = Layout(data_dir)
    first = 0
    owed: list[range] = []  # what must be there
    torn = 0
    for _ in range(cycles):
        flushed = cycle(layout, first, rng)
        recovered = flushed > first  # else the same segment could be torn twice
        cut = recovered and rng.random() < 0.4 and cut_power(layout, rng)
        torn += cut
        # A commit is a page of 16 KiB or more: the torn 20 kB were the last two, of 40 changes each.
        owed.append(range(first, max(first, flushed - 200) if cut else flushed))
        first = flushed + 10_000
    recover(layout, "c0", CLOCK)
    found = recorded(layout)
    assert len(found) == len(set(found)), "doubled"
    assert found == sorted(found), "out of order"
    missing = {number for numbers in owed for number in numbers}.difference(found)
    assert not missing, f"lost {len(missing)}, first {min(missing)}"
    assert not list(segments_of(layout.wal, "c0"))
    assert not [
        path
        for path in layout.data_dir.rglob("*")
        if path.suffix not in ("", ".parquet") and path.parent.name.startswith("hour=")
    ]
    sys.stdout.write(f"{cycles} cycles, {torn} cut, {len(found)} rows\n")


def test_killed_recorders_lose_double_and_invent_nothing(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, __file__, str(tmp_path / "data"), "25"],
        capture_output=True,
        text=True,
        timeout=110,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    rows = int(done.stdout.split()[-2])
    assert rows > 1_000


FILE_LIMIT = """
import resource, signal, sys
from pathlib import Path
sys.path.insert(0, sys.argv[2])
from tests.integration.test_store_kill import fill
fill(Path(sys.argv[1]))
"""


def fill(data_dir: Path) -> None:
    """Record until files may not grow any more, then let them grow again."""
    signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    layout = Layout(data_dir)
    log = Log(layout.state, "c0", CLOCK)
    resource.setrlimit(resource.RLIMIT_FSIZE, (2_000_000, resource.RLIM_INFINITY))
    number, facts = 0, log.flush()
    while log.paused is None:
        assert number < 1_000_000
        log.append([change(number + step) for step in range(100)])
        number += 100
        facts = log.flush()
    assert isinstance(facts[-1], LogPaused)
    log.append([change(number)])  # refused: the caller records a gap instead
    resource.setrlimit(resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
    deadline = CLOCK.monotonic() + 10_000_000_000
    while log.paused is not None:
        assert CLOCK.monotonic() < deadline
        time.sleep(0.05)
        facts = log.flush()
    assert [fact.refused for fact in facts if isinstance(fact, LogResumed)] == [1]
    path = log.close()
    assert path is not None
    seal_segment(path, layout, CLOCK)
    assert recorded(layout) == list(range(number))


def test_files_that_may_not_grow_pause_the_log_and_lose_nothing(tmp_path: Path) -> None:
    root = Path(__file__).resolve().parents[2]
    done = subprocess.run(
        [sys.executable, "-c", FILE_LIMIT, str(tmp_path / "data"), str(root)],
        capture_output=True, text=True, timeout=60, check=False, cwd=root,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr


def test_sqlite_is_new_enough() -> None:
    """Read-only access to a log whose index is gone came with SQLite 3.22."""
    assert sqlite3.sqlite_version_info >= (3, 22)


@pytest.mark.slow
def test_many_more_kills(tmp_path: Path) -> None:
    subprocess.run([sys.executable, __file__, str(tmp_path / "data"), "300"], timeout=1200, check=True)


if __name__ == "__main__":
    torture(Path(sys.argv[1]), int(sys.argv[2]), seed=1)
