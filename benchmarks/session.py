"""One run of benchmarks, each a process of its own, and what it was run on: the content of the page of figures."""

import os
import platform
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from datetime import UTC, datetime
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Final

import msgspec
from msgspec import Struct

from benchmarks.figures import Comparison

FOLDER: Final = "FOLDER"
"""Stands for the folder with the environments of peers, wherever that is."""

LIBRARIES: Final = ("msgspec", "pyarrow", "polars", "duckdb", "websockets", "httpx")
_ROOT: Final = Path(__file__).parent.parent
_LEAST_S: Final = 5


class Plan(Struct, frozen=True):
    """The benchmarks of a run with the words of their commands, and the seconds in which all of them end."""

    commands: tuple[tuple[str, ...], ...]
    seconds: int


QUICK: Final = Plan(
    (
        ("hot_path",),
        ("collect", "frames"),
        ("kalshi", "decode"),
        ("seal",),
        ("hash_checks",),
        ("scan", "40000"),
        ("orders", "--orders", "400"),
        ("order_path", "--orders", "300"),
        ("latency", "--ticks", "4000", "--markets", "20"),
        ("trading", "--peers", FOLDER, "--events", "50000", "--rounds", "1"),
        ("trading", "--events", "100000", "--rounds", "1"),
        ("tables", "--rounds", "2"),
        ("receive",),
    ),
    15 * 60,
)
ALL: Final = Plan(
    (
        ("hot_path",),
        ("collect",),
        ("kalshi",),
        ("seal",),
        ("hash_checks",),
        ("receive",),
        ("scan",),
        ("simulator",),
        ("orders",),
        ("order_path",),
        ("latency",),
        ("live",),
        ("trading", "--peers", FOLDER, "--events", "100000", "--rounds", "3"),
        ("trading",),
        ("memory",),
        ("mine",),
        ("core_statistics",),
        ("months",),
        ("mapping",),
        ("tables",),
    ),
    6 * 3600,
)


class Machine(Struct, frozen=True):
    """What a run was measured on; memory in MB, versions by name."""

    cpu: str
    cores: int
    memory_mb: int
    os: str
    python: str
    libraries: dict[str, str]


class Measured(Struct, frozen=True, omit_defaults=True):
    """A benchmark of a run: its command, how long it took, what it found; ``left_out`` says why it found nothing."""

    command: str
    seconds: float = 0.0
    comparisons: tuple[Comparison, ...] = ()
    left_out: str = ""


class Session(Struct, frozen=True):
    """A run: when (ISO 8601 UTC), of which commit, where, under which load (averages over 1, 5 and 15 minutes)."""

    begun: str
    ended: str
    commit: str
    machine: Machine
    load_begun: tuple[float, float, float]
    load_ended: tuple[float, float, float]
    benchmarks: tuple[Measured, ...]

    @property
    def bad(self) -> bool:
        """Whether a check failed or a goal is missed."""
        return any(comparison.bad for each in self.benchmarks for comparison in each.comparisons)


def run(plan: Plan, peers: Path | None, say: Callable[[str], None]) -> Session:
    """Run the benchmarks of ``plan`` one after the other, with the environments of peers in ``peers``, if any.

    What does not end in time is ended and left out, as is what comes after it.
    """
    begun, load_begun, deadline = _now(), os.getloadavg(), time.monotonic() + plan.seconds
    checked_out = commit()  # before anything else is done in the folder meanwhile
    found = []
    for number, words in enumerate(plan.commands, 1):
        command = " ".join(["python -m", f"benchmarks.{words[0]}", *words[1:]])
        say(f"{number} of {len(plan.commands)}: {command}")
        left = deadline - time.monotonic()
        if FOLDER in words and peers is None:
            found.append(Measured(command, left_out="no folder with environments of peers was given"))
        elif left < _LEAST_S:
            found.append(Measured(command, left_out=f"the {plan.seconds:,} s for all benchmarks were over"))
        else:
            found.append(measured(command, [str(peers) if word == FOLDER else word for word in words], left))
    return Session(begun, _now(), checked_out, machine(), load_begun, os.getloadavg(), tuple(found))


def measured(command: str, words: Sequence[str], seconds: float) -> Measured:
    """Run a benchmark in at most ``seconds``; its tables go to the terminal as they come."""
    began = time.monotonic()
    with tempfile.TemporaryDirectory(prefix="predsurv-bench-") as folder:
        path = Path(folder) / "figures.json"
        program = [sys.executable, "-m", f"benchmarks.{words[0]}", *words[1:], "--json", str(path)]
        with subprocess.Popen(program, cwd=_ROOT, start_new_session=True) as running:
            try:
                code = running.wait(seconds)
            except subprocess.TimeoutExpired:
                return Measured(command, seconds, left_out=f"it did not end in the {seconds:,.0f} s that were left")
            finally:  # servers that it started are in its group
                with suppress(ProcessLookupError, PermissionError):
                    os.killpg(running.pid, signal.SIGKILL)
        took = time.monotonic() - began
        if not path.exists():
            return Measured(command, took, left_out=f"it ended with {code} and without figures")
        return Measured(command, took, msgspec.json.decode(path.read_bytes(), type=tuple[Comparison, ...]))


def read(path: Path) -> Session:
    """Return a run that was written as JSON; raises FileNotFoundError, msgspec.ValidationError."""
    return msgspec.json.decode(path.read_bytes(), type=Session)


def write(session: Session, path: Path) -> None:
    """Write a run as JSON, a key a line."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(msgspec.json.format(msgspec.json.encode(session), indent=1) + b"\n")


def machine() -> Machine:
    """Return what this runs on."""
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") // 2**20
    libraries = {name: _version(name) for name in LIBRARIES}
    return Machine(_cpu(), os.cpu_count() or 1, memory, _system(), platform.python_version(), libraries)


def commit() -> str:
    """Return the commit that is checked out, with a + where files differ from it; "unknown" outside a repository."""
    head, changed = (
        subprocess.run(("git", *words), cwd=_ROOT, capture_output=True, text=True, check=False)
        for words in (("rev-parse", "--short=8", "HEAD"), ("status", "--porcelain"))
    )
    return "unknown" if head.returncode else head.stdout.strip() + ("+" if changed.stdout else "")


def _cpu() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        return platform.processor() or platform.machine()
    names = (line.partition(":")[2].strip() for line in lines if line.startswith("model name"))
    return next(names, platform.machine())


def _version(library: str) -> str:
    try:
        return version(library)
    except PackageNotFoundError:
        return "not installed"


def _system() -> str:
    try:
        name = platform.freedesktop_os_release()["PRETTY_NAME"]
    except (OSError, KeyError):
        name = platform.system()
    return f"{name}, {platform.system()} {platform.release()}"


def _now() -> str:
    return datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
