"""``python -m benchmarks.trading [--events N] [--base PYTHON | --peers FOLDER]``: what a backtest costs.

Against an earlier build, or with ``--peers`` against engines of others (see ``benchmarks.peer_engines``).

A recording of the made-up venue is written on a clock that jumps, as a recorder writes it. Each contender is a process
of its own that runs ``predsurv backtest``, in turns; counted is its CPU time less that of the same command on a
recording of a few hundred events, which is what starting costs. Contenders: this build over files that it decodes for
the first time, the same again, when it has kept what it decoded (``storage.replay_cache``), this build without its
compiled parts (``--pure``), and the build of ``--base``, the Python of an environment in which an earlier commit is
installed.
"""

import argparse
import os
import sys
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from statistics import median
from subprocess import DEVNULL, Popen

from benchmarks import figures
from benchmarks.figures import Comparison, Figure
from benchmarks.peer_engines import compare
from benchmarks.recordings import START, forget_decoded, record_mock
from predsurv.store.layout import date_of

ROUNDS = 5
STRATEGIES = ("simple", "arbitrage")
SMALL = 500
FIRST, AGAIN = "columns, first time", "columns, again"


def cpu_of(python: str, folder: Path, strategy: str, environment: Mapping[str, str]) -> tuple[float, float]:
    """Return the CPU seconds of one backtest and the most resident memory of its process, MB; raises RuntimeError."""
    command = [python, "-m", "predsurv", "backtest", "mock", date_of(START), "--strategy", strategy, "--format", "json"]
    given = os.environ | environment | {"PREDSURV_DATA_DIR": str(folder), "PREDSURV_MOCK__ENABLED": "1"}
    process = Popen(command, env=given, cwd=folder, stdout=DEVNULL, stderr=DEVNULL)
    _, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        raise RuntimeError(f"{' '.join(command)}: exit {process.returncode}")
    return usage.ru_utime + usage.ru_stime, usage.ru_maxrss * 1024 / 1e6


def _measure(
    contenders: Mapping[str, tuple[str, dict[str, str]]], folders: tuple[Path, Path], strategy: str, rounds: int
) -> tuple[dict[str, list[float]], dict[str, float]]:
    """Return the CPU seconds beyond start-up of each round, and the most memory (MB), by contender, run in turns."""
    small, large = folders
    spent: dict[str, list[float]] = {each: [] for each in contenders}
    peak = dict.fromkeys(contenders, 0.0)
    for _ in range(rounds):
        for each, (python, environment) in contenders.items():
            for folder in folders if each == FIRST else ():
                forget_decoded(folder)
            whole, memory = cpu_of(python, large, strategy, environment)
            spent[each].append(whole - cpu_of(python, small, strategy, environment)[0])
            peak[each] = max(peak[each], memory)
            print(f"{strategy}, {each}: {spent[each][-1]:.2f} s", file=sys.stderr, flush=True)
    return spent, peak


def measure(words: Sequence[str]) -> list[Comparison]:
    """Write the recordings, and run the contenders in turns."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.trading", description=__doc__)
    parser.add_argument("--events", type=int, default=320_000)
    parser.add_argument("--rate", type=int, default=400, help="events a second of the recording")
    parser.add_argument("--rounds", type=int, default=ROUNDS)
    parser.add_argument("--base", help="the Python of an environment with an earlier build")
    parser.add_argument("--pure", action="store_true", help="run this build without its compiled parts too")
    parser.add_argument("--peers", type=Path, help="compare with engines of others, from environments in this folder")
    given = parser.parse_args(words)
    if given.peers is not None:
        return [compare(given.peers.absolute(), given.events, given.rounds, given.rate)]
    contenders: dict[str, tuple[str, dict[str, str]]] = dict.fromkeys((FIRST, AGAIN), (sys.executable, {}))
    if given.pure:
        contenders["pure Python"] = (sys.executable, {"PREDSURV_PURE_PYTHON": "1"})
    if given.base is not None:
        contenders["base"] = (given.base, {})
    with tempfile.TemporaryDirectory(prefix="predsurv-bench-") as name:
        small, large = Path(name) / "small", Path(name) / "large"
        small.mkdir()
        large.mkdir()
        record_mock(small, SMALL, rate=given.rate)
        events = record_mock(large, given.events, rate=given.rate)
        return [
            Comparison(
                title=f"Backtests of {events:,} events at {given.rate} a second, strategy {strategy}",
                method="CPU time of a process each, less that over a few hundred events; most resident memory",
                rounds=given.rounds,
                ratio="times ours again",
                figures=_figures(*_measure(contenders, (small, large), strategy, given.rounds)),
            )
            for strategy in STRATEGIES
        ]


def _figures(spent: Mapping[str, Sequence[float]], peak: Mapping[str, float]) -> tuple[Figure, ...]:
    ours, found = median(spent[AGAIN]), list[Figure]()
    for each, seconds in spent.items():
        took = median(seconds)
        found.append(Figure(what=each, value=took, unit="s of CPU", ratio=took / ours))
        found.append(Figure(what=f"{each}, memory", value=peak[each], unit="MB"))
    return tuple(found)


if __name__ == "__main__":
    sys.exit(figures.main(measure))
