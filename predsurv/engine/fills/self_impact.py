"""What our fills change for others, and what that leaves for our next orders: as far as the queue model counts it."""

from collections.abc import Iterable, Sequence
from typing import Final, NamedTuple

from predsurv.core.events import Trade
from predsurv.core.ids import InstrumentKey, OrderSide, Side
from predsurv.core.num import ONE, Price
from predsurv.engine.books.consumed import ConsumedLiquidity, consume_at_least, consume_behind
from predsurv.engine.fills.departed_orders import DepartedOrders
from predsurv.engine.fills.displaced import DisplacedOrders
from predsurv.engine.fills.doubts import OPPOSITE, Doubts
from predsurv.engine.fills.queue_position import QueueModel, QueuePosition
from predsurv.state.book import BookView

SIDES_HIT: Final[dict[OrderSide | None, tuple[Side, ...]]] = {
    "buy": ("ask",),
    "sell": ("bid",),
    None: ("bid", "ask"),
}
"""Sides whose resting orders a taker may have met."""
MET_KEPT_MAX: Final = 10_000
"""Levels kept that met displaced orders; beyond it the one that did first is dropped."""


class _LevelKey(NamedTuple):
    key: InstrumentKey
    side: Side
    price: Price


class SelfImpact:
    """Follows orders of others that our fills displaced, and takers who in public met what we had consumed.

    ``_met_displaced``: what of each consumed level met displaced orders, which are still recorded as such.
    """

    def __init__(self, consumed: ConsumedLiquidity, model: QueueModel, departed: DepartedOrders) -> None:
        self.displaced = DisplacedOrders()
        self.doubts = Doubts(self.displaced, consumed, departed, model)
        self._consumed, self._model = consumed, model
        self._met_displaced: dict[_LevelKey, int] = {}

    @property
    def follows_takers(self) -> bool:
        """Whether ``on_taker`` has to be told of the trades at what we have consumed."""
        return self._model == "pessimistic"

    def on_book(self, book: BookView) -> None:
        """Follow levels that would have traded with displaced orders on arrival: pessimistically, as if consumed."""
        if self._model != "pessimistic":
            return
        for side in self.displaced.meet(book.key):
            hit, taken = OPPOSITE[side], 0
            for price, size in (book.asks if hit == "ask" else book.bids).levels():
                met = min(size, self.displaced.up_to(book.key, side, price) - taken)
                if met <= 0:
                    break
                taken += met
                more = consume_at_least(self._consumed, book, hit, price, met)
                if more:
                    self._note_met(_LevelKey(book.key, hit, price), more)

    def on_taker(self, event: Trade, book: BookView) -> None:
        """Follow what a taker would have done that in public met what we had taken before: pessimistically.

        It would have traded with the next levels, or have come to rest at a better price than any order of ours. Where
        it met what displaced orders had met, it comes to rest in their place.
        """
        if self._model != "pessimistic":
            return
        for hit in SIDES_HIT[event.taker_side]:
            self._on_taker_of(hit, event, book)

    def _on_taker_of(self, hit: Side, event: Trade, book: BookView) -> None:
        met = self._consumed.met_by(event.key, hit, event.price, event.size, event.ts_recv)
        if met:
            consume_behind(self._consumed, book, hit, event.price, met)
            again = min(met, self._met_displaced.pop(_LevelKey(event.key, hit, event.price), 0))
            self.displaced.take_up_to(event.key, OPPOSITE[hit], event.price, again)
            self.displaced.add(event.key, OPPOSITE[hit], ONE if hit == "ask" else Price(0), met)

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

    def on_sideless(self, event: Trade, side: Side, met: Sequence[QueuePosition]) -> int:
        """Record what a trade that does not say who took displaced at most, if it met orders of ours; return it."""
        displaced = min(event.size, sum(order.remaining + self.filled_after(order, event) for order in met))
        self.displaced.add(event.key, side, event.price, displaced)
        return displaced

    def on_unseen(self, order: QueuePosition) -> None:
        """Record what an order displaced at most by trades that nobody told: those of a gap, or of just before it."""
        if self._model == "pessimistic":
            self.displaced.add(order.key, order.side, order.price, order.remaining)

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
        better = self.displaced.up_to(key, side, price) - at_price + self.doubts.untold(key, side, ts)
        better += self.doubts.untold_fills(key, side, price, ts, before=order.arrival)
        return min(volume, better + min(at_price, order.ahead))

    def _note_met(self, level: _LevelKey, size: int) -> None:
        self._met_displaced[level] = self._met_displaced.get(level, 0) + size
        if len(self._met_displaced) > MET_KEPT_MAX:
            del self._met_displaced[next(iter(self._met_displaced))]


def stand_behind(orders: Iterable[QueuePosition], event: Trade, side: Side, displaced: int) -> None:
    """Let what a trade displaced stand ahead of orders that joined after it, before it was told."""
    for order in orders:
        told_late = event.ts_venue is not None and event.ts_venue <= order.joined
        if told_late and (order.side, order.price) == (side, event.price):
            order.ahead += displaced
