"""What a start, ``status`` and ``verify`` cost when months of recording lie in the data folder.

``python -m benchmarks.months [--days 30]``: a made-up recording of the mock venue is sealed and merged as the recorder
does it, an hour a segment: 200 of 2,000 instruments at a time, changed every ten minutes; 7,200 rows and 3,500
intervals of coverage an hour. The same commands run on one day of it and on all, in turns, each a process of its own:
wall time, CPU, and the most resident memory of the process. The ratio says what the days in between cost.
"""

import argparse
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from random import Random
from statistics import median
from typing import Final, NamedTuple

from benchmarks import figures
from benchmarks.figures import Comparison, Figure
from predsurv.core.events import BookDelta, Trade
from predsurv.core.ids import EventId, InstrumentId, InstrumentKey, MarketId, VenueName
from predsurv.core.market import Market, Outcome
from predsurv.core.num import Price, Size
from predsurv.core.records import BookTop, Coverage, Record, pack_levels
from predsurv.net.clock import ManualClock
from predsurv.store.layout import NS_DAY, NS_HOUR, Layout
from predsurv.store.seal.compact import compact_closed
from predsurv.store.seal.seal import seal_segment
from predsurv.store.universe_writer import UniverseWriter
from predsurv.store.wal.log import WriteAheadLog

VENUE: Final = VenueName("mock")
COLLECTOR: Final = "bench"
INSTRUMENTS: Final = 2_000
PLACES: Final = 200
TURN: Final = 600_000_000_000
DELTAS: Final = 4
"""Changes of an instrument in its turn, with one trade and one row of its best levels."""
ROUNDS: Final = 5
COMMANDS: Final = {
    "collect, for 1 ms": ("collect", "--mock", "--duration", "1ms"),
    "status": ("status",),
    "verify": ("verify",),
}


# Not ru_maxrss: a process inherits that from the one which started it.
_RUN: Final = """
import atexit, pathlib, runpy, sys
def tell(path):
    status = dict(line.split(":", 1) for line in pathlib.Path("/proc/self/status").read_text().splitlines())
    pathlib.Path(path).write_text(status["VmHWM"].split()[0])
atexit.register(tell, sys.argv.pop(1))
runpy.run_module("predsurv", run_name="__main__", alter_sys=True)
"""


class Cost(NamedTuple):
    """Wall time and CPU of a command, s, and the most memory of its process, MB."""

    seconds: float
    cpu: float
    mb: float


def market(number: int, ts: int) -> Market:
    """Return a market of the recording."""
    name = f"bench-{number}"
    outcomes = (Outcome(InstrumentId(f"{name}-yes"), "Yes"), Outcome(InstrumentId(f"{name}-no"), "No"))
    return Market(
        venue=VENUE, market_id=MarketId(name), event_id=EventId(f"e{number}"), question=f"Question {number}?",
        outcomes=outcomes, status="active", tick_size=Price(10_000), min_order_size=Size(1_000_000), fetched_at=ts,
        tradable=True,
    )  # fmt: skip


def hour(rng: Random, ends: dict[InstrumentKey, int], start: int) -> Iterator[Record]:
    """Yield the records of one hour that starts at ``start`` (ns UTC); ``ends``: of the coverage of all instruments."""
    for turn in range(start, start + NS_HOUR, TURN):
        for key in rng.sample(list(ends), PLACES):
            known, end = turn + 1_000_000_000, turn + TURN
            if 0 < ends[key] < turn:
                yield Coverage(key, ends[key], turn, "gap", "rotated_out", 0)
            yield Coverage(key, turn, known, "gap", "subscribing", 1)
            yield Coverage(key, known, end, "covered", "live", 1, trades="live", lifecycle="live")
            ends[key] = end
            yield from changes(rng, key, known, end)


def changes(rng: Random, key: InstrumentKey, start: int, end: int) -> Iterator[Record]:
    """Yield what happens to one instrument while it is recorded."""
    for number, ts in enumerate(sorted(rng.randrange(start, end) for _ in range(DELTAS))):
        price = Price(rng.randrange(1, 99) * 10_000)
        yield BookDelta(key, ts, ts, 1, None, "bid", price, Size(rng.randrange(1, 500) * 1_000_000))
        if not number:
            yield Trade(key, ts, ts, price, Size(5_000_000), "buy", None)
            side = tuple((Price(level * 10_000), Size(5_000_000)) for level in range(10, 0, -1))
            yield BookTop(key, ts, ts, pack_levels(side), pack_levels(()), trusted=True)


def write(folder: Path, days: int) -> Path:
    """Write a recording of ``days`` that ends yesterday; return its data folder."""
    data, today = folder / f"days-{days}", time.time_ns() // NS_DAY * NS_DAY
    layout, rng, clock = Layout(data), Random(days), ManualClock(today)
    ends = dict.fromkeys((market(number, 0).key(0) for number in range(INSTRUMENTS)), 0)
    log = WriteAheadLog(layout.state, COLLECTOR, clock)
    for start in range(today - days * NS_DAY, today, NS_HOUR):
        if start % NS_DAY == 0:
            with UniverseWriter(data, VENUE, start) as universe:
                for number in range(INSTRUMENTS):
                    universe.write(market(number, start))
                universe.commit()
        log.append(list(hour(rng, ends, start)))
        log.flush()
        segment = log.rotate()
        assert segment is not None
        seal_segment(segment, layout, clock)
        if start % NS_DAY == NS_DAY - NS_HOUR:
            compact_closed(layout, COLLECTOR, clock)
    log.close()
    return data


def cost(words: tuple[str, ...], data: Path) -> Cost:
    """Run a command on ``data``; return what it cost. Raises RuntimeError when it fails."""
    environment = os.environ | {"PREDSURV_DATA_DIR": str(data), "PREDSURV_COLLECTOR__ID": COLLECTOR}
    environment |= {"PREDSURV_METRICS__PORT": "0"}
    peak = data / "peak"
    began = time.perf_counter()
    with tempfile.TemporaryFile() as output:
        command = [sys.executable, "-c", _RUN, str(peak), *words]
        process = subprocess.Popen(command, env=environment, stdout=output, stderr=output)
        _, status, usage = os.wait4(process.pid, 0)
        took = time.perf_counter() - began
        process.returncode = os.waitstatus_to_exitcode(status)
        if process.returncode:
            output.seek(0)
            raise RuntimeError(f"{' '.join(words)}: exit {process.returncode}: {output.read().decode()[-1_000:]}")
    return Cost(took, usage.ru_utime + usage.ru_stime, int(peak.read_text()) * 1024 / 1e6)


def measure(words: Sequence[str]) -> list[Comparison]:
    """Write two recordings, and run the commands on both."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.months", description=__doc__)
    parser.add_argument("--days", type=int, default=30)
    days = parser.parse_args(words).days
    if days < 2:
        parser.error("the days are compared with one of them: --days 2 or more")
    found = list[Figure]()
    with tempfile.TemporaryDirectory(prefix="predsurv-bench-") as name:
        one, all_days = write(Path(name), 1), write(Path(name), days)
        files = sum(1 for _ in all_days.glob("*/venue=*/date=*/**/*.parquet"))
        size = sum(path.stat().st_size for path in all_days.rglob("*") if path.is_file())
        for title, command in COMMANDS.items():
            few, many = list[Cost](), list[Cost]()
            for _ in range(ROUNDS):
                few.append(cost(command, one))
                many.append(cost(command, all_days))
            before, after = (Cost(*map(median, zip(*runs, strict=True))) for runs in (few, many))
            found += (
                Figure(what=title, value=after.seconds, unit="s by the clock", ratio=after.seconds / before.seconds),
                Figure(what=f"{title}, CPU", value=after.cpu, unit="s", ratio=after.cpu / before.cpu),
                Figure(what=f"{title}, memory", value=after.mb, unit="MB", ratio=after.mb / before.mb),
            )
    return [
        Comparison(
            title=f"Commands with {days} days in the data folder ({files:,} files, {size / 1e6:,.0f} MB)",
            method="each command a process of its own, in turns with the same on one day",
            rounds=ROUNDS,
            ratio="times one day",
            figures=tuple(found),
        )
    ]


if __name__ == "__main__":
    sys.exit(figures.main(measure))
