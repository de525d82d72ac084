"""Baskets: sets of instruments that together must pay a known sum, by the flags of their markets, and their cost."""

from collections.abc import Iterator
from typing import Final, Literal

from msgspec import Struct
from msgspec.structs import replace

from predsurv.core.fees import taker_fee
from predsurv.core.ids import InstrumentKey, Side
from predsurv.core.market import BINARY, Market
from predsurv.core.num import MICROS, Money, Size
from predsurv.state.view import View
from predsurv.strategies.sizing import BasketLeg
from predsurv.strategies.tradable import is_tradable

LEVELS: Final = 10
"""Levels of each book that a basket may take."""

BasketKind = Literal["outcomes", "yes_basket", "no_basket"]


class Basket(Struct, frozen=True):
    """One share of each of ``keys`` pays at least ``payout`` (micros); ``name`` is the same in every run."""

    name: str
    kind: BasketKind
    keys: tuple[InstrumentKey, ...]
    payout: Money


def baskets_of(market: Market, view: View) -> Iterator[Basket]:
    """Yield every basket with an instrument of ``market``, none of one that is not binary.

    No instrument is in two of them, so that a position belongs to one basket. A sibling that pays otherwise than a
    dollar or nothing is in no basket; the others are exclusive without it, and not exhaustive.
    """
    if market.market_type != BINARY:
        return
    if not market.mutually_exclusive:
        if len(market.outcomes) > 1:
            yield Basket(f"outcomes:{market.market_id}", "outcomes", market.keys(), Money(MICROS))
        return
    listed = view.siblings(market.venue, market.event_id)
    siblings = tuple(each for each in listed if each.market_type == BINARY)
    count = len(siblings)
    if count > 1 and count == len(listed) and all(each.exhaustive for each in siblings):
        keys = tuple(each.key(0) for each in siblings)
        yield Basket(f"yes_basket:{market.event_id}", "yes_basket", keys, Money(MICROS))
    if count > 1 and all(len(each.outcomes) == 2 for each in siblings):
        keys = tuple(each.key(1) for each in siblings)
        yield Basket(f"no_basket:{market.event_id}", "no_basket", keys, Money((count - 1) * MICROS))


def best_cost(basket: Basket, view: View) -> int | None:
    """Return the cost of one share of each at the best asks before fees (micros); None when a leg has no ask."""
    total = 0
    for key in basket.keys:
        book = view.book(key)
        best = None if book is None else book.best_ask()
        if best is None:
            return None
        total += best[0]
    return total


def legs_of(basket: Basket, view: View, side: Side) -> tuple[BasketLeg, ...] | None:
    """Return each leg's levels on ``side``; None when a market is not open or a book not trusted."""
    legs: list[BasketLeg] = []
    for key in basket.keys:
        market = view.market(key.venue, key.market_id)
        book = view.book(key)
        if market is None or book is None or not is_tradable(market, view):
            return None
        levels = book.asks.top(LEVELS) if side == "ask" else book.bids.top(LEVELS)
        legs.append(BasketLeg(key, market, levels))
    return tuple(legs)


def without_costly_legs(basket: Basket, view: View) -> Basket | None:
    """Return a ``no_basket`` without the legs that cost more than they add, other kinds unchanged.

    Any n of exclusive markets make a set that pays n − 1, so a leg adds value when it costs less
    than 1 with its fee. None when fewer than two are left.
    """
    if basket.kind != "no_basket":
        return basket
    keys = tuple(key for key in basket.keys if _adds_value(key, view))
    if len(keys) < 2:
        return None
    return replace(basket, keys=keys, payout=Money((len(keys) - 1) * MICROS))


def held_part(basket: Basket, view: View) -> Basket | None:
    """Return the basket as it seems to have been bought before, None when nothing of it is held.

    A ``no_basket`` may have been bought without some legs: if at least two are held, these are taken for all of it.
    """
    keys = tuple(key for key, size in zip(basket.keys, held_sizes(basket, view), strict=True) if size)
    if basket.kind != "no_basket" or len(keys) < 2:
        return basket if keys else None
    return replace(basket, keys=keys, payout=Money((len(keys) - 1) * MICROS))


def held_sizes(basket: Basket, view: View) -> tuple[Size, ...]:
    """Return the size held of each leg, in the order of its keys."""
    positions = (view.position(key) for key in basket.keys)
    return tuple(Size(0) if position is None else position.size for position in positions)


def _adds_value(key: InstrumentKey, view: View) -> bool:
    market, book = view.market(key.venue, key.market_id), view.book(key)
    if market is None or book is None or not is_tradable(market, view):
        return False
    best = book.best_ask()
    return best is not None and best[0] + taker_fee(market.fee, best[0], Size(MICROS)) < MICROS
