"""Cash that live buys may still cost, by venue: kept as orders change, as each buy is compared with what is free."""

from typing import Final, NamedTuple

from predsurv.core.fees import taker_fee
from predsurv.core.ids import ClientOrderId, VenueName
from predsurv.core.market import NO_FEE, FeeSchedule, Market
from predsurv.core.num import ZERO_MONEY, Money, Size, notional_up
from predsurv.core.orders import Intent, Order
from predsurv.engine.account.orders import LiveOrders
from predsurv.state.market_cache import MarketCache

ROUNDING_RESERVE: Final = 10_000
"""Micros reserved per buy order: each of its fills rounds up what is paid, by less than $0.0001 where that is most."""


def max_cost(order: Order | Intent, market: Market | None) -> Money:
    """Return the most that the rest of a buy can cost: at its limit, with taker fee, rounded up."""
    size = rest_of(order)
    fee: FeeSchedule = NO_FEE if market is None else market.fee
    return Money(notional_up(order.price, size) + taker_fee(fee, order.price, size) + ROUNDING_RESERVE)


def rest_of(order: Order | Intent) -> Size:
    """Return the size that may still trade."""
    return order.remaining if isinstance(order, Order) else order.size


class _Reserve(NamedTuple):
    venue: VenueName
    cost: Money


class Reserves:
    """What the live buys of an account can cost at most, at each venue; micros.

    Only orders that changed since the last question are computed anew, all of them where any market did: its fee may
    have.
    """

    def __init__(self, cache: MarketCache, live: LiveOrders) -> None:
        self._cache, self._live, self._changes = cache, live, live.watch_buys()
        self._markets_seen = -1
        self._of: dict[ClientOrderId, _Reserve] = {}
        self._sums: dict[VenueName, int] = {}

    def at(self, venue: VenueName) -> Money:
        """Return the sum at ``venue``."""
        changed = self._changes.take()
        if changed is None or self._markets_seen != self._cache.markets_version:
            self._markets_seen = self._cache.markets_version
            self._of.clear()
            self._sums.clear()
            changed = self._live.all
        for name in changed:
            self._put(name, self._live.all.get(name))
        return Money(self._sums.get(venue, 0))

    def _put(self, name: ClientOrderId, order: Order | None) -> None:
        before = self._of.pop(name, None)
        if before is not None:
            self._sums[before.venue] -= before.cost
        if order is None or order.side == "sell":
            return
        venue = order.key.venue
        made = self._of[name] = _Reserve(venue, max_cost(order, self._cache.market(venue, order.key.market_id)))
        self._sums[venue] = self._sums.get(venue, ZERO_MONEY) + made.cost
