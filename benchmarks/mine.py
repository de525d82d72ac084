"""What mining a day costs against the bare scan of the columns that it reads, by DuckDB.

``python -m benchmarks.mine [--rows 2400000] [--rounds 5] [--listed]``: a made-up day of merged files (``mined_days``),
a tenth as many snapshot rows as changes; in turns, each a process of its own with two threads: the scan (the greatest
of every column that mining reads), all statistics of the day with their scores, and the same again, as what was
measured is remembered; last, once, from roll-ups of the hours. ``--listed``: in turns with these, mining the same day
with a listing that puts its instruments into exclusive events of ten, whose best prices are added up. CPU time without
start-up, the most resident memory of the process; medians. The digests of all files, which mining compares, are part
of its time. 24,000,000 rows are a busy day.
"""

import argparse
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from statistics import median
from typing import Final

from benchmarks import figures
from benchmarks.figures import Comparison, Figure, Goal
from benchmarks.mined_days import DATE, VENUE, list_markets, unlist_markets, write_day

SCAN_RATIO_MAX: Final = 3.0
TELL: Final = """
status = dict(line.split(":", 1) for line in pathlib.Path("/proc/self/status").read_text().splitlines())
print(time.process_time() - began, int(status["VmHWM"].split()[0]) * 1024 / 1e6)
"""
_SCAN: Final = (
    """
import pathlib, sys, time
import duckdb
levels = [f"{side}_{what}_{n:02d}" for side in ("bid", "ask") for what in ("px", "sz") for n in range(10)]
wanted = {"book_deltas": ["instrument_id", "ts_recv", "ts_venue", "kind"],
          "orderbook_snapshots": ["instrument_id", "ts_recv", "trusted", *levels],
          "trades": ["instrument_id", "ts_recv", "price", "size", "taker_side", "trade_id"]}
link = duckdb.connect()
link.execute("set threads = 2")
link.execute("set enable_progress_bar = false")
began = time.process_time()
for folder, columns in wanted.items():
    most = ", ".join(f"max({name})" for name in columns)
    files = f"{sys.argv[1]}/{folder}/**/*.parquet"
    link.execute(f"select count(columns(*)) from (select {most} from read_parquet('{files}', hive_partitioning=false))")
    link.fetchall()
"""  # noqa: S608
    + TELL
)
MINE: Final = (
    """
import pathlib, sys, time
from predsurv.core.ids import VenueName
from predsurv.mine import scores
from predsurv.mine.job import mine
from predsurv.mine.recorded_days import MiningDay
began = time.process_time()
mined = mine(MiningDay(pathlib.Path(sys.argv[1]), VenueName(sys.argv[2]), sys.argv[3]), scores.weights({}))
assert mined.stats.height
"""
    + TELL
)


def cost(program: str, data: Path) -> tuple[float, float]:
    """Run ``program`` on ``data``; return its CPU seconds and the most memory of its process, MB."""
    words = [sys.executable, "-c", program, str(data), str(VENUE), DATE]
    environment = os.environ | {"POLARS_MAX_THREADS": "2"}
    done = subprocess.run(words, env=environment, capture_output=True, text=True, check=True)
    seconds, megabytes = done.stdout.split()
    return float(seconds), float(megabytes)


_ROLL_UP: Final = (
    """
import pathlib, sys, time
from predsurv.core.ids import VenueName
from predsurv.mine.roll_up import roll_up_day
began = time.process_time()
roll_up_day(pathlib.Path(sys.argv[1]), VenueName(sys.argv[2]), sys.argv[3])
"""
    + TELL
)
_AGAIN: Final = "predsurv mine again"
_LISTED: Final = "predsurv mine, with a listing"


def forget(data: Path) -> None:
    """Remove what was measured of the days in ``data``."""
    for folder in ("rollups", "day_rollups"):
        shutil.rmtree(data / folder, ignore_errors=True)


def cost_listed(data: Path) -> tuple[float, float]:
    """Return what mining the day in ``data`` costs with a listing, which is removed again."""
    forget(data)
    list_markets(data)
    try:
        return cost(MINE, data)
    finally:
        unlist_markets(data)


def measure(words: Sequence[str]) -> list[Comparison]:
    """Write the day, and run the contenders in turns."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.mine", description=__doc__)
    parser.add_argument("--rows", type=int, default=2_400_000)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--listed", action="store_true")
    given = parser.parse_args(words)
    with tempfile.TemporaryDirectory(prefix="predsurv-bench-") as name:
        data = Path(name)
        write_day(data, given.rows)
        size = sum(path.stat().st_size for path in data.rglob("*.parquet"))
        taken = _taken(data, given.rounds, listed=given.listed)
    scan = median(seconds for seconds, _ in taken["DuckDB scan"])
    found = list[Figure]()
    for title, runs in taken.items():
        seconds, megabytes = (median(each) for each in zip(*runs, strict=True))
        goal = Goal("≤", SCAN_RATIO_MAX) if title == "predsurv mine" else None
        found.append(Figure(what=title, value=seconds, unit="s of CPU", ratio=seconds / scan, goal=goal))
        found.append(Figure(what=f"{title}, memory", value=megabytes, unit="MB"))
    return [
        Comparison(
            title=f"All statistics of a day: {given.rows:,} changes, {given.rows // 10:,} snapshot rows, "
            f"{size / 1e6:,.0f} MB",
            method="each a process of its own with two threads, in turns; from roll-ups once",
            rounds=given.rounds,
            ratio="times DuckDB's bare scan",
            figures=tuple(found),
        )
    ]


def _taken(data: Path, rounds: int, *, listed: bool) -> dict[str, list[tuple[float, float]]]:
    """Return CPU seconds and megabytes of each round, by contender."""
    taken: dict[str, list[tuple[float, float]]] = {"DuckDB scan": [], "predsurv mine": [], _AGAIN: []}
    for _ in range(rounds):
        forget(data)
        taken["DuckDB scan"].append(cost(_SCAN, data))
        taken["predsurv mine"].append(cost(MINE, data))
        taken[_AGAIN].append(cost(MINE, data))
        if listed:
            taken.setdefault(_LISTED, []).append(cost_listed(data))
    forget(data)
    taken["roll-ups of all hours"] = [cost(_ROLL_UP, data)]
    taken["predsurv mine from these"] = [cost(MINE, data)]
    return taken


if __name__ == "__main__":
    sys.exit(figures.main(measure))
