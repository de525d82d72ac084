"""Battery: every write of a seal, and every sync of a recording's life, is refused once, and from there on.

It runs with a library before the C library (``refusing.c``), so that SQLite and Arrow are refused
as well: it takes a C compiler.
"""

import ctypes
import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import suppress
from itertools import chain
from pathlib import Path
from typing import Any, Final, Literal, TypeVar

import pyarrow as pa
import pyarrow.parquet as pq

from predsurv.collect.output.log_writer import CommitTiming, LogWriter
from predsurv.collect.output.sealer import Sealer
from predsurv.core.errors import PredsurvError
from predsurv.core.events import BookDelta
from predsurv.net.clock import ManualClock
from predsurv.store.layout import FOLDERS, NS_HOUR, Layout, data_files, segments_of
from predsurv.store.read.verify import check_files
from predsurv.store.retraction import CoverageRetraction
from predsurv.store.seal.compact import compact_closed
from predsurv.store.seal.recovery import recover
from predsurv.store.seal.seal import SealOptions, seal_segment
from predsurv.store.wal.segment import segment_files
from tests.proofs.fault_flips import NOON, NOTES, read, recorded, records

TURNS: Final = 6
TRIES: Final = 6
_FOR_EVER: Final = 1 << 40
_ROOT: Final = "REFUSING_ROOT"

LIFE_WRITES: Final = 60
"""A life has too many writes to refuse each: so many are, evenly."""


class Hands(ManualClock):
    """A clock that is moved by hand."""

    def turn(self, duration: int) -> None:
        """Move it by ``duration`` ns."""
        self._now += duration


CLOCK: Final = Hands(NOON + 30 * NS_HOUR)

Call = Literal["write", "sync"]
_Made = TypeVar("_Made")


class Refusing:
    """The preloaded library."""

    def __init__(self) -> None:
        self._library: Any = ctypes.CDLL(None)
        self._library.refusing_calls.restype = ctypes.c_long
        self._library.refusing_arm.argtypes = [ctypes.c_int, ctypes.c_long, ctypes.c_long]

    def arm(self, call: Call, first: int, last: int) -> None:
        """Refuse the calls from number ``first`` to ``last``, counted from 1 from now on; 0 refuses none."""
        self._library.refusing_arm(call == "sync", first, last)

    def calls(self, call: Call) -> int:
        """Return how many there were since they were armed."""
        return int(self._library.refusing_calls(call == "sync"))


def refusals(folder: Path, rounds: int, seed: int) -> list[str]:
    """Run the battery in a process of its own; ``rounds`` limits how many calls are refused, 0 refuses every one."""
    compiler = shutil.which("cc")
    if compiler is None:
        return ["no C compiler: install one, or leave this battery out"]
    library = folder / "refusing.so"
    source = Path(__file__).with_name("refusing.c")
    subprocess.run([compiler, "-shared", "-fPIC", "-O1", "-o", library, source, "-ldl"], check=True)
    environment = os.environ | {"LD_PRELOAD": str(library), _ROOT: str(folder / "disk")}
    command = [sys.executable, "-m", "tests.proofs.fault_refusals", str(folder / "disk"), str(rounds)]
    done = subprocess.run(command, env=environment, check=False)
    return [] if done.returncode == 0 else [f"the refusals ended with {done.returncode}, see above"]


def main(disk: Path, rounds: int) -> int:
    """Refuse, in the process that has the library; print the figures, and return 1 when something was found."""
    refusing = Refusing()
    seals, found = _seals(disk / "seals", refusing, rounds)
    lives, more = _lives(disk / "lives", refusing, rounds)
    found += more
    print(
        f"refusals: {seals} of the writes and syncs of a seal, {lives} of those of a whole life; {len(found)} findings"
    )
    for finding in found[:20]:
        print(f"  FOUND {finding}")
    return 1 if found else 0


def _plans(call: Call, count: int, rounds: int) -> Iterator[tuple[Call, int, int]]:
    """Yield what to refuse: every call alone, and every call with all that follow; ``rounds`` of them, 0 for all."""
    for number in range(1, count + 1, max(1, count // rounds) if rounds else 1):
        yield call, number, number
        yield call, number, _FOR_EVER


def _seals(folder: Path, refusing: Refusing, rounds: int) -> tuple[int, list[str]]:
    layout = Layout(folder / "whole")
    path = recorded(layout, closed=True)
    whole = {file.name: file.read_bytes() for file in segment_files(path)}
    refusing.arm("write", 0, 0)
    refusing.arm("sync", 0, 0)
    seal_segment(path, layout, CLOCK, SealOptions(reserve_bytes=1))
    writes, syncs = refusing.calls("write"), refusing.calls("sync")
    truth = read(layout)
    found: list[str] = []
    count = 0
    for call, first, last in chain(_plans("write", writes, rounds), _plans("sync", syncs, rounds)):
        count += 1
        again = Layout(folder / "again")
        again.wal.mkdir(parents=True)
        for name, content in whole.items():
            (again.wal / name).write_bytes(content)
        refusing.arm(call, first, last)
        refused = _try(lambda again=again: seal_segment(again.wal / path.name, again, CLOCK))  # type: ignore[misc]
        refusing.arm(call, 0, 0)
        wrong = [*_strange(again), *([] if refused is None or isinstance(refused, PredsurvError) else [repr(refused)])]
        seal_segment(again.wal / path.name, again, CLOCK)
        wrong += [" ".join(each) for each in check_files(again)]
        if read(again) != truth or list(segments_of(again.wal, "c0")):
            wrong.append("the rows are others")
        found += (f"seal, {call} {first} to {last}: {each}" for each in wrong)
        shutil.rmtree(again.data_dir)
    return count, found


def _try(step: Callable[[], object]) -> Exception | None:
    try:
        step()
    except Exception as error:
        return error
    return None


def _strange(layout: Layout) -> Iterator[str]:
    for dataset in FOLDERS:
        for path in data_files(layout, dataset):
            try:
                if not pq.ParquetFile(path, page_checksum_verification=True).read().num_rows:
                    yield f"{path} is visible and empty"
            except (OSError, ValueError, pa.ArrowException) as error:
                yield f"{path} is visible and damaged: {error}"


def _lives(folder: Path, refusing: Refusing, rounds: int) -> tuple[int, list[str]]:
    refusing.arm("write", 0, 0)
    refusing.arm("sync", 0, 0)
    truth = _numbers(_live(Layout(folder / "whole")))
    writes, syncs = refusing.calls("write"), refusing.calls("sync")
    found: list[str] = []
    count = 0
    for call, first, last in chain(_plans("write", writes, rounds or LIFE_WRITES), _plans("sync", syncs, rounds)):
        count += 1
        refusing.arm(call, first, min(last, first + 3) if call == "write" else first)
        layout = Layout(folder / "again")
        try:
            numbers = _numbers(_live(layout))
            wrong = [" ".join(each) for each in check_files(layout)]
            if len(numbers) != len(set(numbers)):
                wrong.append(f"{len(numbers) - len(set(numbers))} rows are there twice")
            if set(numbers) - set(truth):
                wrong.append("rows are invented")
            if missing := len(set(truth) - set(numbers) - _REFUSED):
                wrong.append(f"{missing} rows are missing and nobody was told")
            if list(segments_of(layout.wal, "c0")):
                wrong.append("segments are left")
        except Exception as error:
            wrong = [f"{type(error).__name__}: {error}"]
        refusing.arm(call, 0, 0)
        found += (f"life, {call} {first}: {each}" for each in wrong)
        shutil.rmtree(layout.data_dir, ignore_errors=True)
    return count, found


_REFUSED: Final[set[int]] = set()
"""Numbers that a paused log let go, which it said."""


def _numbers(layout: Layout) -> list[int]:
    return [event.size for event in read(layout) if isinstance(event, BookDelta)]


def _live(layout: Layout) -> Layout:
    """Record, rotate, seal, stop and merge as the collector does, trying again what fails."""
    _REFUSED.clear()
    _keep_trying(lambda: recover(layout, "c0", CLOCK))
    timing = CommitTiming(fsync_interval=0, seal_interval=1, seal_bytes=1)
    writer = _keep_trying(
        lambda: LogWriter(layout, "c0", CLOCK, timing, Sealer(layout, CLOCK, SealOptions(), CoverageRetraction()))
    )
    held: list[int] = []
    for turn in range(TURNS):
        numbers = [int(record.size) for record in records(turn) if isinstance(record, BookDelta)]
        if writer.paused is not None:
            _REFUSED.update(numbers)
        writer.buffer(records(turn), list(NOTES.items()))
        writer.flush()
        held = held + numbers if writer.paused is not None else []
        CLOCK.turn(2_000_000_000)
        if turn % 2:
            writer._rotate({})
        _try(writer.sealer.finish)
    if _try(writer.finish) is not None:
        _REFUSED.update(held)
    _keep_trying(lambda: recover(layout, "c0", CLOCK))
    _keep_trying(lambda: compact_closed(layout, "c0", CLOCK))
    return layout


def _keep_trying(step: Callable[[], _Made]) -> _Made:
    for _ in range(TRIES):
        with suppress(PredsurvError):
            return step()
    return step()


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1]), int(sys.argv[2])))
