"""Features of one book: mid, spread, microprice, imbalance, depth.

All results are micros; None where a side that is needed is empty.
"""

from predsurv.core.ids import Side
from predsurv.core.num import MICROS, Price, Size
from predsurv.state.book import BookView


def mid(book: BookView) -> int | None:
    """Return (best bid + best ask) / 2 in micros, rounded down."""
    bid, ask = book.best_bid(), book.best_ask()
    if bid is None or ask is None:
        return None
    return (bid[0] + ask[0]) // 2


def spread(book: BookView) -> int | None:
    """Return best ask − best bid in micros; negative when crossed."""
    bid, ask = book.best_bid(), book.best_ask()
    if bid is None or ask is None:
        return None
    return ask[0] - bid[0]


def microprice(book: BookView) -> int | None:
    """Return the best prices averaged with the size of the opposite side as weight, in micros, rounded down."""
    bid, ask = book.best_bid(), book.best_ask()
    if bid is None or ask is None:
        return None
    return (bid[0] * ask[1] + ask[0] * bid[1]) // (bid[1] + ask[1])


def imbalance(book: BookView, levels: int) -> int | None:
    """Return (bid size − ask size) / (bid size + ask size) over the best ``levels``.

    In micros: −1_000_000 is all asks, 1_000_000 all bids. None when the book is empty.
    """
    bids = sum(size for _, size in book.bids.top(levels))
    asks = sum(size for _, size in book.asks.top(levels))
    if bids + asks == 0:
        return None
    return (bids - asks) * MICROS // (bids + asks)


def depth_within(book: BookView, side: Side, distance: int) -> Size | None:
    """Return the size within ``distance`` micros of the best price of ``side``, inclusive."""
    best = book.best_bid() if side == "bid" else book.best_ask()
    if best is None:
        return None
    if side == "bid":
        return book.bids.depth_until(Price(best[0] - distance))
    return book.asks.depth_until(Price(best[0] + distance))
