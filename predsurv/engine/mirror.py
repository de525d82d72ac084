"""The second outcome of a binary market seen in the book of the first.

Kept apart because some venues keep one book per market: recording, matching and strategies must
all derive the other side the same way, or paper fills shares that do not exist.
"""

from collections.abc import Set as AbstractSet
from typing import Final

from predsurv.core.events import BookSnapshot, Level
from predsurv.core.ids import InstrumentKey, VenueName
from predsurv.core.market import Market
from predsurv.core.num import MICROS, Price
from predsurv.state.book import Book
from predsurv.state.market_cache import MarketCache

MIRROR_LEVELS: Final = 20
"""Levels a mirrored book shows on each side."""

_Shown = tuple[tuple[Level, ...], tuple[Level, ...], int, Book]


def is_binary(market: Market) -> bool:
    """Return whether the market has exactly two outcomes, so that one is 1 − the other."""
    return len(market.outcomes) == 2


class Mirror:
    """Finds the book that an instrument really trades in; ``venues`` keep one book per market."""

    def __init__(self, cache: MarketCache, venues: AbstractSet[VenueName]) -> None:
        self._cache = cache
        self._venues = frozenset(venues)
        self._shown: dict[InstrumentKey, _Shown] = {}
        self._primary: dict[InstrumentKey, InstrumentKey] = {}

    def primary(self, key: InstrumentKey) -> InstrumentKey:
        """Return the instrument whose book ``key`` trades in: itself, or the first outcome."""
        if key.venue not in self._venues:
            return key
        known = self._primary.get(key)
        if known is None:
            market = self._cache.market(key.venue, key.market_id)
            if market is None:
                return key
            known = self._primary[key] = market.key(0) if is_binary(market) else key
        return known

    def book(self, key: InstrumentKey) -> Book | None:
        """Return the trusted book of ``key``, mirrored where it has none of its own, else None."""
        primary = self.primary(key)
        source = self._cache.trusted_book(primary)
        if source is None or primary == key:
            return source
        bids, asks = source.top(MIRROR_LEVELS)
        shown = self._shown.get(key)
        if shown is not None and shown[0] is bids and shown[1] is asks and shown[2] == source.epoch:
            return shown[3]
        book = Book(key)
        book.apply(BookSnapshot(key, source.ts_recv, source.ts_venue, source.epoch, None, _flip(asks), _flip(bids)))
        self._shown[key] = (bids, asks, source.epoch, book)
        return book


def _flip(levels: tuple[Level, ...]) -> tuple[Level, ...]:
    return tuple((Price(MICROS - price), size) for price, size in levels)
