"""Which markets an exchange lists and where each instrument trades.

Kept apart from the exchange because it only answers questions: nothing in here moves.
"""

from collections.abc import Sequence

from msgspec import Struct
from msgspec.structs import replace

from predsurv.core.events import Level
from predsurv.core.ids import InstrumentKey, MarketId
from predsurv.core.market import Market
from predsurv.core.num import Money, complement
from predsurv.exchange.book import MatchingBook
from predsurv.exchange.orders import BookLocation


class BookState(Struct, frozen=True):
    """A book at ``ts`` as its instrument sees it, levels best first; ``seq`` counts its changes."""

    key: InstrumentKey
    ts: int
    seq: int
    bids: tuple[Level, ...]
    asks: tuple[Level, ...]


class MarketDirectory:
    """The markets in order of listing. Unknown ids raise KeyError except where None is promised."""

    def __init__(self) -> None:
        self._markets: dict[MarketId, Market] = {}
        self._places: dict[InstrumentKey, tuple[MarketId, MatchingBook, bool]] = {}

    def enter(self, market: Market, books: Sequence[MatchingBook]) -> None:
        """List a market that trades in ``books``: one an outcome, or one for both of them."""
        self._markets[market.market_id] = market
        for index, key in enumerate(market.keys()):
            mirrored = len(books) == 1 and index == 1
            self._places[key] = (market.market_id, books[0 if mirrored else index], mirrored)

    def change(self, market_id: MarketId, **changes: object) -> Market:
        """Replace fields of a market's record and return it."""
        market = self._markets[market_id] = replace(self._markets[market_id], **changes)
        return market

    def markets(self) -> tuple[Market, ...]:
        """Return every market there is or was, with volumes as of now."""
        return tuple(self.market(market_id) for market_id in self._markets)

    def market(self, market_id: MarketId) -> Market:
        """Return one market's record with its volume as of now."""
        market = self._markets[market_id]
        books = {book.index: book for key in market.keys() for book in (self._places[key][1],)}  # noqa: SIM118
        traded = sum(book.traded for book in books.values())
        return replace(market, volume=Money((market.volume or 0) + traded)) if traded else market

    def locate(self, key: InstrumentKey) -> tuple[int, bool] | None:
        """Return (book number, mirrored) of an instrument, None when there is no such one."""
        place = self._places.get(key)
        return None if place is None else (place[1].index, place[2])

    def place(self, key: InstrumentKey) -> BookLocation | None:
        """Return where orders for an instrument go, None when there is no such one."""
        place = self._places.get(key)
        return None if place is None else BookLocation(self._markets[place[0]], place[1], place[2])

    def book(self, key: InstrumentKey, ts: int) -> BookState:
        """Return an instrument's whole book as it is now, which is ``ts``."""
        _, book, mirrored = self._places[key]
        bids, asks = book.levels("bid"), book.levels("ask")
        if mirrored:
            bids, asks = _mirror(asks), _mirror(bids)
        return BookState(key, ts, book.seq, bids, asks)


def _mirror(levels: tuple[Level, ...]) -> tuple[Level, ...]:
    return tuple((complement(price), size) for price, size in levels)
