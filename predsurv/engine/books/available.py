"""The books as strategies and risk checks see them: trusted, complemented, less what we consumed.

The cache keeps what the venue published, where a level still looks whole after a paper trade of ours and would be
bought twice. A venue that really executes our orders shows by itself what is left of a level: there nothing counts as
consumed, or it would count twice.
"""

from collections.abc import Mapping
from collections.abc import Set as AbstractSet
from itertools import islice
from typing import Final, NamedTuple

from predsurv.core.events import BookDelta, BookSnapshot, Fill, Level, LevelConsumed
from predsurv.core.ids import InstrumentKey, Side, VenueName
from predsurv.core.num import Price, complement
from predsurv.engine.books.complement import ComplementBook
from predsurv.engine.books.consumed import ConsumedLiquidity
from predsurv.state.book import Book, BookView
from predsurv.state.market_cache import MarketCache

LEVELS: Final = 20
"""Levels kept on each side of a book that we have taken from."""

_SIDES: Final[tuple[Side, Side]] = ("bid", "ask")


class _ReducedBook(NamedTuple):
    """A book less our consumption, and the published levels that it was made from: valid while these are the same."""

    bids: tuple[Level, ...]
    asks: tuple[Level, ...]
    book: Book


class AvailableBooks:
    """The book of each instrument with the liquidity that is still available to us.

    ``version`` grows whenever something else may count as consumed than before. ``executing``: the venues that really
    execute our orders, whose books lack what we took. ``asked``: what ``book`` returned, remembered by who calls
    strategies for as long as nothing can change any book, None at other times.
    """

    def __init__(self, cache: MarketCache, executing: AbstractSet[VenueName] = frozenset()) -> None:
        self._cache, self._executing = cache, executing
        self._consumed = ConsumedLiquidity()
        self._told: set[VenueName] = set()  # venues that say themselves what we consumed
        self.version = 0
        self._reduced: dict[InstrumentKey, _ReducedBook] = {}  # while what is consumed of each stays as it is
        self._complements: dict[InstrumentKey, ComplementBook] = {}
        self.asked: dict[InstrumentKey, BookView | None] | None = None

    def book(self, key: InstrumentKey) -> BookView | None:
        """Return the book of ``key`` (its own or the complement of its primary's), None while not trusted."""
        asked = self.asked
        if asked is not None and key in asked:
            return asked[key]
        primary = self._cache.primary_of(key)
        source = self.less_consumed(primary)
        book = source if source is None or primary is key else self._seen_from(key, primary, source)
        if asked is not None:
            asked[key] = book
        return book

    def less_consumed(self, primary: InstrumentKey) -> Book | None:
        """Return the book of a primary instrument, None while not trusted."""
        source = self._cache.trusted_book(primary)
        return self._less_consumed(source) if source is not None and self._consumed.affects(primary) else source

    def last_known(self, key: InstrumentKey) -> BookView | None:
        """Return the book as ``book`` does, or while that is not trusted as it was last.

        None before any snapshot, and while nothing is published on either side: a market that has closed and not
        settled yet is emptied by the venue, which says nothing of what its shares are worth.
        """
        primary = self._cache.primary_of(key)
        source = self._cache.book(primary)
        if source is None or not (source.best_bid() or source.best_ask()):
            return None
        if self._consumed.affects(primary) and source.trusted and not source.crossed():
            source = self._less_consumed(source)
        return self._seen_from(key, primary, source)

    def _seen_from(self, key: InstrumentKey, primary: InstrumentKey, source: Book) -> BookView:
        if primary == key:
            return source
        complemented = self._complements.get(key)
        if complemented is None or complemented.source is not source:
            complemented = self._complements[key] = ComplementBook(key, source)
        return complemented

    @property
    def touched(self) -> dict[InstrumentKey, None]:
        """The primary instruments of which something else may count as consumed than before, for who follows it."""
        return self._consumed.touched

    def consumed_places(self) -> Mapping[InstrumentKey, Mapping[tuple[Side, Price], int]]:
        """Return what counts as consumed by our fills, by primary instrument and level, micros."""
        return self._consumed.places()

    def on_fill(self, fill: Fill) -> None:
        """Record what a taker fill of ours consumed, where the venue does not say so; not in an untrusted book."""
        primary = self._cache.primary_of(fill.key)
        book = self._cache.trusted_book(primary)
        venue = fill.key.venue
        if book is None or fill.maker or venue in self._told or venue in self._executing:
            return
        complemented = primary != fill.key
        price = complement(fill.price) if complemented else fill.price
        self._consumed.consume(book, "ask" if (fill.side == "buy") != complemented else "bid", price, fill.size)
        self._consumption_changed(primary)

    def on_consumed(self, told: LevelConsumed) -> None:
        """Record what a simulated venue says that we consumed of a level."""
        self._told.add(told.key.venue)
        self._consumed.set(told)
        self._consumption_changed(told.key)

    def on_book_event(self, event: BookDelta | BookSnapshot) -> None:
        """Limit the consumption to what the levels hold after ``event``, which is already in the cache."""
        if not self._consumed.affects(event.key):
            return
        if isinstance(event, BookDelta):
            if self._consumed.on_delta(event):
                self._consumption_changed(event.key)
        else:
            book = self._cache.book(event.key)
            if book is not None:
                self._consumed.on_snapshot(book)
            self._consumption_changed(event.key)

    def _consumption_changed(self, primary: InstrumentKey) -> None:
        self._reduced.pop(primary, None)
        self.version += 1

    def _less_consumed(self, source: Book) -> Book:
        # As deep as what is left of LEVELS levels can lie.
        bids, asks = source.top(LEVELS + len(self._consumed.places()[source.key]))
        reduced = self._reduced.get(source.key)
        if reduced is not None and reduced.bids is bids and reduced.asks is asks:
            reduced.book.take_stamps(source)  # what changed since lies deeper
            return reduced.book
        book = Book(source.key)
        left = (tuple(islice(self._consumed.remaining(source, side), LEVELS)) for side in _SIDES)
        book.apply(BookSnapshot(source.key, source.ts_recv, source.ts_venue, source.epoch, source.seq, *left))
        self._reduced[source.key] = _ReducedBook(bids, asks, book)
        return book
