"""What the tables of a small data folder cost in CPU time, from the start of the interpreter to its end.

``python -m benchmarks.tables [--rounds N] [--python PYTHON]``: makes the folder with ``predsurv demo``, then runs each
command once per round, one after another, and tells the best and the median of each. ``--python``: an interpreter with
another build. Sources are compiled before, and stay so, as on the machine of whoever used the program once before:
``PYTHONDONTWRITEBYTECODE`` in the environment would have every command compile all that it imports.
"""

import argparse
import json
import os
import resource
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from statistics import median
from typing import Final

from benchmarks import figures
from benchmarks.figures import Comparison, Figure, Goal

GOAL_S: Final = 0.6
_TIMEOUT_S: Final = 300


def commands(python: str, config: Path) -> list[tuple[str, ...]]:
    """Return the commands whose tables a folder of the demo has, each with all that it needs."""
    listed = _output(python, "markets", "--config", str(config), "--format", "json")
    market = json.loads(listed)[0]["market_id"]
    return [
        ("config", "show"),
        ("strategies",),
        ("markets",),
        ("status",),
        ("book", market),
        ("runs", "list"),
        ("runs", "show"),
        ("runs", "compare", "latest", "latest"),
        ("portfolio",),
        ("verify",),
        ("sql", "select count(*) from trades"),
        ("mine", "rank"),
        ("mine", "explain", market),
    ]


def cpu_seconds(python: str, *words: str) -> float:
    """Return the CPU time of a command, its children included; raises CalledProcessError when it fails."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    _output(python, *words)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def _output(python: str, *words: str) -> bytes:
    command = [python, "-m", "predsurv", *words]
    compiled = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
    return subprocess.run(command, check=True, capture_output=True, timeout=_TIMEOUT_S, env=compiled).stdout


def measure(words: Sequence[str]) -> list[Comparison]:
    """Make the folder, and run each command once per round."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.tables", description=__doc__)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--python", default=sys.executable)
    given = parser.parse_args(words)
    with tempfile.TemporaryDirectory() as folder:
        _output(given.python, "demo", "--dir", folder)
        config = Path(folder) / "demo.toml"
        taken: dict[tuple[str, ...], list[float]] = {each: [] for each in commands(given.python, config)}
        for each in taken:
            _output(given.python, *each, "--config", str(config))  # compiles what is not compiled yet
        for _ in range(given.rounds):
            for each, spent in taken.items():
                spent.append(cpu_seconds(given.python, *each, "--config", str(config)))
    goal = Goal("≤", GOAL_S, "value")
    return [
        Comparison(
            title="Tables of a small data folder, that of the demo",
            method="CPU time from the start of the interpreter to its end, in interleaved rounds",
            rounds=given.rounds,
            figures=tuple(
                Figure(what=" ".join(each[:2]), value=median(spent), unit="s of CPU", goal=goal)
                for each, spent in taken.items()
            ),
        )
    ]


if __name__ == "__main__":
    sys.exit(figures.main(measure))
