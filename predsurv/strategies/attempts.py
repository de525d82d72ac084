"""What was tried lately: which baskets wait, which are uneven.

Kept apart because it is the strategy's only memory: losing it in a restart may cost an attempt,
never a position, as what is held is read from the view.
"""

from typing import Final

from msgspec import Struct

from predsurv.core.events import BookDelta, BookSnapshot
from predsurv.core.ids import InstrumentKey, StrategyName
from predsurv.state.view import View
from predsurv.strategies.baskets import Basket, begun, held

BASKETS_MAX: Final = 1_000
"""Baskets remembered at a time; beyond it the oldest is forgotten."""


class BasketAttempt(Struct):
    """The last attempt at a basket; nothing more is tried before ``retry`` (ns UTC)."""

    basket: Basket
    group: str
    retry: int
    uneven: bool = True
    completions: int = 0


class BasketAttempts:
    """Attempts by the basket's name."""

    def __init__(self, strategy: StrategyName) -> None:
        self._strategy = strategy
        self._tried: dict[str, BasketAttempt] = {}

    def remember(self, attempt: BasketAttempt) -> None:
        """Put an attempt in place of the basket's earlier one."""
        self._tried.pop(attempt.basket.name, None)
        self._tried[attempt.basket.name] = attempt
        if len(self._tried) > BASKETS_MAX:
            del self._tried[next(iter(self._tried))]

    def meet(self, found: Basket, view: View) -> None:
        """Take note of a basket seen for the first time: one bought before a restart is evened out first."""
        before = begun(found, view)
        if before is not None and found.name not in self._tried:
            self.remember(BasketAttempt(before, f"{before.name}@{view.now}", view.now))

    def chosen(self, found: Basket, view: View) -> Basket:
        """Return the basket with the legs that it was begun with, for as long as any of them is held."""
        tried = self._tried.get(found.name)
        return tried.basket if tried is not None and any(held(tried.basket, view)) else found

    def blocked(self, basket: Basket, view: View) -> bool:
        """Return whether to leave a basket alone: tried just now, uneven, or with orders on their way."""
        tried = self._tried.get(basket.name)
        if tried is None:
            return False
        if view.now < tried.retry or (tried.uneven and any(held(tried.basket, view))):
            return True
        return self._in_flight(tried, view)

    def unsettled(self, view: View, filled: InstrumentKey | None) -> tuple[BasketAttempt, ...]:
        """Return attempts whose legs may be held unalike, with no order on its way; ``filled`` just traded."""
        for tried in self._tried.values():
            if filled in tried.basket.keys:
                tried.uneven = True
        return tuple(tried for tried in self._tried.values() if tried.uneven and not self._in_flight(tried, view))

    def _in_flight(self, tried: BasketAttempt, view: View) -> bool:
        return any(order.key in tried.basket.keys for order in view.open_orders(self._strategy))


def improved(event: BookDelta | BookSnapshot, view: View) -> bool:
    """Return whether an event may have made something cheaper: only a change of the best level can."""
    if isinstance(event, BookSnapshot):
        return True
    book = view.book(event.key)
    if book is None or not event.size:
        return False
    best = book.best_ask() if event.side == "ask" else book.best_bid()
    return best is not None and best[0] == event.price
