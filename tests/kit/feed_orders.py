"""A strategy whose orders follow from the feed alone, whatever becomes of them: the same on paper and at a venue."""

import predsurv
from predsurv.core.events import BookDelta, Event
from predsurv.core.ids import ClientOrderId, InstrumentKey
from predsurv.core.num import MICROS, Price, Size
from predsurv.core.orders import CancelIntent, Decision
from predsurv.state.view import View

TAKE_EVERY = 15
"""Offers heard of between two orders that take."""
REST_EVERY = 20
RESTS_FOR = 60
"""How many offers are heard of between the first one after an order was placed and its cancel.

Counted, not timed: the time at which an order was approved also follows from the answers that came before it.
"""
_CLIP = Size(10 * MICROS)
_LOWEST = Price(10_000)


class FeedOrders(predsurv.Strategy):
    """Takes at the best ask now and then, rests far below the market, and cancels what has rested long enough."""

    signals = frozenset({"take", "rest", "cancel"})
    interest = predsurv.Interest(trades=False, ticks=False)

    def __init__(self, params: object = None, **values: object) -> None:
        super().__init__(params, **values)
        self.heard = 0
        self.first_seen: dict[ClientOrderId, int] = {}
        self.cancelled: set[ClientOrderId] = set()

    def on_event(self, event: Event, view: View) -> tuple[Decision, ...]:
        """Count offers that are heard of, and act on some of them.

        An offer is taken from the event: the book is, on paper, less what was taken of it before.
        """
        if not isinstance(event, BookDelta) or event.side != "ask" or not event.size:
            return ()
        if not 200_000 <= event.price <= 800_000:
            return ()
        self.heard += 1
        if self.heard % TAKE_EVERY == 0:
            return (self.buy(event.key, event.price, _CLIP, signal="take", tif="ioc"),)
        if self.heard % REST_EVERY == 7:
            return (self.buy(event.key, _LOWEST, _CLIP, signal="rest", tif="gtc", post_only=True),)
        return self._cancel(view)

    def _cancel(self, view: View) -> tuple[Decision, ...]:
        """Cancel what has rested long enough where trading goes on; where it does not, the venue ends orders itself."""
        resting = [each for each in view.open_orders(self.name) if each.tif == "gtc"]
        for each in resting:
            self.first_seen.setdefault(each.client_order_id, self.heard)
        old = [
            each.client_order_id
            for each in resting
            if self.first_seen[each.client_order_id] + RESTS_FOR <= self.heard and _is_active(each.key, view)
        ]
        wanted = [each for each in old if each not in self.cancelled]
        self.cancelled.update(wanted)
        return tuple(CancelIntent(self.name, each, "cancel") for each in wanted)


def _is_active(key: InstrumentKey, view: View) -> bool:
    market = view.market(key.venue, key.market_id)
    return market is not None and market.status == "active"
