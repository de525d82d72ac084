"""The order books of one connection, summed up from signed changes, and which of them are valid.

The venue sends differences: a book that misses one of them is wrong until the next snapshot.
"""

from collections.abc import Iterable
from typing import Final

from predsurv.core.errors import WireError
from predsurv.core.events import BookSnapshot, Gap, GapReason, Level, MarketEvent
from predsurv.core.ids import InstrumentKey
from predsurv.core.num import Price, Size, complement, parse_signed_micros
from predsurv.state.ladder import Ladder
from predsurv.venues.kalshi.market_parser import ticker_of
from predsurv.venues.kalshi.wire import BookBody, Texts, sides
from predsurv.venues.parsing import PRICES_MAX, ParseCache, Stamp, parse_complement, parse_open_price

LEVELS_MAX: Final = 10_000
"""Most levels a side of a book may have; more is a malformed message."""

SIZES_MAX: Final = 1 << 16

Sizes = dict[Price, Size]
"""Size in micros by price, of one side."""


class NumberCache:
    """Parsed texts, shared by all connections of a feed, in micros.

    ``no_prices`` are prices of NO as what they are on the YES scale; ``sizes`` may be negative.
    """

    def __init__(self) -> None:
        self.prices = ParseCache(parse_open_price, PRICES_MAX)
        self.no_prices = ParseCache(parse_complement, PRICES_MAX)
        self.sizes = ParseCache(parse_signed_micros, SIZES_MAX)

    def book(self, yes: Texts, no: Texts) -> tuple[Sizes, Sizes]:
        """Return bids and asks on the YES scale; raises WireError or ValueError for an impossible book."""
        if max(len(yes), len(no)) > LEVELS_MAX:
            raise WireError(f"book side of more than {LEVELS_MAX} levels")
        bids, asks = self.side(yes, no=False), self.side(no, no=True)
        if bids and asks and max(bids) >= min(asks):
            raise WireError("book is crossed: are NO bids on the YES scale now?")
        return bids, asks

    def side(self, levels: Texts, *, no: bool) -> Sizes:
        """Return one side on the YES scale: NO bids are asks at 1 − price; raises WireError or ValueError."""
        prices, sizes = self.no_prices if no else self.prices, self.sizes
        found = {prices[price]: sizes[size] for price, size in levels}
        if len(found) != len(levels):
            raise WireError("book names a price twice")
        if found and min(found.values()) < 0:
            raise WireError("book has a negative size")
        return {price: Size(size) for price, size in found.items() if size}


class MarketBook:
    """The book of one market on the YES scale, and the outcomes that get its events.

    ``keys``: the wanted outcomes, each with whether it is the mirrored NO. ``live``: those of them
    whose book is valid; changes become events for these only.
    """

    __slots__ = ("asks", "bids", "keys", "live", "ticker")

    def __init__(self, ticker: str) -> None:
        self.ticker = ticker
        self.bids = Ladder(descending=True)
        self.asks = Ladder(descending=False)
        self.keys: dict[InstrumentKey, bool] = {}
        self.live: tuple[tuple[InstrumentKey, bool], ...] = ()

    def suspend(self, key: InstrumentKey) -> None:
        """Emit no more events for ``key`` until the next snapshot."""
        self.live = tuple(pair for pair in self.live if pair[0] != key)


class BookSet:
    """The books of one connection by ticker.

    ``awaiting``: wanted outcomes without a valid book. ``lost``: outcomes whose book became invalid
    since ``lost`` was cleared.
    """

    def __init__(self) -> None:
        self.by_ticker: dict[str, MarketBook] = {}
        self.awaiting: set[InstrumentKey] = set()
        self.lost: set[InstrumentKey] = set()

    def drop(self, keys: Iterable[InstrumentKey]) -> set[str]:
        """Forget ``keys``; return the tickers of which no outcome is wanted any more."""
        unwanted = set()
        for key in keys:
            ticker, _ = ticker_of(key)
            book = self.by_ticker.get(ticker)
            if book is None:
                continue
            book.keys.pop(key, None)
            book.suspend(key)
            if not book.keys:
                del self.by_ticker[ticker]
                unwanted.add(ticker)
            self.awaiting.discard(key)
            self.lost.discard(key)
        return unwanted

    def want(self, keys: Iterable[InstrumentKey]) -> set[str]:
        """Await a snapshot for each of ``keys``; return their tickers."""
        tickers = set()
        for key in sorted(keys):
            ticker, mirrored = ticker_of(key)
            book = self.by_ticker.setdefault(ticker, MarketBook(ticker))
            book.keys[key] = mirrored
            book.suspend(key)
            self.awaiting.add(key)
            tickers.add(ticker)
        return tickers

    def invalidate(self, books: Iterable[MarketBook], reason: GapReason, stamp: Stamp, out: list[MarketEvent]) -> None:
        """Append a Gap for each live outcome of ``books``; they are awaited again."""
        for book in books:
            out += [Gap(key, stamp.ts_recv, reason, stamp.epoch) for key, _ in book.live]
            book.live = ()
            self.awaiting.update(book.keys)
            self.lost.update(book.keys)

    def replace(self, book: MarketBook, bids: Sizes, asks: Sizes) -> None:
        """Take the levels of a snapshot: ``book`` is valid for all of its outcomes."""
        book.bids.replace([*bids.items()])
        book.asks.replace([*asks.items()])
        book.live = tuple(book.keys.items())
        self.awaiting.difference_update(book.keys)
        self.lost.difference_update(book.keys)

    def load(
        self, body: BookBody, numbers: NumberCache, stamp: Stamp, ts_venue: int | None = None
    ) -> list[BookSnapshot]:
        """Load a snapshot message, sent at ``ts_venue`` (ns UTC); return it as each wanted outcome sees it.

        Raises WireError or ValueError. One of an expired or unknown market, which is no empty book, returns nothing.
        """
        book, (yes, no) = self.by_ticker.get(body.market_ticker), sides(body)
        if book is None or (body.market_id == "" and not yes and not no):
            return []
        self.replace(book, *numbers.book(yes, no))
        return [snapshot(key, book, stamp, ts_venue, mirrored=mirrored) for key, mirrored in book.live]


def snapshot(
    key: InstrumentKey, book: MarketBook, stamp: Stamp, ts_venue: int | None = None, *, mirrored: bool
) -> BookSnapshot:
    """Return the whole ``book`` as ``key`` sees it; ``mirrored`` for the NO outcome."""
    bids, asks = book.bids.levels(), book.asks.levels()
    if mirrored:
        bids, asks = _mirror(asks), _mirror(bids)
    return BookSnapshot(key, stamp.ts_recv, ts_venue, stamp.epoch, stamp.seq, bids, asks)


def _mirror(levels: tuple[Level, ...]) -> tuple[Level, ...]:
    return tuple((complement(price), size) for price, size in levels)
