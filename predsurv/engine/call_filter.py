"""Whether an event is one that a strategy wants to hear: ``Interest`` applied to the state after the event.

The specification of the compiled replay: what is held back here it need not make objects for.
"""

from collections.abc import Callable, Iterable, Sequence
from fnmatch import fnmatchcase
from typing import Any, Final

from msgspec import Struct
from msgspec.structs import replace

from predsurv.core.events import (
    BookDelta,
    BookSnapshot,
    Event,
    Gap,
    MarketChange,
    MarketResolved,
    Quote,
    Tick,
    Trade,
    Unwanted,
    VenuePhase,
)
from predsurv.core.ids import InstrumentKey, MarketId, VenueName
from predsurv.core.market import BINARY, Market
from predsurv.core.num import Price
from predsurv.engine.account.account import TradingAccount
from predsurv.engine.books.available import AvailableBooks
from predsurv.engine.interest import EVERY_MARKET, BookFilter, EventFilter, MarketChoice
from predsurv.engine.strategy import SelectiveStrategy, Strategy
from predsurv.state import features
from predsurv.state.book import Book, BookView
from predsurv.state.market_cache import MarketCache
from predsurv.state.market_facts import FINAL


class BestBefore(Struct, frozen=True):
    """The best prices of a book before the event in hand, micros; None for an empty side."""

    bid: Price | None
    ask: Price | None


class CallFilter:
    """Decides for one strategy which events it is called with.

    ``interest``: what it applies. ``needs_before``: whether ``admits`` has to be given how the book was before a book
    event. ``selective``: the strategy, where it says itself which book events it waits for.
    """

    def __init__(self, strategy: Strategy, cache: MarketCache, books: AvailableBooks, account: TradingAccount) -> None:
        interest = strategy.interest
        by_price = interest.books == "best" and not interest.best_sizes
        self.needs_before: Final = interest.coverage or by_price or interest.engaged == "price"
        self._strategy, self.interest = strategy.name, interest
        self.selective = strategy if isinstance(strategy, SelectiveStrategy) else None
        # Whether every event of a book that can be trusted is told, which is all that is given to ``admits``.
        self._every_book = self.selective is None and interest == replace(
            interest, books="change", interval=0, where=None, where_event=None, markets=EVERY_MARKET
        )
        self._cache, self._books, self._account = cache, books, account
        self._selected: dict[tuple[VenueName, MarketId], bool] = {}  # until the market changes
        self._told: dict[InstrumentKey, int] = {}  # when (ns UTC) a book event was last told, with an interval only
        self._rules: dict[type, Callable[[Any], bool]] = {
            Trade: lambda event: interest.trades and self.selects(event.key.venue, event.key.market_id),
            Quote: lambda event: interest.books != "never" and self.selects(event.key.venue, event.key.market_id),
            Tick: lambda _: interest.ticks,
            Gap: lambda event: interest.coverage and self.selects(event.key.venue, event.key.market_id),
            Unwanted: lambda event: interest.coverage and self.selects(event.key.venue, event.key.market_id),
            MarketChange: self._admits_statement,
            MarketResolved: self._admits_statement,
            VenuePhase: lambda event: not interest.markets.venues or event.venue in interest.markets.venues,
        }

    def admits(self, event: Event, now: int, before: BestBefore | None) -> bool:
        """Return whether the strategy is to be called with ``event``, which cache and books already show.

        Of book events it is asked those of books that can be trusted.

        ``now``: the engine's time, ns UTC. ``before``: the best prices before a book event, None where that book was
        not known. An event that is admitted counts as told.
        """
        if isinstance(event, BookDelta | BookSnapshot):
            if self._every_book:
                return True
            if not self._admits_book_event(event, now, before):
                return False
            if self.interest.interval:
                self._told[event.key] = now
            return True
        rule = self._rules.get(type(event))
        return rule is None or rule(event)

    def _admits_book_event(self, event: BookDelta | BookSnapshot, now: int, before: BestBefore | None) -> bool:
        interest, key = self.interest, event.key
        book = self._books.less_consumed(key)
        if book is None or not self.selects(key.venue, key.market_id):
            return False
        if interest.coverage and before is None and isinstance(event, BookSnapshot):
            return True
        if interest.books == "never" or not self._is_awaited(key, book):
            return False
        if self._passes(event, book, now, before):
            return True
        return not interest.filter_engaged and self._is_engaged(key) and self._passes_engaged(event, book, before)

    def _is_awaited(self, key: InstrumentKey, book: Book) -> bool:
        if self.selective is None:
            return True
        attention = self.selective.attention
        if key not in attention.books:
            return attention.others
        bounds = attention.books[key]
        return bounds is not None and meets(bounds, book)

    def _passes(self, event: BookDelta | BookSnapshot, book: Book, now: int, before: BestBefore | None) -> bool:
        """Return whether the conditions that do not hold for a book in which the strategy is engaged let it pass."""
        interest = self.interest
        if interest.books == "best" and not self._at_best(event, book, before):
            return False
        if interest.where is not None and not meets(interest.where, book):
            return False
        if interest.where_event is not None and not self._event_meets(interest.where_event, event.key):
            return False
        return not interest.interval or now - self._told.get(event.key, now - interest.interval) >= interest.interval

    def _at_best(self, event: BookDelta | BookSnapshot, book: Book, before: BestBefore | None) -> bool:
        if not self.interest.best_sizes:
            return before is None or before != best_prices(book)
        return isinstance(event, BookSnapshot) or _is_at_best(event, book)

    def _passes_engaged(self, event: BookDelta | BookSnapshot, book: Book, before: BestBefore | None) -> bool:
        if self.interest.engaged == "price":
            return before is None or before != best_prices(book)
        return self.interest.engaged == "change" or isinstance(event, BookSnapshot) or _is_at_best(event, book)

    def _is_engaged(self, primary: InstrumentKey) -> bool:
        """Return whether the strategy has a live order or a position in an instrument that trades in a book."""
        positions, mirror = self._account.portfolio.positions, self._cache.mirror_of(primary)
        if positions.get(self._strategy, primary) is not None:
            return True
        if mirror is not None and positions.get(self._strategy, mirror) is not None:
            return True
        live = self._account.orders.working
        return any(
            order.strategy == self._strategy for key in (primary, mirror) if key is not None for order in live.of(key)
        )

    def _event_meets(self, bounds: EventFilter, key: InstrumentKey) -> bool:
        market = self._cache.market(key.venue, key.market_id)
        if market is None:
            return False
        siblings = self._cache.siblings(key.venue, market.event_id)
        if self._sums_meet(bounds, summed_keys(siblings, exclusive=bounds.exclusive), whole=is_whole(siblings, bounds)):
            return True
        return len(market.outcomes) != 2 and self._sums_meet(bounds, market.keys(), whole=True)

    def _sums_meet(self, bounds: EventFilter, keys: Sequence[InstrumentKey], *, whole: bool) -> bool:
        if not keys:
            return False
        bids, asks = 0, 0
        complete = whole
        for key in keys:
            book = self._books.less_consumed(self._cache.primary_of(key))
            bid, ask = (None, None) if book is None else (book.best_bid(), book.best_ask())
            bids += 0 if bid is None else bid[0]
            asks += 0 if ask is None else ask[0]
            complete = complete and ask is not None
        if bounds.ask_sum_max is not None and complete and asks <= bounds.ask_sum_max:
            return True
        return bounds.bid_sum_min is not None and bids >= bounds.bid_sum_min

    def _admits_statement(self, event: MarketChange | MarketResolved) -> bool:
        self._selected.pop((event.venue, event.market_id), None)
        return self.selects(event.venue, event.market_id)

    def selects(self, venue: VenueName, market_id: MarketId) -> bool:
        """Return whether the strategy wants to hear of a market."""
        wanted = self.interest.markets
        if wanted is EVERY_MARKET:
            return True
        selected = self._selected.get((venue, market_id))
        if selected is None:
            market = self._cache.market(venue, market_id)
            selected = self._selected[venue, market_id] = selects(wanted, venue, market_id, market)
        return selected


def summed_keys(siblings: Iterable[Market], *, exclusive: bool) -> tuple[InstrumentKey, ...]:
    """Return the first outcome of each market of an event that an ``EventFilter`` sums up: of all that can still pay.

    A market that has settled takes part in no trade any more, and its book may never be known again.
    """
    return tuple(
        each.key(0)
        for each in siblings
        if each.outcomes and each.status not in FINAL and (not exclusive or _excludes(each))
    )


def is_whole(siblings: Sequence[Market], bounds: EventFilter) -> bool:
    """Return whether the sum of the asks of an event says anything to ``bounds``."""
    return not bounds.exclusive or (len(siblings) > 1 and all(_excludes(each) and each.exhaustive for each in siblings))


def _excludes(market: Market) -> bool:
    return market.market_type == BINARY and market.mutually_exclusive and len(market.outcomes) == 2


def best_prices(book: BookView) -> BestBefore:
    """Return the best prices of a book."""
    bid, ask = book.best_bid(), book.best_ask()
    return BestBefore(None if bid is None else bid[0], None if ask is None else ask[0])


def meets(bounds: BookFilter, book: BookView) -> bool:
    """Return whether a book is within ``bounds``."""
    bid, ask = book.best_bid(), book.best_ask()
    bid_price, ask_price = None if bid is None else bid[0], None if ask is None else ask[0]
    spread = None if bid_price is None or ask_price is None else ask_price - bid_price
    # The commonest refusal first: most books are narrow most of the time.
    if not _within(bounds.spread_min, spread, bounds.spread_max):
        return False
    if not _within(bounds.bid_min, bid_price, bounds.bid_max) or not _within(bounds.ask_min, ask_price, bounds.ask_max):
        return False
    if bounds.imbalance_min is None and bounds.imbalance_max is None:
        return True
    imbalance = features.imbalance(book, bounds.imbalance_levels)
    return _within(bounds.imbalance_min, imbalance, bounds.imbalance_max)


def selects(wanted: MarketChoice, venue: VenueName, market_id: MarketId, market: Market | None) -> bool:
    """Return whether ``wanted`` takes in a market, of which nothing but its id may be known."""
    ids = {str(market_id), *(str(each.instrument_id) for each in (market.outcomes if market is not None else ()))}
    category = None if market is None or market.category is None else market.category.casefold()
    return (
        (not wanted.venues or venue in wanted.venues)
        and (not wanted.ids or not wanted.ids.isdisjoint(ids))
        and (not wanted.globs or any(fnmatchcase(each, glob) for glob in wanted.globs for each in ids))
        and (not wanted.events or (market is not None and market.event_id in wanted.events))
        and (not wanted.categories or category in {each.casefold() for each in wanted.categories})
    )


def _is_at_best(event: BookDelta, book: BookView) -> bool:
    """Return whether no level on its side is better than the one that ``event`` changed or removed."""
    if event.side == "bid":
        best = book.best_bid()
        return best is None or event.price >= best[0]
    best = book.best_ask()
    return best is None or event.price <= best[0]


def _within(low: int | None, value: int | None, high: int | None) -> bool:
    if value is None:
        return low is None and high is None
    return (low is None or value >= low) and (high is None or value <= high)
