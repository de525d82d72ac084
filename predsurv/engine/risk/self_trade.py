"""Orders of this account that would trade with each other, on either outcome of a mirrored market.

Kalshi ends one of the two (``self_trade_prevention_type``: the taker's, or the maker's), and neither venue's facts make
a trade with oneself of any use. Here a purchase that would is refused; before a sale the order that it would meet is
cancelled, because a way out is never refused.
"""

from collections.abc import Iterable, Iterator
from typing import Final, TypeVar

from predsurv.core.ids import ClientOrderId, InstrumentKey, OrderSide
from predsurv.core.num import Price, complement
from predsurv.core.orders import RESTING, Intent, Order
from predsurv.engine.account.account import TradingAccount
from predsurv.state.market_cache import MarketCache

CANCELS_SLACK: Final = 1_000
"""Cancels remembered beyond those of live orders before what is gone is forgotten."""

_T = TypeVar("_T", Order, Intent)


def crossing(
    orders: Iterable[_T], key: InstrumentKey, mirror: InstrumentKey | None, side: OrderSide, price: Price
) -> Iterator[_T]:
    """Yield those of ``orders`` with which an order of ``side`` at ``price`` would trade.

    ``mirror``: the other outcome where both are in one book: a bid for it is an offer of ``key`` at 1 - price.
    """
    for order in orders:
        if order.key == key and order.side != side:
            opposite = order.price
        elif order.key == mirror and order.side == side:
            opposite = complement(order.price)
        else:
            continue
        if (price >= opposite) if side == "buy" else (price <= opposite):
            yield order


class SelfTrades:
    """What an intent of this account would trade with; knows which of the orders are being cancelled."""

    def __init__(self, cache: MarketCache, account: TradingAccount) -> None:
        self._cache, self._account = cache, account
        self._cancelling: set[ClientOrderId] = set()

    def on_cancels(self, ids: Iterable[ClientOrderId]) -> None:
        """Take note of cancels that are about to be sent."""
        self._cancelling.update(ids)
        orders = self._account.orders
        if len(self._cancelling) > orders.live_count() + CANCELS_SLACK:
            self._cancelling.intersection_update(order.client_order_id for order in orders.live())

    def on_cancel_rejected(self, client_order_id: ClientOrderId) -> None:
        """Take note that an order goes on resting."""
        self._cancelling.discard(client_order_id)

    def resting(self, intent: Intent) -> tuple[Order, ...]:
        """Return the resting orders, not being cancelled, with which ``intent`` would trade."""
        live, mirror = self._account.orders.working, self._cache.mirror_of(intent.key)
        if not live.of(intent.key) and (mirror is None or not live.of(mirror)):
            return ()
        found = crossing(live.all.values(), intent.key, mirror, intent.side, intent.price)  # oldest first
        return tuple(each for each in found if each.tif in RESTING and each.client_order_id not in self._cancelling)

    def among(self, staged: Iterable[Intent], intent: Intent) -> bool:
        """Return whether ``intent`` would trade with an order that is about to be sent with it."""
        resting = [each for each in staged if each.tif in RESTING]
        if not resting:
            return False
        mirror = self._cache.mirror_of(intent.key)
        return any(True for _ in crossing(resting, intent.key, mirror, intent.side, intent.price))
