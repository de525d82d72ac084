"""How much more a run could have traded: its buys that took liquidity, at multiples of their size.

What the books showed at each decision is walked up to the order's limit. What shares were worth in the end is taken
from the run itself, so the curve says what depth allowed, not what a larger trader would have done to prices.
"""

from collections.abc import Mapping
from typing import Final

from msgspec import Struct

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


class CapacityCurve:
    """Sums by instrument and multiple over a run's buys that took liquidity; ``left_out`` counts those it has not."""

    def __init__(self) -> None:
        self.left_out = 0
        self._depth: dict[InstrumentKey, tuple[_Depth, ...]] = {}

    def add(self, order: PlaceOrder, book: BookView | None, fee: FeeSchedule) -> None:
        """Count an order by the ``book`` at its decision; others than buys that only take are ignored."""
        if order.side != "buy" or order.tif in RESTING or book is None:
            return
        depths = self._depth.get(order.key)
        if depths is None:
            if len(self._depth) >= INSTRUMENTS_MAX:
                self.left_out += 1
                return
            depths = self._depth[order.key] = tuple(_Depth() for _ in MULTIPLES)
        _walk(order, book, fee, depths)

    def points(self, worth: Mapping[InstrumentKey, int]) -> tuple[CapacityPoint, ...]:
        """Return a point for each multiple; ``worth`` in micros per share, of every instrument that was bought."""
        points = []
        for number, multiple in enumerate(MULTIPLES):
            depths = {key: depths[number] for key, depths in self._depth.items()}
            value = sum(each.available * worth.get(key, 0) // 1_000_000 for key, each in depths.items())
            wanted, available, cost = (
                sum(getattr(each, name) for each in depths.values()) for name in ("wanted", "available", "cost")
            )
            points.append(CapacityPoint(multiple, Size(wanted), Size(available), Money(cost), Money(value)))
        return tuple(points) if self._depth else ()


def _walk(order: PlaceOrder, book: BookView, fee: FeeSchedule, depths: tuple[_Depth, ...]) -> None:
    levels = [(price, size) for price, size in book.asks.levels() if price <= order.price]
    for multiple, depth in zip(MULTIPLES, depths, strict=True):
        left = order.size * multiple
        depth.wanted += left
        for price, offered in levels:
            taken = Size(min(left, offered))
            depth.available += taken
            depth.cost += notional_up(price, taken) + taker_fee(fee, price, taken)
            left -= taken
            if not left:
                break
