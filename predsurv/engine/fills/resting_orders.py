"""Our resting orders and which of them an event fills.

Kept apart from the matching of arriving orders: those take what the book shows, these wait for
the market to come to them.
"""

from collections.abc import Iterator
from typing import Final

from msgspec import Struct

from predsurv.core.events import BookDelta, Gap, Trade
from predsurv.core.ids import ClientOrderId, InstrumentKey, MarketId, Side, VenueName
from predsurv.core.num import Size
from predsurv.engine.books.consumed import ConsumedLiquidity
from predsurv.engine.fills.queue_position import QueuePosition
from predsurv.state.book import Book

_UNKNOWN: Final = Size(1 << 62)
"""The volume ahead of an order whose level cannot be seen: nothing gets past it."""


class RestingFill(Struct, frozen=True):
    """A resting order traded ``size`` at its own price."""

    order: QueuePosition
    size: Size


class RestingOrders:
    """Resting orders by the instrument whose book they stand in."""

    def __init__(self, liquidity: ConsumedLiquidity) -> None:
        self._liquidity = liquidity
        self._orders: dict[InstrumentKey, list[QueuePosition]] = {}
        self._blind: set[InstrumentKey] = set()

    def add(self, order: QueuePosition, book: Book | None) -> None:
        """Let an order rest at the end of its level; without a book it joins at the next snapshot."""
        if book is None:
            self._blind.add(order.key)
            order.join(_UNKNOWN)
        else:
            order.join(_level(book, order))
        orders = self._orders.setdefault(order.key, [])
        orders.append(order)
        # Better prices first, then who came first: the order in which the market reaches them.
        orders.sort(key=lambda each: (each.side, -each.price if each.side == "bid" else each.price, each.arrival))

    def remove(self, client_order_id: ClientOrderId) -> QueuePosition | None:
        """Take an order out; None when it does not rest here."""
        for key, orders in self._orders.items():
            for order in orders:
                if order.command.client_order_id == client_order_id:
                    orders.remove(order)
                    if not orders:
                        del self._orders[key]
                    return order
        return None

    def remove_market(self, venue: VenueName, market_id: MarketId) -> tuple[QueuePosition, ...]:
        """Take every order of a market out."""
        keys = [key for key in self._orders if key.venue == venue and key.market_id == market_id]
        return tuple(order for key in keys for order in self._orders.pop(key))

    def all(self) -> tuple[QueuePosition, ...]:
        """Return every resting order."""
        return tuple(order for orders in self._orders.values() for order in orders)

    def watches(self, key: InstrumentKey) -> bool:
        """Return whether any order rests in the book of ``key``."""
        return key in self._orders

    def on_gap(self, event: Gap) -> None:
        """Remember that places in this queue are lost."""
        if event.key in self._orders:
            self._blind.add(event.key)

    def on_delta(self, event: BookDelta, book: Book) -> Iterator[RestingFill]:
        """Follow a level change and yield what the new opposite side trades with."""
        for order in self._orders.get(event.key, ()):
            if order.side == event.side and order.price == event.price:
                order.resized(event.size)
        if event.size:
            yield from self._on_crossing(book, event.side)

    def on_book(self, book: Book) -> Iterator[RestingFill]:
        """Follow a snapshot: who lost his place in a gap goes to the end."""
        lost = book.key in self._blind
        self._blind.discard(book.key)
        for order in self._orders.get(book.key, ()):
            if lost:
                order.join(_level(book, order))
            else:
                order.resized(_level(book, order))
        yield from self._on_crossing(book, "ask")
        yield from self._on_crossing(book, "bid")

    def on_trade(self, event: Trade) -> Iterator[RestingFill]:
        """Let a public trade work through the queues that it reached."""
        volume = int(event.size)
        for order in tuple(self._orders.get(event.key, ())):
            if order.side == ("bid" if event.taker_side == "buy" else "ask") and event.taker_side is not None:
                continue  # the taker stood on our own side
            if order.beats(event.price):
                size = min(int(order.remaining), volume)
            elif order.price == event.price and event.taker_side is not None:
                size = order.traded(volume)
            else:
                continue
            volume -= size
            if size:
                yield self._hit(order, size)

    def _on_crossing(self, book: Book, side: Side) -> Iterator[RestingFill]:
        """Yield our orders that levels of ``side`` would have traded with."""
        for order in tuple(self._orders.get(book.key, ())):
            best = book.best_ask() if side == "ask" else book.best_bid()
            if order.side == side or best is None or not order.crossed_by(best[0]):
                continue
            for price, size in tuple(self._liquidity.left(book, side)):
                if not order.remaining or not order.crossed_by(price):
                    break
                taken = min(size, order.remaining)
                self._liquidity.take(book, side, price, taken)
                yield self._hit(order, taken)

    def _hit(self, order: QueuePosition, size: int) -> RestingFill:
        order.remaining = Size(order.remaining - size)
        if not order.remaining:
            self.remove(order.command.client_order_id)
        return RestingFill(order, Size(size))


def _level(book: Book, order: QueuePosition) -> Size:
    return (book.bids if order.side == "bid" else book.asks).size_at(order.price)
