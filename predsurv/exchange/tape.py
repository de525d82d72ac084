"""What the exchange reports, in the order it happened.

Kept apart because books, agents, accounts and the exchange all write to the one tape, and every
server or feed reads nothing else.
"""

from msgspec import Struct

from predsurv.core.events import MarketChangeKind
from predsurv.core.ids import InstrumentId, OrderSide, Side
from predsurv.core.market import Market
from predsurv.core.num import Price, Size


class LevelChange(Struct, frozen=True, array_like=True, tag="level", gc=False):
    """One level of book ``book`` now holds ``size``; ``book_seq`` counts this book's changes.

    Prices are those of the book's first instrument; the mirror's are 1 − price on the other side.
    """

    seq: int
    ts: int
    book: int
    book_seq: int
    side: Side
    price: Price
    size: Size


class TapeTrade(Struct, frozen=True, array_like=True, tag="execution", gc=False):
    """A trade in book ``book``; ``taker_side`` is the aggressor's in the first instrument."""

    seq: int
    ts: int
    book: int
    price: Price
    size: Size
    taker_side: OrderSide


class TapeLifecycle(Struct, frozen=True, array_like=True, tag="lifecycle"):
    """A market changed; ``market`` is the record from now on, ``value`` JSON of what changed."""

    seq: int
    ts: int
    market: Market
    kind: MarketChangeKind
    value: str


class TapeSettlement(Struct, frozen=True, array_like=True, tag="settled"):
    """A market paid out; ``payouts`` is what a share of each outcome is worth."""

    seq: int
    ts: int
    market: Market
    payouts: tuple[tuple[InstrumentId, Price], ...]
    void: bool


TapeEvent = LevelChange | TapeTrade | TapeLifecycle | TapeSettlement


class Tape:
    """The exchange's clock, its sequence number and what was reported since the last ``cut``."""

    __slots__ = ("changes", "events", "now", "seq")

    def __init__(self, now: int) -> None:
        self.now = now
        self.seq = 0
        self.changes = 0
        """Level changes ever; what activity is measured in."""
        self.events: list[TapeEvent] = []

    def next_seq(self) -> int:
        """Return the next exchange sequence number."""
        self.seq += 1
        return self.seq

    def lifecycle(self, market: Market, kind: MarketChangeKind, value: str) -> None:
        """Report that ``market`` is now as given."""
        self.events.append(TapeLifecycle(self.next_seq(), self.now, market, kind, value))

    def settled(self, market: Market, payouts: tuple[tuple[InstrumentId, Price], ...], *, void: bool) -> None:
        """Report what ``market`` pays."""
        self.events.append(TapeSettlement(self.next_seq(), self.now, market, payouts, void))

    def cut(self) -> list[TapeEvent]:
        """Return what was reported since the last cut, and forget it."""
        events, self.events = self.events, []
        return events
