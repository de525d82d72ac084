"""``state.view.View`` as the engine implements it for one strategy."""

from predsurv.core.events import TradingPhase
from predsurv.core.ids import EventId, InstrumentKey, MarketId, StrategyName, VenueName
from predsurv.core.market import Market
from predsurv.core.num import Money
from predsurv.core.orders import Order, Position
from predsurv.engine.account.account import TradingAccount
from predsurv.engine.books.available import AvailableBooks
from predsurv.engine.books.observed import ObservedBooks
from predsurv.engine.risk.state import RiskState
from predsurv.state.book import BookView
from predsurv.state.market_cache import InstrumentState, MarketCache
from predsurv.state.view import BookCoverage


class StrategyContext:
    """What ``strategy`` can read: everything public, and only its own positions and orders.

    ``observed``: the coverage of books, None for a strategy whose interest does not ask for it.
    """

    __slots__ = ("_account", "_books", "_cache", "_risk", "_strategy", "observed")

    def __init__(
        self,
        strategy: StrategyName,
        cache: MarketCache,
        books: AvailableBooks,
        account: TradingAccount,
        risk: RiskState,
    ) -> None:
        self._strategy, self._cache, self._books, self._account, self._risk = strategy, cache, books, account, risk
        self.observed: ObservedBooks | None = None

    @property
    def now(self) -> int:
        """The time of the event being handled, ns UTC."""
        return self._risk.now

    def book(self, key: InstrumentKey) -> BookView | None:
        """Return the book less what we consumed of it, None while it is not trusted."""
        return self._books.book(key)

    def coverage(self, key: InstrumentKey) -> BookCoverage | None:
        """Return since when the book of ``key`` is known or missing; None for a strategy that does not ask for it."""
        return None if self.observed is None else self.observed.get(self._cache.primary_of(key))

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
        """Return what the whole venue accepts now, ``open`` while it has said nothing else."""
        return self._cache.phase(venue)

    def position(self, key: InstrumentKey) -> Position | None:
        """Return the strategy's position in an instrument, None when it holds nothing."""
        return self._account.portfolio.positions.get(self._strategy, key)

    def positions(self) -> tuple[Position, ...]:
        """Return everything the strategy holds, in the order in which instruments were first bought."""
        return self._account.portfolio.positions.of(self._strategy)

    def cash(self, venue: VenueName) -> Money:
        """Return the cash at a venue that is not reserved for live orders."""
        return self._risk.free_cash(venue)

    def buying_room(self, key: InstrumentKey | None = None) -> Money:
        """Return the most that one more buy of an instrument may be worth within the limits, or all more buys."""
        return self._risk.room.left(key)

    def open_orders(self, strategy: StrategyName) -> tuple[Order, ...]:
        """Return the strategy's orders that may still trade, unknown ones included."""
        return self._account.orders.live_of(strategy)
