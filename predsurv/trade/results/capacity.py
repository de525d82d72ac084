"""How much more a run could have traded: its buys that took liquidity, at multiples of their size.

What the books showed at each decision is walked up to the order's limit. What shares were worth in the end is taken
from the run itself, so the curve says what depth allowed, not what a larger trader would have done to prices.
"""

from collections.abc import Mapping
from typing import Final

from msgspec import Struct

from predsurv.core.events import Level
from predsurv.core.fees import taker_fee
from predsurv.core.ids import InstrumentKey
from predsurv.core.market import FeeSchedule
from predsurv.core.num import Money, Size, notional_up
from predsurv.core.orders import RESTING, PlaceOrder
from predsurv.state.book import BookView

MULTIPLES: Final = (1, 2, 5, 10, 20, 50)
INSTRUMENTS_MAX: Final = 10_000
"""Most instruments counted; orders in others are left out, and counted."""


class CapacityPoint(Struct, frozen=True):
    """Buys at ``multiple`` times their size: shares wanted and there, their cost with fees, what they were worth."""

    multiple: int
    wanted: Size
    available: Size
    cost: Money
    value: Money

    @property
    def profit(self) -> Money:
        """What the shares that were there would have earned."""
        return Money(self.value - self.cost)


class _Depth(Struct):
    wanted: int = 0
    available: int = 0
    cost: int = 0


class _Leg(Struct, frozen=True):
    """An order with the levels that it may take, best first."""

    order: PlaceOrder
    levels: tuple[Level, ...]
    fee: FeeSchedule


class CapacityCurve:
    """Sums by instrument and multiple over a run's buys that took liquidity; ``left_out`` counts those it has not.

    Consecutive orders of one group are a basket, which grows only as far as the thinnest of its books.
    """

    def __init__(self) -> None:
        self.left_out = 0
        self._depth: dict[InstrumentKey, tuple[_Depth, ...]] = {}
        self._basket: list[_Leg] = []

    def add(self, order: PlaceOrder, book: BookView | None, fee: FeeSchedule) -> None:
        """Count an order by the ``book`` at its decision; others than buys that only take are ignored."""
        if order.side != "buy" or order.tif in RESTING or book is None:
            return
        if self._basket and (order.group is None or order.group != self._basket[0].order.group):
            self._end_basket()
        levels = tuple((price, size) for price, size in book.asks.levels() if price <= order.price)
        self._basket.append(_Leg(order, levels, fee))

    def points(self, worth: Mapping[InstrumentKey, int]) -> tuple[CapacityPoint, ...]:
        """Return a point for each multiple; ``worth`` in micros per share, of every instrument that was bought."""
        self._end_basket()
        points = []
        for number, multiple in enumerate(MULTIPLES):
            depths = {key: depths[number] for key, depths in self._depth.items()}
            value = sum(each.available * worth.get(key, 0) // 1_000_000 for key, each in depths.items())
            wanted, available, cost = (
                sum(getattr(each, name) for each in depths.values()) for name in ("wanted", "available", "cost")
            )
            points.append(CapacityPoint(multiple, Size(wanted), Size(available), Money(cost), Money(value)))
        return tuple(points) if self._depth else ()

    def _end_basket(self) -> None:
        legs, self._basket = self._basket, []
        places = [self._depths_of(leg.order.key) for leg in legs]
        for number, multiple in enumerate(MULTIPLES):
            # In millionths of the leg's size: what the thinnest book allows holds for all.
            share = min((_there(leg, multiple) * 1_000_000 // leg.order.size for leg in legs), default=0)
            for leg, depths in zip(legs, places, strict=True):
                if depths is not None:
                    depths[number].wanted += leg.order.size * multiple
                    _walk(leg, leg.order.size * share // 1_000_000, depths[number])

    def _depths_of(self, key: InstrumentKey) -> tuple[_Depth, ...] | None:
        if key not in self._depth and len(self._depth) >= INSTRUMENTS_MAX:
            self.left_out += 1
            return None
        return self._depth.setdefault(key, tuple(_Depth() for _ in MULTIPLES))


def _there(leg: _Leg, multiple: int) -> int:
    return min(leg.order.size * multiple, sum(size for _, size in leg.levels))


def _walk(leg: _Leg, left: int, depth: _Depth) -> None:
    """Add what taking ``left`` shares costs."""
    for price, offered in leg.levels:
        taken = Size(min(left, offered))
        depth.available += taken
        depth.cost += notional_up(price, taken) + taker_fee(leg.fee, price, taken)
        left -= taken
        if not left:
            return
