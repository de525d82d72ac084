"""Orders of others that our fills displaced: in public they traded; with us in the market they would still rest.

What we take of a trade the others behind us do not get. Public data shows their orders gone; had our order been there,
they would still be ahead of whatever we place after them, and would meet the next trades before it does.
"""

from collections.abc import Iterator
from typing import Final

from predsurv.core.ids import InstrumentKey, Side
from predsurv.core.num import Price

INSTRUMENTS_MAX: Final = 10_000
"""Instruments recorded at a time; beyond it the one recorded first is dropped."""

_Levels = dict[Price, int]
_SIDES: Final[tuple[Side, Side]] = ("bid", "ask")


class DisplacedOrders:
    """Displaced volume by instrument, side and price; micros. It lasts until trades have used it up.

    ``version`` grows whenever more is displaced than before. ``touched``: the instruments of which anything else is
    recorded than before, until whoever follows them clears it. ``unmet``: those of which more was recorded since
    ``meet``.
    """

    def __init__(self) -> None:
        self.touched: dict[InstrumentKey, None] = {}
        self.unmet: set[InstrumentKey] = set()
        self.version = 0
        self._levels: dict[tuple[InstrumentKey, Side], _Levels] = {}

    def add(self, key: InstrumentKey, side: Side, price: Price, size: int) -> None:
        """Record that ``size`` of others' orders was displaced at ``price``."""
        if size > 0:
            levels = self._levels.setdefault((key, side), {})
            levels[price] = levels.get(price, 0) + size
            self.version += 1
            self.touched[key] = None
            self.unmet.add(key)
            if len(self._levels) > INSTRUMENTS_MAX:
                del self._levels[next(iter(self._levels))]

    def meet(self, key: InstrumentKey) -> tuple[Side, ...]:
        """Return the ``sides`` of a book of which the levels are looked at now."""
        if key in self.unmet:
            self.unmet.discard(key)
            self.touched[key] = None
        return self.sides(key)

    def sides(self, key: InstrumentKey) -> tuple[Side, ...]:
        """Return the sides of a book on which anything was displaced."""
        return tuple(side for side in _SIDES if (key, side) in self._levels)

    def best(self, key: InstrumentKey) -> Iterator[tuple[Side, Price]]:
        """Yield the best price at which anything was displaced, for each side of a book."""
        for side in self.sides(key):
            levels = self._levels[key, side]
            yield side, max(levels) if side == "bid" else min(levels)

    def at(self, key: InstrumentKey, side: Side, price: Price) -> int:
        """Return what was displaced at ``price``."""
        levels = self._levels.get((key, side))
        return levels.get(price, 0) if levels else 0

    def up_to(self, key: InstrumentKey, side: Side, price: Price) -> int:
        """Return what was displaced at ``price`` and better ones."""
        levels = self._levels.get((key, side))
        if not levels:
            return 0
        return sum(size for each, size in levels.items() if (each >= price if side == "bid" else each <= price))

    def take(self, key: InstrumentKey, side: Side, price: Price, size: int) -> int:
        """Let up to ``size`` trade with what was displaced at ``price``; return how much does."""
        taken = min(size, self.at(key, side, price))
        if taken:
            levels = self._levels[key, side]
            levels[price] -= taken
            if not levels[price]:
                self.touched[key] = None
                del levels[price]
                if not levels:
                    del self._levels[key, side]
        return taken

    def take_up_to(self, key: InstrumentKey, side: Side, price: Price, size: int) -> int:
        """Let up to ``size`` trade with what was displaced at ``price`` and better ones; return how much does."""
        better = self.take_better(key, side, price, size)
        return better + self.take(key, side, price, size - better)

    def take_better(self, key: InstrumentKey, side: Side, price: Price, size: int) -> int:
        """Let up to ``size`` trade with what was displaced at better prices than ``price``; return how much does."""
        levels = self._levels.get((key, side))
        if not levels:
            return 0
        left = size
        for each in sorted(levels, reverse=side == "bid"):
            if not left or (each <= price if side == "bid" else each >= price):
                break
            left -= self.take(key, side, each, left)
        return size - left

    def crosses(self, key: InstrumentKey, side: Side, price: Price) -> bool:
        """Return whether an order of ``side`` at ``price`` would trade with what was displaced on the other side."""
        levels = self._levels.get((key, "ask" if side == "bid" else "bid"))
        if not levels:
            return False
        return min(levels) <= price if side == "bid" else max(levels) >= price
