"""What our fills change for others, and what that leaves for our next orders: as far as the queue model counts it."""

from collections.abc import Iterable, Sequence
from typing import Final

from predsurv.core.events import Trade
from predsurv.core.ids import InstrumentKey, Side
from predsurv.core.num import ONE, Price
from predsurv.engine.books.consumed import ConsumedLiquidity, consume_behind
from predsurv.engine.fills.displaced import DisplacedOrders
from predsurv.engine.fills.queue_position import QueueModel, QueuePosition
from predsurv.state.book import BookView

_OPPOSITE: Final[dict[Side, Side]] = {"bid": "ask", "ask": "bid"}


class SelfImpact:
    """Follows orders of others that our fills displaced, and takers who in public met what we had consumed."""

    def __init__(self, consumed: ConsumedLiquidity, model: QueueModel) -> None:
        self.displaced = DisplacedOrders()
        self._consumed, self._model = consumed, model

    @property
    def follows_takers(self) -> bool:
        """Whether ``on_taker`` has to be told of the trades at what we have consumed."""
        return self._model == "pessimistic"

    def unsure(self, book: BookView, side: Side, ts: int) -> int:
        """Return how much of a side may not be there at ``ts`` (ns UTC), from its best level on.

        Others may have taken it in place of what we had consumed, and what we displaced would have met it.
        """
        best = book.best_ask() if side == "ask" else book.best_bid()
        if self._model != "pessimistic" or best is None:
            return 0
        displaced = self.displaced.up_to(book.key, _OPPOSITE[side], best[0])
        return displaced + self._consumed.released.of(book.key, side, ts)

    def on_taker(self, event: Trade, book: BookView) -> None:
        """Follow what a taker would have done that in public met what we had taken before: pessimistically.

        It would have traded with the next levels, or have come to rest at a better price than any order of ours.
        """
        if self._model != "pessimistic" or event.taker_side is None:
            return
        hit: Side = "ask" if event.taker_side == "buy" else "bid"
        met = self._consumed.met_by(event.key, hit, event.price, event.size, event.ts_recv)
        if met:
            consume_behind(self._consumed, book, hit, event.price, met)
            self.displaced.add(event.key, _OPPOSITE[hit], ONE if hit == "ask" else Price(0), met)

    def on_maker(self, event: Trade, side: Side, reached: tuple[int, int], at_price: Sequence[QueuePosition]) -> int:
        """Record how much of others' orders at the trade's price our fills displaced, and return it.

        ``reached``: what of the trade came as far as its price, and what of that is left beyond our fills there. By
        the pessimistic model our orders ``at_price`` may have taken more than that.
        """
        if self._model == "optimistic":
            return 0
        reaching, left = reached
        if self._model == "pessimistic":
            left = reaching
            for order in at_price:
                used = min(left, order.displaceable)
                order.displaceable -= used
                left -= used
        self.displaced.add(event.key, side, event.price, event.size - left)
        return event.size - left

    def untold(self, key: InstrumentKey, side: Side, ts: int) -> int:
        """Return how much may have come to rest in front of our orders because it found what we had consumed.

        Known once the trade is told that took the level away.
        """
        return self._consumed.released.of(key, _OPPOSITE[side], ts) if self._model == "pessimistic" else 0

    def filled_after(self, order: QueuePosition, event: Trade) -> int:
        """Return what of an order was filled by what happened after a trade, which may have met it instead."""
        return order.filled_after(event.ts_venue) if self._model == "pessimistic" else 0

    def meet_first(self, order: QueuePosition, volume: int) -> int:
        """Return how much of ``volume``, which comes as far as our price, meets displaced orders before ours."""
        key, side, price = order.key, order.side, order.price
        taken = self.displaced.take_better(key, side, price, volume)
        ahead = self.displaced.take(key, side, price, min(volume - taken, order.ahead))
        order.ahead -= ahead
        return taken + ahead

    def met_first(self, order: QueuePosition, volume: int, ts: int) -> int:
        """Return the same of an opposite level; a trade of before, told after it, will meet them as well."""
        key, side, price = order.key, order.side, order.price
        at_price = self.displaced.at(key, side, price)
        better = self.displaced.up_to(key, side, price) - at_price + self.untold(key, side, ts)
        return min(volume, better + min(at_price, order.ahead))


def stand_behind(orders: Iterable[QueuePosition], event: Trade, side: Side, displaced: int) -> None:
    """Let what a trade displaced stand ahead of orders that joined after it, before it was told."""
    for order in orders:
        told_late = event.ts_venue is not None and event.ts_venue <= order.joined
        if told_late and (order.side, order.price) == (side, event.price):
            order.ahead += displaced
