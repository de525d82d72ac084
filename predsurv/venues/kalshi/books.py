"""The books of the markets that one connection carries, and which of them can be believed.

Kept apart from ``decode`` because the venue sends changes as differences: somebody has to add them
up, and a sum that misses one term is worthless.
"""

from collections.abc import Iterable
from collections.abc import Set as AbstractSet
from typing import Final

from predsurv.core.errors import WireError
from predsurv.core.events import BookSnapshot, Gap, GapReason, Level, MarketEvent
from predsurv.core.ids import InstrumentKey
from predsurv.core.num import MICROS, ONE, Price, Size, parse_micros, parse_signed_micros
from predsurv.venues.kalshi.market_parser import instrument
from predsurv.venues.kalshi.wire import Texts

LEVELS_MAX: Final = 10_000
"""Most levels a side of a book may have; more is a malformed message."""

PRICES_MAX: Final = 1 << 14
SIZES_MAX: Final = 1 << 16

Sizes = dict[Price, int]
"""Size in micros by price, of one side."""


class YesPriceCache(dict[str, Price]):
    """Price texts already parsed; holds prices strictly between 0 and 1 only."""

    def __missing__(self, text: str) -> Price:
        price = self.parse(text)
        if not 0 < price < ONE:
            raise ValueError(f"price outside 0 … 1: {text[:32]!r}")
        if len(self) >= PRICES_MAX:
            self.clear()
        self[text] = price
        return price

    def parse(self, text: str) -> Price:
        """Return what ``text`` means; raises ValueError."""
        return Price(parse_micros(text))


class NoPriceCache(YesPriceCache):
    """The same for prices of NO, as what they are on the YES scale."""

    def parse(self, text: str) -> Price:
        """Return 1 − the price; raises ValueError."""
        return Price(MICROS - parse_micros(text))


class AmountCache(dict[str, int]):
    """Texts of sizes and their changes already parsed, in micros."""

    def __missing__(self, text: str) -> int:
        amount = parse_signed_micros(text)
        if len(self) >= SIZES_MAX:
            self.clear()
        self[text] = amount
        return amount


class NumberCache:
    """Parsed texts, shared by all connections of a feed."""

    def __init__(self) -> None:
        self.prices = YesPriceCache()
        self.no_prices = NoPriceCache()
        self.amounts = AmountCache()

    def book(self, yes: Texts, no: Texts) -> tuple[Sizes, Sizes]:
        """Return bids and asks on the YES scale; raises WireError or ValueError for a book that cannot be."""
        if max(len(yes), len(no)) > LEVELS_MAX:
            raise WireError(f"book side of more than {LEVELS_MAX} levels")
        bids, asks = self.side(yes, no=False), self.side(no, no=True)
        if bids and asks and max(bids) >= min(asks):
            raise WireError("book is crossed: are NO bids on the YES scale now?")
        return bids, asks

    def side(self, levels: Texts, *, no: bool) -> Sizes:
        """Return one side on the YES scale: NO bids are asks at 1 − price; raises WireError or ValueError."""
        prices, amounts = self.no_prices if no else self.prices, self.amounts
        found = {prices[at]: amounts[size] for at, size in levels}
        if len(found) != len(levels):
            raise WireError("book names a price twice")
        if found and min(found.values()) < 0:
            raise WireError("book has a negative size")
        return {price: size for price, size in found.items() if size}


class MarketBook:
    """One market: its book on the YES scale, and the outcomes that hear of it.

    ``keys`` are wanted and tell which is the mirrored NO outcome; changes go to ``live`` ones only.
    """

    __slots__ = ("asks", "bids", "keys", "live", "ticker")

    def __init__(self, ticker: str) -> None:
        self.ticker = ticker
        self.bids: Sizes = {}
        self.asks: Sizes = {}
        self.keys: dict[InstrumentKey, bool] = {}
        self.live: tuple[tuple[InstrumentKey, bool], ...] = ()

    def silence(self, keys: AbstractSet[InstrumentKey]) -> None:
        """Let ``keys`` hear nothing more until the next whole book."""
        self.live = tuple(pair for pair in self.live if pair[0] not in keys)


class BookSet:
    """The lines of one connection. ``awaiting``: wanted without a book; ``lost``: broken since the last look."""

    def __init__(self) -> None:
        self.lines: dict[str, MarketBook] = {}
        self.awaiting: set[InstrumentKey] = set()
        self.lost: set[InstrumentKey] = set()

    def drop(self, keys: Iterable[InstrumentKey]) -> set[str]:
        """Forget ``keys``; return the tickers that nobody wants any more."""
        gone = set()
        for key in keys:
            ticker, _ = instrument(key)
            line = self.lines.get(ticker)
            if line is None:
                continue
            line.keys.pop(key, None)
            line.silence({key})
            if not line.keys:
                del self.lines[ticker]
                gone.add(ticker)
            self.awaiting.discard(key)
            self.lost.discard(key)
        return gone

    def want(self, keys: Iterable[InstrumentKey]) -> set[str]:
        """Await a whole book for each of ``keys``; return their tickers."""
        tickers = set()
        for key in sorted(keys):
            ticker, mirrored = instrument(key)
            line = self.lines.setdefault(ticker, MarketBook(ticker))
            line.keys[key] = mirrored
            line.silence({key})
            self.awaiting.add(key)
            tickers.add(ticker)
        return tickers

    def lose(self, lines: Iterable[MarketBook], gap: tuple[int, GapReason, int], out: list[MarketEvent]) -> None:
        """Believe none of ``lines`` any more; ``gap`` is (ts_recv, reason, epoch) of their gaps."""
        ts_recv, reason, epoch = gap
        for line in lines:
            out += [Gap(key, ts_recv, reason, epoch) for key, _ in line.live]
            line.live = ()
            self.awaiting.update(line.keys)
            self.lost.update(line.keys)

    def open(self, line: MarketBook, bids: Sizes, asks: Sizes) -> None:
        """Take a whole book: from here on it can be believed."""
        line.bids, line.asks = bids, asks
        line.live = tuple(line.keys.items())
        self.awaiting.difference_update(line.keys)
        self.lost.difference_update(line.keys)


def levels(sizes: Sizes, *, descending: bool) -> tuple[Level, ...]:
    """Return one side's levels, best first."""
    return tuple((price, Size(sizes[price])) for price in sorted(sizes, reverse=descending))


def snapshot(key: InstrumentKey, book: tuple[Sizes, Sizes, bool], stamps: tuple[int, int, int | None]) -> BookSnapshot:
    """Return the whole book as ``key`` sees it.

    ``book``: bids and asks on the YES scale, and whether ``key`` is NO; ``stamps``: ts_recv, epoch, seq.
    """
    bids, asks, mirrored = book
    ts_recv, epoch, seq = stamps
    if mirrored:
        bids, asks = _mirror(asks), _mirror(bids)
    return BookSnapshot(key, ts_recv, None, epoch, seq, levels(bids, descending=True), levels(asks, descending=False))


def _mirror(sizes: Sizes) -> Sizes:
    return {Price(MICROS - price): size for price, size in sizes.items()}
