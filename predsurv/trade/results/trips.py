"""Round trips: from the first share held until none is, with what was made of it."""

from collections.abc import Callable
from typing import NamedTuple

from msgspec import Struct

from predsurv.core.events import Fill
from predsurv.core.ids import EventId, InstrumentKey, MarketId, StrategyName, TradeId, VenueName
from predsurv.engine.account.portfolio import FailedFill

EventOf = Callable[[VenueName, MarketId], EventId | None]
"""Returns the event of a market, None while the market is not known."""


class _Trip(Struct):
    """Shares held and money made since nothing was held; micros."""

    held: int = 0
    profit: int = 0


class _Awaited(NamedTuple):
    """What a fill will move once it is confirmed: shares, and the profit after fees."""

    strategy: StrategyName
    shares: int
    profit: int


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
        self._awaited: dict[tuple[InstrumentKey, TradeId], _Awaited] = {}

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

    def await_end(self, strategy: StrategyName, fill: Fill, shares: int, profit: int) -> None:
        """Keep what a fill will move once it is confirmed."""
        self._awaited[fill.key, fill.trade_id] = _Awaited(strategy, shares, profit)

    def confirm(self, key: InstrumentKey, trade_id: TradeId) -> None:
        """Count a fill that cannot fail any more; nothing happens for one that is not kept."""
        move = self._awaited.pop((key, trade_id), None)
        if move is not None:
            self.move(move.strategy, key, move.shares, move.profit)

    def fail(self, failed: FailedFill) -> bool:
        """Forget a fill that never came about, and what followed from it: payouts, and the cost of what was sold.

        A trip that is over stays over, with the profit that it had. Return whether the fill was of this run: what an
        earlier one left was moved here when this one began.
        """
        fill = failed.fill
        move = self._awaited.pop((fill.key, fill.trade_id), None)
        shares, profit = (0, 0) if move is None else (move.shares, move.profit + fill.fee)
        for scope in self._scopes(failed.strategy, fill.key):
            trip = self._open.get(scope)
            if trip is None and move is None:  # what was sold before is held again
                trip = self._open[scope] = _Trip()
            if trip is not None:
                trip.held += shares - failed.size
                trip.profit += profit - failed.realised
                if not trip.held:
                    del self._open[scope]
        return move is not None

    def of(self, strategy: StrategyName) -> TripCount:
        """Return the round trips of a strategy."""
        counts = [count for scope, count in self._ended.items() if scope.strategy == strategy]
        return TripCount(sum(each.ended for each in counts), sum(each.won for each in counts))

    def within(self, venue: VenueName, market_id: MarketId) -> TripCount:
        """Return the round trips in one market, all strategies together."""
        return self._ended.get(_Scope(None, venue, market_id), TripCount())
