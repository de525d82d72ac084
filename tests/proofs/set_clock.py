"""A wall clock that a proof sets: the whole process's by libfaketime, where that is installed, else the one it injects.

libfaketime has to be there when a process begins, so a proof that uses it begins again.
"""

import mmap
import os
import shutil
import struct
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from predsurv.collect.clock import SLEW, SteadyClock
from predsurv.net.clock import SystemClock
from predsurv.ports import Clock
from tests.kit import faketime

MARGIN: Final = 5_000_000_000
"""A clock that was set back is taken for caught up this much later (ns): a collector may see the step later than we."""


def begin_again(module: str, words: Sequence[str]) -> None:
    """Run ``module`` with ``words`` in place of this process, under libfaketime; return where it runs so, or is not."""
    path = faketime.library()
    if path is None or faketime.OFFSET in os.environ:
        return
    offset = Path(tempfile.mkdtemp(prefix="set-clock-")) / "offset"  # read by every process whenever it asks the time
    faketime.set_offset(offset, 0)
    loaded = os.environ | faketime.environ(path, offset)
    os.execve(sys.executable, [sys.executable, "-m", module, *words], loaded)  # noqa: S606 - this very program


class SetClock:
    """The wall clock of this process and of those it forks, ``offset`` ns from the machine's."""

    def __init__(self) -> None:
        name = os.environ.get(faketime.OFFSET)
        self._file = None if name is None else Path(name)
        self._shared = mmap.mmap(-1, 8)
        self._steady = SteadyClock(self.clock())
        self._ahead_until = 0
        self.offset = 0

    @property
    def how(self) -> str:
        """What sets the clock."""
        return "an injected clock" if self._file is None else "libfaketime"

    def step(self, by: int) -> None:
        """Set the clock ahead by ``by`` ns, or back when that is negative."""
        self._look()
        self.offset += by
        if self._file is None:
            struct.pack_into("<q", self._shared, 0, self.offset)
        else:
            faketime.set_offset(self._file, self.offset)
        self._look()

    def is_caught_up(self) -> bool:
        """Return whether recorded time is this clock's: for a while nothing has been recorded ahead of it."""
        self._look()
        return self._steady.ahead == 0 and time.monotonic_ns() >= self._ahead_until

    def _look(self) -> None:
        self._steady.now()
        if self._steady.ahead:
            self._ahead_until = time.monotonic_ns() + SLEW * self._steady.ahead + MARGIN

    def close(self) -> None:
        """Remove what was written to set the clock."""
        if self._file is not None:
            shutil.rmtree(self._file.parent)

    def clock(self) -> Clock:
        """Return the clock of the process that asks."""
        return SystemClock() if self._file is not None else _InjectedClock(self._shared)


class _InjectedClock(SystemClock):
    __slots__ = ("_shared",)

    def __init__(self, shared: mmap.mmap) -> None:
        self._shared = shared

    def now(self) -> int:
        offset: int = struct.unpack_from("<q", self._shared)[0]
        return super().now() + offset
