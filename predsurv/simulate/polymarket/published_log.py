"""Everything that the venue published about each market, in order; a recording is compared with it.

Only tests and benchmarks keep this log: it grows without bound.
"""

from collections.abc import Callable, Sequence
from typing import NamedTuple

from predsurv.core.events import Level
from predsurv.core.ids import OrderSide, Side
from predsurv.core.num import Price, Size
from predsurv.simulate.polymarket.books import Outcome, TokenPairBook, levels


class PublishedMessage(NamedTuple):
    """A level change or (``side`` None) a whole book; ``digest``: of the book after its burst.

    Prices are the first token's. ``stamp``: the venue's time, ms UTC. ``at``: time of sending, ns UTC.
    """

    stamp: int
    side: Side | None
    price: Price
    size: Size
    digest: int
    at: int


class PublishedTrade(NamedTuple):
    """A trade as the first token's; ``stamp`` in ms UTC, ``side`` the taker's. Told on token ``outcome`` only."""

    stamp: int
    price: Price
    size: Size
    side: OrderSide
    outcome: Outcome


class PublishedHistory:
    """What was published about one market; ``opening`` is the digest of the book before the first message."""

    __slots__ = ("burst_ends", "messages", "opening", "trade_times", "trades")

    def __init__(self, opening: int) -> None:
        self.opening = opening
        self.messages: list[PublishedMessage] = []
        self.trades: list[PublishedTrade] = []
        self.trade_times: list[int] = []
        """Time of sending of each trade, ns UTC."""
        self.burst_ends: dict[int, int] = {}
        """Number of messages up to the end of the burst with a stamp."""


class PublishedLog:
    """The published history by condition id; ``now`` returns the time of day (ns UTC)."""

    def __init__(self, now: Callable[[], int]) -> None:
        self._now = now
        self.histories: dict[str, PublishedHistory] = {}

    def add_market(self, market: str, book: TokenPairBook) -> None:
        """Begin the history of a market with its present book."""
        history = self.histories[market] = PublishedHistory(book_digest(book))
        history.burst_ends[book.stamp] = 0

    def add_burst(self, market: str, book: TokenPairBook, changes: Sequence[tuple[Side, Price, Size]]) -> None:
        """Add the level changes of a burst; ``book`` is the state after it."""
        history, digest, at = self.histories[market], book_digest(book), self._now()
        history.messages += [PublishedMessage(book.stamp, *change, digest, at) for change in changes]
        history.burst_ends[book.stamp] = len(history.messages)

    def add_book(self, market: str, book: TokenPairBook) -> None:
        """Add a whole book."""
        history = self.histories[market]
        message = PublishedMessage(book.stamp, None, Price(0), Size(0), book_digest(book), self._now())
        history.messages.append(message)
        history.burst_ends[book.stamp] = len(history.messages)

    def add_trade(self, market: str, trade: PublishedTrade) -> None:
        """Add a trade."""
        history = self.histories[market]
        history.trades.append(trade)
        history.trade_times.append(self._now())


def levels_digest(bids: Sequence[Level], asks: Sequence[Level]) -> int:
    """Return a number that is equal for equal books, whatever the order of their levels."""
    return hash((frozenset(bids), frozenset(asks)))


def book_digest(book: TokenPairBook) -> int:
    """Return the ``levels_digest`` of the first token's book."""
    return hash((frozenset(levels(book.bids)), frozenset(levels(book.asks))))
