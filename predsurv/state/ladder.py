"""One side of a book: sizes by price, best first.

Kept apart because it is the only data structure on the hot path, and both sides share it. ``Ladder`` is the compiled
twin (``csrc/``) where there was a C compiler at installation, else ``PythonLadder``: they answer alike.
"""

from collections.abc import Iterable
from typing import TYPE_CHECKING, Final

from predsurv.core.events import Level
from predsurv.core.num import Price, Size
from predsurv.core.records import pack_levels
from predsurv.state.compiled import native

_ABOVE_ALL: Final = 1 << 62
_BELOW_ALL: Final = -1
_NO_LEVELS: Final[tuple[Level, ...]] = ()

STALE_MAX: Final = 16
"""Prices noted as changed since the last ``top``; with more it is made anew."""


class PythonLadder(dict[Price, Size]):
    """Sizes by price on one side; ``descending`` for bids (highest is best), else asks.

    ``best`` and the last ``top`` are cached. Nothing worse than the worst price they depend on
    (``edge``) can change them, so an ordinary change costs one comparison. ``top`` returns the same
    object until a level within it is touched; callers may compare tops by identity first.

    A stale ``top`` is mended where levels changed: looking up ten levels anew means ten sizes from cold
    memory, which cost more than all else of a row.

    It is a dict and does not hold one: a hop less into cold memory at every change. Write to it by
    ``set`` and ``replace`` only; ``Book.change`` alone does what ``set`` does without the call, which
    was a third of the cost of folding a delta, by way of ``edge`` and ``touch``.
    """

    __slots__ = ("_best", "_descending", "_packed", "_stale", "_top", "_top_count", "edge")

    def __init__(self, *, descending: bool) -> None:
        super().__init__()
        self._descending = descending
        self._best: Level | None = None
        self._top: tuple[Level, ...] | None = None
        self._top_count = 0
        self._stale: list[Price] = []
        self._packed: tuple[tuple[Level, ...], bytes] = (_NO_LEVELS, b"")
        self.edge = 0
        self.forget()

    def set(self, price: Price, size: Size) -> None:
        """Make ``size`` the whole size at ``price``; 0 removes the level."""
        if size:
            self[price] = size
        else:
            self.pop(price, None)
        if price >= self.edge if self._descending else price <= self.edge:
            self.touch(price)

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
            # A cached top reaches further down and has set the edge already, unless all its levels went.
            if self._top is None or (price < self.edge if self._descending else price > self.edge):
                self.edge = price
        return self._best

    def top(self, count: int) -> tuple[Level, ...]:
        """Return up to ``count`` levels best first; the same object while none of them changed."""
        if self._top is not None and self._top_count == count:
            if not self._stale:
                return self._top
            levels = self._mended(self._top, count)
        else:
            levels = None
        if levels is None:
            levels = [(price, self[price]) for price in sorted(self, reverse=self._descending)[:count]]
        self._stale.clear()
        self._top = tuple(levels) or _NO_LEVELS
        self._top_count = count
        if levels and len(levels) == count:
            self.edge = levels[-1][0]
        else:
            # A top that is not full changes with any level added below it.
            self.edge = _BELOW_ALL if self._descending else _ABOVE_ALL
        return self._top

    def packed(self, count: int) -> bytes:
        """Return ``top`` as ``core.records.pack_levels`` does; the same object while none of its levels changed."""
        top = self.top(count)
        if top is not self._packed[0]:
            self._packed = (top, pack_levels(top))
        return self._packed[1]

    def _mended(self, top: tuple[Level, ...], count: int) -> list[Level] | None:
        """Return the best levels now, given those before; None when one from further down moved up."""
        levels = {level[0]: level for level in top}
        for price in self._stale:
            size = self.get(price)
            if size is None:
                levels.pop(price, None)
            else:
                levels[price] = (price, size)
        if len(levels) < count == len(top):
            return None
        return sorted(levels.values(), reverse=self._descending)[:count]

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

    def touch(self, price: Price) -> None:
        """Note that the level at ``price``, which what is cached depends on, changed."""
        self._best = None
        if self._top is None or len(self._stale) >= STALE_MAX:
            self.forget()
        else:
            self._stale.append(price)

    def forget(self) -> None:
        """Drop what is cached: all levels changed."""
        self._best = None
        self._top = None
        self._stale.clear()
        # With nothing cached no price reaches the edge.
        self.edge = _ABOVE_ALL if self._descending else _BELOW_ALL


if TYPE_CHECKING:
    Ladder = PythonLadder
else:
    Ladder = PythonLadder if native is None else native.NativeLadder
