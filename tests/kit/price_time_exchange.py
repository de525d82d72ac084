"""An order-by-order exchange with price-time priority in integers, written without a look at the fill model.

Two of them tell what a fill model has to be compared with: one without our orders, whose public data the model sees,
and one in which our orders really rest, under the same commands of everybody else.
"""

from collections.abc import Iterator
from typing import Literal, NamedTuple

BookSide = Literal["bid", "ask"]


class RestingOrder:
    """One order in the book."""

    __slots__ = ("left", "name", "price", "side")

    def __init__(self, name: str, side: BookSide, price: int, left: int) -> None:
        self.name, self.side, self.price, self.left = name, side, price, left


class Execution(NamedTuple):
    """A match: the resting order's name, its side, price and size."""

    maker: str
    side: BookSide
    price: int
    size: int


class PriceTimeExchange:
    """One book; ``filled`` is what each name has traded so far, resting or taking."""

    def __init__(self) -> None:
        self.filled: dict[str, int] = {}
        self._resting: dict[str, RestingOrder] = {}  # by arrival

    def place(self, name: str, side: BookSide, price: int, size: int, *, rests: bool = True) -> list[Execution]:
        """Match an order up to its price and let the rest of it rest, or not; return its matches in order."""
        executions = list(self._match(name, side, price, size))
        left = size - sum(each.size for each in executions)
        if left and rests:
            self._resting[name] = RestingOrder(name, side, price, left)
        return executions

    def cancel(self, name: str) -> bool:
        """Take an order out of the book; return whether it was there."""
        return self._resting.pop(name, None) is not None

    def crosses(self, side: BookSide, price: int) -> bool:
        """Return whether an order would trade at once."""
        best = self.best("ask" if side == "bid" else "bid")
        return best is not None and (best <= price if side == "bid" else best >= price)

    def best(self, side: BookSide) -> int | None:
        """Return the best price of a side."""
        prices = [each.price for each in self._resting.values() if each.side == side]
        if not prices:
            return None
        return max(prices) if side == "bid" else min(prices)

    def size_at(self, side: BookSide, price: int) -> int:
        """Return the size of a level."""
        return sum(each.left for each in self._resting.values() if each.side == side and each.price == price)

    def levels(self, side: BookSide) -> tuple[tuple[int, int], ...]:
        """Return a side's levels, best first."""
        prices = {each.price for each in self._resting.values() if each.side == side}
        return tuple((price, self.size_at(side, price)) for price in sorted(prices, reverse=side == "bid"))

    def names(self) -> list[str]:
        """Return the names of the resting orders, oldest first."""
        return list(self._resting)

    def resting(self, name: str) -> RestingOrder | None:
        """Return an order while it rests."""
        return self._resting.get(name)

    def _match(self, name: str, side: BookSide, price: int, size: int) -> Iterator[Execution]:
        while size and self.crosses(side, price):
            other: BookSide = "ask" if side == "bid" else "bid"
            best = self.best(other)
            maker = next(each for each in self._resting.values() if each.side == other and each.price == best)
            traded = min(size, maker.left)
            size -= traded
            maker.left -= traded
            if not maker.left:
                del self._resting[maker.name]
            for who in (name, maker.name):
                self.filled[who] = self.filled.get(who, 0) + traded
            yield Execution(maker.name, other, maker.price, traded)
