"""An arriving order and its execution against the book it arrives at.

The only place where orders for the second outcome are converted to the first outcome's book.
"""

from collections.abc import Iterator

from msgspec import Struct

from predsurv.core.events import Level
from predsurv.core.ids import InstrumentKey, Side
from predsurv.core.num import Price, Size, complement
from predsurv.core.orders import PlaceOrder
from predsurv.engine.books.consumed import ConsumedLiquidity
from predsurv.state.book import BookView


class Taker(Struct):
    """An arriving order in terms of the book of ``key``, its primary instrument.

    ``side`` and ``price`` are those of that book, ``ts`` is its arrival in ns UTC; sizes and prices in micros.
    """

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

    def trades_at(self, price: Price) -> bool:
        """Return whether its limit allows a trade at ``price`` of the book."""
        return price <= self.price if self.side == "bid" else price >= self.price

    def own_price(self, price: Price) -> Price:
        """Return a price of the book as a price of the instrument that was ordered."""
        return price if self.key == self.command.key else complement(price)


def arriving(command: PlaceOrder, ts: int, primary: InstrumentKey) -> Taker:
    """Return the order in terms of the book of ``primary``: buying one outcome is selling the other."""
    complemented = primary != command.key
    side: Side = "bid" if (command.side == "buy") != complemented else "ask"
    price = complement(command.price) if complemented else command.price
    return Taker(command, ts, primary, side, price, command.size)


def crosses(taker: Taker, book: BookView) -> bool:
    """Return whether it would trade on arrival with the book as published, our consumption ignored."""
    best = book.best_ask() if taker.side == "bid" else book.best_bid()
    return best is not None and taker.trades_at(best[0])


def shown(taker: Taker, book: BookView) -> int:
    """Return the total size that the book shows within its limit, our consumption ignored."""
    levels = (book.asks if taker.side == "bid" else book.bids).levels()
    return sum(size for price, size in levels if taker.trades_at(price))


def fillable(taker: Taker, book: BookView, consumed: ConsumedLiquidity) -> int:
    """Return the total size it could take within its limit."""
    return sum(size for price, size in consumed.remaining(book, taker.opposite) if taker.trades_at(price))


def execute(taker: Taker, book: BookView, consumed: ConsumedLiquidity, unsure: int = 0) -> Iterator[Level]:
    """Yield (price in the book, size) of each trade, best first, and record the consumption.

    ``unsure``: the volume that others may have taken already, from the best level on.
    """
    for price, size in tuple(consumed.remaining(book, taker.opposite)):
        if not taker.remaining or not taker.trades_at(price):
            return
        passed = min(size, unsure)
        if passed:  # had they been there, we would have them
            unsure -= passed
            consumed.consume(book, taker.opposite, price, passed)
        traded = Size(min(size - passed, taker.remaining))
        if traded:
            consumed.consume(book, taker.opposite, price, traded)
            taker.remaining = Size(taker.remaining - traded)
            yield price, traded
