"""Kalshi's WebSocket: desired markets to commands, frames to events.

Every frame of a subscription has a sequence number, shared by all its markets: a missing one may
have been about any of them.
"""

from collections.abc import Iterable, Mapping, Sequence
from collections.abc import Set as AbstractSet
from typing import TYPE_CHECKING, Final, Protocol
from weakref import WeakSet

from predsurv.core import native
from predsurv.core.errors import WireError
from predsurv.core.events import BookDelta, Dropped, GapReason, MarketEvent, Quote, Unknown
from predsurv.core.ids import InstrumentKey, Side
from predsurv.core.num import MICROS, Price, Size, complement, parse_micros
from predsurv.core.text import sanitise
from predsurv.venues.kalshi import wire
from predsurv.venues.kalshi.books import BookSet, MarketBook, NumberCache
from predsurv.venues.kalshi.lifecycle import LifecycleReader
from predsurv.venues.kalshi.market_parser import VENUE
from predsurv.venues.kalshi.public_trades import trade_events
from predsurv.venues.kalshi.series_terms import EventDirectory
from predsurv.venues.kalshi.subscriptions import BOOKS, LIFECYCLE, TRADES, KalshiSubscriptions, SequenceTracker
from predsurv.venues.parsing import DETAIL_CHARS_MAX, EARLIEST_MS, LATEST_MS, Stamp, malformed, venue_time

if TYPE_CHECKING:
    from predsurv._speedups import NativeDeltaReader

SEARCHED_BYTES_MAX: Final = 1 << 16
"""A malformed message up to this long is searched for the tickers it names."""

SIZE_MAX: Final = 10**18
"""Largest size of a level, micros: the largest number that the venue can send. Deltas can add up to more."""

_MS: Final = 1_000_000

_OPPOSITE: Final[dict[Side, Side]] = {"bid": "ask", "ask": "bid"}
_CHANNELS: Final[dict[type, str]] = {
    wire.DeltaMessage: BOOKS,
    wire.SnapshotMessage: BOOKS,
    wire.TradeMessage: TRADES,
    wire.LifecycleMessage: LIFECYCLE,
    wire.EventLifecycle: LIFECYCLE,
    wire.EventFee: LIFECYCLE,
}

# Error codes that end a subscription, with the reason of its gaps; any other leaves the subscriptions as they are.
_ENDED: Final[dict[int, GapReason]] = {7: "disconnect", 10: "disconnect", 25: "overflow"}
_FULL: Final = 26
_TRY_AGAIN: Final = frozenset({18, _FULL, 27})  # time-out, too many markets, too many commands

_ABOUT_BOOKS: Final = frozenset({"orderbook_delta", "orderbook_snapshot", "trade"})
_UNSEQUENCED: Final = (wire.TickerMessage, wire.Subscribed)
_UNREADABLE: Final = (WireError, ValueError, RecursionError)


class _Sequenced(Protocol):
    @property
    def sid(self) -> int | None: ...
    @property
    def seq(self) -> int | None: ...


class KalshiSharedState:
    """What all connections of a feed share.

    ``capacity``: how many instruments a connection carries as far as the venue has said, None before. ``packed``:
    connections that are opened from now on put level changes together, where there is a compiled module.
    """

    def __init__(self, directory: EventDirectory | None = None) -> None:
        self.numbers = NumberCache()
        self.lifecycle = LifecycleReader(directory)
        self.capacity: int | None = None
        self.book_sets: WeakSet[BookSet] = WeakSet()
        self.packed = False
        self._accepted_max = 0

    def pack(self) -> None:
        """Let connections that are opened from now on put level changes together."""
        self.packed = True

    def unsettled_tickers(self) -> set[str]:
        """Return the tickers whose settlement may have been missed: without a valid book, or with an unknown payout."""
        unpaid = self.lifecycle.awaiting_payout
        books = [book for each in self.book_sets for book in each.by_ticker.values()]
        return {book.ticker for book in books if not book.live or book.ticker in unpaid}

    def tickers(self) -> set[str]:
        """Return the tickers of every wanted market."""
        return {ticker for each in self.book_sets for ticker in each.by_ticker}

    def record_accepted(self, count: int) -> None:
        """Record that the venue accepted ``count`` instruments on one connection."""
        self._accepted_max = max(self._accepted_max, count)

    def record_refused(self, room: int) -> None:
        """Record that the venue carries about ``room`` instruments on a connection and refused more.

        A number that was accepted before is not lowered by the first refusal, only by a second one.
        """
        room, self._accepted_max = max(room, self._accepted_max, 1), 0
        self.capacity = min(room, self.capacity or room)


class KalshiCodec:
    """One connection; see ``predsurv.venues.streaming.codec.Codec``.

    The compiled reader, where there is one (``csrc/kalshi_deltas.c``), takes usual changes, up to the first frame that
    is none. That one, and every frame without it, passes three steps: it is parsed (``wire.read_frame``), its sequence
    number is checked (``_check_sequence``), and it is applied (``_apply_delta`` or ``_apply``).
    """

    def __init__(self, epoch: int, shared: KalshiSharedState | None = None) -> None:
        shared = shared or KalshiSharedState()
        self._epoch = epoch
        self._shared = shared
        self._prices = shared.numbers.prices
        self._no_prices = shared.numbers.no_prices
        self._sizes = shared.numbers.sizes
        self._book_set = BookSet()
        shared.book_sets.add(self._book_set)
        self._books = self._book_set.by_ticker
        self._subscriptions = KalshiSubscriptions()
        self._sequences = SequenceTracker()
        self._last = self._sequences.last
        self._reader: NativeDeltaReader | None = None
        if native.speedups is not None:
            self._reader = native.speedups.NativeDeltaReader(self._books, self._last, epoch, shared.packed)

    def requests(self, add: AbstractSet[InstrumentKey], drop: AbstractSet[InstrumentKey]) -> Sequence[bytes]:
        """Return subscriptions, updates and snapshot requests, as needed."""
        unwanted = self._book_set.drop(drop - add)
        wanted = self._book_set.want(add)
        return self._subscriptions.change(wanted, unwanted)

    def keepalive(self) -> bytes | None:
        """Return a command that is overdue; the venue pings us and needs no keepalive."""
        return self._subscriptions.overdue()

    def awaiting(self) -> AbstractSet[InstrumentKey]:
        """Return the instruments without a book yet; those of an expired market never get one."""
        return self._book_set.awaiting

    def take_lost(self) -> AbstractSet[InstrumentKey]:
        """Return the instruments whose book became invalid since the last call."""
        lost, self._book_set.lost = self._book_set.lost, set()
        return lost

    def decode(self, frames: Sequence[bytes], ts_recv: int, out: list[MarketEvent]) -> bool:
        """Append the events of ``frames``; see the protocol."""
        if self._reader is None:
            return self._decode_each(frames, ts_recv, out)
        frames = frames if isinstance(frames, list) else list(frames)
        at, data, read = 0, False, self._reader.read
        while True:
            start, at = at, read(frames, at, ts_recv, out)
            data |= at > start
            if at == len(frames):
                return data
            data |= self._decode_each(frames[at : at + 1], ts_recv, out)
            at += 1

    def _decode_each(self, frames: Sequence[bytes], ts_recv: int, out: list[MarketEvent]) -> bool:
        data = False
        for frame in frames:
            try:
                message = wire.read_frame(frame)
            except _UNREADABLE as error:
                data, envelope = True, _read_envelope(frame)
                if envelope is not None:
                    self._check_sequence(envelope, ts_recv, out)
                _report(frame, error, self._book_set, Stamp(ts_recv, self._epoch), out)
                continue
            if type(message) is not wire.DeltaMessage:
                data |= self._receive(message, frame, ts_recv, out)
                continue
            data, seq, sid = True, message.seq, message.sid
            if seq is not None and sid is not None and self._last.get(sid) == seq - 1:
                self._last[sid] = seq  # the usual case, spared a call
            elif not self._check_sequence(message, ts_recv, out):
                continue
            start = len(out)
            try:
                self._apply_delta(message, ts_recv, out)
            except _UNREADABLE as error:
                del out[start:]
                _report(frame, error, self._book_set, Stamp(ts_recv, self._epoch), out)
        return data

    def _receive(self, message: wire.Message, frame: bytes, ts_recv: int, out: list[MarketEvent]) -> bool:
        """Check the sequence number of any message but a delta and apply it; return whether it was data."""
        if not isinstance(message, _UNSEQUENCED) and not self._check_sequence(message, ts_recv, out):
            return True
        start = len(out)
        try:
            return self._apply(message, ts_recv, out)
        except _UNREADABLE as error:
            del out[start:]
            _report(frame, error, self._book_set, Stamp(ts_recv, self._epoch), out)
            return True

    def _check_sequence(self, message: _Sequenced, ts_recv: int, out: list[MarketEvent]) -> bool:
        """Take the sequence number of ``message``; a missing one invalidates every book of its subscription.

        Return False when the message belongs to a subscription that ended: it must not be applied.
        """
        sid, seq, name = message.sid, message.seq, _CHANNELS.get(type(message))
        if sid is None or seq is None:
            return True
        channel = self._subscriptions.by_sid(sid) or (self._subscriptions.adopt(name, sid) if name else None)
        if channel is None:
            if name is not None:
                out.append(Unknown(VENUE, ts_recv, f"{name} of an ended subscription"))
            return name is None
        missing = self._sequences.advance(sid, seq)
        if missing and channel is self._subscriptions.lifecycle:
            out.append(Dropped(VENUE, ts_recv, missing))
        elif missing:
            self._book_set.invalidate(self._books.values(), "seq_gap", Stamp(ts_recv, self._epoch), out)
        return True

    def _apply_delta(self, message: wire.DeltaMessage, ts_recv: int, out: list[MarketEvent]) -> None:
        """Add a signed amount to a level; raises WireError or ValueError."""
        body = message.msg
        book = self._books.get(body.market_ticker)
        if book is None or not book.live:
            return
        text, change = body.price_dollars or wire.cents(body.price), self._sizes[body.delta_fp or str(body.delta)]
        side: Side
        if body.side == "yes":
            price, ladder, side = self._prices[text], book.bids, "bid"
        else:
            price, ladder, side = self._no_prices[text], book.asks, "ask"
        size = Size(ladder.size_at(price) + change)
        if not 0 <= size <= SIZE_MAX:
            # A negative or absurd sum: a change was missed; it is not known when.
            self._book_set.invalidate([book], "hash_mismatch", Stamp(ts_recv, self._epoch), out)
            return
        ladder.set(price, size)
        ts_ms = body.ts_ms or message.sending_ts_ms or 0
        ts_venue = ts_ms * _MS if EARLIEST_MS < ts_ms < LATEST_MS else None  # venue_time() without the call
        for key, mirrored in book.live:
            shown = (_OPPOSITE[side], Price(MICROS - price)) if mirrored else (side, price)
            out.append(BookDelta(key, ts_recv, ts_venue, self._epoch, message.seq, shown[0], shown[1], size))

    def _apply(self, message: wire.Message, ts_recv: int, out: list[MarketEvent]) -> bool:
        """Append the events of any message but a delta; return whether it was data. Raises WireError or ValueError."""
        match message:
            case wire.SnapshotMessage():
                stamp = Stamp(ts_recv, self._epoch, message.seq)
                ts_venue = venue_time(message.sending_ts_ms)
                out += self._book_set.load(message.msg, self._shared.numbers, stamp, ts_venue)
            case wire.Subscribed():
                self._subscriptions.subscribed(message.msg.channel, message.msg.sid)
                self._last.setdefault(message.msg.sid, 0)
                if message.msg.channel == LIFECYCLE:
                    self._shared.lifecycle.connections += 1
                if message.msg.channel == BOOKS:
                    self._shared.record_accepted(_subscribed_count(self._subscriptions, self._books))
            case wire.Refusal():
                self._apply_refusal(message, ts_recv, out)
            case wire.Done() if message.sid == self._subscriptions.books.sid:
                self._shared.record_accepted(_subscribed_count(self._subscriptions, self._books))
            case wire.Unsubscribed():
                self._sequences.forget(message.sid)
            case _:
                out += _market_events(message, self._books, self._shared, ts_recv)
        return not isinstance(message, wire.Answer)

    def _apply_refusal(self, message: wire.Refusal, ts_recv: int, out: list[MarketEvent]) -> None:
        code, subscriptions = message.msg.code, self._subscriptions
        channel, command = subscriptions.by_sid(message.sid), subscriptions.refused(message.id)
        reason = _ENDED.get(code)
        if reason is not None:
            named = (
                [each for each in command.channels if each.sid == command.sid] if command else subscriptions.channels
            )
            ended = [channel] if channel else named
            for each in ended:
                self._sequences.forget(each.sid)
                subscriptions.end(each)
            if ended:
                self._book_set.invalidate(self._books.values(), reason, Stamp(ts_recv, self._epoch), out)
            return
        out.append(Unknown(VENUE, ts_recv, sanitise(f"error {code} {message.msg.msg}", DETAIL_CHARS_MAX)))
        if code in _TRY_AGAIN and command is not None:
            books = [book for book in map(self._books.get, sorted(command.tickers)) if book is not None]
            self._book_set.invalidate(books, "subscribing", Stamp(ts_recv, self._epoch), out)
            if code == _FULL:
                room = _subscribed_count(subscriptions, self._books) or len(command.tickers) // 2
                self._shared.record_refused(room)


def _read_envelope(frame: bytes) -> wire.Envelope | None:
    try:
        return wire.read_envelope(frame)
    except (ValueError, RecursionError):
        return None


def _report(frame: bytes, error: Exception, book_set: BookSet, stamp: Stamp, out: list[MarketEvent]) -> None:
    """Report a frame of an unknown kind or one that is malformed; invalidate the books it may have been about."""
    envelope = _read_envelope(frame)
    if envelope is not None and envelope.type not in wire.KINDS:
        out.append(Unknown(VENUE, stamp.ts_recv, sanitise(envelope.type, DETAIL_CHARS_MAX)))
        return
    out.append(malformed(VENUE, frame, error, stamp.ts_recv))
    if envelope is None or envelope.type in _ABOUT_BOOKS:
        wanted = book_set.by_ticker.values()
        books = [*wanted] if envelope is None else _named_books(frame, wanted)
        book_set.invalidate(books, "decode_error", stamp, out)


def _subscribed_count(subscriptions: KalshiSubscriptions, books: Mapping[str, MarketBook]) -> int:
    """Return how many instruments' books were subscribed to and not refused."""
    subscribed = subscriptions.books.tickers
    return sum(len(book.keys) for book in books.values() if book.ticker in subscribed)


def _market_events(
    message: wire.Message, books: Mapping[str, MarketBook], shared: KalshiSharedState, ts_recv: int
) -> list[MarketEvent]:
    """Return the events of a message that changes no book; raises WireError or ValueError."""
    match message:
        case wire.TradeMessage():
            book, ts_venue = books.get(message.msg.market_ticker), _venue_time(message)
            return [*trade_events(message.msg, book, shared.numbers, ts_recv, ts_venue)]
        case wire.TickerMessage():
            return _quotes(message, books.get(message.msg.market_ticker), shared.numbers, ts_recv)
        case wire.LifecycleMessage():
            return shared.lifecycle.market_events(message.msg, ts_recv, venue_time(message.sending_ts_ms))
        case wire.EventFee():
            return shared.lifecycle.fee_changes(message.msg, books, ts_recv, venue_time(message.sending_ts_ms))
        case _:
            return []


def _quotes(
    message: wire.TickerMessage, book: MarketBook | None, numbers: NumberCache, ts_recv: int
) -> list[MarketEvent]:
    """Return the venue's best prices as each wanted outcome sees them; raises ValueError."""
    if book is None:
        return []
    body, ts_venue = message.msg, _venue_time(message)
    bid = _best(body.yes_bid_dollars, body.yes_bid_size_fp, numbers)
    ask = _best(body.yes_ask_dollars, body.yes_ask_size_fp, numbers)
    no_bid, no_ask = (None if price is None else complement(price) for price in (ask, bid))
    return [
        Quote(key, ts_recv, ts_venue, no_bid, no_ask) if mirrored else Quote(key, ts_recv, ts_venue, bid, ask)
        for key, mirrored in book.keys.items()
    ]


def _best(price: str | None, size: str | None, numbers: NumberCache) -> Price | None:
    """Return a best price; None without a size, and for 0 and 1, which stand for an empty side."""
    if not price or (size is not None and numbers.sizes[size] <= 0) or parse_micros(price) in (0, MICROS):
        return None
    return numbers.prices[price]


def _venue_time(message: wire.TradeMessage | wire.TickerMessage) -> int | None:
    """Return the time of a message in ns UTC: its own (older ones have seconds), else that of its sending."""
    body = message.msg
    own = body.ts * 1_000 if body.ts_ms is None and isinstance(body.ts, int) else body.ts_ms
    return venue_time(message.sending_ts_ms if own is None else own)


def _named_books(frame: bytes, books: Iterable[MarketBook]) -> list[MarketBook]:
    """Return the books whose ticker stands in a malformed frame; all of them when none does."""
    every = [*books]
    named = [book for book in every if book.ticker.encode() in frame] if len(frame) <= SEARCHED_BYTES_MAX else []
    return named or every
