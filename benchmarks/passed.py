"""What passed between two moments, by the clock and of CPU, and what tells how far a machine is one's own."""

import os
import time
from asyncio import selector_events
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Final, NamedTuple
from unittest import mock

from benchmarks import figures
from benchmarks.figures import Figure

BLOCK: Final = 4_096
BLOCKS: Final = 256


class Passed(NamedTuple):
    """Times (ns): by the clock, and of CPU of this thread."""

    wall: int
    cpu: int


def now() -> Passed:
    """Return the time by the clock and of CPU of this thread."""
    return Passed(time.perf_counter_ns(), time.thread_time_ns())


def since(began: Passed, ended: Passed) -> Passed:
    """Return what passed between two times."""
    return Passed(ended.wall - began.wall, ended.cpu - began.cpu)


def together(parts: Sequence[Passed]) -> Passed:
    """Return the sum of what passed."""
    return Passed(sum(each.wall for each in parts), sum(each.cpu for each in parts))


def loop_beside() -> Passed:
    """Return what a thousand turns of a loop took: alone on a core always the same."""
    began, total = now(), 0
    for number in range(1_000):
        total += number
    return since(began, now())


class DiskFloor:
    """The least that it takes until something survives a power cut: a block of a file that has all its blocks.

    A disk that others use is quick at one moment and slow at the next, so it is asked in turns with what is measured.
    """

    def __init__(self, folder: Path) -> None:
        self._file = (folder / "floor").open("wb", buffering=0)
        self._file.write(bytes(BLOCK * BLOCKS))
        os.fsync(self._file.fileno())
        self.taken: list[Passed] = []

    def sync_one(self) -> None:
        """Write one block and sync it."""
        began, number = now(), len(self.taken) % BLOCKS
        os.pwrite(self._file.fileno(), bytes(BLOCK), number * BLOCK)
        os.fdatasync(self._file.fileno())
        self.taken.append(since(began, now()))

    def close(self) -> None:
        """Close the file."""
        self._file.close()


@contextmanager
def noting_writes(note: Callable[[bytes], None]) -> Iterator[None]:
    """Call ``note`` with what was written, each time after asyncio has written to a socket."""
    transport = selector_events._SelectorSocketTransport  # type: ignore[attr-defined]
    write = transport.write

    def written(self: object, data: bytes) -> None:
        write(self, data)
        note(bytes(data))

    with mock.patch.object(transport, "write", written):
        yield


def quantiles(what: str, times: Sequence[Passed], goal_us: float | None = None) -> tuple[Figure, ...]:
    """Return the quantiles of CPU and of the clock, none of nothing; the goal is one of CPU."""
    if not times:
        return ()
    cpu = figures.quantiles(f"{what}, CPU", [each.cpu for each in times], goal_us)
    return (*cpu, *figures.quantiles(f"{what}, clock", [each.wall for each in times]))
