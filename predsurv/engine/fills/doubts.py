"""What may not be as public data shows it because of our own orders, by the pessimistic model.

Trades are told up to some seconds after the book has changed. Until then it is open what our orders, those that left
lately included, had of them, and so which orders of others are really there.
"""

from typing import Final

from predsurv.core.ids import InstrumentKey, Side
from predsurv.core.num import ONE, Price
from predsurv.engine.books.consumed import ConsumedLiquidity
from predsurv.engine.fills.departed_orders import DepartedOrders
from predsurv.engine.fills.displaced import DisplacedOrders
from predsurv.engine.fills.queue_position import QueueModel, QueuePosition
from predsurv.engine.fills.taker import Taker, shown
from predsurv.state.book import BookView

OPPOSITE: Final[dict[Side, Side]] = {"bid": "ask", "ask": "bid"}


class Doubts:
    """Bounds of what is there; by the other models there is no doubt. Sizes and prices in micros, times ns UTC."""

    def __init__(
        self, displaced: DisplacedOrders, consumed: ConsumedLiquidity, departed: DepartedOrders, model: QueueModel
    ) -> None:
        self._displaced, self._consumed, self._departed, self._model = displaced, consumed, departed, model

    def unsure(self, book: BookView, side: Side, ts: int) -> int:
        """Return how much of a side may not be there at ``ts`` (ns UTC), from its best level on.

        Others may have taken it in place of what we had consumed, and what we displaced would have met it.
        """
        best = book.best_ask() if side == "ask" else book.best_bid()
        if self._model != "pessimistic" or best is None:
            return 0
        opposite = OPPOSITE[side]
        displaced = self._displaced.up_to(book.key, opposite, best[0]) + self.untold_fills(
            book.key, opposite, best[0], ts
        )
        return displaced + self._consumed.released.of(book.key, side, ts)

    def fillable_at_most(self, taker: Taker, book: BookView, surely: int) -> int:
        """Return how much of an order may be there, of which ``surely`` what is left as far as we know.

        What we consumed may have been consumed by a resting order that had been filled before, which was told late;
        and what we displaced on that side would be there besides.
        """
        if self._model != "pessimistic":
            return surely
        return shown(taker, book) + self._displaced.up_to(taker.key, taker.opposite, taker.price)

    def may_be_refused(self, order: QueuePosition) -> bool:
        """Return whether the venue may have refused a post-only order that rests by public data.

        It would have traded with an order of others that is there because of ours: one that was displaced, by a trade
        that may not have been told yet, or a taker who found what we had consumed and came to rest.
        """
        if self._model != "pessimistic" or not order.command.post_only:
            return False
        key, side, opposite = order.key, order.side, OPPOSITE[order.side]
        return bool(
            self._displaced.crosses(key, side, order.price)
            or self._consumed.released.of(key, side, order.since)
            or self.untold_fills(key, opposite, order.price, order.since)
        )

    def on_gap(self, key: InstrumentKey, ts: int) -> None:
        """Lose sight of a book at ``ts``: takers may meet what we had consumed, and come to rest, without a word."""
        if self._model != "pessimistic":
            return
        consumed = self._consumed.places().get(key, {})
        for side, opposite in OPPOSITE.items():
            met = sum(size for place, size in consumed.items() if place[0] == side)
            met += self._consumed.released.of(key, side, ts)
            self._displaced.add(key, opposite, ONE if side == "ask" else Price(0), met)

    def untold(self, key: InstrumentKey, side: Side, ts: int) -> int:
        """Return how much may have come to rest in front of our orders because it found what we had consumed.

        Known once the trade is told that took the level away.
        """
        return self._consumed.released.of(key, OPPOSITE[side], ts) if self._model == "pessimistic" else 0

    def untold_fills(self, key: InstrumentKey, side: Side, price: Price, ts: int, before: int | None = None) -> int:
        """Return what orders that left lately may have displaced at ``price`` or better by trades told after ``ts``.

        At ``price`` itself only orders that arrived before ``before``, all where None. What of ours still rests there
        is first to meet whatever comes, and so stands for what it displaced.
        """
        if self._model != "pessimistic":
            return 0
        return sum(
            each.remaining
            for each in self._departed.lately(key, ts)
            if each.side == side
            and (each.better_than(price) or (each.price == price and (before is None or each.arrival < before)))
        )
