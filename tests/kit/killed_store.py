"""A program that records into the store until it is killed, and the comparison of what it said with what is left.

``python -m tests.kit.killed_store torture DIR CYCLES [SEED [POWER_CUTS]]`` forks a recorder, kills it at a random
moment, damages the log as a power cut would (in the share ``POWER_CUTS`` of the cycles), and starts again.
``python -m tests.kit.killed_store fill DIR`` records until files may not grow any more.
"""

import os
import random
import resource
import signal
import sys
import time
from pathlib import Path

from msgspec import Struct

from predsurv.core.events import BookDelta
from predsurv.core.ids import InstrumentId, InstrumentKey, MarketId, VenueName
from predsurv.core.num import Price, Size
from predsurv.net.clock import ManualClock, SystemClock
from predsurv.store import manifest
from predsurv.store.layout import FOLDERS, NS_HOUR, Layout, data_files, segments_of
from predsurv.store.locks import CollectorLock
from predsurv.store.read.replay import replay
from predsurv.store.seal.compact import compact_closed
from predsurv.store.seal.recovery import recover
from predsurv.store.seal.seal import seal_segment
from predsurv.store.wal.log import LogPaused, LogResumed, WriteAheadLog
from predsurv.store.wal.segment import wal_path

MOCK = VenueName("mock")

KEYS = [InstrumentKey(MOCK, MarketId(f"m{n}"), InstrumentId(f"i{n}")) for n in range(20)]

NOON = 1_800_014_400_000_000_000

CLOCK = ManualClock(NOON + 30 * NS_HOUR)
"""Later than everything recorded, so that compaction finds every hour closed, however often."""

BATCH = 1_000

SPACE = 1_000_000
"""Numbers between the starts of two cycles: more than one can record."""


def change(number: int) -> BookDelta:
    """Change number ``number``: everything about it follows from that."""
    return BookDelta(
        KEYS[number % 20], NOON + number * 100, None, 1, number, "bid", Price(number % 999_983), Size(number)
    )


def record(layout: Layout, first: int, told: int) -> None:
    """Recover, then record changes from ``first`` on until killed, as fast as it goes.

    Tells each step: ``r`` recovering, ``f<number>`` flushed up to there, ``s<number>:<bytes>`` synced.
    """
    with CollectorLock(layout.state, "c0"):
        os.write(told, b"r ")
        recover(layout, "c0", CLOCK)
        log = WriteAheadLog(layout.state, "c0", CLOCK)
        number = first
        for turn in range(1_000_000):
            log.append([change(number + step) for step in range(BATCH)])
            number += BATCH
            log.flush()
            os.write(told, f"f{number} ".encode())
            if turn % 3 == 2:
                log.sync()
                os.write(told, f"s{number}:{wal_path(log.path).stat().st_size} ".encode())
            if turn % 6 == 5:
                path = log.rotate()
                os.write(told, f"s{number}:{wal_path(log.path).stat().st_size} ".encode())
                if path is not None:
                    seal_segment(path, layout, CLOCK)
            if turn % 18 == 17:
                compact_closed(layout, "c0", CLOCK)


class Cycle(Struct, frozen=True):
    """What a victim told before it died: numbers up to ``flushed`` and ``synced``, and its log's ``size`` then."""

    first: int
    flushed: int
    synced: int
    size: int


def cycle(layout: Layout, first: int, rng: random.Random) -> Cycle:
    """Run a recorder and kill it, one in seven times while it recovers."""
    told, telling = os.pipe()
    pid = os.fork()
    if pid == 0:
        os.close(told)
        try:
            record(layout, first, telling)
        finally:
            os._exit(1)
    os.close(telling)
    heard = os.read(told, 2)
    time.sleep(rng.uniform(0, 0.1) if rng.random() < 0.15 else rng.uniform(0.2, 0.8))
    os.kill(pid, signal.SIGKILL)
    os.waitpid(pid, 0)
    with os.fdopen(told, "rb") as file:
        words = (heard + file.read()).decode().split()
    flushed = [int(word[1:]) for word in words if word[0] == "f"]
    synced = [word[1:].split(":") for word in words if word[0] == "s"]
    number, size = map(int, synced[-1]) if synced else (first, 0)
    return Cycle(first, max(flushed, default=first), number, size)


def cut_power(layout: Layout, told: Cycle, rng: random.Random) -> int | None:
    """Tear what was not synced off the open log, and half the time leave garbage; return what is still owed."""
    segments = list(segments_of(layout.wal, "c0"))
    wal = wal_path(segments[-1]) if segments else None
    if wal is None or not wal.exists() or wal.stat().st_size < told.size:
        return None  # there is a younger segment than the last word was about
    unsynced = wal.stat().st_size - told.size
    with wal.open("r+b") as file:
        file.truncate(wal.stat().st_size - rng.randrange(unsynced + 1))
        if rng.random() < 0.5:
            file.seek(0, 2)
            file.write(rng.randbytes(rng.randrange(1, 40_000)))
    return told.synced


def judge(layout: Layout, cycles: list[tuple[Cycle, int]]) -> int:
    """Compare what is in the files with what was told; return how many rows there are."""
    import polars as pl  # not before the forks

    frame = pl.scan_parquet(f"{layout.data_dir}/book_deltas/**/*.parquet").select(
        (pl.col("size") * 1e6).round().cast(pl.Int64).alias("number"), "price", "seq", "instrument_id"
    )
    rows = frame.collect().sort("number")
    number = rows["number"]
    assert number.n_unique() == len(number), "doubled"
    wrong = rows.filter(
        (pl.col("seq") != pl.col("number"))
        | ((pl.col("price") * 1e6).round() != pl.col("number") % 999_983)
        | (pl.col("instrument_id") != pl.concat_str(pl.lit("i"), (pl.col("number") % 20).cast(pl.String)))
    )
    assert wrong.is_empty(), wrong
    known = 0
    for told, owed in cycles:
        found = number.filter((number >= told.first) & (number < told.first + SPACE))
        assert (found < owed).sum() == owed - told.first, f"lost some of {told.first} to {owed}"
        assert found.is_empty() or found.max() == told.first + len(found) - 1, "a hole"
        assert len(found) <= told.flushed - told.first + BATCH, "invented"
        known += len(found)
    assert known == len(number), "invented"
    return len(number)


def torture(data_dir: Path, cycles: int, seed: int = 1, cuts: float = 0.4) -> None:
    """Kill ``cycles`` recorders, and cut the power too in this share of them."""
    rng = random.Random(seed)
    layout = Layout(data_dir)
    told: list[tuple[Cycle, int]] = []
    torn = recovering = 0
    for turn in range(cycles):
        last = cycle(layout, turn * SPACE, rng)
        recovering += last.flushed == last.first
        owed = cut_power(layout, last, rng) if last.flushed > last.first and rng.random() < cuts else None
        torn += owed is not None
        told.append((last, last.flushed if owed is None else owed))
    recover(layout, "c0", CLOCK)
    compact_closed(layout, "c0", CLOCK)
    rows = judge(layout, told)
    assert not list(segments_of(layout.wal, "c0"))
    assert not list(layout.merging("c0").glob("*t-*"))
    listed = {file.path: file.blake2b for file in manifest.read(layout.manifest)}
    for dataset in FOLDERS:
        for path in data_files(layout, dataset):
            assert listed.pop(path.relative_to(data_dir).as_posix()) == manifest.digest(path)
    assert not listed
    sys.stdout.write(f"{cycles} cycles, {torn} cut, {recovering} killed before the first flush, {rows} rows\n")


def fill(data_dir: Path) -> None:
    """Record until files may not grow any more, then let them grow again."""
    signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    layout, clock = Layout(data_dir), SystemClock()
    log = WriteAheadLog(layout.state, "c0", clock)
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
    deadline = clock.monotonic() + 10_000_000_000
    while log.paused is not None:
        assert clock.monotonic() < deadline
        time.sleep(0.05)
        facts = log.flush()
    assert [fact.refused for fact in facts if isinstance(fact, LogResumed)] == [1]
    path = log.close()
    assert path is not None
    seal_segment(path, layout, clock)
    events = replay(layout.data_dir, MOCK, NOON, NOON + NS_HOUR)
    assert [event.size for event in events if isinstance(event, BookDelta)] == list(range(number))


if __name__ == "__main__":
    if sys.argv[1] == "fill":
        fill(Path(sys.argv[2]))
    else:
        torture(Path(sys.argv[2]), int(sys.argv[3]), *map(int, sys.argv[4:5]), *map(float, sys.argv[5:6]))
