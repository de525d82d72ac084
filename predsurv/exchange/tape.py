"""The tape: what the exchange reports, in order; the only thing that servers and feeds read."""

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
    """A market changed; ``market`` is its record after the change, ``value`` the changed fields as JSON."""

    seq: int
    ts: int
    market: Market
    kind: MarketChangeKind
    value: str


class TapeSettlement(Struct, frozen=True, array_like=True, tag="settled"):
    """A market was settled; ``payouts`` is the value of one share of each outcome."""

    seq: int
    ts: int
    market: Market
    payouts: tuple[tuple[InstrumentId, Price], ...]
    void: bool


TapeEvent = LevelChange | TapeTrade | TapeLifecycle | TapeSettlement


class Tape:
    """Exchange time (``now``, ns UTC), the last sequence number, and the events since the last ``take_events``."""

    __slots__ = ("events", "level_changes", "now", "seq")

    def __init__(self, now: int) -> None:
        self.now = now
        self.seq = 0
        self.level_changes = 0
        """Level changes since the start; the unit in which activity is measured."""
        self.events: list[TapeEvent] = []

    def next_seq(self) -> int:
        """Return the next exchange sequence number."""
        self.seq += 1
        return self.seq

    def add_lifecycle(self, market: Market, kind: MarketChangeKind, value: str) -> None:
        """Report a change of ``market``, which is the record after it; ``value``: the changed fields as JSON."""
        self.events.append(TapeLifecycle(self.next_seq(), self.now, market, kind, value))

    def add_settlement(self, market: Market, payouts: tuple[tuple[InstrumentId, Price], ...], *, void: bool) -> None:
        """Report the settlement of ``market``."""
        self.events.append(TapeSettlement(self.next_seq(), self.now, market, payouts, void))

    def take_events(self) -> list[TapeEvent]:
        """Return the events since the last call and clear them."""
        events, self.events = self.events, []
        return events
