"""A market maker: quotes several levels around a lagging estimate of the fair value.

Two of them with different parameters quote in every book; a mispricing is one of them being late.
"""

from typing import Final

from predsurv.core.ids import Side
from predsurv.core.num import MICROS, Price
from predsurv.exchange.book import BookOrder, MatchingBook

_SIZE_STEP: Final = 10_000
"""Sizes are multiples of a hundredth of a share (micros)."""
_LEARNING_SCALE: Final = 8


class MakerParameters:
    """How a maker quotes.

    ``half_spread`` in micros, ``level_gap`` in ticks between levels, ``levels`` a side, ``shares`` the typical size,
    ``learning_rate``: eighths of the distance to the fair value by which the estimate moves at each quote.
    """

    __slots__ = ("half_spread", "learning_rate", "level_gap", "levels", "shares")

    def __init__(self, half_spread: int, level_gap: int, levels: int, shares: int, *, learning_rate: int) -> None:
        self.half_spread = half_spread
        self.level_gap = level_gap
        self.levels = levels
        self.shares = shares
        self.learning_rate = learning_rate


class MarketMaker:
    """One maker in one book; ``estimate`` is its estimate of the fair value, micros."""

    __slots__ = ("_best_quotes", "asks", "bids", "book", "estimate", "parameters", "paused")

    def __init__(self, book: MatchingBook, parameters: MakerParameters, fair_value: int) -> None:
        self.book = book
        self.parameters = parameters
        self.estimate = fair_value
        self.paused = False
        """While set, the quotes stay as they are, however wrong."""
        self.bids: list[BookOrder] = []
        self.asks: list[BookOrder] = []
        self._best_quotes: tuple[int, int] | None = None
        """Best bid and ask of the last complete quote; None when every order has to be checked again."""

    def best_quote(self, side: Side, fair_value: int) -> int:
        """Return the best price to quote on ``side`` for ``fair_value``, micros; 0 or 1 dollar is no quote."""
        tick, half_spread = self.book.tick, self.parameters.half_spread
        if side == "bid":
            return min(max((fair_value - half_spread) // tick * tick, 0), MICROS - tick)
        return max(min(-(-(fair_value + half_spread) // tick) * tick, MICROS), tick)

    def quote(self, fair_value: int, draw: int) -> None:
        """Move the estimate towards ``fair_value`` and the quotes to the estimate, without ever crossing the book.

        While the best prices stay the same, only one level is resized. ``draw``: random bits.
        """
        if self.paused:
            return
        self.estimate += (fair_value - self.estimate) * self.parameters.learning_rate // _LEARNING_SCALE
        best_quotes = self.best_quote("bid", self.estimate), self.best_quote("ask", self.estimate)
        if best_quotes == self._best_quotes and self.resize_level(draw):
            return
        self._best_quotes = best_quotes
        bids, asks = self._prices("bid", best_quotes[0]), self._prices("ask", best_quotes[1])
        self.bids = self._cancel_others(self.bids, bids)
        self.asks = self._cancel_others(self.asks, asks)
        self._place_missing("bid", self.bids, bids, draw)
        self._place_missing("ask", self.asks, asks, draw >> 7)

    def requote(self, fair_value: int, draw: int) -> None:
        """Set the estimate to ``fair_value`` and quote again, replacing orders of which less than half is left."""
        if self.paused:
            return
        size_min = self.parameters.shares * (MICROS // 2)
        for order in (*self.bids, *self.asks):
            if 0 < order.remaining < size_min:
                self.book.cancel(order)
        self.estimate = fair_value
        self._best_quotes = None
        self.quote(fair_value, draw)

    def resize_level(self, draw: int) -> bool:
        """Change the size of one order; return False when the quotes have to be placed again first.

        A smaller one keeps its place, for a larger one it is cancelled and another placed. Near 0 and 1 dollar there
        are quotes on one side only.
        """
        orders = (self.bids or self.asks) if draw & 1 else (self.asks or self.bids)
        if self.paused or not orders:
            return False
        index = (draw >> 1) % len(orders)
        order = orders[index]
        if not order.remaining:
            self._best_quotes = None
            return False
        size = self._size(draw >> 5)
        if size < order.remaining:
            self.book.reduce(order, size)
        else:
            size += _SIZE_STEP if size == order.remaining else 0
            self.book.cancel(order)
            orders[index] = self.book.place(order.side, order.price, size)
        return True

    def _prices(self, side: Side, best: int) -> range:
        parameters = self.parameters
        step = self.book.tick * parameters.level_gap
        if side == "bid":
            return range(best, max(best - step * parameters.levels, 0), -step)
        return range(best, min(best + step * parameters.levels, MICROS), step)

    def _cancel_others(self, orders: list[BookOrder], prices: range) -> list[BookOrder]:
        """Cancel the orders at other prices than ``prices`` and return those that still rest."""
        kept = []
        for order in orders:
            if order.remaining:
                if order.price in prices:
                    kept.append(order)
                else:
                    self.book.cancel(order)
        return kept

    def _place_missing(self, side: Side, orders: list[BookOrder], prices: range, draw: int) -> None:
        if len(orders) == len(prices):
            return
        book, present = self.book, {order.price for order in orders}
        for depth, price in enumerate(prices):
            if price not in present and not book.crosses(side, price):
                orders.append(book.place(side, Price(price), self._size(draw + depth * 5)))

    def _size(self, draw: int) -> int:
        """Return half to one and a half times the typical size, micros; not always in whole shares."""
        shares = self.parameters.shares
        hundredths = shares * 50 + (draw * 2_654_435_761 >> 9) % (shares * 100)
        if draw & 12:
            hundredths -= hundredths % 100
        return hundredths * _SIZE_STEP
