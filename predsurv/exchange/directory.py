"""The markets that an exchange lists, and the book in which each instrument trades."""

from collections.abc import Sequence
from typing import NamedTuple

from msgspec import Struct
from msgspec.structs import replace

from predsurv.core.events import Level
from predsurv.core.ids import InstrumentKey, MarketId
from predsurv.core.market import Market
from predsurv.core.num import Money, complement
from predsurv.exchange.book import MatchingBook


class BookState(Struct, frozen=True):
    """An instrument's book at ``ts`` (ns UTC), levels best first; ``seq`` counts the book's changes."""

    key: InstrumentKey
    ts: int
    seq: int
    bids: tuple[Level, ...]
    asks: tuple[Level, ...]


class BookLocation(NamedTuple):
    """The number of an instrument's book; ``mirrored`` when the instrument is the complement of the book's own."""

    book: int
    mirrored: bool


class InstrumentListing(NamedTuple):
    """An instrument's market and book; ``mirrored`` when it is the complement of the book's own instrument."""

    market: Market
    book: MatchingBook
    mirrored: bool


class _Entry(NamedTuple):
    market_id: MarketId
    book: MatchingBook
    mirrored: bool


class MarketDirectory:
    """The markets in order of listing. Unknown ids raise KeyError except where None is promised."""

    def __init__(self) -> None:
        self._markets: dict[MarketId, Market] = {}
        self._entries: dict[InstrumentKey, _Entry] = {}

    def add(self, market: Market, books: Sequence[MatchingBook]) -> None:
        """List a market that trades in ``books``: one for each outcome, or one for both of two outcomes."""
        self._markets[market.market_id] = market
        for index, key in enumerate(market.keys()):
            mirrored = len(books) == 1 and index == 1
            self._entries[key] = _Entry(market.market_id, books[0 if mirrored else index], mirrored)

    def update(self, market_id: MarketId, **changes: object) -> Market:
        """Replace fields of a market's record and return the record."""
        market = self._markets[market_id] = replace(self._markets[market_id], **changes)
        return market

    def markets(self) -> tuple[Market, ...]:
        """Return every market ever listed, with its current volume."""
        return tuple(self.market(market_id) for market_id in self._markets)

    def market(self, market_id: MarketId) -> Market:
        """Return one market's record with its current volume."""
        market = self._markets[market_id]
        books = {book.index: book for key in market.keys() for book in (self._entries[key].book,)}  # noqa: SIM118
        traded = sum(book.traded_volume for book in books.values())
        return replace(market, volume=Money((market.volume or 0) + traded)) if traded else market

    def locate(self, key: InstrumentKey) -> BookLocation | None:
        """Return the number of an instrument's book, None for an unknown instrument."""
        entry = self._entries.get(key)
        return None if entry is None else BookLocation(entry.book.index, entry.mirrored)

    def listing(self, key: InstrumentKey) -> InstrumentListing | None:
        """Return an instrument's market and book, None for an unknown instrument."""
        entry = self._entries.get(key)
        return None if entry is None else InstrumentListing(self._markets[entry.market_id], entry.book, entry.mirrored)

    def book(self, key: InstrumentKey, ts: int) -> BookState:
        """Return an instrument's whole current book; ``ts`` is the current exchange time (ns UTC)."""
        _, book, mirrored = self._entries[key]
        bids, asks = book.levels("bid"), book.levels("ask")
        if mirrored:
            bids, asks = _mirror(asks), _mirror(bids)
        return BookState(key, ts, book.seq, bids, asks)


def _mirror(levels: tuple[Level, ...]) -> tuple[Level, ...]:
    return tuple((complement(price), size) for price, size in levels)
