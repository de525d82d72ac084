"""Orders that rebalance a basket whose legs were filled unequally.

Money already spent does not count: complete the sets when that is worth more than what selling the excess brings.
"""

from collections.abc import Sequence
from typing import Literal

from msgspec import Struct

from predsurv.core.ids import InstrumentKey, OrderSide
from predsurv.core.num import Price, Size, notional
from predsurv.state.view import View
from predsurv.strategies.baskets import Basket, held_sizes, legs_of
from predsurv.strategies.sizing import LOT, BasketLeg, buy_cost, sale_proceeds
from predsurv.strategies.tradable import has_ended


class RebalancingOrder(Struct, frozen=True):
    """One order that makes the legs of a basket more equal."""

    signal: Literal["complete", "unwind"]
    key: InstrumentKey
    side: OrderSide
    price: Price
    size: Size


def is_balanced(basket: Basket, view: View) -> bool:
    """Return whether all legs are held in equal sizes, or cannot be made so: a market has ended."""
    sizes = held_sizes(basket, view)
    if max(sizes) - min(sizes) < LOT:
        return True
    markets = (view.market(key.venue, key.market_id) for key in basket.keys)
    return any(market is None or has_ended(market, view) for market in markets)


def rebalancing_orders(basket: Basket, view: View, *, may_complete: bool) -> tuple[RebalancingOrder, ...]:
    """Return the orders that equalise the legs; empty when books or minimum sizes do not allow it."""
    asks, bids = legs_of(basket, view, "ask"), legs_of(basket, view, "bid")
    if asks is None or bids is None:
        return ()
    sizes = held_sizes(basket, view)
    buys, gain = _completing_orders(basket, asks, sizes)
    sells, proceeds = _unwinding_orders(bids, sizes)
    return buys if may_complete and buys and gain >= proceeds else sells


def _completing_orders(
    basket: Basket, legs: Sequence[BasketLeg], sizes: Sequence[Size]
) -> tuple[tuple[RebalancingOrder, ...], int]:
    """Return the buys that bring every leg to the largest, and the payout of the new sets less their cost (micros)."""
    high, low = max(sizes), min(sizes)
    gain = int(notional(Price(basket.payout), Size(high - low)))
    orders: list[RebalancingOrder] = []
    for leg, size in zip(legs, sizes, strict=True):
        missing = Size(high - size)
        if missing < LOT:
            continue
        bought = buy_cost(leg, missing)
        if bought is None or not leg.allows("buy", bought[1], missing):
            return (), 0
        gain -= bought[0]
        orders.append(RebalancingOrder("complete", leg.key, "buy", bought[1], missing))
    return tuple(orders), gain


def _unwinding_orders(legs: Sequence[BasketLeg], sizes: Sequence[Size]) -> tuple[tuple[RebalancingOrder, ...], int]:
    """Return the sales that bring every leg to the smallest, and their proceeds (micros)."""
    low, proceeds = min(sizes), 0
    orders: list[RebalancingOrder] = []
    for leg, size in zip(legs, sizes, strict=True):
        received, worst, sold = sale_proceeds(leg, Size(size - low))
        sold = Size(sold - sold % LOT)
        if leg.allows("sell", worst, sold):
            proceeds += received
            orders.append(RebalancingOrder("unwind", leg.key, "sell", worst, sold))
    return tuple(orders), proceeds
