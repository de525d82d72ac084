"""From the quotes that a strategy wants to the fewest orders and cancels that lead there.

Asking again for the same is free of charge: what is on its way is counted, so recovery is to state the quotes again.
"""

from collections.abc import Iterable, Iterator, Sequence
from typing import Final

from predsurv.core.events import NO_ORDERS
from predsurv.core.ids import ClientOrderId, InstrumentKey, OrderSide, StrategyName
from predsurv.core.num import ZERO_SIZE, Size
from predsurv.core.orders import RESTING, CancelIntent, Intent, Order, Quotes, Refused
from predsurv.engine.account.account import TradingAccount
from predsurv.engine.risk.self_trade import crossing
from predsurv.engine.risk.state import RiskState
from predsurv.state.market_cache import MarketCache

CANCEL_PATIENCE: Final = 2_000_000_000
"""How long (ns) a cancel may take before it is sent again."""

REFUSAL_PATIENCE: Final = 1_000_000_000
"""How long (ns) the same order is not proposed again after the risk gate refused it."""

_NO_ID: Final = ClientOrderId("")
_SIDES: Final[tuple[OrderSide, OrderSide]] = ("buy", "sell")


class QuoteDiffer:
    """Compares wanted quotes with the live orders of an account.

    Remembers which cancels are on their way, and what the gate refused last.
    """

    def __init__(self, cache: MarketCache, account: TradingAccount, risk: RiskState) -> None:
        self._cache, self._account, self._risk = cache, account, risk
        self._cancelling: dict[ClientOrderId, int] = {}  # when (ns UTC) the cancel was asked for
        self._refused: dict[tuple[StrategyName, InstrumentKey, OrderSide], tuple[Intent, int]] = {}

    def on_refusals(self, refusals: Iterable[Refused]) -> None:
        """Take note of what the risk gate refused."""
        for refused in refusals:
            intent = refused.intent
            if isinstance(intent, Intent):
                self._refused[intent.strategy, intent.key, intent.side] = (intent, refused.ts)

    def changes(
        self, wanted: Quotes, decided: Sequence[Intent | CancelIntent] = ()
    ) -> tuple[Intent | CancelIntent, ...]:
        """Return the cancels and orders that lead from what rests to what is wanted, cancels first.

        What was ``decided`` in the same step, by any strategy, counts as sent.
        """
        if self._risk.phase(wanted.key.venue) == "closed":
            return ()
        live = (*self._account.orders.live(), *_as_orders(decided))
        self._follow_cancels(live, decided)
        own = [
            each for each in live if each.strategy == wanted.strategy and each.key == wanted.key and each.tif in RESTING
        ]
        cancels: list[CancelIntent] = []
        orders: list[Intent] = []
        for side in _SIDES:
            resting = [order for order in own if order.side == side]
            kept = [order for order in _kept(resting, wanted) if not self._rests_against(order, live)]
            gone = [order for order in resting if order not in kept or order.client_order_id in self._cancelling]
            cancels += self._cancels(wanted, gone)
            if not gone:
                orders += self._orders(wanted, side, kept, live)
        return (*cancels, *orders)

    def _follow_cancels(self, live: Sequence[Order], decided: Sequence[Intent | CancelIntent]) -> None:
        alive = {order.client_order_id: order.strategy for order in live}
        self._cancelling = {name: since for name, since in self._cancelling.items() if name in alive}
        for each in decided:
            if isinstance(each, CancelIntent) and alive.get(each.client_order_id) == each.strategy:
                self._cancelling.setdefault(each.client_order_id, self._risk.now)

    def _cancels(self, wanted: Quotes, gone: Sequence[Order]) -> Iterator[CancelIntent]:
        for order in gone:
            if order.client_order_id == _NO_ID:
                continue  # decided in this step: it can be cancelled from the next one on
            since = self._cancelling.get(order.client_order_id)
            if since is None or self._risk.now - since >= CANCEL_PATIENCE:
                self._cancelling[order.client_order_id] = self._risk.now
                yield CancelIntent(wanted.strategy, order.client_order_id, wanted.signal)

    def _orders(
        self, wanted: Quotes, side: OrderSide, kept: Sequence[Order], live: Sequence[Order]
    ) -> Iterator[Intent]:
        level = wanted.bid if side == "buy" else wanted.ask
        if level is None or not self._may_send(wanted.key, side):
            return
        mirror = self._cache.mirror_of(wanted.key)
        if next(crossing(live, wanted.key, mirror, side, level[0]), None) is not None:
            return
        size = level[1] - sum(order.remaining for order in kept)
        if side == "sell":
            size = min(size, self._sellable(wanted, live))
        market = self._cache.market(wanted.key.venue, wanted.key.market_id)
        if size < max(market.min_order_size if market is not None else 1, 1):
            return
        order = Intent(wanted.strategy, wanted.key, side, level[0], Size(size), "gtc", wanted.signal, post_only=True)
        refused, since = self._refused.get((order.strategy, order.key, side), (None, 0))
        if refused != order or self._risk.now - since >= REFUSAL_PATIENCE:
            yield order

    def _may_send(self, key: InstrumentKey, side: OrderSide) -> bool:
        """Return whether trading as such lets a new order of ``side`` rest now."""
        entering = self._risk.trading == "active" or side == "sell"
        return entering and not self._risk.blocked and self._risk.phase(key.venue) not in NO_ORDERS

    def _sellable(self, wanted: Quotes, live: Sequence[Order]) -> int:
        """Return the shares that are held and offered neither by what is live nor by what was just decided."""
        offered = (
            order.remaining
            for order in live
            if order.client_order_id == _NO_ID
            and (order.strategy, order.key, order.side) == (wanted.strategy, wanted.key, "sell")
        )
        return self._risk.sellable(wanted.strategy, wanted.key) - sum(offered)

    def _rests_against(self, order: Order, live: Sequence[Order]) -> bool:
        """Return whether another resting order of this account, not being cancelled, would trade with ``order``.

        The quotes that are stated first then make way, so that one of the two stays.
        """
        return any(
            each.tif in RESTING and each.client_order_id not in self._cancelling
            for each in crossing(live, order.key, self._cache.mirror_of(order.key), order.side, order.price)
        )


def _as_orders(decided: Iterable[Intent | CancelIntent]) -> Iterator[Order]:
    """Yield orders, without an id, for what was decided and not sent yet."""
    for each in decided:
        if isinstance(each, Intent):
            yield Order(
                _NO_ID, each.strategy, each.key, each.side, each.price, each.size, each.tif, "pending", ZERO_SIZE, 0
            )  # fmt: skip


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
