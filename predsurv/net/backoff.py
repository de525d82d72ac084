"""Exponential backoff with full jitter, capped; the same for HTTP and for streaming connections."""

from collections.abc import Callable
from typing import Final

BASE: Final = 250_000_000
CAP: Final = 30_000_000_000
_DOUBLINGS_MAX: Final = 62


class Backoff:
    """The delays of one endpoint, in ns.

    The n-th delay is drawn evenly from 0 to ``base`` · 2ⁿ (at most ``cap``); ``rand`` gives numbers
    in [0, 1). The caller calls ``reset`` when valid data arrives, not when a connection opens.
    """

    __slots__ = ("_base", "_cap", "_failures", "_rand")

    def __init__(self, rand: Callable[[], float], *, base: int = BASE, cap: int = CAP) -> None:
        self._rand = rand
        self._base = base
        self._cap = cap
        self._failures = 0

    @property
    def failures(self) -> int:
        """Number of delays returned since the last reset."""
        return self._failures

    def next_delay(self, at_least: int | None = None) -> int:
        """Return the next delay (ns), at least ``at_least``, which is what the venue asked for."""
        ceiling = min(self._cap, self._base << min(self._failures, _DOUBLINGS_MAX))
        self._failures += 1
        return max(int(self._rand() * ceiling), at_least or 0)

    def reset(self) -> None:
        """Start again from ``base``: valid data arrived."""
        self._failures = 0
