"""A clock of the time that the machine gave to this process: a busy machine makes it slow, not the program late.

Time in which threads of this process were ready to run and had no core does not pass (Linux says how long that was;
elsewhere all time passes). So a time-out of a program under test means the same on every machine.
"""

import asyncio
import time
from pathlib import Path
from typing import Final

_S: Final = 1_000_000_000
_LOOK_NS: Final = 4_000_000
"""Real time between two looks at the threads; shorter waits than this may pass as time."""


class _GivenTime:
    """Nanoseconds given to this process, the same for every clock in it."""

    def __init__(self) -> None:
        self._tasks = Path("/proc/self/task")
        self._looked = time.monotonic_ns()
        self._held = 0
        self._latest = 0
        self._threads: dict[str, int] = {}
        self._origin = self._looked
        self._look()
        self._held = 0

    def ns(self) -> int:
        """Return the time so far; it never goes back."""
        real = time.monotonic_ns()
        if real - self._looked >= _LOOK_NS:
            passed, self._looked = real - self._looked, real
            self._held += min(self._look(), passed)
        self._latest = max(self._latest, real - self._origin - self._held)
        return self._latest

    def _look(self) -> int:
        """Return how long threads waited for a core since the last look, one after the other."""
        waited = 0
        for path in self._tasks.glob("*/schedstat"):
            try:
                total = int(path.read_text().split()[1])
            except (OSError, IndexError, ValueError):
                continue  # this thread has ended
            known = self._threads.get(path.parent.name, 0)
            waited += total - known if total >= known else total  # less: another thread under an old number
            self._threads[path.parent.name] = total
        return waited


_GIVEN: Final = _GivenTime()
_WALL: Final = time.time_ns()


class GivenClock:
    """``factor`` times as fast as given time; adding to ``wall`` makes the wall clock jump (ns UTC)."""

    def __init__(self, wall: int | None = None, factor: int = 1) -> None:
        self._factor = factor
        self._start = 0 if wall is None else _GIVEN.ns()
        self.wall = _WALL if wall is None else wall

    def monotonic(self) -> int:
        """Return a time in ns that never goes back."""
        return (_GIVEN.ns() - self._start) * self._factor

    def now(self) -> int:
        """Return wall time in ns UTC."""
        return self.wall + self.monotonic()

    async def sleep(self, duration: int) -> None:
        """Return after ``duration`` ns (at once when it is not positive)."""
        end = self.monotonic() + max(duration, 0)
        await asyncio.sleep(max(duration, 0) / self._factor / _S)
        while (left := end - self.monotonic()) > 0:  # noqa: ASYNC110 - real time runs ahead of given time
            await asyncio.sleep(left / self._factor / _S)
