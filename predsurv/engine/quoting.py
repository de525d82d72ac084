"""From the quotes that a strategy wants to the fewest orders and cancels that lead there.

Asking again for the same is free of charge: what is on its way is counted, so recovery is to state the quotes again.
"""

from collections.abc import Iterator, Sequence
from typing import Final

from predsurv.core.ids import ClientOrderId, InstrumentKey, OrderSide
from predsurv.core.num import Price, Size, complement
from predsurv.core.orders import RESTING, CancelIntent, Intent, Order, Quotes
from predsurv.engine.account.account import TradingAccount
from predsurv.engine.risk.state import RiskState
from predsurv.state.market_cache import MarketCache

CANCEL_PATIENCE: Final = 2_000_000_000
"""How long (ns) a cancel may take before it is sent again."""

_SIDES: Final[tuple[OrderSide, OrderSide]] = ("buy", "sell")


class QuoteDiffer:
    """Compares wanted quotes with the live orders of an account; remembers which cancels are on their way."""

    def __init__(self, cache: MarketCache, account: TradingAccount, risk: RiskState) -> None:
        self._cache, self._account, self._risk = cache, account, risk
        self._cancelling: dict[ClientOrderId, int] = {}  # when (ns UTC) the cancel was asked for

    def changes(self, wanted: Quotes) -> tuple[Intent | CancelIntent, ...]:
        """Return the cancels and orders that lead from what rests to what is wanted, cancels first."""
        live = self._account.orders.live()
        alive = {order.client_order_id for order in live}
        self._cancelling = {name: since for name, since in self._cancelling.items() if name in alive}
        own = [
            each for each in live if each.strategy == wanted.strategy and each.key == wanted.key and each.tif in RESTING
        ]
        cancels: list[CancelIntent] = []
        orders: list[Intent] = []
        for side in _SIDES:
            resting = [order for order in own if order.side == side]
            kept = _kept(resting, wanted)
            gone = [order for order in resting if order not in kept or order.client_order_id in self._cancelling]
            cancels += self._cancels(wanted, gone)
            if not gone:
                orders += self._orders(wanted, side, kept)
        return (*cancels, *orders)

    def _cancels(self, wanted: Quotes, gone: Sequence[Order]) -> Iterator[CancelIntent]:
        for order in gone:
            since = self._cancelling.get(order.client_order_id)
            if since is None or self._risk.now - since >= CANCEL_PATIENCE:
                self._cancelling[order.client_order_id] = self._risk.now
                yield CancelIntent(wanted.strategy, order.client_order_id, wanted.signal)

    def _orders(self, wanted: Quotes, side: OrderSide, kept: Sequence[Order]) -> Iterator[Intent]:
        level = wanted.bid if side == "buy" else wanted.ask
        if level is None or self._crosses_own(wanted.key, side, level[0]):
            return
        size = level[1] - sum(order.remaining for order in kept)
        if side == "sell":
            size = min(size, self._risk.sellable(wanted.strategy, wanted.key))
        market = self._cache.market(wanted.key.venue, wanted.key.market_id)
        if size < max(market.min_order_size if market is not None else 1, 1):
            return
        yield Intent(wanted.strategy, wanted.key, side, level[0], Size(size), "gtc", wanted.signal, post_only=True)

    def _crosses_own(self, key: InstrumentKey, side: OrderSide, price: Price) -> bool:
        """Return whether an order would trade with a live one of this account, on either outcome."""
        mirror = self._cache.mirror_of(key)
        for order in self._account.orders.live():
            if order.key == key and order.side != side:
                opposite = order.price
            elif order.key == mirror and order.side == side:
                opposite = complement(order.price)  # a bid for the other outcome is an offer of this one
            else:
                continue
            if (price >= opposite) if side == "buy" else (price <= opposite):
                return True
        return False


def _kept(resting: Sequence[Order], wanted: Quotes) -> list[Order]:
    """Return the orders of one side at its wanted price that together are no larger than wanted, oldest first."""
    kept: list[Order] = []
    room: int | None = None
    for order in resting:
        level = wanted.bid if order.side == "buy" else wanted.ask
        if level is None:
            return kept
        room = level[1] if room is None else room
        if order.price == level[0] and order.remaining <= room:
            kept.append(order)
            room -= order.remaining
    return kept
