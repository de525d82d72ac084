"""One side of an order book: sizes by price, best first.

``PythonLadder`` is the specification and the fallback. ``Ladder`` is the compiled implementation (``csrc/``) where
there was a C compiler at installation, else ``PythonLadder``; both give the same answers.
"""

from bisect import bisect_left, insort
from collections.abc import Iterable
from typing import TYPE_CHECKING, Protocol

from predsurv.core.events import Level
from predsurv.core.native import speedups
from predsurv.core.num import Price, Size
from predsurv.core.records import pack_levels


class LadderView(Protocol):
    """One side of a book, for reading. Prices and sizes in micros."""

    def best(self) -> Level | None:
        """Return the best level, or None when the side is empty."""
        ...

    def top(self, count: int) -> tuple[Level, ...]:
        """Return up to ``count`` levels best first; the same object while none of them changed."""
        ...

    def levels(self) -> tuple[Level, ...]:
        """Return every level, best first."""
        ...

    def size_at(self, price: Price) -> Size:
        """Return the size at ``price``, 0 when there is no level."""
        ...

    def depth_until(self, price: Price) -> Size:
        """Return the total size from the best level to ``price``, inclusive."""
        ...


class PythonLadder:
    """A ``LadderView`` that can be changed; ``descending`` for bids (highest is best), else asks.

    Between two changes of its levels ``top`` and ``packed`` return the same object for the same
    ``count``, so that callers may compare results by identity first.
    """

    __slots__ = ("_descending", "_packed", "_prices", "_sizes", "_top")

    def __init__(self, *, descending: bool) -> None:
        self._descending = descending
        self._sizes: dict[Price, Size] = {}
        self._prices: list[Price] = []  # the keys of _sizes, ascending on either side
        self._top: tuple[Level, ...] = ()
        self._packed = b""

    def __len__(self) -> int:
        return len(self._prices)

    def set(self, price: Price, size: Size) -> None:
        """Make ``size`` the whole size at ``price``; 0 removes the level."""
        if size:
            if price not in self._sizes:
                insort(self._prices, price)
            self._sizes[price] = size
        elif self._sizes.pop(price, None) is not None:
            del self._prices[bisect_left(self._prices, price)]

    def replace(self, levels: Iterable[Level]) -> None:
        """Hold exactly ``levels``, given in any order; of equal prices the last counts, sizes of 0 are skipped."""
        self._sizes = {price: size for price, size in dict(levels).items() if size}
        self._prices = sorted(self._sizes)

    def best(self) -> Level | None:
        """Return the best level, or None when the side is empty."""
        if not self._prices:
            return None
        price = self._prices[-1 if self._descending else 0]
        return price, self._sizes[price]

    def top(self, count: int) -> tuple[Level, ...]:
        """Return up to ``count`` levels best first; the same object while none of them changed."""
        prices = self._prices[: -count - 1 : -1] if self._descending else self._prices[:count]
        top = tuple((price, self._sizes[price]) for price in prices)
        if top != self._top:
            self._top = top
        return self._top

    def packed(self, count: int) -> bytes:
        """Return ``top`` as ``core.records.pack_levels`` does; the same object while none of its levels changed."""
        packed = pack_levels(self.top(count))
        if packed != self._packed:
            self._packed = packed
        return self._packed

    def levels(self) -> tuple[Level, ...]:
        """Return every level, best first."""
        return tuple(sorted(self._sizes.items(), reverse=self._descending))

    def size_at(self, price: Price) -> Size:
        """Return the size at ``price``, 0 when there is no level."""
        return self._sizes.get(price, Size(0))

    def depth_until(self, price: Price) -> Size:
        """Return the total size from the best level to ``price``, inclusive."""
        if self._descending:
            return Size(sum(size for at, size in self._sizes.items() if at >= price))
        return Size(sum(size for at, size in self._sizes.items() if at <= price))


if TYPE_CHECKING:
    Ladder = PythonLadder
else:
    Ladder = PythonLadder if speedups is None else speedups.NativeLadder
