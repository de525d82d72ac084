"""Everything the venue published about each market, in order: the truth a recording is held against.

Kept apart from the channel because only tests and benchmarks keep it: it grows without end.
"""

from collections.abc import Callable, Sequence
from typing import NamedTuple

from predsurv.core.events import Level
from predsurv.core.ids import OrderSide, Side
from predsurv.core.num import Price, Size
from predsurv.simulate.polymarket.books import TokenPairBook, levels


class PublishedMessage(NamedTuple):
    """A level change, or (``side`` None) a whole book; ``digest``: the state when its burst was over.

    Prices on the first token's scale, ``stamp`` the venue's ms, ``at`` the time of day (ns UTC) when
    it was handed to the connections.
    """

    stamp: int
    side: Side | None
    price: Price
    size: Size
    digest: int
    at: int


class PublishedTrade(NamedTuple):
    """A trade as the first token sees it."""

    stamp: int
    price: Price
    size: Size
    side: OrderSide


class MarketLog:
    """What was published about one market."""

    __slots__ = ("deals", "ends", "items", "opening", "told")

    def __init__(self, opening: int) -> None:
        self.opening = opening
        """Digest of the book before the first item."""
        self.items: list[PublishedMessage] = []
        self.deals: list[PublishedTrade] = []
        self.told: list[int] = []
        """When each of the deals was handed to the connections, ns UTC."""
        self.ends: dict[int, int] = {}
        """Number of items when the burst of a stamp was over."""


class PublishedLog:
    """The stories by condition id; ``now`` gives the time of day (ns UTC)."""

    def __init__(self, now: Callable[[], int]) -> None:
        self._now = now
        self.stories: dict[str, MarketLog] = {}

    def open(self, market: str, book: TokenPairBook) -> None:
        """Begin a story with the book as it is."""
        story = self.stories[market] = MarketLog(state_of(book))
        story.ends[book.stamp] = 0

    def burst(self, market: str, book: TokenPairBook, changes: Sequence[tuple[Side, Price, Size]]) -> None:
        """Add a burst of changes that is over; ``book`` is the state after it."""
        story, digest, at = self.stories[market], state_of(book), self._now()
        story.items += [PublishedMessage(book.stamp, *change, digest, at) for change in changes]
        story.ends[book.stamp] = len(story.items)

    def book(self, market: str, book: TokenPairBook) -> None:
        """Add a whole book."""
        story = self.stories[market]
        story.items.append(PublishedMessage(book.stamp, None, Price(0), Size(0), state_of(book), self._now()))
        story.ends[book.stamp] = len(story.items)

    def deal(self, market: str, deal: PublishedTrade) -> None:
        """Add a trade."""
        story = self.stories[market]
        story.deals.append(deal)
        story.told.append(self._now())


def digest_of(bids: Sequence[Level], asks: Sequence[Level]) -> int:
    """Return a number that two books share only if they are equal; order does not matter."""
    return hash((frozenset(bids), frozenset(asks)))


def state_of(book: TokenPairBook) -> int:
    """Return the digest of a book as its first token sees it."""
    return hash((frozenset(levels(book.bids)), frozenset(levels(book.asks))))
