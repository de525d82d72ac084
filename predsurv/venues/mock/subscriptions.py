"""What one subscriber watches, and what of the tape it gets to see.

Kept apart from the link because a subscription is exact by itself: snapshot, then every change
once and in order, or a gap.
"""

from collections.abc import Iterable
from collections.abc import Set as AbstractSet
from typing import Final

from predsurv.core.events import BookDelta, BookSnapshot, Gap, GapReason, MarketEvent, Trade
from predsurv.core.ids import InstrumentKey, TradeId
from predsurv.core.num import complement
from predsurv.exchange.exchange import Exchange
from predsurv.exchange.tape import LevelChange, TapeTrade

RESYNC_NS: Final = 100_000_000
"""How long after a loss a new snapshot comes."""


class DeliveryQueue:
    """One batch in the making: receive time (ns UTC), connection epoch, events so far."""

    __slots__ = ("epoch", "events", "recv")

    def __init__(self) -> None:
        self.recv = 0
        self.epoch = 0
        self.events: list[MarketEvent] = []


class WatchedInstrument:
    """One subscription: ``live`` between its snapshot and the next loss, ``seen`` its last change."""

    __slots__ = ("due", "key", "live", "mirrored", "seen")

    def __init__(self, key: InstrumentKey, *, mirrored: bool) -> None:
        self.key = key
        self.mirrored = mirrored
        self.live = False
        self.seen = 0
        self.due = 0


class MockSubscriptions:
    """The watched instruments of one link. A line hears nothing between a loss and its snapshot."""

    def __init__(self, exchange: Exchange, delivery: DeliveryQueue) -> None:
        self._exchange = exchange
        self._delivery = delivery
        self._lines: dict[InstrumentKey, WatchedInstrument] = {}
        self._by_book: dict[int, tuple[WatchedInstrument, ...]] = {}
        self._waiting: dict[InstrumentKey, WatchedInstrument] = {}

    def watch(self, want: AbstractSet[InstrumentKey]) -> None:
        """Set what is watched; an instrument that the exchange does not know is never heard of."""
        locate = self._exchange.directory.locate
        for key in self._lines.keys() - want:
            del self._lines[key]
            self._waiting.pop(key, None)
        for key in sorted(want - self._lines.keys()):
            place = locate(key)
            if place is not None:
                self._lines[key] = self._waiting[key] = WatchedInstrument(key, mirrored=place[1])
        books: dict[int, list[WatchedInstrument]] = {}
        for key, line in self._lines.items():
            place = locate(key)
            if place is not None:
                books.setdefault(place[0], []).append(line)
        self._by_book = {book: tuple(lines) for book, lines in books.items()}

    def hears(self, event: LevelChange) -> bool:
        """Return whether any line would get this change."""
        return any(line.live and line.seen < event.book_seq for line in self._by_book.get(event.book, ()))

    def lose_all(self, reason: GapReason) -> None:
        """Break every line."""
        self._lose(self._lines.values(), reason)

    def lose_book(self, book: int, reason: GapReason) -> None:
        """Break the lines of one book."""
        self._lose(self._by_book.get(book, ()), reason)

    def hasten(self) -> None:
        """Let every waiting line have its snapshot at once: a new connection brings them."""
        for line in self._waiting.values():
            line.due = 0

    def open_books(self, snapshots_max: int) -> None:
        """Deliver snapshots to lines that wait for one."""
        exchange, delivery = self._exchange, self._delivery
        due = [key for key, line in self._waiting.items() if line.due <= exchange.now]
        for key in due[:snapshots_max]:
            line, book = self._waiting.pop(key), exchange.book(key)
            line.live = True
            line.seen = book.seq
            delivery.events.append(
                BookSnapshot(key, delivery.recv, book.ts, delivery.epoch, book.seq, book.bids, book.asks)
            )

    def change(self, event: LevelChange) -> None:
        """Deliver a change of a level; a line that missed one before it breaks."""
        delivery, seq = self._delivery, event.book_seq
        for line in self._by_book.get(event.book, ()):
            if not line.live or seq <= line.seen:
                continue
            if seq != line.seen + 1:
                self._lose((line,), "seq_gap")
                continue
            line.seen = seq
            side, price = event.side, event.price
            if line.mirrored:
                side, price = "ask" if side == "bid" else "bid", complement(price)
            delivery.events.append(
                BookDelta(line.key, delivery.recv, event.ts, delivery.epoch, seq, side, price, event.size)
            )

    def trade(self, event: TapeTrade) -> None:
        """Deliver a public trade."""
        delivery = self._delivery
        for line in self._by_book.get(event.book, ()):
            if not line.live:
                continue
            side, price = event.taker_side, event.price
            if line.mirrored:
                side, price = "sell" if side == "buy" else "buy", complement(price)
            trade_id = TradeId(f"t{event.seq}")
            delivery.events.append(Trade(line.key, delivery.recv, event.ts, price, event.size, side, trade_id))

    def _lose(self, lines: Iterable[WatchedInstrument], reason: GapReason) -> None:
        delivery = self._delivery
        for line in lines:
            if line.live:
                line.live = False
                line.due = self._exchange.now + RESYNC_NS
                delivery.events.append(Gap(line.key, delivery.recv, reason, delivery.epoch))
                self._waiting[line.key] = line
