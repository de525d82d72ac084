"""Orders, portfolio and order groups of all strategies, changed together: one event changes all three or none.

The engine applies live events through it and the journal applies recorded ones, so that a restart arrives at the
same account.
"""

from collections.abc import Mapping
from copy import deepcopy

from msgspec.structs import replace

from predsurv.core.events import (
    AccountEvent,
    Fill,
    FillConfirmed,
    FillFailed,
    MarketResolved,
    RebatePaid,
)
from predsurv.core.ids import ClientOrderId, OrderId, VenueName
from predsurv.core.num import Money, Size
from predsurv.core.orders import PlaceOrder
from predsurv.core.reconciliation import Correction
from predsurv.engine.account.failing import FailingFills
from predsurv.engine.account.groups import OrderGroups
from predsurv.engine.account.orders import ApplyResult, Orders
from predsurv.engine.account.portfolio import Portfolio, Settlement


class TradingAccount:
    """Everything we own and have ordered; ``cash`` is what each venue starts with, ``placed`` counts orders."""

    def __init__(self, cash: Mapping[VenueName, Money]) -> None:
        self.orders = Orders()
        self.portfolio = Portfolio(cash)
        self.groups = OrderGroups()
        self.placed = 0
        self._failing = FailingFills(self.portfolio)

    def holdings(self) -> "TradingAccount":
        """Return an account that owns the same, baskets included, and has ordered nothing."""
        made = TradingAccount({})
        made.portfolio, made.groups = deepcopy(self.portfolio), deepcopy(self.groups)
        made._failing = FailingFills(made.portfolio)
        return made

    def place(self, command: PlaceOrder, ts: int) -> None:
        """Add an order that is about to be sent at ``ts``; raises BrokenInvariant for an id used before."""
        self.orders.place(command, ts)
        self.groups.place(command, ts)
        self.portfolio.followed.add((command.key.venue, command.key.market_id))
        self.placed += 1

    def apply(self, event: AccountEvent) -> ApplyResult:
        """Fold a broker's event in; raises BrokenInvariant, changing nothing, for a fill that cannot be.

        A fill that failed is taken back as if it had never been told. Where shares were sold that only it brought, it
        waits until that sale has failed too, which venues tell in any order.
        """
        if isinstance(event, FillConfirmed | FillFailed):
            return self._end(event)
        if not isinstance(event, Fill):
            return self.orders.apply(event)
        order = self.orders.get(event.client_order_id)
        if order is None:
            return "foreign"
        told = self.orders.told(event.key, event.trade_id)
        if told not in (None, "confirmed_early"):
            return "stale" if told == "failed" else "duplicate"
        self.portfolio.check(order.strategy, event)  # before anything changes: all or nothing
        self.orders.apply(event)
        self.portfolio.fill(order.strategy, event)
        if order.group is not None:
            self.groups.fill(order.group, event)
        if told == "confirmed_early":
            self.portfolio.unconfirmed.confirm(event.key, event.trade_id)
        return "applied"

    def _end(self, event: FillConfirmed | FillFailed) -> ApplyResult:
        result = self.orders.apply(event)
        if result != "applied":
            return result
        if isinstance(event, FillConfirmed):
            self.portfolio.unconfirmed.confirm(event.key, event.trade_id)
            return result
        for failed in self._failing.on_failure(event):
            order = self.orders.get(failed.fill.client_order_id)
            self._note_failed(failed.fill)
            if order is not None and order.group is not None:
                self.groups.fail(order.group, failed.fill)
        return result

    def name(self, client_order_id: ClientOrderId, order_id: OrderId) -> None:
        """Let an order that is about to be sent have the id by which the venue will know it."""
        self.orders.amend(client_order_id, lambda order: replace(order, order_id=order.order_id or order_id))

    def _note_failed(self, fill: Fill) -> None:
        """Say of the order of a fill that this part of it never came about."""
        self.orders.amend(fill.client_order_id, lambda order: replace(order, failed=Size(order.failed + fill.size)))

    def settle(self, event: MarketResolved) -> tuple[Settlement, ...]:
        """Pay out a resolved market; return what was paid, by strategy and instrument."""
        self.groups.settle(event)
        return self.portfolio.settle(event)

    def credit(self, event: RebatePaid | Correction) -> Money:
        """Book a rebate or a correction; return what there is more (negative: less), micros."""
        return self.portfolio.credit(event)

    def forget_payouts(self) -> None:
        """Let resolved markets be traded again: only the mock venue lists the same markets twice."""
        self.portfolio.forget_payouts()
        self.groups.forget_payouts()
