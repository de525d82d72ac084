"""Sizing of baskets: how many sets can be bought for less than they pay; exact costs and proceeds with fees."""

from collections.abc import Sequence
from typing import Final

from msgspec import Struct

from predsurv.core.events import Level
from predsurv.core.fees import taker_fee
from predsurv.core.ids import InstrumentKey, OrderSide
from predsurv.core.market import FeeSchedule, Market, buys_enough, size_allowed
from predsurv.core.num import MICROS, Money, Price, Size, notional, notional_up

LOT: Final = 10_000
"""Orders are sized in hundredths of a share, in micros."""

_FEE_SHARES: Final = 1_000
"""Shares over which a fee per share is averaged."""


class BasketLeg(Struct, frozen=True):
    """One instrument of ``market`` in a basket with the levels that could be taken, best first."""

    key: InstrumentKey
    market: Market
    levels: tuple[Level, ...]

    @property
    def fee(self) -> FeeSchedule:
        """The fees of its market."""
        return self.market.fee

    def allows(self, side: OrderSide, price: Price, size: Size) -> bool:
        """Return whether an order of ``size`` up to ``price`` that only takes is large enough."""
        if not size_allowed(self.market, price, size, side=side, rests=False):
            return False
        return side == "sell" or buys_enough(self.market, price, size)


class BasketOrder(Struct, frozen=True):
    """A buy of ``size`` sets with a limit price per leg; ``edge`` is their payout less ``cost``; micros."""

    size: Size
    limits: tuple[Price, ...]
    cost: Money
    edge: Money


class SizingConstraints(Struct, frozen=True):
    """The payout of a set, the least edge per set, and the most to spend in all; micros."""

    payout: Money
    edge_min: Money
    cost_max: Money


def size_basket(legs: Sequence[BasketLeg], constraints: SizingConstraints) -> BasketOrder | None:
    """Return the largest order of which every set earns at least ``edge_min`` after fees, or None.

    Walks down the levels of all legs at once, each time by the size of the thinnest level.
    """
    size, cost = 0, 0
    depth = [0] * len(legs)
    left: list[int] = [leg.levels[0][1] if leg.levels else 0 for leg in legs]
    limits: tuple[Price, ...] = ()
    while all(at < len(leg.levels) for at, leg in zip(depth, legs, strict=True)):
        prices = tuple(leg.levels[at][0] for at, leg in zip(depth, legs, strict=True))
        set_cost = sum(prices) + sum(_fee_per_share(leg.fee, price) for leg, price in zip(legs, prices, strict=True))
        if constraints.payout - set_cost < constraints.edge_min:
            break
        affordable = max(constraints.cost_max - cost, 0) * MICROS // set_cost
        taken = min(*left, affordable)
        size, cost, limits = size + taken, cost + taken * set_cost // MICROS, prices
        if taken == affordable:
            break
        _advance(legs, depth, left, taken)
    return _order(legs, limits, Size(size - size % LOT), constraints)


def _fee_per_share(fee: FeeSchedule, price: Price) -> int:
    # Averaged over many shares, so that the venue's rounding of one share's fee is not multiplied.
    return -(-taker_fee(fee, price, Size(_FEE_SHARES * MICROS)) // _FEE_SHARES)


def _advance(legs: Sequence[BasketLeg], depth: list[int], left: list[int], taken: int) -> None:
    """Take ``taken`` off each leg's current level (``depth``), moving on to the next one where nothing is ``left``."""
    for index, leg in enumerate(legs):
        left[index] -= taken
        if left[index] == 0:
            depth[index] += 1
            if depth[index] < len(leg.levels):
                left[index] = leg.levels[depth[index]][1]


def _order(
    legs: Sequence[BasketLeg], limits: tuple[Price, ...], size: Size, constraints: SizingConstraints
) -> BasketOrder | None:
    if not size or not all(leg.allows("buy", limit, size) for leg, limit in zip(legs, limits, strict=True)):
        return None
    cost = sum(_cost(leg, size)[0] for leg in legs)
    edge = notional(Price(constraints.payout), size) - cost
    if edge * MICROS < constraints.edge_min * size:
        return None
    return BasketOrder(size, limits, Money(cost), Money(edge))


def buy_cost(leg: BasketLeg, size: Size) -> tuple[Money, Price] | None:
    """Return the cost with fees of buying ``size`` from the levels, and the worst price; None when they hold less."""
    if sum(available for _, available in leg.levels) < size:
        return None
    return _cost(leg, size)


def _cost(leg: BasketLeg, size: Size) -> tuple[Money, Price]:
    cost, worst = 0, Price(0)
    for price, taken in _take(leg.levels, size):
        cost += notional_up(price, taken) + taker_fee(leg.fee, price, taken)
        worst = price
    return Money(cost), worst


def sale_proceeds(leg: BasketLeg, size: Size) -> tuple[Money, Price, Size]:
    """Return proceeds after fees, worst price and size of selling up to ``size`` into the levels."""
    proceeds, worst, sold = 0, Price(0), 0
    for price, taken in _take(leg.levels, size):
        proceeds += notional(price, taken) - taker_fee(leg.fee, price, taken, "sell")
        worst, sold = price, sold + taken
    return Money(proceeds), worst, Size(sold)


def _take(levels: Sequence[Level], size: Size) -> list[Level]:
    """Return the part of each level that an order of ``size`` takes, best first."""
    taken: list[Level] = []
    left = int(size)
    for price, available in levels:
        if left <= 0:
            break
        taken.append((price, Size(min(available, left))))
        left -= available
    return taken
