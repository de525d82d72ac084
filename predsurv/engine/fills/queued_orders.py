"""Our orders in the queues of each book: those at rest, and those that left lately, which late trades may have met."""

from collections.abc import Sequence
from typing import Final

from predsurv.core.events import Trade
from predsurv.core.ids import ClientOrderId, InstrumentKey, MarketId, Side, VenueName
from predsurv.core.num import Size
from predsurv.engine.fills.departed_orders import DepartedOrders
from predsurv.engine.fills.queue_position import QueuePosition
from predsurv.state.book import BookView

_UNKNOWN: Final = Size(1 << 62)
"""The volume ahead of an order whose level is not known: more than can ever trade."""


class QueuedOrders:
    """Orders by the instrument in whose book they rest, by price-time priority; ``departed``: those that rested.

    ``touched``: the instruments of which other orders are here than before, until whoever follows them clears it.
    """

    def __init__(self) -> None:
        self.touched: dict[InstrumentKey, None] = {}
        self._orders: dict[InstrumentKey, list[QueuePosition]] = {}
        self.departed = DepartedOrders()

    def add(self, order: QueuePosition) -> None:
        """Add an order; it has no place in its queue before ``join``."""
        self.touched[order.key] = None
        orders = self._orders.setdefault(order.key, [])
        orders.append(order)
        # Price-time priority: better prices first, then earlier arrivals.
        orders.sort(key=_priority)

    def find(self, client_order_id: ClientOrderId) -> QueuePosition | None:
        """Return the order that rests under this id, None when there is none."""
        for orders in self._orders.values():
            for order in orders:
                if order.command.client_order_id == client_order_id:
                    return order
        return None

    def of(self, key: InstrumentKey) -> Sequence[QueuePosition]:
        """Return what rests in a book, best price and earliest first."""
        return self._orders.get(key, ())

    def of_market(self, venue: VenueName, market_id: MarketId) -> tuple[QueuePosition, ...]:
        """Return every order of a market."""
        keys = [key for key in self._orders if key.venue == venue and key.market_id == market_id]
        return tuple(order for key in keys for order in self._orders[key])

    def all(self) -> tuple[QueuePosition, ...]:
        """Return every resting order."""
        return tuple(order for orders in self._orders.values() for order in orders)

    def met(self, key: InstrumentKey, ts: int) -> Sequence[QueuePosition]:
        """Return what a trade told at ``ts`` (ns UTC) may have met: what rests, and what left only lately."""
        orders = self._orders.get(key, [])
        if not self.departed.of(key):
            return orders
        if self.departed.forget(key, ts):
            self.touched[key] = None
            self._limit_own_ahead(key)
        return sorted((*orders, *self.departed.of(key)), key=_priority)

    def join(self, order: QueuePosition, book: BookView | None, ts: int, displaced: int) -> None:
        """Give an order the last place of its level at ``ts`` (ns UTC); without a book it waits for one."""
        if book is None:
            order.join(_UNKNOWN, ts=ts)
            return
        own_ahead = self._own_ahead(order)
        order.join(level_size(book, order), displaced=displaced, own_ahead=own_ahead, ts=max(ts, book.ts_venue or 0))

    def fill(self, order: QueuePosition, size: int, cause: Trade | BookView) -> None:
        """Book a fill of an order by a trade or a level."""
        order.filled(size, cause.ts_recv if cause.ts_venue is None else cause.ts_venue)
        if order.remaining:
            self._limit_own_ahead(order.key)
        else:
            self.depart(order, cause.ts_recv)

    def depart(self, order: QueuePosition, ts: int) -> None:
        """Take an order out that was filled or cancelled at ``ts`` (ns UTC)."""
        order.left = ts
        self.touched[order.key] = None
        self.departed.add(order)
        self._orders[order.key].remove(order)
        self._limit_own_ahead(order.key)
        if not self._orders[order.key]:
            del self._orders[order.key]

    def _limit_own_ahead(self, key: InstrumentKey) -> None:
        """Orders of ours have at most ahead of them what is left of earlier ones of ours."""
        for order in self._orders.get(key, ()):
            if order.own_ahead:
                order.own_ahead = min(order.own_ahead, self._own_ahead(order))

    def _own_ahead(self, order: QueuePosition) -> int:
        """Return what is left of our earlier orders at the price of ``order``, those that left lately included."""
        return sum(
            each.remaining
            for each in (*self._orders[order.key], *self.departed.of(order.key))
            if each.side == order.side and each.price == order.price and each.arrival < order.arrival
        )


def level_size(book: BookView, order: QueuePosition) -> Size:
    """Return the size of the level at which an order rests."""
    return (book.bids if order.side == "bid" else book.asks).size_at(order.price)


def _priority(order: QueuePosition) -> tuple[Side, int, int]:
    return order.side, -order.price if order.side == "bid" else order.price, order.arrival
