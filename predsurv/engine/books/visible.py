"""The books as strategies and risk see them: trusted, mirrored, less what we have just taken.

Kept apart from the cache, which holds what the venue said: public data does not know of trades on
paper, so a level we took still looks whole there, and would be bought twice.

A venue that really trades for us shows in its next update what we left of a level: there this
memory would count it twice, and a live mode has to forget at that update instead.
"""

from typing import Final

from predsurv.core.events import BookDelta, BookSnapshot, Fill, Level
from predsurv.core.ids import InstrumentKey, Side
from predsurv.core.num import complement
from predsurv.engine.books.complement import ComplementBook
from predsurv.engine.books.consumed import ConsumedLiquidity
from predsurv.engine.books.primary import PrimaryBooks
from predsurv.state.book import Book
from predsurv.state.market_cache import MarketCache

LEVELS: Final = 20
"""Levels shown on each side of a book that we have taken from."""

_SIDES: Final[tuple[Side, Side]] = ("bid", "ask")

_Left = tuple[tuple[Level, ...], tuple[Level, ...], int, Book]


class VisibleBooks:
    """Gives each instrument its book."""

    def __init__(self, cache: MarketCache, mirror: PrimaryBooks) -> None:
        self._cache, self._mirror = cache, mirror
        self._taken = ConsumedLiquidity()
        self._version = 0
        self._left: dict[InstrumentKey, _Left] = {}
        self._mirrored: dict[InstrumentKey, ComplementBook] = {}

    def book(self, key: InstrumentKey) -> Book | None:
        """Return the trusted book of ``key`` (its own or mirrored) without what we took, else None."""
        primary = self._mirror.primary(key)
        source = self._cache.trusted_book(primary)
        if source is None:
            return None
        if self._taken.touches(primary):
            source = self._without_taken(source)
        if primary == key:
            return source
        mirrored = self._mirrored.get(key)
        if mirrored is None or mirrored.source is not source:
            mirrored = self._mirrored[key] = ComplementBook(key, source)
        return mirrored

    def took(self, fill: Fill) -> None:
        """Remember a trade of ours that took from the book."""
        primary = self._mirror.primary(fill.key)
        book = self._cache.trusted_book(primary)
        if book is None or fill.maker:
            return
        mirrored = primary != fill.key
        price = complement(fill.price) if mirrored else fill.price
        self._taken.take(book, "ask" if (fill.side == "buy") != mirrored else "bid", price, fill.size)
        self._version += 1

    def changed(self, event: BookDelta | BookSnapshot) -> None:
        """Follow a book event that is already in the cache: of what is gone, nothing is ours any more."""
        if not self._taken.touches(event.key):
            return
        if isinstance(event, BookDelta):
            self._taken.changed(event)
        else:
            book = self._cache.book(event.key)
            if book is not None:
                self._taken.reset(book)
        self._version += 1

    def _without_taken(self, source: Book) -> Book:
        bids, asks = source.top(LEVELS)
        left = self._left.get(source.key)
        if left is not None and left[0] is bids and left[1] is asks and left[2] == self._version:
            return left[3]
        book = Book(source.key)
        free = (tuple(self._taken.left(source, side))[:LEVELS] for side in _SIDES)
        book.apply(BookSnapshot(source.key, source.ts_recv, source.ts_venue, source.epoch, source.seq, *free))
        self._left[source.key] = (bids, asks, self._version, book)
        return book
