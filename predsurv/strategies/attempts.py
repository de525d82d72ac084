"""The latest attempt at each basket: which ones are cooling down, which have unequal legs.

The only memory of the arbitrage strategy. Losing it in a restart may cost an attempt, never a position: what is held
is read from the view.
"""

from typing import Final

from msgspec import Struct

from predsurv.core.events import BookDelta, BookSnapshot
from predsurv.core.ids import InstrumentKey, StrategyName
from predsurv.state.view import View
from predsurv.strategies.baskets import Basket, held_part, held_sizes

BASKETS_MAX: Final = 1_000
"""Baskets remembered at a time; beyond it the oldest is dropped."""


class BasketAttempt(Struct):
    """The latest attempt at a basket; the next one is not before ``retry_at`` (ns UTC).

    ``unbalanced``: its legs may be held in unequal sizes. ``completions``: attempts to complete it so far.
    """

    basket: Basket
    group: str
    retry_at: int
    unbalanced: bool = True
    completions: int = 0


class BasketAttempts:
    """Attempts by the basket's name."""

    def __init__(self, strategy: StrategyName) -> None:
        self._strategy = strategy
        self._attempts: dict[str, BasketAttempt] = {}

    def add(self, attempt: BasketAttempt) -> None:
        """Add an attempt in place of the basket's earlier one."""
        self._attempts.pop(attempt.basket.name, None)
        self._attempts[attempt.basket.name] = attempt
        if len(self._attempts) > BASKETS_MAX:
            del self._attempts[next(iter(self._attempts))]

    def adopt_held(self, basket: Basket, view: View) -> None:
        """Add an attempt for a basket seen for the first time that is held: one bought before a restart."""
        if basket.name in self._attempts:
            return
        held = held_part(basket, view)
        if held is not None:
            self.add(BasketAttempt(held, f"{held.name}@{view.now}", view.now))

    def as_begun(self, basket: Basket, view: View) -> Basket:
        """Return the basket with the legs of its latest attempt while any of them is held, else unchanged."""
        attempt = self._attempts.get(basket.name)
        return attempt.basket if attempt is not None and any(held_sizes(attempt.basket, view)) else basket

    def blocked(self, basket: Basket, view: View) -> bool:
        """Return whether a basket may not be bought now: cooling down, unbalanced, or with orders in flight."""
        attempt = self._attempts.get(basket.name)
        if attempt is None:
            return False
        if view.now < attempt.retry_at or (attempt.unbalanced and any(held_sizes(attempt.basket, view))):
            return True
        return self._in_flight(attempt, view)

    def unbalanced(self, view: View, filled: InstrumentKey | None) -> tuple[BasketAttempt, ...]:
        """Return the attempts to check for unequal legs, without those in flight; ``filled`` just traded."""
        for attempt in self._attempts.values():
            if filled in attempt.basket.keys:
                attempt.unbalanced = True
        return tuple(
            attempt for attempt in self._attempts.values() if attempt.unbalanced and not self._in_flight(attempt, view)
        )

    def _in_flight(self, attempt: BasketAttempt, view: View) -> bool:
        return any(order.key in attempt.basket.keys for order in view.open_orders(self._strategy))


def improves_best(event: BookDelta | BookSnapshot, view: View) -> bool:
    """Return whether an event may have improved a best price: a snapshot, or a change of the best level."""
    if isinstance(event, BookSnapshot):
        return True
    book = view.book(event.key)
    if book is None or not event.size:
        return False
    best = book.best_ask() if event.side == "ask" else book.best_bid()
    return best is not None and best[0] == event.price
