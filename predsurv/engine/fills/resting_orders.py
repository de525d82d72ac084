"""Our resting orders, and which of them an event fills."""

from collections.abc import Iterator, Sequence
from typing import Final

from msgspec import Struct

from predsurv.core.events import BookDelta, Trade
from predsurv.core.ids import ClientOrderId, InstrumentKey, MarketId, OrderSide, Side, VenueName
from predsurv.core.num import ONE, Price, Size
from predsurv.engine.books.consumed import TOLD_AFTER_MAX, ConsumedLiquidity
from predsurv.engine.fills.displaced import DisplacedOrders
from predsurv.engine.fills.queue_position import QueueModel, QueuePosition
from predsurv.state.book import BookView

_UNKNOWN: Final = Size(1 << 62)
"""The volume ahead of an order whose level is not known: more than can ever trade."""

_OPPOSITE: Final[dict[Side, Side]] = {"bid": "ask", "ask": "bid"}
_SIDES_HIT: Final[dict[OrderSide | None, tuple[Side, ...]]] = {
    "buy": ("ask",),
    "sell": ("bid",),
    None: ("bid", "ask"),
}
"""Sides whose resting orders a taker may have met."""


class MakerFill(Struct, frozen=True):
    """A resting order traded ``size`` at its own price."""

    order: QueuePosition
    size: Size


class RestingOrders:
    """Resting orders by the instrument in whose book they rest.

    An instrument is in ``_gapped`` while its orders have lost their place: after a gap, or on arrival without a book.
    ``displaced`` is what our fills displaced.
    """

    def __init__(self, consumed: ConsumedLiquidity, model: QueueModel = "proportional") -> None:
        self.displaced = DisplacedOrders()
        self._consumed, self._model = consumed, model
        self._orders: dict[InstrumentKey, list[QueuePosition]] = {}
        self._departed: dict[InstrumentKey, list[QueuePosition]] = {}
        self._gapped: set[InstrumentKey] = set()

    @property
    def follows_takers(self) -> bool:
        """Whether ``displace_takers`` has to be told of the trades at what we have consumed."""
        return self._model == "pessimistic"

    def add(self, order: QueuePosition, book: BookView | None) -> None:
        """Rest an order at the end of its level; without a book it joins at the next snapshot."""
        order.model, order.displaceable = self._model, order.remaining
        orders = self._orders.setdefault(order.key, [])
        orders.append(order)
        # Price-time priority: better prices first, then earlier arrivals.
        orders.sort(key=_priority)
        order.doubtful = (
            self._model == "pessimistic"
            and order.command.post_only
            and self.displaced.crosses(order.key, order.side, order.price)
        )
        if book is None:
            self._gapped.add(order.key)
        self._join(order, book, order.since)

    def remove(self, client_order_id: ClientOrderId, ts: int) -> QueuePosition | None:
        """Remove and return an order that is cancelled at ``ts`` (ns UTC), None when it does not rest here."""
        for orders in self._orders.values():
            for order in orders:
                if order.command.client_order_id == client_order_id:
                    self._depart(order, ts)
                    return order
        return None

    def of_market(self, venue: VenueName, market_id: MarketId) -> tuple[QueuePosition, ...]:
        """Return every order of a market."""
        keys = [key for key in self._orders if key.venue == venue and key.market_id == market_id]
        return tuple(order for key in keys for order in self._orders[key])

    def holds(self, key: InstrumentKey) -> bool:
        """Return whether any order rests in this book."""
        return key in self._orders

    def rejoin(self, key: InstrumentKey, book: BookView | None) -> None:
        """Send the orders in a book to the ends of their levels: now, or with its next snapshot when there is none."""
        if book is None:
            if key in self._orders:
                self._gapped.add(key)
            return
        self._gapped.discard(key)
        for order in self._orders.get(key, ()):
            self._join(order, book, book.ts_recv)

    def all(self) -> tuple[QueuePosition, ...]:
        """Return every resting order."""
        return tuple(order for orders in self._orders.values() for order in orders)

    def on_delta(self, event: BookDelta, book: BookView, *, trading: bool = True) -> Iterator[MakerFill]:
        """Follow a level change and yield the fills by an opposite level that crosses us, none unless ``trading``."""
        for order in self._orders.get(event.key, ()):
            if order.side == event.side and order.price == event.price:
                order.on_level_size(event.size, event.ts_recv)
        if event.size and trading:
            yield from self._on_crossing(book, event.side)

    def on_snapshot(self, book: BookView, *, trading: bool = True) -> Iterator[MakerFill]:
        """Follow a snapshot; after a gap our orders rejoin their levels at the end. No fills unless ``trading``."""
        if book.key in self._gapped:
            self.rejoin(book.key, book)
        else:
            for order in self._orders.get(book.key, ()):
                order.on_level_size(_level_size(book, order), book.ts_recv)
        if trading:
            yield from self._on_crossing(book, "ask")
            yield from self._on_crossing(book, "bid")

    def on_trade(self, event: Trade) -> Iterator[MakerFill]:
        """Yield the fills by a public trade: its volume goes to our orders by price-time priority.

        Orders at better prices meet it first; of those at its price each waits for the volume ahead of it. A trade
        that does not say who took fills only what it went through, and nothing by the pessimistic model.
        """
        if event.taker_side is None and self._model == "pessimistic":
            return
        for side in _SIDES_HIT[event.taker_side]:
            orders = [
                order
                for order in self._met(event.key, event.ts_recv)
                if order.side == side and order.was_there(event.ts_venue)
            ]
            through = [order for order in orders if order.better_than(event.price)]
            at_price = [order for order in orders if order.price == event.price and event.taker_side is not None]
            if through or at_price:
                yield from self._on_side_hit(event, side, through, at_price)

    def _met(self, key: InstrumentKey, ts: int) -> Sequence[QueuePosition]:
        """Return what a trade told at ``ts`` (ns UTC) may have met: what rests, and what was cancelled only lately."""
        orders, departed = self._orders.get(key, []), self._departed.get(key)
        if not departed:
            return orders
        kept = [order for order in departed if order.left + TOLD_AFTER_MAX >= ts]
        if kept:
            self._departed[key] = kept
        else:
            del self._departed[key]
        if len(kept) < len(departed):
            self._limit_own_ahead(key)
        return sorted((*orders, *kept), key=_priority)

    def unsure(self, book: BookView, side: Side, ts: int) -> int:
        """Return how much of a side may not be there at ``ts`` (ns UTC), from its best level on.

        Others may have taken it in place of what we had consumed, and what we displaced would have met it.
        """
        best = book.best_ask() if side == "ask" else book.best_bid()
        if self._model != "pessimistic" or best is None:
            return 0
        displaced = self.displaced.up_to(book.key, _OPPOSITE[side], best[0])
        return displaced + self._consumed.released(book.key, side, ts)

    def displace_takers(self, event: Trade, book: BookView) -> None:
        """Follow what a taker would have done that in public met what we had taken before: pessimistically.

        It would have traded with the next levels, or have come to rest at a better price than any order of ours.
        """
        if self._model != "pessimistic" or event.taker_side is None:
            return
        hit: Side = "ask" if event.taker_side == "buy" else "bid"
        met = self._consumed.met_by(event.key, hit, event.price, event.size, event.ts_recv)
        if met:
            self._consumed.consume_behind(book, hit, event.price, met)
            self.displaced.add(event.key, _OPPOSITE[hit], ONE if hit == "ask" else Price(0), met)

    def _on_side_hit(
        self, event: Trade, side: Side, through: Sequence[QueuePosition], at_price: Sequence[QueuePosition]
    ) -> Iterator[MakerFill]:
        key, price, volume = event.key, event.price, int(event.size)
        left = max(volume - self._untold(key, side, event.ts_recv), 0)
        fills: list[MakerFill] = []
        for order in through:
            left -= self._meet_first(order, left)
            size = min(left, int(order.remaining))
            left -= min(left, size + self._filled_after(order, event))
            fills.append(MakerFill(order, Size(size)))
        left -= self.displaced.take_better(key, side, price, left)
        reaching, earlier = left, 0
        displaced = self.displaced.at(key, side, price)
        for order in at_price:
            if not order.may_fill(event.ts_venue):
                continue
            order.own_ahead += earlier
            earlier += self._filled_after(order, event)
            # What an earlier order of ours gets is certain to us only by the other models.
            reaches = reaching if self._model == "pessimistic" else left
            size = min(order.on_trade(volume, reaches, event.ts_recv, displaced=displaced), left)
            left -= size
            fills.append(MakerFill(order, Size(size)))
        self._displace(event, side, reaching, left, at_price)
        for fill in fills:
            if fill.size and fill.order.may_fill(event.ts_venue):
                yield self._fill(fill, event)

    def _displace(self, event: Trade, side: Side, reaching: int, left: int, at_price: Sequence[QueuePosition]) -> None:
        """Record how much of others' orders at the trade's price our fills displaced: at most, where pessimistic."""
        if self._model == "optimistic":
            return
        if self._model == "pessimistic":
            left = reaching
            for order in at_price:
                used = min(left, order.displaceable)
                order.displaceable -= used
                left -= used
        displaced = event.size - left
        self.displaced.add(event.key, side, event.price, displaced)
        for order in self._orders.get(event.key, ()):
            # Told late: what was displaced before an order joined was ahead of it, and not shown.
            if (order.side, order.price) == (side, event.price) and (
                event.ts_venue or order.joined + 1
            ) <= order.joined:
                order.ahead += displaced

    def _untold(self, key: InstrumentKey, side: Side, ts: int) -> int:
        """Return how much may have come to rest in front of our orders because it found what we had consumed.

        Known once the trade is told that took the level away.
        """
        return self._consumed.released(key, _OPPOSITE[side], ts) if self._model == "pessimistic" else 0

    def _filled_after(self, order: QueuePosition, event: Trade) -> int:
        return order.filled_after(event.ts_venue) if self._model == "pessimistic" else 0

    def _meet_first(self, order: QueuePosition, volume: int) -> int:
        """Return how much of ``volume``, which comes as far as our price, meets displaced orders before ours."""
        key, side, price = order.key, order.side, order.price
        taken = self.displaced.take_better(key, side, price, volume)
        ahead = self.displaced.take(key, side, price, min(volume - taken, order.ahead))
        order.ahead -= ahead
        return taken + ahead

    def _met_first(self, order: QueuePosition, volume: int, ts: int) -> int:
        """Return the same of an opposite level; a trade of before, told after it, will meet them as well."""
        key, side, price = order.key, order.side, order.price
        at_price = self.displaced.at(key, side, price)
        better = self.displaced.up_to(key, side, price) - at_price + self._untold(key, side, ts)
        return min(volume, better + min(at_price, order.ahead))

    def _on_crossing(self, book: BookView, side: Side) -> Iterator[MakerFill]:
        """Yield the fills of our orders by the levels of ``side`` that cross them."""
        for order in tuple(self._orders.get(book.key, ())):
            best = book.best_ask() if side == "ask" else book.best_bid()
            if order.side == side or best is None or not order.crossed_by(best[0]):
                continue
            for price, size in tuple(self._consumed.remaining(book, side)):
                if not order.remaining or not order.crossed_by(price):
                    break
                first = self._met_first(order, size, book.ts_recv)
                taken = min(size - first, int(order.remaining))
                self._consumed.consume(book, side, price, first + taken)
                if taken and not order.doubtful:
                    yield self._fill(MakerFill(order, Size(taken)), book)

    def _fill(self, fill: MakerFill, cause: Trade | BookView) -> MakerFill:
        order = fill.order
        order.filled(fill.size, cause.ts_recv if cause.ts_venue is None else cause.ts_venue)
        if order.remaining:
            self._limit_own_ahead(order.key)
        else:
            self._depart(order, cause.ts_recv)
        return fill

    def _depart(self, order: QueuePosition, ts: int) -> None:
        order.left = ts
        departed = self._departed.setdefault(order.key, [])
        departed[:] = [each for each in departed if each.left + TOLD_AFTER_MAX >= ts]
        departed.append(order)
        self._take_out(order)

    def _take_out(self, order: QueuePosition) -> None:
        self._orders[order.key].remove(order)
        self._limit_own_ahead(order.key)
        if not self._orders[order.key]:
            del self._orders[order.key]

    def _join(self, order: QueuePosition, book: BookView | None, ts: int) -> None:
        if book is None:
            order.join(_UNKNOWN, ts=ts)
            return
        order.join(
            _level_size(book, order),
            displaced=self.displaced.at(order.key, order.side, order.price),
            own_ahead=self._own_ahead(order),
            ts=max(ts, book.ts_venue or 0),
        )

    def _limit_own_ahead(self, key: InstrumentKey) -> None:
        """Orders of ours have at most ahead of them what is left of earlier ones of ours."""
        for order in self._orders.get(key, ()):
            if order.own_ahead:
                order.own_ahead = min(order.own_ahead, self._own_ahead(order))

    def _own_ahead(self, order: QueuePosition) -> int:
        """Return what is left of our earlier orders at the price of ``order``, those cancelled lately included."""
        return sum(
            each.remaining
            for each in (*self._orders[order.key], *self._departed.get(order.key, ()))
            if each.side == order.side and each.price == order.price and each.arrival < order.arrival
        )


def _priority(order: QueuePosition) -> tuple[Side, int, int]:
    return order.side, -order.price if order.side == "bid" else order.price, order.arrival


def _level_size(book: BookView, order: QueuePosition) -> Size:
    return (book.bids if order.side == "bid" else book.asks).size_at(order.price)
