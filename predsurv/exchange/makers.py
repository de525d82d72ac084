"""A market maker: quotes several levels around its own, lagging idea of the price.

Kept apart from the unit because two of them with different tempers stand in every book, and
what a mispricing is made of is one of them being late.
"""

from typing import Final

from predsurv.core.ids import Side
from predsurv.core.num import MICROS, Price
from predsurv.exchange.book import BookOrder, MatchingBook

_CENT: Final = 10_000  # sizes are multiples of a hundredth of a share
_LEARNING: Final = 8


class MakerTraits:
    """How a maker quotes: distance and number of levels, size in shares, eighths learnt a quote."""

    __slots__ = ("gap", "half", "learns", "levels", "shares")

    def __init__(self, half: int, gap: int, levels: int, shares: int, *, learns: int) -> None:
        self.half = half
        self.gap = gap
        self.levels = levels
        self.shares = shares
        self.learns = learns


class MarketMaker:
    """One maker in one book. ``estimate`` is what it believes the outcome is worth, micros."""

    __slots__ = ("_tops", "asks", "bids", "book", "estimate", "held", "temper")

    def __init__(self, book: MatchingBook, temper: MakerTraits, fair: int) -> None:
        self.book = book
        self.temper = temper
        self.estimate = fair
        self.held = False
        """Asleep: leaves everything as it is, however wrong."""
        self.bids: list[BookOrder] = []
        self.asks: list[BookOrder] = []
        self._tops: tuple[int, int] | None = None
        """The best prices of the last whole quote; None when it has to be made anew."""

    def top(self, side: Side, fair: int) -> int:
        """Return the best price that it would quote on ``side`` for ``fair``, in (0, 1) dollar."""
        tick, half = self.book.tick, self.temper.half
        if side == "bid":
            return min(max((fair - half) // tick * tick, 0), MICROS - tick)
        return max(min(-(-(fair + half) // tick) * tick, MICROS), tick)

    def quote(self, fair: int, draw: int) -> None:
        """Learn a part of ``fair`` and move the quotes there, without ever crossing the book.

        While the best prices stay, that is a change of one size.
        """
        if self.held:
            return
        self.estimate += (fair - self.estimate) * self.temper.learns // _LEARNING
        tops = self.top("bid", self.estimate), self.top("ask", self.estimate)
        if tops == self._tops and self.fidget(draw):
            return
        self._tops = tops
        bids, asks = self._wanted("bid", tops[0]), self._wanted("ask", tops[1])
        self.bids = self._keep(self.bids, bids)
        self.asks = self._keep(self.asks, asks)
        self._fill("bid", self.bids, bids, draw)
        self._fill("ask", self.asks, asks, draw >> 7)

    def believe(self, fair: int, draw: int) -> None:
        """Take ``fair`` for granted and quote it afresh, replacing what little takers left of an order."""
        if self.held:
            return
        least = self.temper.shares * (MICROS // 2)
        for order in (*self.bids, *self.asks):
            if 0 < order.remaining < least:
                self.book.cancel(order)
        self.estimate = fair
        self._tops = None
        self.quote(fair, draw)

    def fidget(self, draw: int) -> bool:
        """Change the size of one level; returns False when the quotes have to be made anew first.

        Near 0 and 1 there is one side only.
        """
        mine = (self.bids or self.asks) if draw & 1 else (self.asks or self.bids)
        if self.held or not mine:
            return False
        order = mine[(draw >> 1) % len(mine)]
        if not order.remaining:
            self._tops = None
            return False
        size = self._size(draw >> 5)
        self.book.resize(order, size if size != order.remaining else size + _CENT)
        return True

    def _wanted(self, side: Side, top: int) -> range:
        temper = self.temper
        step = self.book.tick * temper.gap
        if side == "bid":
            return range(top, max(top - step * temper.levels, 0), -step)
        return range(top, min(top + step * temper.levels, MICROS), step)

    def _keep(self, mine: list[BookOrder], wanted: range) -> list[BookOrder]:
        kept = []
        for order in mine:
            if order.remaining:
                if order.price in wanted:
                    kept.append(order)
                else:
                    self.book.cancel(order)
        return kept

    def _fill(self, side: Side, mine: list[BookOrder], wanted: range, draw: int) -> None:
        if len(mine) == len(wanted):
            return
        book, present = self.book, {order.price for order in mine}
        for depth, price in enumerate(wanted):
            if price not in present and not book.crosses(side, price):
                mine.append(book.place(side, Price(price), self._size(draw + depth * 5)))

    def _size(self, draw: int) -> int:
        """Return half to one and a half times the usual size, not always in whole shares."""
        shares = self.temper.shares
        hundredths = shares * 50 + (draw * 2_654_435_761 >> 9) % (shares * 100)
        if draw & 12:
            hundredths -= hundredths % 100
        return hundredths * _CENT
