"""Orders that the venue holds for a while before they may trade on arrival."""

from msgspec import Struct

from predsurv.core.ids import ClientOrderId, MarketId, VenueName
from predsurv.core.orders import PlaceOrder


class DelayedOrder(Struct, frozen=True):
    """An order that the venue holds until ``until`` (ns UTC)."""

    command: PlaceOrder
    until: int


class DelayedOrders:
    """Delayed orders by client order id."""

    def __init__(self) -> None:
        self._orders: dict[ClientOrderId, DelayedOrder] = {}

    def add(self, order: DelayedOrder) -> None:
        """Hold an order."""
        self._orders[order.command.client_order_id] = order

    def until(self, client_order_id: ClientOrderId) -> int | None:
        """Return when the delay of an order ends (ns UTC), None when it is not delayed."""
        order = self._orders.get(client_order_id)
        return None if order is None else order.until

    def end(self, client_order_id: ClientOrderId) -> bool:
        """End the delay of an order; return False when it was cancelled meanwhile."""
        return self._orders.pop(client_order_id, None) is not None

    def of_market(self, venue: VenueName, market_id: MarketId) -> tuple[PlaceOrder, ...]:
        """Return every delayed order of a market."""
        return tuple(each for each in self.all() if each.key.venue == venue and each.key.market_id == market_id)

    def all(self) -> tuple[PlaceOrder, ...]:
        """Return every delayed order."""
        return tuple(each.command for each in self._orders.values())
