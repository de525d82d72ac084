"""Our resting orders, and which of them an event fills."""

from collections.abc import Iterator
from typing import Final

from msgspec import Struct

from predsurv.core.events import BookDelta, Trade
from predsurv.core.ids import ClientOrderId, InstrumentKey, MarketId, Side, VenueName
from predsurv.core.num import Size
from predsurv.engine.books.consumed import ConsumedLiquidity
from predsurv.engine.fills.queue_position import QueuePosition
from predsurv.state.book import BookView

_UNKNOWN: Final = Size(1 << 62)
"""The volume ahead of an order whose level is not known: more than can ever trade."""


class MakerFill(Struct, frozen=True):
    """A resting order traded ``size`` at its own price."""

    order: QueuePosition
    size: Size


class RestingOrders:
    """Resting orders by the instrument in whose book they rest.

    An instrument is in ``_gapped`` while its orders have lost their place: after a gap, or on arrival without a book.
    """

    def __init__(self, consumed: ConsumedLiquidity) -> None:
        self._consumed = consumed
        self._orders: dict[InstrumentKey, list[QueuePosition]] = {}
        self._gapped: set[InstrumentKey] = set()

    def add(self, order: QueuePosition, book: BookView | None) -> None:
        """Rest an order at the end of its level; without a book it joins at the next snapshot."""
        if book is None:
            self._gapped.add(order.key)
            order.join(_UNKNOWN)
        else:
            order.join(_level_size(book, order))
        orders = self._orders.setdefault(order.key, [])
        orders.append(order)
        # Price-time priority: better prices first, then earlier arrivals.
        orders.sort(key=lambda each: (each.side, -each.price if each.side == "bid" else each.price, each.arrival))

    def remove(self, client_order_id: ClientOrderId) -> QueuePosition | None:
        """Remove and return an order, None when it does not rest here."""
        for key, orders in self._orders.items():
            for order in orders:
                if order.command.client_order_id == client_order_id:
                    orders.remove(order)
                    if not orders:
                        del self._orders[key]
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
            order.join(_level_size(book, order))

    def all(self) -> tuple[QueuePosition, ...]:
        """Return every resting order."""
        return tuple(order for orders in self._orders.values() for order in orders)

    def on_delta(self, event: BookDelta, book: BookView, *, trading: bool = True) -> Iterator[MakerFill]:
        """Follow a level change and yield the fills by an opposite level that crosses us, none unless ``trading``."""
        for order in self._orders.get(event.key, ()):
            if order.side == event.side and order.price == event.price:
                order.on_level_size(event.size)
        if event.size and trading:
            yield from self._on_crossing(book, event.side)

    def on_snapshot(self, book: BookView, *, trading: bool = True) -> Iterator[MakerFill]:
        """Follow a snapshot; after a gap our orders rejoin their levels at the end. No fills unless ``trading``."""
        if book.key in self._gapped:
            self.rejoin(book.key, book)
        else:
            for order in self._orders.get(book.key, ()):
                order.on_level_size(_level_size(book, order))
        if trading:
            yield from self._on_crossing(book, "ask")
            yield from self._on_crossing(book, "bid")

    def on_trade(self, event: Trade) -> Iterator[MakerFill]:
        """Yield the fills by a public trade: its volume goes to our orders by price-time priority."""
        volume = int(event.size)
        for order in tuple(self._orders.get(event.key, ())):
            if order.side == ("bid" if event.taker_side == "buy" else "ask") and event.taker_side is not None:
                continue  # the taker was on our own side
            if order.better_than(event.price):
                size = min(int(order.remaining), volume)
            elif order.price == event.price and event.taker_side is not None:
                size = order.on_trade(volume)
            else:
                continue
            volume -= size
            if size:
                yield self._fill(order, size)

    def _on_crossing(self, book: BookView, side: Side) -> Iterator[MakerFill]:
        """Yield the fills of our orders by the levels of ``side`` that cross them."""
        for order in tuple(self._orders.get(book.key, ())):
            best = book.best_ask() if side == "ask" else book.best_bid()
            if order.side == side or best is None or not order.crossed_by(best[0]):
                continue
            for price, size in tuple(self._consumed.remaining(book, side)):
                if not order.remaining or not order.crossed_by(price):
                    break
                taken = min(size, order.remaining)
                self._consumed.consume(book, side, price, taken)
                yield self._fill(order, taken)

    def _fill(self, order: QueuePosition, size: int) -> MakerFill:
        order.remaining = Size(order.remaining - size)
        if not order.remaining:
            self.remove(order.command.client_order_id)
        return MakerFill(order, Size(size))


def _level_size(book: BookView, order: QueuePosition) -> Size:
    return (book.bids if order.side == "bid" else book.asks).size_at(order.price)
