"""What to do about a basket whose legs were not filled alike.

Kept apart because it is a policy of its own: money already spent does not count, so complete the
sets when that is worth more than what selling the excess brings.
"""

from collections.abc import Sequence
from typing import Literal

from msgspec import Struct

from predsurv.core.ids import InstrumentKey, OrderSide
from predsurv.core.num import Price, Size, notional
from predsurv.state.view import View
from predsurv.strategies.baskets import Basket, held, legs_of
from predsurv.strategies.sizing import LOT, BasketLeg, buy_cost, sale


class RebalanceMove(Struct, frozen=True):
    """One order that brings a basket closer to even."""

    signal: Literal["complete", "unwind"]
    key: InstrumentKey
    side: OrderSide
    price: Price
    size: Size


def is_even(basket: Basket, view: View) -> bool:
    """Return whether all legs are held alike, or nothing can be done: a market is not open any more."""
    sizes = held(basket, view)
    if max(sizes) - min(sizes) < LOT:
        return True
    markets = (view.market(key.venue, key.market_id) for key in basket.keys)
    return any(market is None or market.status != "active" for market in markets)


def even_out(basket: Basket, view: View, *, may_complete: bool) -> tuple[RebalanceMove, ...]:
    """Return the orders that even the basket out; empty when books or minimum sizes do not allow it."""
    asks, bids = legs_of(basket, view, "ask"), legs_of(basket, view, "bid")
    if asks is None or bids is None:
        return ()
    sizes = held(basket, view)
    buys, worth = _complete(basket, asks, sizes)
    sells, proceeds = _unwind(bids, sizes)
    return buys if may_complete and buys and worth >= proceeds else sells


def _complete(
    basket: Basket, legs: Sequence[BasketLeg], sizes: Sequence[Size]
) -> tuple[tuple[RebalanceMove, ...], int]:
    high, low = max(sizes), min(sizes)
    worth = int(notional(Price(basket.payout), Size(high - low)))
    moves: list[RebalanceMove] = []
    for leg, size in zip(legs, sizes, strict=True):
        short = Size(high - size)
        if short < LOT:
            continue
        bought = buy_cost(leg, short)
        if bought is None or not leg.takes_order(bought[1], short):
            return (), 0
        worth -= bought[0]
        moves.append(RebalanceMove("complete", leg.key, "buy", bought[1], short))
    return tuple(moves), worth


def _unwind(legs: Sequence[BasketLeg], sizes: Sequence[Size]) -> tuple[tuple[RebalanceMove, ...], int]:
    low, proceeds = min(sizes), 0
    moves: list[RebalanceMove] = []
    for leg, size in zip(legs, sizes, strict=True):
        gained, worst, sold = sale(leg, Size(size - low))
        sold = Size(sold - sold % LOT)
        if sold and sold >= leg.min_size:
            proceeds += gained
            moves.append(RebalanceMove("unwind", leg.key, "sell", worst, sold))
    return tuple(moves), proceeds
