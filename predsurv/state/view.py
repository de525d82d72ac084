"""What a strategy or a risk check may look at.

Kept apart so that strategies depend on this alone: they can read the world and never touch it.
"""

from typing import Protocol

from predsurv.core.ids import EventId, InstrumentKey, MarketId, StrategyName, VenueName
from predsurv.core.market import Market
from predsurv.core.num import Money
from predsurv.core.orders import Order, Position
from predsurv.state.book import Book
from predsurv.state.market_cache import InstrumentState


class View(Protocol):
    """A read-only look at markets, trusted books and our own account; micros and ns UTC."""

    @property
    def now(self) -> int:
        """Return the time of the event being decided on."""
        ...

    def book(self, key: InstrumentKey) -> Book | None:
        """Return the book if it is trusted right now, else None: never an untrusted one."""
        ...

    def state(self, key: InstrumentKey) -> InstrumentState | None:
        """Return quote, last trade, tick and status of an instrument."""
        ...

    def market(self, venue: VenueName, market_id: MarketId) -> Market | None:
        """Return a market's record."""
        ...

    def siblings(self, venue: VenueName, event_id: EventId) -> tuple[Market, ...]:
        """Return the known markets of one event."""
        ...

    def position(self, key: InstrumentKey) -> Position | None:
        """Return what is held of an instrument, None when nothing is."""
        ...

    def cash(self, venue: VenueName) -> Money:
        """Return the cash at a venue that no order in flight has claimed."""
        ...

    def open_orders(self, strategy: StrategyName) -> tuple[Order, ...]:
        """Return the strategy's orders that may still trade, unknown ones included."""
        ...
