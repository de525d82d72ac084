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
from pathlib import Path
from statistics import median
from typing import Final

from rich.console import Console
from rich.table import Table

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


def main(python: str, rounds: int) -> None:
    """Print the best and the median CPU time of each command, and which are beyond the goal."""
    with tempfile.TemporaryDirectory() as folder:
        _output(python, "demo", "--dir", folder)
        config = Path(folder) / "demo.toml"
        chosen = commands(python, config)
        taken: dict[tuple[str, ...], list[float]] = {words: [] for words in chosen}
        for words in chosen:
            _output(python, *words, "--config", str(config))  # compiles what is not compiled yet
        for _ in range(rounds):
            for words in chosen:
                taken[words].append(cpu_seconds(python, *words, "--config", str(config)))
    table = Table("command", "best (s)", "median (s)", "", title=f"CPU, {rounds} rounds; goal {GOAL_S} s")
    for words, seconds in taken.items():
        beyond = "beyond the goal" if min(seconds) > GOAL_S else ""
        table.add_row(" ".join(words[:2]), f"{min(seconds):.2f}", f"{median(seconds):.2f}", beyond)
    Console().print(table)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--python", default=sys.executable)
    given = parser.parse_args()
    main(given.python, given.rounds)
