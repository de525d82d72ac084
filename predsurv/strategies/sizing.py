"""How many sets of a basket can be bought for less than they pay, and what evening one out costs.

Kept apart from the strategy because it is arithmetic over ladders and fees, exact to the last
micro-dollar, and wants its own tests.
"""

from collections.abc import Sequence
from typing import Final

from msgspec import Struct

from predsurv.core.events import Level
from predsurv.core.fees import taker_fee
from predsurv.core.ids import InstrumentKey
from predsurv.core.market import FeeSchedule
from predsurv.core.num import MICROS, Money, Price, Size, notional, notional_up

LOT: Final = 10_000
"""Orders are sized in hundredths of a share, in micros."""

_MANY: Final = 1_000


class BasketLeg(Struct, frozen=True):
    """One instrument of a basket with the levels it could be taken at, best first.

    ``min_buy``: the least that an order to buy it at once has to be worth.
    """

    key: InstrumentKey
    fee: FeeSchedule
    min_size: Size
    levels: tuple[Level, ...]
    min_buy: Money = Money(0)

    def takes_order(self, price: Price, size: Size) -> bool:
        """Return whether an order to buy ``size`` up to ``price`` at once is large enough."""
        return size >= self.min_size and notional(price, size) >= self.min_buy


class BasketOffer(Struct, frozen=True):
    """``size`` sets with each leg bought up to its limit; ``edge`` is what all pay above their cost."""

    size: Size
    limits: tuple[Price, ...]
    cost: Money
    edge: Money


class SizingLimits(Struct, frozen=True):
    """When a basket is worth it: what a set pays, the least edge per set, the most to spend; micros."""

    payout: Money
    min_edge: Money
    max_cost: Money


def fit(legs: Sequence[BasketLeg], wanted: SizingLimits) -> BasketOffer | None:
    """Return the largest offer whose every set still earns ``min_edge`` after fees, or None.

    Goes down all ladders at once: the thinnest level decides how far each pass reaches.
    """
    size, cost = 0, 0
    depth = [0] * len(legs)
    left: list[int] = [leg.levels[0][1] if leg.levels else 0 for leg in legs]
    limits: tuple[Price, ...] = ()
    while all(at < len(leg.levels) for at, leg in zip(depth, legs, strict=True)):
        prices = tuple(leg.levels[at][0] for at, leg in zip(depth, legs, strict=True))
        each = sum(prices) + sum(_fee_each(leg.fee, price) for leg, price in zip(legs, prices, strict=True))
        if wanted.payout - each < wanted.min_edge:
            break
        affordable = max(wanted.max_cost - cost, 0) * MICROS // each
        taken = min(*left, affordable)
        size, cost, limits = size + taken, cost + taken * each // MICROS, prices
        if taken == affordable:
            break
        _descend(legs, depth, left, taken)
    return _offer(legs, limits, Size(size - size % LOT), wanted)


def _fee_each(fee: FeeSchedule, price: Price) -> int:
    # Of many shares, so that the venue's rounding of one share's fee is not multiplied.
    return -(-taker_fee(fee, price, Size(_MANY * MICROS)) // _MANY)


def _descend(legs: Sequence[BasketLeg], depth: list[int], left: list[int], taken: int) -> None:
    for index, leg in enumerate(legs):
        left[index] -= taken
        if left[index] == 0:
            depth[index] += 1
            if depth[index] < len(leg.levels):
                left[index] = leg.levels[depth[index]][1]


def _offer(
    legs: Sequence[BasketLeg], limits: tuple[Price, ...], size: Size, wanted: SizingLimits
) -> BasketOffer | None:
    if not size or not all(leg.takes_order(limit, size) for leg, limit in zip(legs, limits, strict=True)):
        return None
    cost = sum(_cost(leg, size)[0] for leg in legs)
    edge = notional(Price(wanted.payout), size) - cost
    if edge * MICROS < wanted.min_edge * size:
        return None
    return BasketOffer(size, limits, Money(cost), Money(edge))


def buy_cost(leg: BasketLeg, size: Size) -> tuple[Money, Price] | None:
    """Return what buying ``size`` from the leg's levels costs with fees, and the worst price used."""
    if sum(shown for _, shown in leg.levels) < size:
        return None
    return _cost(leg, size)


def _cost(leg: BasketLeg, size: Size) -> tuple[Money, Price]:
    cost, worst = 0, Price(0)
    for price, taken in _walk(leg.levels, size):
        cost += notional_up(price, taken) + taker_fee(leg.fee, price, taken)
        worst = price
    return Money(cost), worst


def sale(leg: BasketLeg, size: Size) -> tuple[Money, Price, Size]:
    """Return proceeds after fees, worst price and size of selling up to ``size`` into the levels."""
    proceeds, worst, sold = 0, Price(0), 0
    for price, taken in _walk(leg.levels, size):
        proceeds += notional(price, taken) - taker_fee(leg.fee, price, taken)
        worst, sold = price, sold + taken
    return Money(proceeds), worst, Size(sold)


def _walk(levels: Sequence[Level], size: Size) -> list[Level]:
    walked: list[Level] = []
    left = int(size)
    for price, shown in levels:
        if left <= 0:
            break
        walked.append((price, Size(min(shown, left))))
        left -= shown
    return walked
