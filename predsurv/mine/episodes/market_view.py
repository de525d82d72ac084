"""A recording as strategies see it, without an account: nothing is held, nothing is ordered, money is no limit."""

from typing import Final

from predsurv.core.events import TradingPhase
from predsurv.core.ids import EventId, InstrumentKey, MarketId, StrategyName, VenueName
from predsurv.core.market import Market
from predsurv.core.num import MICROS, Money
from predsurv.core.orders import Order, Position
from predsurv.engine.books.available import AvailableBooks
from predsurv.state.book import BookView
from predsurv.state.market_cache import InstrumentState, MarketCache
from predsurv.state.view import BookCoverage

_PLENTY: Final = Money(MICROS * MICROS)


class MarketView:
    """``state.view.View`` over ``cache`` alone; whoever feeds the cache sets ``now`` (ns UTC)."""

    def __init__(self, cache: MarketCache) -> None:
        self._cache, self._books = cache, AvailableBooks(cache)
        self.now = 0

    def book(self, key: InstrumentKey) -> BookView | None:
        """Return the book, or the complement of that in which the instrument trades; None while not trusted."""
        return self._books.book(key)

    def coverage(self, key: InstrumentKey) -> BookCoverage | None:  # noqa: ARG002
        """Return None: nobody asked for it."""
        return None

    def state(self, key: InstrumentKey) -> InstrumentState | None:
        """Return quote, last trade, tick and status of an instrument, None when nothing is known of it."""
        return self._cache.state(key)

    def market(self, venue: VenueName, market_id: MarketId) -> Market | None:
        """Return a market's record, None when it is not known."""
        return self._cache.market(venue, market_id)

    def siblings(self, venue: VenueName, event_id: EventId) -> tuple[Market, ...]:
        """Return the known markets of one event."""
        return self._cache.siblings(venue, event_id)

    def phase(self, venue: VenueName) -> TradingPhase:
        """Return what the whole venue accepts now."""
        return self._cache.phase(venue)

    def position(self, key: InstrumentKey) -> Position | None:  # noqa: ARG002
        """Return None: nothing is held."""
        return None

    def positions(self) -> tuple[Position, ...]:
        """Return nothing."""
        return ()

    def cash(self, venue: VenueName) -> Money:  # noqa: ARG002
        """Return more than any book costs."""
        return _PLENTY

    def buying_room(self, key: InstrumentKey | None = None) -> Money:  # noqa: ARG002
        """Return more than any book costs."""
        return _PLENTY

    def open_orders(self, strategy: StrategyName) -> tuple[Order, ...]:  # noqa: ARG002
        """Return nothing."""
        return ()
