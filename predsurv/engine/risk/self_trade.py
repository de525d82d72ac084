"""Orders of this account that would trade with each other, on either outcome of a mirrored market.

Kalshi ends one of the two (``self_trade_prevention_type``: the taker's, or the maker's), and neither venue's facts make
a trade with oneself of any use. Here a purchase that would is refused; before a sale the order that it would meet is
cancelled, because a way out is never refused.
"""

from collections.abc import Iterable, Iterator
from typing import TypeVar

from predsurv.core.ids import InstrumentKey, OrderSide
from predsurv.core.num import Price, complement
from predsurv.core.orders import Intent, Order

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
