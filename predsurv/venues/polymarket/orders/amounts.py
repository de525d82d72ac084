"""What an order signs: what is given and what is wanted, in whole millionths, by the venue's rules for its tick size.

The venue knows an order's price only as the quotient of its two amounts, so whether that is the limit is decided here.
Source of the rules: the venue's own Python client ``polymarket-client`` 0.14.0 (decimals), and for orders that only
take the venue's error texts "maker amount supports a max accuracy of 2 decimals, taker amount a max of 4 decimals",
which hold with every tick size (Polymarket/py-clob-client-v2 issue 99: five decimals are refused with tick 0.001).
"""

from typing import Final, NamedTuple

from predsurv.core.ids import OrderSide
from predsurv.core.num import MICROS, Money, Price, Size, format_micros, notional
from predsurv.core.orders import RESTING, TimeInForce
from predsurv.venues.requests import OrderRefusal

TICK_SIZES: Final = frozenset({100_000, 10_000, 5_000, 2_500, 1_000, 100})
"""The tick sizes that the venue has (micros)."""
FINEST_TICK: Final = 100
"""The finest of them: a tick may become finer after an order was signed."""

_SHARE_UNIT: Final = 10_000  # sizes have two decimals
_CENT: Final = 10_000  # what a taker gives has two decimals …
_TAKEN_UNIT: Final = 100  # … and what it wants four, …
_COARSE_TAKEN_UNIT: Final = 1_000  # … or three where prices have one
_COARSEST_TICK: Final = 100_000


class OrderAmounts(NamedTuple):
    """What is signed (micros): ``maker`` is given, ``taker`` is wanted; ``size`` in shares, ``cost`` in dollars.

    ``size`` is at most what was asked for, and ``cost`` at most that at its limit. An order that only takes and buys
    spends ``cost``: at a better price than its limit the venue gives more shares than ``size`` for it.
    """

    maker: int
    taker: int
    size: Size
    cost: Money


def check_price(price: Price, tick_size: Price) -> OrderRefusal | None:
    """Return why the venue would refuse ``price``, None when it is on its grid.

    The multiple decides, not the number of decimals: 0.333 has no more of them than the tick 0.005.
    """
    if tick_size not in TICK_SIZES:
        return OrderRefusal("tick_size", f"tick size {format_micros(tick_size)} is none of the venue's")
    if not tick_size <= price <= MICROS - tick_size:
        text = f"price {format_micros(price)} is not between {format_micros(tick_size)} and one dollar less that"
        return OrderRefusal("price_range", text)
    if price % tick_size:
        return OrderRefusal("off_grid", f"price {format_micros(price)} is no multiple of {format_micros(tick_size)}")
    return None


def order_amounts(
    side: OrderSide, price: Price, size: Size, *, tick_size: Price, tif: TimeInForce
) -> OrderAmounts | OrderRefusal:
    """Return the amounts of an order for ``size`` shares at ``price`` or better (micros).

    Orders that may rest: shares cut to two decimals, and exactly their worth at the limit. Orders that only take: a
    buy gives whole cents, cut from that worth, and wants the shares that these buy at the limit, cut to four decimals;
    a sale gives shares of two decimals and wants dollars of four. With the tick size 0.1 four is three.
    """
    refusal = check_price(price, tick_size)
    if refusal is not None:
        return refusal
    amounts = _resting(side, price, size) if tif in RESTING else _taking(side, price, size, tick_size)
    if amounts.size <= 0 or amounts.cost <= 0:
        return OrderRefusal("too_small", f"nothing is left of {format_micros(max(size, 0))} shares after rounding")
    if not _means_limit(amounts, side, price):
        text = f"{format_micros(size)} shares are too few to sign exactly {format_micros(price)} as their price"
        return OrderRefusal("price_not_encodable", text)
    return amounts


def _resting(side: OrderSide, price: Price, size: Size) -> OrderAmounts:
    shares = Size(_cut(size, _SHARE_UNIT))
    cost = notional(price, shares)  # exact: every tick is a multiple of 0.0001
    return OrderAmounts(cost, shares, shares, cost) if side == "buy" else OrderAmounts(shares, cost, shares, cost)


def _taking(side: OrderSide, price: Price, size: Size, tick_size: Price) -> OrderAmounts:
    unit = _COARSE_TAKEN_UNIT if tick_size == _COARSEST_TICK else _TAKEN_UNIT
    if side == "buy":
        cost = Money(_cut(notional(price, size), _CENT))
        shares = Size(_cut(cost * MICROS // price, unit))
        return OrderAmounts(cost, shares, shares, cost)
    shares = Size(_cut(size, _SHARE_UNIT))
    cost = Money(_cut(notional(price, shares), unit))
    return OrderAmounts(shares, cost, shares, cost)


def _means_limit(amounts: OrderAmounts, side: OrderSide, price: Price) -> bool:
    """Return whether the two amounts mean ``price``: it trades there, and one finest tick beyond it does not."""
    worth = amounts.cost * MICROS
    if side == "buy":
        return price * amounts.size <= worth < (price + FINEST_TICK) * amounts.size
    return (price - FINEST_TICK) * amounts.size < worth <= price * amounts.size


def _cut(value: int, unit: int) -> int:
    return value - value % unit
