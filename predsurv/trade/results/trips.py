"""Round trips: from the first share held until none is, with what was made of it."""

from collections.abc import Callable
from typing import NamedTuple

from msgspec import Struct

from predsurv.core.ids import EventId, InstrumentKey, MarketId, StrategyName, VenueName

EventOf = Callable[[VenueName, MarketId], EventId | None]
"""Returns the event of a market, None while the market is not known."""


class _Trip(Struct):
    """Shares held and money made since nothing was held; micros."""

    held: int = 0
    profit: int = 0


class _Scope(NamedTuple):
    """Where a round trip is counted: one strategy in one event, or everybody in one market."""

    strategy: StrategyName | None
    venue: VenueName
    group: str


class TripCount(Struct):
    """Round trips that ended, and those of them with a profit after fees."""

    ended: int = 0
    won: int = 0


class RoundTrips:
    """Counts round trips of each strategy by event, so that a basket is one trip, and of each market."""

    def __init__(self, event_of: EventOf) -> None:
        self._event_of = event_of
        self._open: dict[_Scope, _Trip] = {}
        self._ended: dict[_Scope, TripCount] = {}

    def move(self, strategy: StrategyName, key: InstrumentKey, shares: int, profit: int) -> None:
        """Count shares that came or went (micros), and the profit after fees that was made with it."""
        for scope in self._scopes(strategy, key):
            trip = self._open.setdefault(scope, _Trip())
            trip.held += shares
            trip.profit += profit
            if not trip.held:
                del self._open[scope]
                count = self._ended.setdefault(scope, TripCount())
                count.ended += 1
                count.won += trip.profit > 0

    def _scopes(self, strategy: StrategyName, key: InstrumentKey) -> tuple[_Scope, _Scope]:
        event = self._event_of(key.venue, key.market_id) or key.market_id
        return _Scope(strategy, key.venue, event), _Scope(None, key.venue, key.market_id)

    def correct(self, strategy: StrategyName, key: InstrumentKey, shares: int, profit: int) -> None:
        """Change what was told before: a trip that is over stays over, with the profit that it had."""
        for scope in self._scopes(strategy, key):
            trip = self._open.get(scope)
            if trip is not None:
                trip.held += shares
                trip.profit += profit
                if not trip.held:
                    del self._open[scope]

    def of(self, strategy: StrategyName) -> TripCount:
        """Return the round trips of a strategy."""
        counts = [count for scope, count in self._ended.items() if scope.strategy == strategy]
        return TripCount(sum(each.ended for each in counts), sum(each.won for each in counts))

    def within(self, venue: VenueName, market_id: MarketId) -> TripCount:
        """Return the round trips in one market, all strategies together."""
        return self._ended.get(_Scope(None, venue, market_id), TripCount())
