"""From what a venue tells of orders to account events: each once, and the end of an order after all its fills."""

import logging
from collections.abc import Callable, Iterable
from typing import Final

from msgspec.structs import replace

from predsurv.core.events import (
    AccountEvent,
    OrderAccepted,
    OrderCancelled,
    OrderRejected,
    OrderUnknown,
)
from predsurv.core.ids import InstrumentKey, OrderId
from predsurv.core.market import NO_FEE, Market
from predsurv.core.orders import LIVE_STATES, Order
from predsurv.ports import Clock
from predsurv.venues.account_reports import AccountReport, KnownFees, OrderReport, TradeReport, is_of, trade_events
from predsurv.venues.execution.gateway import InTermsOf
from predsurv.venues.execution.tracked_orders import TrackedOrder, TrackedOrders

ABSENT_AFTER: Final = 5_000_000_000
"""An order that the venue does not know this long (ns) after it was sent is taken for one that never arrived.

What the venue's machines did not acknowledge within ``net.http.UNACKNOWLEDGED_MAX`` is not sent again by this one; the
rest is time for the venue to carry it out. Should it show up even later, it is cancelled.
"""

_LOG = logging.getLogger(__name__)

MarketOf = Callable[[InstrumentKey], Market | None]
Tell = Callable[[AccountEvent], None]


class OrderFollowing:
    """Follows the orders of one account; ``tell`` hears of every event.

    ``on_named`` is called with an order that the venue has just said to exist. ``is_foreign``: something was told of an
    order that nobody here placed.
    """

    def __init__(
        self,
        in_terms_of: InTermsOf,
        market_of: MarketOf,
        clock: Clock,
        tell: Tell,
        on_named: Callable[[TrackedOrder], None],
    ) -> None:
        self.orders = TrackedOrders()
        self.is_foreign = False
        self._in_terms_of, self._market_of, self._clock, self._tell, self._on_named = (
            in_terms_of,
            market_of,
            clock,
            tell,
            on_named,
        )

    def adopt(self, orders: Iterable[Order]) -> None:
        """Follow orders of an earlier run: what became of those that may be open is asked for.

        The others are kept for what is told late: that a trade settled or failed.
        """
        for order in orders:
            ago = min(max(self._clock.now() - order.submitted, 0), ABSENT_AFTER)
            tracked = TrackedOrder(order, self._clock.monotonic() - ago, is_accepted=order.state == "open")
            tracked.placed.set()
            self.orders.add(tracked)
            if order.state in LIVE_STATES:
                tracked.is_unknown = True
                self.orders.asked[order.client_order_id] = None
            else:
                tracked.is_denied = order.state == "rejected"
                self.orders.finish(tracked)

    def absorb(self, report: AccountReport) -> None:
        """Take in what the venue tells, by whichever way."""
        if not isinstance(report, OrderReport | TradeReport):
            return
        tracked = self.orders.of(report)
        if tracked is None:
            self.is_foreign = True
            return
        if tracked.is_denied and _shows(report, tracked):
            self._revive(tracked)
        if isinstance(report, TradeReport):
            told = self._in_terms_of(report, tracked.order.key)
            if is_of(told, tracked.order):
                self.orders.name(tracked, report.order_id)
                self._on_trade(tracked, told)
            else:
                self.doubt(tracked, "the venue reports a trade of another instrument or side for this order")
        elif report.state == "open":
            self.accept(tracked, report.order_id)
        else:
            self.orders.name(tracked, report.order_id)
            tracked.end = report
        self._end_if_told(tracked)

    def accept(self, tracked: TrackedOrder, order_id: OrderId) -> None:
        """Take note that an order exists."""
        self.orders.name(tracked, order_id)
        order = tracked.order
        if tracked.is_over or (tracked.is_accepted and not tracked.is_unknown):
            return
        tracked.is_accepted, tracked.is_unknown = True, False
        tracked.hear(self._clock.monotonic())
        self._tell(OrderAccepted(order.key, self._clock.now(), order.client_order_id, order_id))
        self._on_named(tracked)

    def doubt(self, tracked: TrackedOrder, reason: str) -> None:
        """Take note that nobody can tell what became of a request: the order is unknown unless it was told to exist."""
        order = tracked.order
        self.orders.asked[order.client_order_id] = None
        if not tracked.is_accepted and not tracked.is_over:
            tracked.is_unknown = True
            self._tell(OrderUnknown(order.key, self._clock.now(), order.client_order_id, reason))

    def refuse(self, tracked: TrackedOrder, reason: str) -> None:
        """Take note that an order certainly does not exist; one that was told to exist is asked for instead."""
        if tracked.is_accepted or tracked.trades:
            self.orders.asked[tracked.order.client_order_id] = None
        else:
            self._finish(tracked, OrderRejected, reason)

    def end(self, tracked: TrackedOrder, reason: str) -> None:
        """Take note that an order is over and that all of its trades were told."""
        self._finish(tracked, OrderCancelled, reason)

    def absent(self, tracked: TrackedOrder, asked: int) -> None:
        """Take note that the venue, ``asked`` (ns, monotonic) for an order and its trades, does not have it.

        An answer may be as old as its question: what was first heard of after that has arrived meanwhile, and is asked
        for again.
        """
        if tracked.heard is not None and asked < tracked.heard:
            self.orders.asked[tracked.order.client_order_id] = None
        elif tracked.is_accepted or tracked.trades:
            self.end(tracked, "the venue does not have it any more")
        elif asked - tracked.sent >= ABSENT_AFTER:
            self._finish(tracked, OrderRejected, "the venue does not know it: it never arrived")

    def _revive(self, tracked: TrackedOrder) -> None:
        """Follow an order again that was told not to exist or to be over; cancel what rests: nobody waits for it."""
        order = tracked.order
        _LOG.warning(
            "%s has order %s after all, which seemed not to be there: what rests of it is cancelled",
            order.key.venue,
            order.client_order_id,
        )
        self.orders.revive(tracked)
        tracked.is_denied, tracked.is_unknown, tracked.cancel_wanted = False, True, True
        self.orders.asked[order.client_order_id] = None

    def _on_trade(self, tracked: TrackedOrder, report: TradeReport) -> None:
        before = tracked.settlements.get(report.trade_id)
        if before == report.settlement or before in ("settled", "failed"):
            return  # it is read again and again, by either way
        if report.settlement == "failed" and report.trade_id not in tracked.trades:
            # That it matched was told to nobody, or to an earlier run: it took its part of the order all the same.
            self._on_trade(tracked, replace(report, settlement="matched"))
        tracked.hear(self._clock.monotonic())
        tracked.settlements[report.trade_id] = report.settlement
        parts = tracked.trades.setdefault(report.trade_id, report.parts)  # its later states are of the same parts
        market = self._market_of(tracked.order.key)
        fees = KnownFees(NO_FEE if market is None else market.fee, market is None or "fee" in market.assumed)
        for event in trade_events(replace(report, parts=parts), tracked.order, fees):
            self._tell(event)

    def _end_if_told(self, tracked: TrackedOrder) -> None:
        end = tracked.end
        if end is None or tracked.is_over:
            return
        if tracked.told < end.filled:
            self.orders.asked[tracked.order.client_order_id] = None  # for the trades that are missing
        else:
            self.end(tracked, end.reason or "over at the venue")

    def _finish(self, tracked: TrackedOrder, kind: type[OrderCancelled] | type[OrderRejected], reason: str) -> None:
        if tracked.is_over:
            return
        self.orders.finish(tracked)
        tracked.is_denied = kind is OrderRejected
        order = tracked.order
        if tracked.told < order.size:  # else its fills say that it is over
            self._tell(kind(order.key, self._clock.now(), order.client_order_id, reason))


def _shows(report: OrderReport | TradeReport, tracked: TrackedOrder) -> bool:
    """Return whether a report says that an order exists, or that it traded more than was told."""
    if isinstance(report, TradeReport):
        return report.trade_id not in tracked.trades
    return report.filled > tracked.told or (report.state == "open" and tracked.end is None)
