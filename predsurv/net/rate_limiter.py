"""A token bucket that makes callers wait, for requests and for connection attempts."""

import asyncio

from predsurv.core.errors import RateLimited
from predsurv.ports import Clock, RequestLevel


class TokenBucket:
    """``tokens`` per ``period`` ns, at most ``burst`` at once; first come, first served.

    At most ``waiters_max`` callers wait; one more gets RateLimited at once. All arithmetic is in
    whole token·ns, so the long-run rate is exact.
    """

    __slots__ = (
        "_burst",
        "_clock",
        "_held_until",
        "_level",
        "_period",
        "_tokens",
        "_turn",
        "_updated",
        "_waiters_max",
        "_waiting",
    )

    def __init__(self, clock: Clock, *, tokens: int, period: int, burst: int, waiters_max: int = 1_000) -> None:
        if min(tokens, period, burst, waiters_max) < 1:
            raise ValueError("tokens, period, burst and waiters_max must be positive")
        self._clock = clock
        self._tokens = tokens
        self._period = period
        self._burst = burst
        self._waiters_max = waiters_max
        self._level = burst * period
        self._updated = clock.monotonic()
        self._held_until = self._updated
        self._turn = asyncio.Lock()
        self._waiting = 0

    async def acquire(self, cost: int = 1) -> None:
        """Take ``cost`` tokens, waiting for them; raises RateLimited when too many callers wait.

        A cancelled caller takes nothing.
        """
        if not 1 <= cost <= self._burst:
            raise ValueError(f"cost {cost} is not from 1 to {self._burst}")
        if self._waiting >= self._waiters_max:
            raise RateLimited("more requests are waiting than the limit allows; slow down", self._shortage(cost))
        self._waiting += 1
        try:
            async with self._turn:
                while (wait := self._shortage(cost)) > 0:
                    await self._clock.sleep(wait)
                self._level -= cost * self._period
        finally:
            self._waiting -= 1

    def hold(self, duration: int) -> None:
        """Admit no caller, waiting or new, for ``duration`` ns, as the venue asked."""
        self._held_until = max(self._held_until, self._clock.monotonic() + duration)

    def resize(self, tokens: int, burst: int) -> None:
        """Let ``tokens`` in per period from now on, and ``burst`` at once; what was spent stays spent."""
        if min(tokens, burst) < 1:
            raise ValueError("tokens and burst must be positive")
        self._shortage(1)
        self._level = min(self._level + max(burst - self._burst, 0) * self._period, burst * self._period)
        self._tokens, self._burst = tokens, burst

    def lower_to(self, available: int) -> None:
        """Take note that no more than ``available`` tokens are left, by who counts them; below 0 they are owed."""
        self._shortage(1)
        self._level = min(self._level, available * self._period)

    def level(self) -> RequestLevel:
        """Return the room that is left now, none while the venue asked to wait; any thread may call it."""
        now = self._clock.monotonic()
        gained = self._level + max(0, now - self._updated) * self._tokens
        available = 0 if now < self._held_until else max(0, min(self._burst, gained // self._period))
        return RequestLevel(available, self._burst, self._waiting)

    def _shortage(self, cost: int) -> int:
        """Return ns until ``cost`` tokens are available."""
        now = self._clock.monotonic()
        self._level = min(self._burst * self._period, self._level + (now - self._updated) * self._tokens)
        self._updated = now
        missing = cost * self._period - self._level
        return max(-(-missing // self._tokens), self._held_until - now, 0)
