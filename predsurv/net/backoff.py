"""How long to wait before trying again: exponential with full jitter, capped.

Kept apart because HTTP and streaming must share the same manners: a venue that drops everyone at
once must not be met by everyone at once.
"""

from collections.abc import Callable
from typing import Final

BASE: Final = 250_000_000
CAP: Final = 30_000_000_000
_DOUBLINGS_MAX: Final = 62


class Backoff:
    """The delays of one endpoint, in ns.

    The n-th delay is drawn evenly from 0 to ``base`` · 2ⁿ (at most ``cap``). Only the caller
    knows when things are well again, which is when valid data arrives, not when a connection
    opens: it calls ``reset`` then and at no other time.
    """

    __slots__ = ("_base", "_cap", "_failures", "_rand")

    def __init__(self, rand: Callable[[], float], *, base: int = BASE, cap: int = CAP) -> None:
        self._rand = rand
        self._base = base
        self._cap = cap
        self._failures = 0

    @property
    def failures(self) -> int:
        """Delays handed out since the last reset."""
        return self._failures

    def next_delay(self, at_least: int | None = None) -> int:
        """Return the next delay; not shorter than ``at_least``, the venue's own request."""
        ceiling = min(self._cap, self._base << min(self._failures, _DOUBLINGS_MAX))
        self._failures += 1
        return max(int(self._rand() * ceiling), at_least or 0)

    def reset(self) -> None:
        """Start again from ``base``: valid data arrived."""
        self._failures = 0
