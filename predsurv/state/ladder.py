"""One side of a book: sizes by price, best first.

Kept apart because it is the only data structure on the hot path, and both sides share it.
"""

from collections.abc import Iterable
from typing import Final

from predsurv.core.events import Level
from predsurv.core.num import Price, Size

_NO_FLOOR: Final = -(1 << 62)
_NO_LEVELS: Final[tuple[Level, ...]] = ()


class Ladder:
    """Sizes by price on one side; ``descending`` for bids (highest is best), else asks.

    Prices are held as ranks (price, or its negative for asks) so that a greater rank is always
    better. The last ``top`` is cached and returned as the same object until a level within it
    changes: callers compare tops by identity.
    """

    __slots__ = ("_best", "_floor", "_sign", "_sizes", "_top", "_top_k")

    def __init__(self, *, descending: bool) -> None:
        self._sign = 1 if descending else -1
        self._sizes: dict[int, Size] = {}
        self._best: int | None = None  # None: unknown or empty, found on demand
        self._top: tuple[Level, ...] | None = None
        self._top_k = 0
        self._floor = _NO_FLOOR  # worst rank whose change alters the cached top

    def __len__(self) -> int:
        return len(self._sizes)

    def set(self, price: Price, size: Size) -> None:
        """Make ``size`` the whole size at ``price``; 0 removes the level."""
        rank = price * self._sign
        if size:
            self._sizes[rank] = size
            if self._best is not None and rank > self._best:
                self._best = rank
        elif self._sizes.pop(rank, None) is None:
            return
        elif rank == self._best:
            self._best = None
        if rank >= self._floor:
            self._top = None

    def replace(self, levels: Iterable[Level]) -> None:
        """Forget everything and hold ``levels``; order does not matter, sizes of 0 are skipped."""
        sign = self._sign
        self._sizes = {price * sign: size for price, size in levels if size}
        self._best = None
        self._top = None

    def best(self) -> Level | None:
        """Return the best level, or None when the side is empty."""
        if not self._sizes:
            return None
        rank = self._best
        if rank is None:
            rank = self._best = max(self._sizes)
        return Price(rank * self._sign), self._sizes[rank]

    def top(self, count: int) -> tuple[Level, ...]:
        """Return up to ``count`` levels best first; the same object while none of them changed."""
        if self._top is not None and self._top_k == count:
            return self._top
        ranks = sorted(self._sizes, reverse=True)[:count]
        sign, sizes = self._sign, self._sizes
        self._top = tuple((Price(rank * sign), sizes[rank]) for rank in ranks) or _NO_LEVELS
        self._top_k = count
        self._floor = ranks[-1] if len(ranks) == count else _NO_FLOOR
        return self._top

    def levels(self) -> tuple[Level, ...]:
        """Return every level, best first."""
        sign, sizes = self._sign, self._sizes
        return tuple((Price(rank * sign), sizes[rank]) for rank in sorted(sizes, reverse=True))

    def size_at(self, price: Price) -> Size:
        """Return the size at ``price``, 0 when there is no level."""
        return self._sizes.get(price * self._sign, Size(0))

    def depth_until(self, price: Price) -> Size:
        """Return the total size from the best level to ``price``, inclusive."""
        limit = price * self._sign
        return Size(sum(size for rank, size in self._sizes.items() if rank >= limit))
