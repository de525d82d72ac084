"""The world as one strategy may see it.

Kept apart because a strategy must neither change anything nor see the shares and orders of
another.
"""

from predsurv.core.ids import EventId, InstrumentKey, MarketId, StrategyName, VenueName
from predsurv.core.market import Market
from predsurv.core.num import Money
from predsurv.core.orders import Order, Position
from predsurv.engine.account.account import TradingAccount
from predsurv.engine.risk.state import RiskState
from predsurv.state.book import Book
from predsurv.state.market_cache import InstrumentState, MarketCache


class StrategyContext:
    """``state.view.View`` for one strategy."""

    __slots__ = ("_cache", "_desk", "_ledger", "_strategy")

    def __init__(self, strategy: StrategyName, cache: MarketCache, ledger: TradingAccount, desk: RiskState) -> None:
        self._strategy, self._cache, self._ledger, self._desk = strategy, cache, ledger, desk

    @property
    def now(self) -> int:
        """Return the time of the event being decided on."""
        return self._desk.now

    def book(self, key: InstrumentKey) -> Book | None:
        """Return the trusted book, mirrored from the first outcome where the venue keeps one."""
        return self._desk.book(key)

    def state(self, key: InstrumentKey) -> InstrumentState | None:
        """Return quote, last trade, tick and status of an instrument."""
        return self._cache.state(key)

    def market(self, venue: VenueName, market_id: MarketId) -> Market | None:
        """Return a market's record."""
        return self._cache.market(venue, market_id)

    def siblings(self, venue: VenueName, event_id: EventId) -> tuple[Market, ...]:
        """Return the known markets of one event."""
        return self._cache.siblings(venue, event_id)

    def position(self, key: InstrumentKey) -> Position | None:
        """Return what this strategy holds, None when nothing."""
        return self._ledger.portfolio.lots.held(self._strategy, key)

    def cash(self, venue: VenueName) -> Money:
        """Return the cash at a venue that no order in flight has claimed."""
        return self._desk.cash(venue)

    def open_orders(self, strategy: StrategyName) -> tuple[Order, ...]:
        """Return the strategy's orders that may still trade, unknown ones included."""
        return self._ledger.blotter.live_of(strategy)
