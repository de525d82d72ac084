"""Record for an hour from a simulated venue with rotation and reconnects, and watch what the process holds.

``python -m tests.proofs.soak [MINUTES] [RATE]``: 60 minutes by default; the venue makes RATE level changes a
second, of which the recorder hears those of the four fifths of all instruments that it has places for.
The venue is a process of its own (``predsurv simulate polymarket``) behind real sockets, so what is measured
is the collector alone. Samples of memory, file descriptors, tasks and threads are taken four times a second;
after the first third, which warms up, a line is laid through each. What happens to a process once in its
first hours is made to happen at the start.
"""

import argparse
import asyncio
import ctypes
import json
import os
import signal
import subprocess
import sys
import tempfile
import threading
from array import array
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from statistics import median

from msgspec import Struct, convert
from msgspec.structs import astuple

from predsurv.collect.collector import Collector, CollectorDeps
from predsurv.config import Config
from predsurv.config import load as load_config
from predsurv.core.events import MarketEvent
from predsurv.net.clock import SystemClock
from predsurv.ports import MarketQuery
from predsurv.store import allocator
from predsurv.store.universe_writer import UniverseWriter
from predsurv.venues.polymarket import venue as polymarket
from predsurv.venues.polymarket.decoder import PolymarketCodec
from predsurv.venues.registry import open_venue

S = 1_000_000_000
SAMPLE_S = 0.25
"""Often enough to meet the quiet moments between two seals in every minute."""
WARM_UP = 1 / 3
SLOPE_MB_MAX = 1.0
MARKETS = 450
"""Of which some 490 instruments can be recorded, and 400 have a place at a time."""
NAMES = 20_000
PAGE = os.sysconf("SC_PAGE_SIZE")


class Sample(Struct, frozen=True):
    """What the process held ``at`` (s): ``rss`` in MB, of it ``files`` mapped.

    What is in use: ``blocks`` of Python's allocator (objects to 512 bytes), ``heap`` (MB) of the C library's.
    """

    at: float
    rss: float
    files: float
    blocks: int
    heap: float
    fds: int
    tasks: int
    threads: int
    messages: int
    events: int
    trusted: int

    @property
    def own(self) -> float:
        """MB of ``rss`` that no file backs: the system may let go of the others, and reads them again, as it likes."""
        return self.rss - self.files


class Samples:
    """What was sampled, in memory that is all taken at the start: a list that grew would be measured, too."""

    _FIELDS = len(Sample.__struct_fields__)

    def __init__(self, most: int) -> None:
        self._numbers = array("d", [-1.0]) * (most * self._FIELDS)
        self._count = 0

    def add(self, sample: Sample) -> None:
        at = self._count * self._FIELDS
        for number, value in enumerate(astuple(sample), at):
            self._numbers[number] = value
        self._count += 1

    def all(self) -> list[Sample]:
        ends = range(0, self._count * self._FIELDS, self._FIELDS)
        rows = (self._numbers[at : at + self._FIELDS] for at in ends)
        # Not strict: the array holds all of them as floats.
        return [convert(dict(zip(Sample.__struct_fields__, row, strict=True)), Sample, strict=False) for row in rows]


class Counting(PolymarketCodec):
    """The codec that is measured, counting the messages of all connections."""

    messages = 0

    def decode(self, frames: Sequence[bytes], ts_recv: int, out: list[MarketEvent]) -> bool:
        Counting.messages += len(frames)
        return super().decode(frames, ts_recv, out)


class Slope(Struct, frozen=True):
    """A line through samples: change an hour, and the most it may be with 95 % confidence."""

    per_hour: float
    upper: float

    def __str__(self) -> str:
        return f"{self.per_hour:+.2f} MB/h (95 %: {self.upper:+.2f})"


async def soak(config: Config, minutes: float) -> tuple[list[Sample], Collector]:
    """Record and sample; return both."""
    clock = SystemClock()
    polymarket.PolymarketCodec = Counting  # type: ignore[attr-defined]
    venue = open_venue("polymarket", config, clock)
    with UniverseWriter(config.data_dir, venue.name, clock.now()) as writer:
        async for market in venue.catalog().markets(MarketQuery()):
            writer.write(market)
        writer.commit()
    job, samples = Collector(config, [venue], clock, CollectorDeps()), Samples(round(minutes * 60 / SAMPLE_S) + 600)
    taken = 0
    running = asyncio.create_task(job.run(round(minutes * 60) * S))
    began = clock.monotonic()
    while not running.done():
        await asyncio.wait([running], timeout=SAMPLE_S)
        sample = _sample(job, (clock.monotonic() - began) / S)
        samples.add(sample)
        taken += 1
        if taken % round(60 / SAMPLE_S) == 0:
            print(sample, flush=True)
    await running
    await venue.aclose()
    # Not what it holds while it stops.
    return [sample for sample in samples.all() if sample.at < minutes * 60], job


def _sample(job: Collector, at: float) -> Sample:
    tally = job.sessions[0].recorder.counters
    rss, files = (int(pages) * PAGE / 1e6 for pages in Path("/proc/self/statm").read_text().split()[1:3])
    return Sample(
        at,
        rss,
        files,
        sys.getallocatedblocks(),
        _heap_in_use(),
        len(os.listdir("/proc/self/fd")),
        len(asyncio.all_tasks()),
        threading.active_count(),
        Counting.messages,
        tally.events,
        tally.trusted,
    )


class _MallInfo(ctypes.Structure):
    """glibc's ``struct mallinfo2``."""

    _fields_ = (
        ("_places", ctypes.c_size_t * 4),
        ("mapped", ctypes.c_size_t),
        ("_formerly", ctypes.c_size_t * 2),
        ("used", ctypes.c_size_t),
        ("_free", ctypes.c_size_t * 2),
    )


@cache
def _mallinfo() -> Callable[[], _MallInfo] | None:
    info = getattr(ctypes.CDLL(None), "mallinfo2", None)
    if info is not None:
        info.restype = _MallInfo
    return info


def _heap_in_use() -> float:
    """Return MB; 0 where the C library is not glibc (2.33 or later)."""
    info = _mallinfo()
    if info is None:
        return 0.0
    found = info()
    return float(found.used + found.mapped) / 1e6


def slope(points: Sequence[tuple[float, float]]) -> Slope:
    """Return the least-squares line through (hours, value)."""
    count = len(points)
    mean_x, mean_y = (sum(point[axis] for point in points) / count for axis in (0, 1))
    spread = sum((x - mean_x) ** 2 for x, _ in points)
    rise = sum((x - mean_x) * (y - mean_y) for x, y in points) / spread
    residue = sum((y - mean_y - rise * (x - mean_x)) ** 2 for x, y in points)
    return Slope(rise, rise + 1.96 * (residue / max(1, count - 2) / spread) ** 0.5)


def floor(samples: Sequence[Sample], kind: Callable[[Sample], float]) -> list[tuple[float, float]]:
    """Return (hours, MB) of the least memory in each minute: what is held between one seal and the next."""
    minutes: dict[int, list[Sample]] = {}
    for sample in samples:
        minutes.setdefault(int(sample.at // 60), []).append(sample)
    least = (min(some, key=kind) for some in minutes.values())
    return [(sample.at / 3_600, kind(sample)) for sample in least]


def shape(samples: Sequence[Sample]) -> None:
    """Print every ten minutes, as one number for an hour cannot tell a step from a slope."""
    print("  minute   messages/s   RSS least  median   own least    heap median (MB)   blocks median")
    tens: dict[int, list[Sample]] = {}
    for sample in samples:
        tens.setdefault(int(sample.at // 600), []).append(sample)
    for ten, some in tens.items():
        least, own, *middle = (
            min(sample.rss for sample in some),
            min(sample.own for sample in some),
            *(median(getattr(sample, name) for sample in some) for name in ("rss", "heap", "blocks")),
        )
        resident = f"{least:>9.1f}  {middle[0]:>6.1f}   {own:>9.1f}"
        rate = (some[-1].messages - some[0].messages) / max(SAMPLE_S, some[-1].at - some[0].at)
        print(f"  {ten * 10:>6}   {rate:>10,.0f}   {resident}    {middle[1]:>16.2f}   {middle[2]:>13,.0f}")


def judge(samples: Sequence[Sample], job: Collector) -> int:
    """Print the verdict; return 1 when something grows."""
    shape(samples)
    late = samples[int(len(samples) * WARM_UP) :]
    memory, own = slope(floor(late, lambda sample: sample.rss)), slope(floor(late, lambda sample: sample.own))
    span = late[-1].at - late[0].at
    tally = job.sessions[0].recorder.counters
    messages, events = late[-1].messages - late[0].messages, late[-1].events - late[0].events
    rates = f"{messages / span:,.0f} messages ({events / span:,.0f} events) a second"
    print(f"{rates} over {span / 60:.1f} min after warm-up;")
    print(f"  {job.sessions[0].scheduler.rotations} rotations, {tally.connects} connects, gaps {dict(tally.gaps)}")
    least, most = min(sample.rss for sample in late), max(sample.rss for sample in late)
    print(f"  RSS {least:.0f} to {most:.0f} MB, its least of each minute {memory}; without mapped files {own}")
    grown = memory.per_hour > SLOPE_MB_MAX
    for name in ("blocks", "heap", "fds", "tasks", "threads"):
        values = [getattr(sample, name) for sample in late]
        line = slope([(sample.at / 3_600, float(getattr(sample, name))) for sample in late])
        print(f"  {name} {min(values):,.6g} to {max(values):,.6g}, {line.per_hour:+,.1f}/h")
        if name not in {"blocks", "heap"}:
            grown |= max(values[-len(values) // 4 :]) > max(values[: len(values) // 2]) + 2
    return int(grown)


def age() -> None:
    """Let Python's table of interned strings grow now instead of some forty minutes later.

    Every part of a path that is new takes a place in it, and those that go leave none: once in hours it is made
    anew, the first time twice as large (1 MB), then as large as it was.
    """
    names = [sys.intern(f"name {number}") for number in range(NAMES)]
    names.clear()


@contextmanager
def simulated(rate: int, minutes: float) -> Iterator[dict[str, str]]:
    """Serve a venue that drops every connection now and then; yield the environment that leads there."""
    faults = [f"drop@{at}s" for at in range(60, int(minutes * 60), 120)]
    command = [sys.executable, "-m", "predsurv", "simulate", "polymarket", "--markets", str(MARKETS)]
    command += ["--rate", str(rate), *(word for fault in faults[:200] for word in ("--fault", fault))]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        found: dict[str, str] = {}
        try:
            for line in process.stdout or ():
                name, equals, value = line.removeprefix("export ").strip().partition("=")
                if equals:
                    found[name] = value
                if name.endswith("WS_MARKET_URL"):
                    break
            yield found
        finally:
            process.send_signal(signal.SIGINT)


def main(minutes: float, rate: int) -> int:
    """Run it all."""
    flags: dict[str, object] = {
        "collector.max_instruments": 400,
        "collector.instruments_per_connection": 100,
        "collector.rotation_period": "30s",
        "storage.seal_interval": "20s",
    }
    allocator.limit_heaps()  # as the command does
    age()
    with tempfile.TemporaryDirectory(prefix="predsurv-") as folder, simulated(rate, minutes) as environment:
        config = load_config(flags=flags | {"data_dir": folder}, environ=environment).config
        samples, job = asyncio.run(soak(config, minutes))
        print(json.dumps({"samples": len(samples), "folder_mb": _size(Path(folder)) / 1e6}))
        return judge(samples, job)


def _size(folder: Path) -> int:
    return sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())


if __name__ == "__main__":
    parser = argparse.ArgumentParser(prog="python -m tests.proofs.soak", description=__doc__)
    parser.add_argument("minutes", type=float, nargs="?", default=60)
    parser.add_argument("rate", type=int, nargs="?", default=11_000)
    arguments = parser.parse_args()
    sys.exit(main(arguments.minutes, arguments.rate))
