"""One side of a book: sizes by price, best first.

Kept apart because it is the only data structure on the hot path, and both sides share it.
"""

from collections.abc import Iterable
from typing import Final

from predsurv.core.events import Level
from predsurv.core.num import Price, Size

_ABOVE_ALL: Final = 1 << 62
_BELOW_ALL: Final = -1
_NO_LEVELS: Final[tuple[Level, ...]] = ()


class Ladder(dict[Price, Size]):
    """Sizes by price on one side; ``descending`` for bids (highest is best), else asks.

    ``best`` and the last ``top`` are cached. Nothing worse than the worst price they depend on
    (``edge``) can change them, so an ordinary change costs one comparison. ``top`` returns the same
    object until a level within it is touched; callers may compare tops by identity first.

    It is a dict and does not hold one: a hop less into cold memory at every change. Write to it by
    ``set`` and ``replace`` only; ``Book.change`` alone does what ``set`` does without the call, which
    was a third of the cost of folding a delta, by way of ``edge`` and ``forget``.
    """

    __slots__ = ("_best", "_descending", "_top", "_top_count", "edge")

    def __init__(self, *, descending: bool) -> None:
        super().__init__()
        self._descending = descending
        self._best: Level | None = None
        self._top: tuple[Level, ...] | None = None
        self._top_count = 0
        self.edge = 0
        self.forget()

    def set(self, price: Price, size: Size) -> None:
        """Make ``size`` the whole size at ``price``; 0 removes the level."""
        if size:
            self[price] = size
        else:
            self.pop(price, None)
        if price >= self.edge if self._descending else price <= self.edge:
            self.forget()

    def replace(self, levels: Iterable[Level]) -> None:
        """Forget everything and hold ``levels``; order does not matter, sizes of 0 are skipped."""
        self.clear()
        self.update(levels)
        if not all(self.values()):
            for price in [price for price, size in self.items() if not size]:
                del self[price]
        self.forget()

    def best(self) -> Level | None:
        """Return the best level, or None when the side is empty."""
        if self._best is None and self:
            price = max(self) if self._descending else min(self)
            self._best = (price, self[price])
            # A cached top reaches further down and has set the edge already.
            self.edge = price if self._top is None else self.edge
        return self._best

    def top(self, count: int) -> tuple[Level, ...]:
        """Return up to ``count`` levels best first; the same object while none of them changed."""
        if self._top is not None and self._top_count == count:
            return self._top
        prices = sorted(self, reverse=self._descending)[:count]
        self._top = tuple([(price, self[price]) for price in prices]) or _NO_LEVELS
        self._top_count = count
        if prices and len(prices) == count:
            self.edge = prices[-1]
        else:
            # A top that is not full changes with any level added below it.
            self.edge = _BELOW_ALL if self._descending else _ABOVE_ALL
        return self._top

    def levels(self) -> tuple[Level, ...]:
        """Return every level, best first."""
        return tuple(sorted(self.items(), reverse=self._descending))

    def size_at(self, price: Price) -> Size:
        """Return the size at ``price``, 0 when there is no level."""
        return self.get(price, Size(0))

    def depth_until(self, price: Price) -> Size:
        """Return the total size from the best level to ``price``, inclusive."""
        if self._descending:
            return Size(sum(size for at, size in self.items() if at >= price))
        return Size(sum(size for at, size in self.items() if at <= price))

    def forget(self) -> None:
        """Drop what is cached: a level that it depends on changed."""
        self._best = None
        self._top = None
        # With nothing cached no price reaches the edge.
        self.edge = _ABOVE_ALL if self._descending else _BELOW_ALL
