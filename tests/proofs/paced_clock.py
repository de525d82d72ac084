"""A clock that runs faster than real time, in several processes at once, and waits for whichever of them is behind.

With a clock that only runs fast, a real delay of a tenth of a second counts as ten seconds at speed 100, so that what
a program sees depends on what else the machine does. Here each process says again and again how far it has come
(``keep_pace``), and the time of all never gets further than ``AHEAD_MAX`` beyond the slowest.
"""

import asyncio
import fcntl
import mmap
import struct
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

BEAT: Final = 0.002
"""Real time (s) between two words of a process that keeps pace."""

AHEAD_MAX: Final = 15_000_000
"""How long (ns of real time) a process may say nothing before time waits for it."""

_AWAY: Final = 1 << 62  # of a process that keeps no pace
_VERSION: Final = struct.Struct("=q")  # odd while the rest is being written
_ANCHOR: Final = struct.Struct("=qq")  # time of this clock and real monotonic time, ns
_BEAT: Final = struct.Struct("=q")
_TERMS: Final = struct.Struct("=qqq")  # speed, start (ns UTC), processes
_BEATS: Final = _VERSION.size + _ANCHOR.size + _TERMS.size


class PacedClock:
    """The time of the file ``path`` as every process sees it that opens it, up to ``speed`` times as fast as real time.

    ``seat``: which of the processes that keep pace this one is; None for one that does not, such as a short command.
    """

    def __init__(self, path: Path, seat: int | None = None) -> None:
        self.path, self.seat = path, seat
        self._file = path.open("r+b")
        self._shared = mmap.mmap(self._file.fileno(), 0)
        self.speed: int
        self._start: int
        self.speed, self._start, processes = _TERMS.unpack_from(self._shared, _VERSION.size + _ANCHOR.size)
        self._beats = struct.Struct(f"={processes}q")
        self._last = 0

    @classmethod
    def create(cls, path: Path, speed: int, start: int, processes: int) -> "PacedClock":
        """Begin at ``start`` (ns UTC), here with seat 0; time waits for those of ``processes`` that keep pace."""
        anchor = _VERSION.pack(0) + _ANCHOR.pack(0, time.monotonic_ns())
        path.write_bytes(anchor + _TERMS.pack(speed, start, processes) + _BEAT.pack(_AWAY) * processes)
        return cls(path, 0)

    def monotonic(self) -> int:
        """Return ns since the beginning; never goes back within a process."""
        self._last = max(self._last, self._time())
        return self._last

    def now(self) -> int:
        """Return wall time in ns UTC."""
        return self._start + self.monotonic()

    async def sleep(self, duration: int) -> None:
        """Return when ``duration`` ns of this clock have passed."""
        if duration <= 0:
            await asyncio.sleep(0)
            return
        until = self.monotonic() + duration
        while (left := until - self.monotonic()) > 0:  # noqa: ASYNC110 - another process moves the time
            await asyncio.sleep(max(left / self.speed / 1e9, BEAT / 2))

    async def keep_pace(self) -> None:
        """Let time go on as long as this process takes its turns, until cancelled."""
        while True:
            self._beat()
            await asyncio.sleep(BEAT)

    def leave(self) -> None:
        """Stop keeping pace: time no longer waits for this process."""
        with self._locked():
            self._set_beat(_AWAY)

    def _beat(self) -> None:
        with self._locked():
            at = self._time()
            (version,) = _VERSION.unpack_from(self._shared)
            _VERSION.pack_into(self._shared, 0, version + 1)
            # The anchor moves with every word, so that time which stood still is not made up for.
            _ANCHOR.pack_into(self._shared, _VERSION.size, at, time.monotonic_ns())
            self._set_beat(at)
            _VERSION.pack_into(self._shared, 0, version + 2)

    def _set_beat(self, at: int) -> None:
        if self.seat is None:
            raise ValueError("this process has no seat")
        _BEAT.pack_into(self._shared, _BEATS + self.seat * _BEAT.size, at)

    def _time(self) -> int:
        while True:
            version = _VERSION.unpack_from(self._shared)
            anchor, real = _ANCHOR.unpack_from(self._shared, _VERSION.size)
            slowest = min(self._beats.unpack_from(self._shared, _BEATS))
            if version[0] % 2 == 0 and _VERSION.unpack_from(self._shared) == version:
                reached = anchor + (time.monotonic_ns() - real) * self.speed
                return int(max(anchor, min(reached, slowest + AHEAD_MAX * self.speed)))

    @contextmanager
    def _locked(self) -> Iterator[None]:
        fcntl.lockf(self._file, fcntl.LOCK_EX)
        try:
            yield
        finally:
            fcntl.lockf(self._file, fcntl.LOCK_UN)
