"""Orders that were sent, by our id and by the venue's, with what the venue has told of each so far.

An order ends here only when everything is told that traded: a cancellation may overtake fills of the same order.
"""

import asyncio
from collections.abc import Collection
from typing import Final

from msgspec import Struct, field
from msgspec.structs import replace

from predsurv.core.ids import ClientOrderId, InstrumentKey, MarketId, OrderId, TradeId, VenueName
from predsurv.core.num import Size
from predsurv.core.orders import RESTING, Order
from predsurv.venues.account_reports import OrderReport, Settlement, TradePart, TradeReport

OVER_KEPT_MAX: Final = 10_000
"""Orders kept after their end, for late messages; beyond it the oldest is forgotten."""


class TrackedOrder(Struct):
    """``order`` as it was placed, with the venue's id once that is known.

    ``placed`` is set when the request was answered, or never will be. ``is_accepted``: the venue said that it exists.
    ``trades``: what was told of its trades first, by id;
    ``settlements``: what was told last. ``end``: the report that it is over. ``is_over``: all that it
    traded was told, too.
    ``is_denied``: it was told not to exist, or to be over, which may be wrong.
    ``sent``: when it was sent (ns, monotonic); ``heard``: when this run first heard that it exists; ``ask_at``: when it
    is asked for next. ``cancel_wanted``: as soon as its id is known. ``expires``: when the venue ends it (ns UTC)
    unless that is renewed.
    """

    order: Order
    sent: int
    placed: asyncio.Event = field(default_factory=asyncio.Event)
    is_accepted: bool = False
    is_over: bool = False
    is_unknown: bool = False
    cancel_wanted: bool = False
    trades: dict[TradeId, tuple[TradePart, ...]] = field(default_factory=dict)
    settlements: dict[TradeId, Settlement] = field(default_factory=dict)
    end: OrderReport | None = None
    expires: int | None = None
    is_denied: bool = False
    ask_at: int = 0
    heard: int | None = None

    def hear(self, now: int) -> None:
        """Take note that it was heard of ``now`` (ns, monotonic)."""
        if self.heard is None:
            self.heard = now

    @property
    def told(self) -> Size:
        """How much of it was told to have traded."""
        return Size(sum(part.size for parts in self.trades.values() for part in parts))

    @property
    def only_takes(self) -> bool:
        """Whether it is over as soon as it arrived."""
        return self.order.tif not in RESTING


class TrackedOrders:
    """The orders of one account; ``asked``: those whose state the venue has to be asked for."""

    def __init__(self) -> None:
        self._by_client_id: dict[ClientOrderId, TrackedOrder] = {}
        self._by_order_id: dict[str, TrackedOrder] = {}
        self._over: dict[ClientOrderId, None] = {}
        self.asked: dict[ClientOrderId, None] = {}

    def add(self, tracked: TrackedOrder) -> None:
        """Follow an order from now on."""
        self._by_client_id[tracked.order.client_order_id] = tracked
        if tracked.order.order_id is not None:
            self._by_order_id[tracked.order.order_id.lower()] = tracked

    def get(self, client_order_id: ClientOrderId) -> TrackedOrder | None:
        """Return an order by our id."""
        return self._by_client_id.get(client_order_id)

    def of(self, report: OrderReport | TradeReport) -> TrackedOrder | None:
        """Return the order that a report is about, None where it is none of ours."""
        found = self._by_order_id.get(report.order_id.lower())
        if found is None and report.client_order_id is not None:
            found = self._by_client_id.get(report.client_order_id)
        return found

    def name(self, tracked: TrackedOrder, order_id: OrderId) -> None:
        """Take note of the venue's id of an order."""
        if tracked.order.order_id is None and order_id:
            tracked.order = replace(tracked.order, order_id=order_id)
            self._by_order_id[order_id.lower()] = tracked

    def live(self) -> list[TrackedOrder]:
        """Return the orders that are not over, oldest first."""
        return [each for each in self._by_client_id.values() if not each.is_over]

    def denied(self, markets: Collection[tuple[VenueName, MarketId]]) -> list[TrackedOrder]:
        """Return the orders in ``markets`` that were told not to exist, and of which no id of the venue is known."""
        return [
            each
            for each in self._by_client_id.values()
            if each.is_denied
            and each.order.order_id is None
            and (each.order.key.venue, each.order.key.market_id) in markets
        ]

    def keys(self) -> set[InstrumentKey]:
        """Return the instruments of all orders."""
        return {each.order.key for each in self._by_client_id.values()}

    def order_ids(self) -> Collection[str]:
        """Return the venue's ids of all orders, in small letters."""
        return self._by_order_id.keys()

    def due(self, now: int) -> list[ClientOrderId]:
        """Return the orders that the venue is to be asked for ``now`` (ns, monotonic)."""
        asked = ((name, self._by_client_id.get(name)) for name in self.asked)
        return [name for name, tracked in asked if tracked is None or tracked.ask_at <= now]

    def revive(self, tracked: TrackedOrder) -> None:
        """Take note that an order is not over after all."""
        tracked.is_over = False
        self._over.pop(tracked.order.client_order_id, None)

    def finish(self, tracked: TrackedOrder) -> None:
        """Take note that an order is over."""
        tracked.is_over, tracked.is_unknown = True, False
        name = tracked.order.client_order_id
        self.asked.pop(name, None)
        self._over[name] = None
        if len(self._over) > OVER_KEPT_MAX:
            oldest = next(iter(self._over))
            del self._over[oldest]
            gone = self._by_client_id.pop(oldest, None)
            if gone is not None and gone.order.order_id is not None:
                self._by_order_id.pop(gone.order.order_id.lower(), None)
