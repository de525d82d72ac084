"""What a strategy may read: the Protocol that strategies depend on instead of the engine."""

from typing import Literal, Protocol

from msgspec import Struct

from predsurv.core.events import GapReason, TradingPhase
from predsurv.core.ids import EventId, InstrumentKey, MarketId, StrategyName, VenueName
from predsurv.core.market import Market
from predsurv.core.num import Money
from predsurv.core.orders import Order, Position
from predsurv.state.book import BookView
from predsurv.state.market_cache import InstrumentState


class BookCoverage(Struct, frozen=True):
    """Whether a book is known, and since when (ns UTC).

    ``reason``: of the gap that goes on, None while the book is known. ``gaps`` counts those since the run began;
    ``observed`` is the time (ns) for which the book was known before ``since``. A crossed book is known and not
    trusted: ``view.book`` has none.
    """

    state: Literal["covered", "gap"]
    since: int
    reason: GapReason | None = None
    gaps: int = 0
    observed: int = 0


class View(Protocol):
    """Read access to markets, trusted books and the strategy's own account; micros and ns UTC."""

    @property
    def now(self) -> int:
        """The time of the event being handled, ns UTC."""
        ...

    def book(self, key: InstrumentKey) -> BookView | None:
        """Return the book, None while it is not trusted."""
        ...

    def coverage(self, key: InstrumentKey) -> BookCoverage | None:
        """Return since when the book is known or missing.

        None when nothing was received of it, and for a strategy whose interest does not say ``coverage``.
        """
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

    def positions(self) -> tuple[Position, ...]:
        """Return everything the strategy holds, in the order in which instruments were first bought."""
        ...

    def cash(self, venue: VenueName) -> Money:
        """Return the cash at a venue that is not reserved for live orders."""
        ...

    def buying_room(self, key: InstrumentKey | None = None) -> Money:
        """Return the most that one more buy of an instrument may be worth at its limit price, or all more buys.

        That is what the limits on orders, positions and exposure leave; a larger one is refused.
        """
        ...

    def open_orders(self, strategy: StrategyName) -> tuple[Order, ...]:
        """Return the strategy's orders that may still trade, unknown ones included."""
        ...
