"""An order as the book it arrives at sees it, and what it takes from there.

Kept apart from matching because a venue with one book per market turns outcomes and sides around,
and only here.
"""

from collections.abc import Iterator

from msgspec import Struct

from predsurv.core.events import Level
from predsurv.core.ids import InstrumentKey, Side
from predsurv.core.num import Price, Size, complement
from predsurv.core.orders import PlaceOrder
from predsurv.engine.books.consumed import ConsumedLiquidity
from predsurv.state.book import Book


class Taker(Struct):
    """An arriving order in the book of ``key``: ``side`` and ``price`` are that book's, sizes micros."""

    command: PlaceOrder
    ts: int
    key: InstrumentKey
    side: Side
    price: Price
    remaining: Size

    @property
    def opposite(self) -> Side:
        """The side it trades with."""
        return "ask" if self.side == "bid" else "bid"

    def reaches(self, price: Price) -> bool:
        """Return whether it would trade at ``price``."""
        return price <= self.price if self.side == "bid" else price >= self.price

    def own_price(self, price: Price) -> Price:
        """Return the book's price as a price of the instrument that was ordered."""
        return price if self.key == self.command.key else complement(price)


def arrive(command: PlaceOrder, ts: int, key: InstrumentKey) -> Taker:
    """Return the order as the book of ``key`` sees it: buying one outcome is selling the other."""
    mirrored = key != command.key
    side: Side = "bid" if (command.side == "buy") != mirrored else "ask"
    price = complement(command.price) if mirrored else command.price
    return Taker(command, ts, key, side, price, command.size)


def crosses(taker: Taker, book: Book) -> bool:
    """Return whether it would trade at once with what the venue shows."""
    best = book.best_ask() if taker.side == "bid" else book.best_bid()
    return best is not None and taker.reaches(best[0])


def reach(taker: Taker, book: Book, liquidity: ConsumedLiquidity) -> int:
    """Return how much it could take in all."""
    return sum(size for price, size in liquidity.left(book, taker.opposite) if taker.reaches(price))


def take(taker: Taker, book: Book, liquidity: ConsumedLiquidity) -> Iterator[Level]:
    """Yield (price in the book, size) of each trade, best first, and remember what was taken."""
    for price, size in tuple(liquidity.left(book, taker.opposite)):
        if not taker.remaining or not taker.reaches(price):
            return
        traded = Size(min(size, taker.remaining))
        liquidity.take(book, taker.opposite, price, traded)
        taker.remaining = Size(taker.remaining - traded)
        yield price, traded
