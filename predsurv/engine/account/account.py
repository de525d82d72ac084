"""Orders, holdings and baskets moved together, so that one event changes all three or none.

Kept apart because the engine while trading and the journal while restarting must do exactly the
same with the same facts.
"""

from collections.abc import Mapping

from predsurv.core.events import AccountEvent, Fill, MarketResolved
from predsurv.core.ids import VenueName
from predsurv.core.num import Money
from predsurv.core.orders import PlaceOrder
from predsurv.engine.account.groups import OrderGroups
from predsurv.engine.account.orders import Applied, OrderStore
from predsurv.engine.account.portfolio import Portfolio, Settlement


class TradingAccount:
    """Everything that is ours; ``cash`` is what each venue starts with."""

    def __init__(self, cash: Mapping[VenueName, Money]) -> None:
        self.blotter = OrderStore()
        self.portfolio = Portfolio(cash)
        self.baskets = OrderGroups()
        self.placed = 0

    def place(self, command: PlaceOrder, ts: int) -> None:
        """Take in an order about to be sent at ``ts``."""
        self.blotter.place(command, ts)
        self.baskets.place(command, ts)
        self.placed += 1

    def apply(self, event: AccountEvent) -> Applied:
        """Fold in what a broker said; raises BrokenInvariant for a fill that cannot be."""
        if not isinstance(event, Fill):
            return self.blotter.apply(event)
        order = self.blotter.order(event.client_order_id)
        if order is None:
            return "foreign"
        if self.blotter.booked(event):
            return "duplicate"
        self.portfolio.check(order.strategy, event)  # before anything moves: all or nothing
        self.blotter.apply(event)
        self.portfolio.fill(order.strategy, event)
        if order.group is not None:
            self.baskets.fill(order.group, event)
        return "applied"

    def settle(self, event: MarketResolved) -> tuple[Settlement, ...]:
        """Pay out a resolved market; returns what was turned into money."""
        self.baskets.settle(event)
        return self.portfolio.settle(event)

    def forget_payouts(self) -> None:
        """Let resolved markets be traded again: only a made-up venue lists them twice."""
        self.portfolio.forget_payouts()
        self.baskets.forget_payouts()
