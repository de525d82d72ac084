"""Mispriced baskets: news arrives and one maker sleeps through it.

Kept apart because arbitrage has to exist for a reason that a book shows: everybody else has
moved, the sleeper's quotes stand, and the asks of an exhaustive event cost less than it pays.
"""

from typing import Final

from msgspec import Struct

from predsurv.core.fees import taker_fee
from predsurv.core.ids import Side
from predsurv.core.market import FeeSchedule
from predsurv.core.num import MICROS, Price, Size
from predsurv.exchange.units import CorrelatedUnit

_STEPS_MAX: Final = 240
_FAIR_MIN: Final = 6_000
_REFERENCE: Final = Size(100 * MICROS)


class Mispricing(Struct, frozen=True):
    """What a basket trade would have earned: ``edge`` micros a share after fees, ``size`` shares at the top."""

    start: int
    end: int
    unit: int
    side: Side
    edge: int
    size: int


def edge_of(unit: CorrelatedUnit, fee: FeeSchedule, side: Side) -> tuple[int, int] | None:
    """Return (edge a share after fees, shares at the top level), micros; None when a side is empty.

    ``ask``: buy every outcome. ``bid``: sell every outcome, that is buy every NO.
    """
    cost, size = 0, None
    for book in unit.books:
        levels = book.levels(side)
        if not levels:
            return None
        price, shares = levels[0]
        cost += (price if side == "ask" else -price) + _fee(fee, price)
        size = shares if size is None else min(size, shares)
    return (MICROS if side == "ask" else -MICROS) - cost, size or 0


def begin(unit: CorrelatedUnit, fee: FeeSchedule, side: Side, edge: int) -> int | None:
    """Let news move ``unit`` until its basket pays ``edge``; returns the sleeper's book or None."""
    sleeper = _sleeper(unit, side)
    maker = unit.slow[sleeper]
    unit.settle_prices()
    stale = maker.top(side, maker.estimate)
    fairs = _moved(unit, fee, side, (sleeper, stale, edge))
    if fairs is None:
        return None
    maker.held = True
    unit.quiet = True
    unit.fairs[:] = fairs
    unit.settle_prices()
    return sleeper


def end(unit: CorrelatedUnit, sleeper: int) -> None:
    """Wake the sleeper up."""
    unit.slow[sleeper].held = False
    unit.quiet = unit.calm = False
    unit.settle_prices()


def _sleeper(unit: CorrelatedUnit, side: Side) -> int:
    """Return whose maker sleeps: an outsider that news lifts, or a favourite that it sinks."""
    fairs = unit.fairs
    choose = min if side == "ask" else max
    return choose(range(len(fairs)), key=lambda i: fairs[i])


def _moved(unit: CorrelatedUnit, fee: FeeSchedule, side: Side, goal: tuple[int, int, int]) -> list[int] | None:
    sleeper, stale, edge = goal
    others = [i for i in range(len(unit.fairs)) if i != sleeper]
    for step in range(1, _STEPS_MAX):
        fairs = list(unit.fairs)
        for i in others:
            shift = fairs[i] * step // 400
            fairs[i] += -shift if side == "ask" else shift
        fairs[sleeper] = MICROS - sum(fairs[i] for i in others)
        if min(fairs) < _FAIR_MIN:
            return None
        # A price of 0 or 1 is no quote.
        prices = [unit.fast[i].top(side, fairs[i]) for i in others] + [stale]
        if all(0 < price < MICROS for price in prices) and _gain(fee, side, prices) >= edge:
            return fairs
    return None


def _gain(fee: FeeSchedule, side: Side, prices: list[int]) -> int:
    fees = sum(_fee(fee, price) for price in prices)
    total = sum(prices)
    return (MICROS - total if side == "ask" else total - MICROS) - fees


def _fee(fee: FeeSchedule, price: int) -> int:
    return taker_fee(fee, Price(price), _REFERENCE) * MICROS // _REFERENCE
