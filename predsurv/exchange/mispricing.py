"""Mispricings of an exclusive event: news moves the fair values and one maker keeps its stale quotes.

All other makers have moved, so that the asks of all outcomes together cost less than they pay (or the bids pay more).
"""

from typing import Final, NamedTuple

from msgspec import Struct

from predsurv.core.fees import taker_fee
from predsurv.core.ids import Side
from predsurv.core.market import FeeSchedule
from predsurv.core.num import MICROS, Price, Size
from predsurv.exchange.market_group import MarketGroup

_STEPS_MAX: Final = 240
_FAIR_VALUE_MIN: Final = 6_000
_REFERENCE_SIZE: Final = Size(100 * MICROS)


class BasketEdge(NamedTuple):
    """``edge``: profit of trading all outcomes, micros a share after fees; ``size``: micros at the best prices."""

    edge: int
    size: int


class Mispricing(Struct, frozen=True):
    """A mispricing of group ``group`` from ``start`` to ``end`` (ns UTC), with the ``BasketEdge`` at its start."""

    start: int
    end: int
    group: int
    side: Side
    edge: int
    size: int


def basket_edge(group: MarketGroup, fee: FeeSchedule, side: Side) -> BasketEdge | None:
    """Return the profit of trading every outcome at the best price of ``side``, None when a side is empty.

    ``ask``: buy every outcome. ``bid``: sell every outcome, that is buy every NO.
    """
    cost, size = 0, None
    for book in group.books:
        levels = book.levels(side)
        if not levels:
            return None
        price, shares = levels[0]
        cost += (price if side == "ask" else -price) + _fee(fee, price, side)
        size = shares if size is None else min(size, shares)
    return BasketEdge((MICROS if side == "ask" else -MICROS) - cost, size or 0)


def begin_mispricing(group: MarketGroup, fee: FeeSchedule, side: Side, edge: int) -> int | None:
    """Move the fair values of ``group`` until its basket pays ``edge`` micros a share, with one maker left behind.

    Returns the index of the book with the stale quotes, None when there are no such fair values.
    """
    stale_book = _stale_book(group, side)
    maker = group.slow_makers[stale_book]
    group.requote_all()
    stale_price = maker.best_quote(side, maker.estimate)
    fair_values = _mispriced_fair_values(
        group, fee, side, stale_book=stale_book, stale_price=stale_price, edge_min=edge
    )
    if fair_values is None:
        return None
    maker.paused = True
    group.is_mispriced = True
    group.fair_values[:] = fair_values
    group.requote_all()
    return stale_book


def end_mispricing(group: MarketGroup, stale_book: int) -> None:
    """Let the maker with the stale quotes catch up."""
    group.slow_makers[stale_book].paused = False
    group.is_mispriced = group.is_calm = False
    group.requote_all()


def _stale_book(group: MarketGroup, side: Side) -> int:
    """Return the book with the stale quotes: that of the least likely outcome, which rises, or of the likeliest."""
    fair_values = group.fair_values
    choose = min if side == "ask" else max
    return choose(range(len(fair_values)), key=lambda i: fair_values[i])


def _mispriced_fair_values(
    group: MarketGroup, fee: FeeSchedule, side: Side, *, stale_book: int, stale_price: int, edge_min: int
) -> list[int] | None:
    """Return the nearest fair values, micros, whose quotes and ``stale_price`` give ``edge_min``; None if none do."""
    others = [i for i in range(len(group.fair_values)) if i != stale_book]
    for step in range(1, _STEPS_MAX):
        fair_values = list(group.fair_values)
        for i in others:
            shift = fair_values[i] * step // 400
            fair_values[i] += -shift if side == "ask" else shift
        fair_values[stale_book] = MICROS - sum(fair_values[i] for i in others)
        if min(fair_values) < _FAIR_VALUE_MIN:
            return None
        # A price of 0 or 1 is no quote.
        prices = [group.fast_makers[i].best_quote(side, fair_values[i]) for i in others] + [stale_price]
        if all(0 < price < MICROS for price in prices) and _edge(fee, side, prices) >= edge_min:
            return fair_values
    return None


def _edge(fee: FeeSchedule, side: Side, prices: list[int]) -> int:
    fees = sum(_fee(fee, price, side) for price in prices)
    total = sum(prices)
    return (MICROS - total if side == "ask" else total - MICROS) - fees


def _fee(fee: FeeSchedule, price: int, side: Side) -> int:
    taker = taker_fee(fee, Price(price), _REFERENCE_SIZE, "buy" if side == "ask" else "sell")
    return taker * MICROS // _REFERENCE_SIZE
