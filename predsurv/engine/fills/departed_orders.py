"""Our orders that left their book, filled or cancelled: a trade that is told late may have met them."""

from collections.abc import Collection, Iterator, Sequence

from predsurv.core.ids import InstrumentKey
from predsurv.engine.books.consumed import TOLD_AFTER_MAX
from predsurv.engine.fills.queue_position import QueuePosition


class DepartedOrders:
    """Orders by the instrument in whose book they rested, in the order in which they left; times ns UTC."""

    def __init__(self) -> None:
        self._orders: dict[InstrumentKey, list[QueuePosition]] = {}

    def add(self, order: QueuePosition) -> None:
        """Keep an order that has just left, and forget those of its book that left long before it."""
        self._orders[order.key] = [*self.lately(order.key, order.left), order]

    def forget(self, key: InstrumentKey, ts: int) -> bool:
        """Forget the orders that left a book long before ``ts``; return whether there were any."""
        known = self._orders.get(key, [])
        kept = list(self.lately(key, ts))
        if kept:
            self._orders[key] = kept
        else:
            self._orders.pop(key, None)
        return len(kept) < len(known)

    def instruments(self) -> Collection[InstrumentKey]:
        """Return the instruments of which orders are kept."""
        return self._orders

    def of(self, key: InstrumentKey) -> Sequence[QueuePosition]:
        """Return the orders of a book that are kept."""
        return self._orders.get(key, ())

    def lately(self, key: InstrumentKey, ts: int) -> Iterator[QueuePosition]:
        """Yield those that left so lately before ``ts`` that a trade which met them may still be told."""
        return (order for order in self._orders.get(key, ()) if order.left + TOLD_AFTER_MAX >= ts)
