"""Which sets of instruments must pay a known sum together, and what they cost right now.

Kept apart from the strategy that trades them because this is knowledge of markets: flags in,
sets and payouts out.
"""

from collections.abc import Iterator
from typing import Final, Literal

from msgspec import Struct
from msgspec.structs import replace

from predsurv.core.fees import taker_fee
from predsurv.core.ids import InstrumentKey, Side
from predsurv.core.market import Market
from predsurv.core.num import MICROS, Money, Size
from predsurv.state.view import View
from predsurv.strategies.sizing import BasketLeg

LEVELS: Final = 10
"""How deep into each book a basket may reach."""

Kind = Literal["outcomes", "yes_basket", "no_basket"]


class Basket(Struct, frozen=True):
    """One share of each of ``keys`` pays at least ``payout`` (micros); ``name`` is the same every time."""

    name: str
    kind: Kind
    keys: tuple[InstrumentKey, ...]
    payout: Money


def baskets_of(market: Market, view: View) -> Iterator[Basket]:
    """Yield every basket that a change in ``market`` may have made worth buying.

    No instrument is in two of them, so that what is held of it says which basket it belongs to.
    """
    if not market.mutually_exclusive:
        if len(market.outcomes) > 1:
            yield Basket(f"outcomes:{market.market_id}", "outcomes", market.keys(), Money(MICROS))
        return
    siblings = view.siblings(market.venue, market.event_id)
    count = len(siblings)
    if count > 1 and all(each.exhaustive for each in siblings):
        keys = tuple(each.key(0) for each in siblings)
        yield Basket(f"yes_basket:{market.event_id}", "yes_basket", keys, Money(MICROS))
    if count > 1 and all(len(each.outcomes) == 2 for each in siblings):
        keys = tuple(each.key(1) for each in siblings)
        yield Basket(f"no_basket:{market.event_id}", "no_basket", keys, Money((count - 1) * MICROS))


def best_sum(basket: Basket, view: View) -> int | None:
    """Return what one of each costs at the best asks before fees; None when a leg is not on sale."""
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
        if market is None or market.status != "active" or book is None:
            return None
        levels = book.asks.top(LEVELS) if side == "ask" else book.bids.top(LEVELS)
        legs.append(BasketLeg(key, market.fee, market.min_order_size, levels, market.min_taker_buy))
    return tuple(legs)


def narrowed(basket: Basket, view: View) -> Basket | None:
    """Return a ``no_basket`` without the legs that cost more than they add, other kinds unchanged.

    Of exclusive markets any n make a set that pays n − 1, so a leg earns its place when it costs
    less than 1 with its fee. None when fewer than two are left.
    """
    if basket.kind != "no_basket":
        return basket
    keys = tuple(key for key in basket.keys if _adds(key, view))
    if len(keys) < 2:
        return None
    return replace(basket, keys=keys, payout=Money((len(keys) - 1) * MICROS))


def begun(basket: Basket, view: View) -> Basket | None:
    """Return the basket as far as it seems to have been bought before, None when nothing of it is held.

    A ``no_basket`` may have been bought without some legs: those held are taken for the whole.
    """
    keys = tuple(key for key, size in zip(basket.keys, held(basket, view), strict=True) if size)
    if basket.kind != "no_basket" or len(keys) < 2:
        return basket if keys else None
    return replace(basket, keys=keys, payout=Money((len(keys) - 1) * MICROS))


def held(basket: Basket, view: View) -> tuple[Size, ...]:
    """Return how much of each leg is held."""
    positions = (view.position(key) for key in basket.keys)
    return tuple(Size(0) if position is None else position.size for position in positions)


def _adds(key: InstrumentKey, view: View) -> bool:
    market, book = view.market(key.venue, key.market_id), view.book(key)
    if market is None or book is None or market.status != "active":
        return False
    best = book.best_ask()
    return best is not None and best[0] + taker_fee(market.fee, best[0], Size(MICROS)) < MICROS
