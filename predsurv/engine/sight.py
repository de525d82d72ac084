"""The books as strategies and risk see them: trusted, mirrored, less what we have just taken.

Kept apart from the cache, which holds what the venue said: until its next update a level we took
still looks whole there, and would be bought twice.
"""

from typing import Final

from predsurv.core.events import BookDelta, BookSnapshot, Fill, Level
from predsurv.core.ids import InstrumentKey
from predsurv.core.num import Price, complement
from predsurv.engine.liquidity import Liquidity
from predsurv.engine.mirror import Mirror
from predsurv.state.book import Book
from predsurv.state.market_cache import MarketCache

LEVELS: Final = 20
"""Levels on each side of a book that is not the venue's own."""

_Levels = tuple[Level, ...]
_Shown = tuple[_Levels, _Levels, int, Book]


class Sight:
    """Gives each instrument its book; books that had to be derived are kept until they change."""

    def __init__(self, cache: MarketCache, mirror: Mirror) -> None:
        self._cache, self._mirror = cache, mirror
        self._taken = Liquidity()
        self._version = 0
        self._shown: dict[InstrumentKey, _Shown] = {}

    def book(self, key: InstrumentKey) -> Book | None:
        """Return the trusted book of ``key`` (its own or mirrored) without what we took, else None."""
        primary = self._mirror.primary(key)
        source = self._cache.trusted_book(primary)
        if source is None or (primary == key and not self._taken.touches(key)):
            return source
        bids, asks = source.top(LEVELS)
        shown = self._shown.get(key)
        if shown is None or shown[0] is not bids or shown[1] is not asks or shown[2] != self._version:
            shown = self._shown[key] = (bids, asks, self._version, self._derive(key, source))
        return shown[3]

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
        """Follow a book event that is already in the cache: what changed is not as we left it."""
        if not self._taken.touches(event.key):
            return
        if isinstance(event, BookDelta):
            self._taken.changed(event)
        else:
            book = self._cache.book(event.key)
            if book is not None:
                self._taken.reset(book)
        self._version += 1

    def _derive(self, key: InstrumentKey, source: Book) -> Book:
        bids = tuple(self._taken.left(source, "bid"))[:LEVELS]
        asks = tuple(self._taken.left(source, "ask"))[:LEVELS]
        if key != source.key:
            bids, asks = _flip(asks), _flip(bids)
        book = Book(key)
        book.apply(BookSnapshot(key, source.ts_recv, source.ts_venue, source.epoch, source.seq, bids, asks))
        return book


def _flip(levels: _Levels) -> _Levels:
    return tuple((Price(complement(price)), size) for price, size in levels)
