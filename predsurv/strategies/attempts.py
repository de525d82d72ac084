"""The latest attempt at each group of claims: which ones are cooling down, which may hold incomplete sets.

The only memory of the arbitrage strategy. Losing it in a restart may cost an attempt, never a position: what is held
is read from the view.
"""

from typing import Final

from msgspec import Struct

from predsurv.core.events import BookDelta, BookSnapshot
from predsurv.core.ids import InstrumentKey, StrategyName
from predsurv.state.view import View
from predsurv.strategies.claims import ClaimGroup, held

ATTEMPTS_MAX: Final = 1_000
"""Attempts remembered at a time; beyond it the oldest is dropped."""

_NEVER: Final = 1 << 62


class SetAttempt(Struct):
    """The latest attempt at a group under the name of its orders; the next one is not before ``retry_at`` (ns UTC).

    ``keys``: what its sets are made of. ``unbalanced``: its claims may be held in unequal sizes. ``completions``:
    attempts to complete sets so far.
    """

    group: ClaimGroup
    orders: str
    retry_at: int
    keys: frozenset[InstrumentKey]
    unbalanced: bool = True
    completions: int = 0


class SetAttempts:
    """Attempts by the group's name."""

    def __init__(self, strategy: StrategyName) -> None:
        self._strategy = strategy
        self._attempts: dict[str, SetAttempt] = {}

    def add(self, attempt: SetAttempt) -> None:
        """Add an attempt in place of the group's earlier one."""
        self._attempts.pop(attempt.group.name, None)
        self._attempts[attempt.group.name] = attempt
        if len(self._attempts) > ATTEMPTS_MAX:
            del self._attempts[next(iter(self._attempts))]

    def adopt(self, group: ClaimGroup, view: View) -> None:
        """Add an attempt for a group that has none and is held: bought before a restart."""
        if group.name not in self._attempts:
            self.add(SetAttempt(group, f"held:{group.name}@{view.now}", view.now, self.keys_of(group, view)))

    def keys_of(self, group: ClaimGroup, view: View) -> frozenset[InstrumentKey]:
        """Return what the sets of a group are made of: what its latest attempt ordered, and what is held.

        Of sets of yes that is yes of every claim, also if a restart forgot what was ordered.
        """
        attempt = self._attempts.get(group.name)
        owned = frozenset(key for key in group.instruments() if held(key, view))
        yes = frozenset(source.yes for claim in group.claims for source in claim.sources)
        if group.exhaustive and owned & yes:
            owned |= yes
        return owned if attempt is None else owned | attempt.keys

    def blocked(self, group: ClaimGroup, view: View) -> bool:
        """Return whether nothing may be opened in a group now: it cools down, or has orders in flight."""
        attempt = self._attempts.get(group.name)
        if attempt is not None and view.now < attempt.retry_at:
            return True
        return self._in_flight(group, view)

    def unbalanced(self, view: View, filled: InstrumentKey | None) -> tuple[SetAttempt, ...]:
        """Return the attempts to look at for incomplete sets, without those in flight; ``filled`` just traded."""
        if filled is not None:
            for attempt in self._attempts.values():
                if filled in attempt.group.instruments():
                    attempt.unbalanced = True
        return tuple(
            each for each in self._attempts.values() if each.unbalanced and not self._in_flight(each.group, view)
        )

    def next_look(self) -> int:
        """Return the time (ns UTC) from which an attempt that may hold incomplete sets may be completed."""
        return min((each.retry_at for each in self._attempts.values() if each.unbalanced), default=_NEVER)

    def look_again(self) -> None:
        """Look at every attempt with the next tick: what its sets are made of has changed."""
        for attempt in self._attempts.values():
            attempt.unbalanced = True

    def _in_flight(self, group: ClaimGroup, view: View) -> bool:
        open_orders = view.open_orders(self._strategy)
        if not open_orders:
            return False
        keys = frozenset(group.instruments())
        return any(order.key in keys for order in open_orders)


def improves_best(event: BookDelta | BookSnapshot, view: View) -> bool:
    """Return whether an event may have improved a best price: a snapshot, or a change of the best level."""
    if isinstance(event, BookSnapshot):
        return True
    book = view.book(event.key)
    if book is None or not event.size:
        return False
    best = book.best_ask() if event.side == "ask" else book.best_bid()
    return best is not None and best[0] == event.price
