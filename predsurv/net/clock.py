"""Clocks and jitter: the only module that reads the machine's time and randomness.

Everything else takes a ``Clock``, so it can be run again, faster, or at any moment of the past.
"""

import asyncio
import heapq
import random
import time
from itertools import count


class SystemClock:
    """The clock of this machine."""

    __slots__ = ()

    def now(self) -> int:
        """Return wall time in ns UTC; may step."""
        return time.time_ns()

    def monotonic(self) -> int:
        """Return a time in ns that never goes back."""
        return time.monotonic_ns()

    async def sleep(self, duration: int) -> None:
        """Return after ``duration`` ns (at once when it is not positive)."""
        await asyncio.sleep(max(duration, 0) / 1_000_000_000)


class ManualClock:
    """A clock that moves only when told to; wall and monotonic time move together.

    With ``jumps`` each sleep moves the clock to its own end instead of waiting for ``advance``,
    which suits a single sleeping task. ``slept`` lists the duration of every sleep (ns).
    """

    __slots__ = ("_jumps", "_now", "_order", "_sleepers", "_start", "slept")

    def __init__(self, start: int = 1_800_000_000_000_000_000, *, jumps: bool = False) -> None:
        self._start = self._now = start
        self._jumps = jumps
        self._order = count()
        self._sleepers: list[tuple[int, int, asyncio.Future[None]]] = []
        self.slept: list[int] = []

    def now(self) -> int:
        """Return the wall time in ns UTC."""
        return self._now

    def monotonic(self) -> int:
        """Return ns since the clock was made."""
        return self._now - self._start

    async def sleep(self, duration: int) -> None:
        """Return when ``advance`` has reached the end of ``duration`` ns."""
        self.slept.append(duration)
        if self._jumps:
            self._now += max(duration, 0)
        if self._jumps or duration <= 0:
            await asyncio.sleep(0)
            return
        woken: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        heapq.heappush(self._sleepers, (self._now + duration, next(self._order), woken))
        await woken

    async def advance(self, duration: int) -> None:
        """Move by ``duration`` ns, waking sleepers in order and letting each run."""
        end = self._now + duration
        await _settle()
        while self._sleepers and self._sleepers[0][0] <= end:
            self._now, _, woken = heapq.heappop(self._sleepers)
            if not woken.done():
                woken.set_result(None)
            await _settle()
        self._now = end


async def _settle() -> None:
    """Let every task run as far as it can without time passing."""
    for _ in range(10):
        await asyncio.sleep(0)


def system_random() -> float:
    """Return an unpredictable number in [0, 1); for jitter."""
    return _SYSTEM_RANDOM.random()


_SYSTEM_RANDOM = random.SystemRandom()
