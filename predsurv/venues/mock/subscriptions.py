"""The subscriptions of one simulated connection: snapshot, then every change once and in order, or a gap."""

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


class DeliveryBatch:
    """One batch being made: receive time (ns UTC), connection epoch, events so far."""

    __slots__ = ("epoch", "events", "ts_recv")

    def __init__(self) -> None:
        self.ts_recv = 0
        self.epoch = 0
        self.events: list[MarketEvent] = []


class WatchedInstrument:
    """One subscription: ``live`` from its snapshot to the next loss, ``last_seq`` of the last delivered change.

    While it is not live, its next snapshot comes at ``due`` (exchange time, ns UTC).
    """

    __slots__ = ("due", "key", "last_seq", "live", "mirrored")

    def __init__(self, key: InstrumentKey, *, mirrored: bool) -> None:
        self.key = key
        self.mirrored = mirrored
        self.live = False
        self.last_seq = 0
        self.due = 0


class MockSubscriptions:
    """The watched instruments of one connection; none gets events between a loss and its next snapshot."""

    def __init__(self, exchange: Exchange, batch: DeliveryBatch) -> None:
        self._exchange = exchange
        self._batch = batch
        self._watched: dict[InstrumentKey, WatchedInstrument] = {}
        self._by_book: dict[int, tuple[WatchedInstrument, ...]] = {}
        self._waiting: dict[InstrumentKey, WatchedInstrument] = {}

    def watch(self, want: AbstractSet[InstrumentKey]) -> None:
        """Set what is watched; an instrument unknown to the exchange never gets events."""
        locate = self._exchange.directory.locate
        for key in self._watched.keys() - want:
            dropped, location = self._watched.pop(key), locate(key)
            self._waiting.pop(key, None)
            if location is not None:
                others = tuple(each for each in self._by_book[location.book] if each is not dropped)
                self._by_book[location.book] = others
        for key in sorted(want - self._watched.keys()):
            location = locate(key)
            if location is not None:
                watched = WatchedInstrument(key, mirrored=location.mirrored)
                self._watched[key] = self._waiting[key] = watched
                self._by_book[location.book] = (*self._by_book.get(location.book, ()), watched)

    def is_live(self, event: LevelChange) -> bool:
        """Return whether any watched instrument would get this change."""
        return any(each.live and each.last_seq < event.book_seq for each in self._by_book.get(event.book, ()))

    def lose_all(self, reason: GapReason) -> None:
        """Break every subscription."""
        self._lose(self._watched.values(), reason)

    def lose_book(self, book: int, reason: GapReason) -> None:
        """Break the subscriptions to one book."""
        self._lose(self._by_book.get(book, ()), reason)

    def open_now(self) -> None:
        """Make every pending snapshot due at once, as on a new connection."""
        for watched in self._waiting.values():
            watched.due = 0

    def open_books(self, snapshots_max: int) -> None:
        """Deliver the snapshots that are due, at most ``snapshots_max``."""
        exchange, batch = self._exchange, self._batch
        due = [key for key, watched in self._waiting.items() if watched.due <= exchange.now]
        for key in due[:snapshots_max]:
            watched, book = self._waiting.pop(key), exchange.book(key)
            watched.live = True
            watched.last_seq = book.seq
            batch.events.append(BookSnapshot(key, batch.ts_recv, book.ts, batch.epoch, book.seq, book.bids, book.asks))

    def change(self, event: LevelChange) -> None:
        """Deliver a level change; a subscription that missed one before it breaks."""
        batch, seq = self._batch, event.book_seq
        for watched in self._by_book.get(event.book, ()):
            if not watched.live or seq <= watched.last_seq:
                continue
            if seq != watched.last_seq + 1:
                self._lose((watched,), "seq_gap")
                continue
            watched.last_seq = seq
            side, price = event.side, event.price
            if watched.mirrored:
                side, price = "ask" if side == "bid" else "bid", complement(price)
            batch.events.append(
                BookDelta(watched.key, batch.ts_recv, event.ts, batch.epoch, seq, side, price, event.size)
            )

    def trade(self, event: TapeTrade) -> None:
        """Deliver a public trade."""
        batch = self._batch
        for watched in self._by_book.get(event.book, ()):
            if not watched.live:
                continue
            side, price = event.taker_side, event.price
            if watched.mirrored:
                side, price = "sell" if side == "buy" else "buy", complement(price)
            trade_id = TradeId(f"t{event.seq}")
            batch.events.append(Trade(watched.key, batch.ts_recv, event.ts, price, event.size, side, trade_id))

    def _lose(self, instruments: Iterable[WatchedInstrument], reason: GapReason) -> None:
        batch = self._batch
        for watched in instruments:
            if watched.live:
                watched.live = False
                watched.due = self._exchange.now + RESYNC_NS
                batch.events.append(Gap(watched.key, batch.ts_recv, reason, batch.epoch))
                self._waiting[watched.key] = watched
