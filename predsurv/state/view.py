"""What a strategy may read: the Protocol that strategies depend on instead of the engine."""

from typing import Protocol

from predsurv.core.events import TradingPhase
from predsurv.core.ids import EventId, InstrumentKey, MarketId, StrategyName, VenueName
from predsurv.core.market import Market
from predsurv.core.num import Money
from predsurv.core.orders import Order, Position
from predsurv.state.book import BookView
from predsurv.state.market_cache import InstrumentState


class View(Protocol):
    """Read access to markets, trusted books and the strategy's own account; micros and ns UTC."""

    @property
    def now(self) -> int:
        """The time of the event being handled, ns UTC."""
        ...

    def book(self, key: InstrumentKey) -> BookView | None:
        """Return the book, None while it is not trusted."""
        ...

    def state(self, key: InstrumentKey) -> InstrumentState | None:
        """Return quote, last trade, tick and status of an instrument, None when nothing is known of it."""
        ...

    def market(self, venue: VenueName, market_id: MarketId) -> Market | None:
        """Return a market's record, None when it is not known."""
        ...

    def siblings(self, venue: VenueName, event_id: EventId) -> tuple[Market, ...]:
        """Return the known markets of one event."""
        ...

    def phase(self, venue: VenueName) -> TradingPhase:
        """Return what the whole venue accepts now, ``open`` while it has said nothing else."""
        ...

    def position(self, key: InstrumentKey) -> Position | None:
        """Return the strategy's position in an instrument, None when it holds nothing."""
        ...

    def cash(self, venue: VenueName) -> Money:
        """Return the cash at a venue that is not reserved for live orders."""
        ...

    def open_orders(self, strategy: StrategyName) -> tuple[Order, ...]:
        """Return the strategy's orders that may still trade, unknown ones included."""
        ...
