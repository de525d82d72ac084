"""One side of a book: sizes by price, best first.

Kept apart because it is the only data structure on the hot path, and both sides share it.
"""

from collections.abc import Iterable
from typing import Final

from predsurv.core.events import Level
from predsurv.core.num import Price, Size

_NEVER: Final = 1 << 62
_NO_LEVELS: Final[tuple[Level, ...]] = ()


class Ladder:
    """Sizes by price on one side; ``descending`` for bids (highest is best), else asks.

    Prices are held as ranks (price, or its negative for asks) so that a greater rank is always
    better. ``best`` and the last ``top`` are cached: nothing below the worst rank they depend on
    (``edge``) can change them, so an ordinary change costs one comparison. ``top`` returns the
    same object until a level within it is touched; callers may compare tops by identity first.

    ``sizes``, ``edge`` and ``forget`` are open to ``Book.change`` alone, which does what ``set``
    does without the call: that call was a third of the cost of folding a delta.
    """

    __slots__ = ("_best", "_sign", "_top", "_top_count", "edge", "sizes")

    def __init__(self, *, descending: bool) -> None:
        self._sign = 1 if descending else -1
        self.sizes: dict[int, Size] = {}
        self._best: Level | None = None
        self._top: tuple[Level, ...] | None = None
        self._top_count = 0
        self.edge = _NEVER

    def __len__(self) -> int:
        return len(self.sizes)

    def set(self, price: Price, size: Size) -> None:
        """Make ``size`` the whole size at ``price``; 0 removes the level."""
        rank = price * self._sign
        if size:
            self.sizes[rank] = size
        else:
            self.sizes.pop(rank, None)
        if rank >= self.edge:
            self.forget()

    def replace(self, levels: Iterable[Level]) -> None:
        """Forget everything and hold ``levels``; order does not matter, sizes of 0 are skipped."""
        sign = self._sign
        self.sizes = {price * sign: size for price, size in levels if size}
        self.forget()

    def best(self) -> Level | None:
        """Return the best level, or None when the side is empty."""
        if self._best is None and self.sizes:
            rank = max(self.sizes)
            self._best = (Price(rank * self._sign), self.sizes[rank])
            self.edge = min(self.edge, rank)
        return self._best

    def top(self, count: int) -> tuple[Level, ...]:
        """Return up to ``count`` levels best first; the same object while none of them changed."""
        if self._top is not None and self._top_count == count:
            return self._top
        ranks = sorted(self.sizes, reverse=True)[:count]
        sign, sizes = self._sign, self.sizes
        self._top = tuple((Price(rank * sign), sizes[rank]) for rank in ranks) or _NO_LEVELS
        self._top_count = count
        # A top that is not full changes with any level added below it.
        self.edge = ranks[-1] if len(ranks) == count else -_NEVER
        return self._top

    def levels(self) -> tuple[Level, ...]:
        """Return every level, best first."""
        sign, sizes = self._sign, self.sizes
        return tuple((Price(rank * sign), sizes[rank]) for rank in sorted(sizes, reverse=True))

    def size_at(self, price: Price) -> Size:
        """Return the size at ``price``, 0 when there is no level."""
        return self.sizes.get(price * self._sign, Size(0))

    def depth_until(self, price: Price) -> Size:
        """Return the total size from the best level to ``price``, inclusive."""
        limit = price * self._sign
        return Size(sum(size for rank, size in self.sizes.items() if rank >= limit))

    def forget(self) -> None:
        """Drop what is cached: a level that it depends on changed."""
        self._best = None
        self._top = None
        self.edge = _NEVER
