"""A wall clock that a proof sets: the whole process's by libfaketime, where that is installed, else the one it injects.

libfaketime has to be there when a process begins, so a proof that uses it begins again.
"""

import mmap
import os
import shutil
import struct
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from predsurv.collect.clock import SteadyClock
from predsurv.net.clock import SystemClock
from predsurv.ports import Clock

LIBRARIES: Final = ("/usr/lib/*/faketime/libfaketime.so.1", "/usr/local/lib/faketime/libfaketime.so.1")
_OFFSET: Final = "FAKETIME_TIMESTAMP_FILE"
_NS: Final = 1_000_000_000


def library() -> str | None:
    """Return the path of libfaketime, None where it is not installed."""
    found = [str(path) for pattern in LIBRARIES for path in Path("/").glob(pattern[1:])]
    return next(iter(sorted(found)), None)


def begin_again(module: str, words: Sequence[str]) -> None:
    """Run ``module`` with ``words`` in place of this process, under libfaketime; return where it runs so, or is not."""
    path = library()
    if path is None or _OFFSET in os.environ:
        return
    offset = Path(tempfile.mkdtemp(prefix="set-clock-")) / "offset"  # read by every process whenever it asks the time
    offset.write_text("+0s\n")
    loaded = {"LD_PRELOAD": path, _OFFSET: str(offset), "FAKETIME_NO_CACHE": "1", "DONT_FAKE_MONOTONIC": "1"}
    environ = os.environ | loaded | {"NO_FAKE_STAT": "1"}
    os.execve(sys.executable, [sys.executable, "-m", module, *words], environ)  # noqa: S606 - this very program


class SetClock:
    """The wall clock of this process and of those it forks, ``offset`` ns from the machine's."""

    def __init__(self) -> None:
        name = os.environ.get(_OFFSET)
        self._file = None if name is None else Path(name)
        self._shared = mmap.mmap(-1, 8)
        self._steady = SteadyClock(self.clock())
        self.offset = 0

    @property
    def how(self) -> str:
        """What sets the clock."""
        return "an injected clock" if self._file is None else "libfaketime"

    def step(self, by: int) -> None:
        """Set the clock ahead by ``by`` ns, or back when that is negative."""
        self.ahead()
        self.offset += by
        if self._file is None:
            struct.pack_into("<q", self._shared, 0, self.offset)
        else:
            written = self._file.with_suffix(".new")
            written.write_text(f"{self.offset / _NS:+.9f}s\n")
            written.replace(self._file)
        self.ahead()

    def ahead(self) -> int:
        """Return how far (ns) recorded time may be ahead of this clock, since it was set back."""
        self._steady.now()
        return self._steady.ahead

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
