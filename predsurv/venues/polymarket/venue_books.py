"""The books of one connection as the venue writes them, kept for hash verification.

Messages are only queued while frames are decoded; everything else happens later, off the path that
every frame takes.
"""

from collections import deque
from typing import Final

from predsurv.core.events import GapReason
from predsurv.venues.polymarket import hash_budget, wire
from predsurv.venues.polymarket.book_hash import HashedBook
from predsurv.venues.polymarket.hash_states import SUSPECTS
from predsurv.venues.polymarket.last_trade_texts import LastTradeTexts

PENDING_MAX: Final = 1 << 13
"""Messages queued at most; they are applied after every read."""


class VenueBooks:
    """The books by token.

    ``pending``: messages about tokens with a book that are not applied yet, in order; frames where
    ``raw_frames``. ``changed``: books to check. ``following``: False while suspended for lack of time;
    then every book waits for its next snapshot. ``flagged``: tokens to report as wrong, with the reason.
    """

    def __init__(self, counts: hash_budget.HashCheckCounts, texts: LastTradeTexts) -> None:
        self.pending: list[wire.BookMessage] = []
        self.raw_frames = False
        self.following = True
        self.by_token: dict[str, HashedBook] = {}
        self.changed: deque[HashedBook] = deque()
        self.flagged: list[tuple[str, GapReason]] = []
        self._counts = counts
        self._texts = texts

    def enqueue(self, message: wire.BookMessage) -> None:
        """Queue ``message``; nothing while suspended."""
        if self.following:
            self.pending.append(message)
            self.bound()

    @property
    def pending_cost(self) -> int:
        """Estimated time (ns) to apply the pending messages."""
        message_cost = hash_budget.MESSAGE_COST + hash_budget.PARSE_COST * self.raw_frames
        kib = sum([len(each) >> 10 for each in self.pending if type(each) is bytes])
        return message_cost * len(self.pending) + hash_budget.PARSE_COST * kib

    def bound(self) -> None:
        """Suspend when more than ``PENDING_MAX`` messages are queued."""
        if len(self.pending) > PENDING_MAX:
            self.suspend()

    def suspend(self) -> None:
        """Drop all books and messages for lack of time; each book is followed again from its next snapshot."""
        self._counts.overloads += 1
        self.following = False
        for each in (self.by_token, self.pending, self.changed):
            each.clear()

    def apply_pending(self, *, quoted: bool) -> None:
        """Apply the pending messages, decoding best prices where ``quoted``.

        One loop without calls, as this is done for every frame.
        """
        books, zero_sizes = self.by_token, wire.ZERO_SIZES
        for each in self.pending:
            message = wire.read_pending(each, quoted=quoted) if isinstance(each, bytes) else each
            if not isinstance(message, wire.PriceChange):
                self._apply(message)
                continue
            for change in message.price_changes:
                book = books.get(change.asset_id)
                if book is None:
                    continue
                side = book.bids if change.side == "BUY" else book.asks
                levels, price = side.levels, change.price
                if change.size in zero_sizes:
                    levels.pop(price, None)
                else:
                    if price not in levels:
                        side.unsorted = True
                    levels[price] = change.size
                side.json = None
                book.timestamp, book.last_change = message.timestamp, change
                if book.notify:
                    self._mark_changed(book)
        self.pending.clear()

    def _apply(self, message: wire.WireBook | wire.LastTrade | wire.MirrorTrade | wire.TickSizeChange) -> None:
        book = self.by_token.get(message.asset_id)
        if isinstance(message, wire.WireBook):
            self._replace(book or HashedBook(message.asset_id), message)
        elif book is None:
            return
        elif isinstance(message, wire.LastTrade | wire.MirrorTrade):
            self._traded(book, message)
        elif message.new_tick_size != book.inputs.tick_size:
            book.previous_tick = book.inputs.tick_size
            book.inputs = book.inputs._replace(tick_size=message.new_tick_size)
            if not book.verifiable:
                # Levels off the new grid may vanish without a message; only a hash would show it.
                self.flagged.append((book.token, "hash_mismatch"))

    def _traded(self, book: HashedBook, message: wire.LastTrade | wire.MirrorTrade) -> None:
        texts = self._texts.renderings(message.price, book.inputs.tick_size)
        book.expect(message.price, texts, mirrored=isinstance(message, wire.MirrorTrade))
        if book.state in SUSPECTS:
            self._mark_changed(book)

    def _replace(self, book: HashedBook, message: wire.WireBook) -> None:
        self.by_token[book.token] = book
        book.replace(message)
        price = message.last_trade_price
        if message.tick_size and price:
            # As it is stated here it is mostly hashed too.
            book.expect(price, (price, *self._texts.renderings(price, message.tick_size)))
        self._mark_changed(book)

    def _mark_changed(self, book: HashedBook) -> None:
        if book.recent is not None:
            book.recent.add(book)
        if not book.queued:
            book.queued = True
            self.changed.append(book)
        book.notify = book.recent is not None
