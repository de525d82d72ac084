"""Kalshi's WebSocket: desired markets to commands, frames to events.

Kept apart from ``wire`` because this is where the venue's words end and ours begin. Every frame of
a subscription has a number, shared by all its markets: one that is missing may have been about any.
"""

from collections.abc import Iterable, Mapping, Sequence
from collections.abc import Set as AbstractSet
from hashlib import blake2b
from typing import Final, Protocol
from weakref import WeakSet

from predsurv.core.errors import WireError
from predsurv.core.events import BookDelta, Dropped, GapReason, Malformed, MarketEvent, Quote, Trade, Unknown
from predsurv.core.ids import ID_CHARS_MAX, InstrumentKey, OrderSide, Side, TradeId
from predsurv.core.num import MICROS, Price, Size, parse_micros
from predsurv.core.text import sanitise
from predsurv.venues.kalshi import wire
from predsurv.venues.kalshi.books import BookSet, MarketBook, NumberCache, snapshot
from predsurv.venues.kalshi.lifecycle import LifecycleReader
from predsurv.venues.kalshi.market_parser import VENUE
from predsurv.venues.kalshi.subscriptions import BOOKS, LIFE, TRADES, KalshiSubscriptions, Sequences

DETAIL_CHARS_MAX: Final = 120
SEARCHED_BYTES_MAX: Final = 1 << 16
"""A broken message up to this long is searched for the tickers it names."""

SIZE_MAX: Final = 10**18
"""Most that a level may hold, micros: as much as one number of the venue's can say. Deltas can add up to more."""

_MS: Final = 1_000_000
_EARLIEST: Final = 1_420_070_400_000  # 2015, in ms as the venue counts
_LATEST: Final = 4_102_444_800_000  # 2100

_TAKER: Final[dict[str, OrderSide]] = {"bid": "buy", "ask": "sell", "yes": "buy", "no": "sell"}
_OPPOSITE: Final[dict[Side, Side]] = {"bid": "ask", "ask": "bid"}
_FLIPPED: Final[dict[OrderSide, OrderSide]] = {"buy": "sell", "sell": "buy"}
_CHANNELS: Final[dict[type, str]] = {
    wire.DeltaMessage: BOOKS,
    wire.SnapshotMessage: BOOKS,
    wire.TradeMessage: TRADES,
    wire.LifecycleMessage: LIFE,
    wire.EventLifecycle: LIFE,
    wire.EventFee: LIFE,
}

# What the venue's error codes mean for us; any other leaves the subscriptions as they are.
_ENDED: Final[dict[int, GapReason]] = {7: "disconnect", 10: "disconnect", 25: "overflow"}
_FULL: Final = 26
_TRY_AGAIN: Final = frozenset({18, _FULL, 27})  # time-out, too many markets, too many commands

_ABOUT_BOOKS: Final = frozenset({"orderbook_delta", "orderbook_snapshot", "trade"})


class _Numbered(Protocol):
    @property
    def sid(self) -> int | None: ...
    @property
    def seq(self) -> int | None: ...


class KalshiSharedState:
    """What all connections of a feed share.

    ``capacity``: how many instruments a connection carries as far as the venue has said, None before.
    """

    def __init__(self) -> None:
        self.numbers = NumberCache()
        self.announcements = LifecycleReader()
        self.capacity: int | None = None
        self.shelves: WeakSet[BookSet] = WeakSet()
        self._proved = 0

    def doubtful(self) -> set[str]:
        """Return the tickers that may have settled unheard: without a book, or settled for nobody knows what."""
        owed, every = self.announcements.owed, [line for shelf in self.shelves for line in shelf.lines.values()]
        return {line.ticker for line in every if not line.live or line.ticker in owed}

    def accepted(self, count: int) -> None:
        """Note that the venue accepted ``count`` instruments on one connection."""
        self._proved = max(self._proved, count)

    def refused(self, room: int) -> None:
        """Note that the venue carries about ``room`` instruments on a connection and refused more.

        What it carried before may be refused once in passing; the second time it is believed.
        """
        room, self._proved = max(room, self._proved, 1), 0
        self.capacity = min(room, self.capacity or room)


class KalshiCodec:
    """One connection; see ``predsurv.venues.streaming.codec.Codec``."""

    def __init__(self, epoch: int, memory: KalshiSharedState | None = None) -> None:
        memory = memory or KalshiSharedState()
        self._epoch = epoch
        self._memory = memory
        self._prices = memory.numbers.prices
        self._no_prices = memory.numbers.no_prices
        self._amounts = memory.numbers.amounts
        self._shelf = BookSet()
        memory.shelves.add(self._shelf)
        self._lines = self._shelf.lines
        self._subscriptions = KalshiSubscriptions()
        self._sequences = Sequences()
        self._last = self._sequences.last

    def requests(self, add: AbstractSet[InstrumentKey], drop: AbstractSet[InstrumentKey]) -> Sequence[bytes]:
        """Return subscriptions, updates and requests for whole books, as needed."""
        gone = self._shelf.drop(drop - add)
        asked = self._shelf.want(add)
        return self._subscriptions.change(asked, gone)

    def keepalive(self) -> bytes | None:
        """Return a command that is overdue; the venue pings us and needs no keepalive."""
        return self._subscriptions.overdue()

    def awaiting(self) -> AbstractSet[InstrumentKey]:
        """Return the instruments without a book yet; those of an expired market never get one."""
        return self._shelf.awaiting

    def take_lost(self) -> AbstractSet[InstrumentKey]:
        """Return the instruments whose book was broken since the last call."""
        lost, self._shelf.lost = self._shelf.lost, set()
        return lost

    def decode(self, frames: Sequence[bytes], ts_recv: int, out: list[MarketEvent]) -> bool:
        """Append the events of ``frames``; see the protocol."""
        data = False
        for frame in frames:
            start, counted = len(out), False
            try:
                message = wire.read_frame(frame)
                if type(message) is wire.DeltaMessage:
                    data, seq, sid = True, message.seq, message.sid
                    if seq is not None and sid is not None and self._last.get(sid) == seq - 1:
                        self._last[sid] = seq
                    elif not self._count(message, ts_recv, out):
                        continue
                    start, counted = len(out), True
                    self._change(message, ts_recv, out)
                elif isinstance(message, wire.TickerMessage | wire.Subscribed) or self._count(message, ts_recv, out):
                    start, counted = len(out), True
                    data |= self._other(message, ts_recv, out)
                else:
                    data = True
            except (WireError, ValueError, RecursionError) as error:
                data = True
                del out[start:]
                self._unreadable(frame, error, (ts_recv, counted), out)
        return data

    def _change(self, message: wire.DeltaMessage, ts_recv: int, out: list[MarketEvent]) -> None:
        body = message.msg
        line = self._lines.get(body.market_ticker)
        if line is None or not line.live:
            return
        at, change = body.price_dollars or wire.cents(body.price), self._amounts[body.delta_fp or str(body.delta)]
        side: Side
        if body.side == "yes":
            price, sizes, side = self._prices[at], line.bids, "bid"
        else:
            price, sizes, side = self._no_prices[at], line.asks, "ask"
        size = Size(sizes.get(price, 0) + change)
        if 0 < size <= SIZE_MAX:
            sizes[price] = size
        elif size == 0:
            sizes.pop(price, None)
        else:
            # Less than nothing, or more than there can be: something was missed; nothing says since when.
            self._shelf.lose([line], (ts_recv, "hash_mismatch", self._epoch), out)
            return
        ts_ms = body.ts_ms or 0
        ts_venue = ts_ms * _MS if _EARLIEST < ts_ms < _LATEST else None
        for key, mirrored in line.live:
            shown = (_OPPOSITE[side], Price(MICROS - price)) if mirrored else (side, price)
            out.append(BookDelta(key, ts_recv, ts_venue, self._epoch, message.seq, shown[0], shown[1], size))

    def _other(self, message: wire.Message, ts_recv: int, out: list[MarketEvent]) -> bool:
        """Append the events of a rarer message; return whether it was data."""
        match message:
            case wire.SnapshotMessage():
                self._book(message, ts_recv, out)
            case wire.Subscribed():
                self._subscriptions.subscribed(message.msg.channel, message.msg.sid)
                self._last.setdefault(message.msg.sid, 0)
                if message.msg.channel == BOOKS:
                    self._memory.accepted(carried(self._subscriptions, self._lines))
            case wire.Refusal():
                self._refused(message, ts_recv, out)
            case wire.Done() if message.sid == self._subscriptions.books.sid:
                self._memory.accepted(carried(self._subscriptions, self._lines))
            case wire.Unsubscribed():
                self._sequences.forget(message.sid)
            case _:
                out += told(message, self._lines, self._memory, ts_recv)
        return not isinstance(message, wire.Answer)

    def _book(self, message: wire.SnapshotMessage, ts_recv: int, out: list[MarketEvent]) -> None:
        body = message.msg
        line = self._lines.get(body.market_ticker)
        yes, no = wire.sides(body)
        if line is None or (body.market_id == "" and not yes and not no):
            return  # an expired or unknown market: that is no empty book
        bids, asks = self._memory.numbers.book(yes, no)
        self._shelf.open(line, bids, asks)
        stamps = (ts_recv, self._epoch, message.seq)
        out += [snapshot(key, (bids, asks, mirrored), stamps) for key, mirrored in line.live]

    def _count(self, frame: _Numbered, ts_recv: int, out: list[MarketEvent]) -> bool:
        """Check the number of a frame, as a gap spoils all that its subscription tells; return whether it counts.

        What still comes of a subscription that ended does not.
        """
        sid, seq, name = frame.sid, frame.seq, _CHANNELS.get(type(frame))
        if sid is None or seq is None:
            return True
        channel = self._subscriptions.by_sid(sid) or (self._subscriptions.learn(name, sid) if name else None)
        if channel is None:
            if name is not None:
                out.append(Unknown(VENUE, ts_recv, f"{name} of an ended subscription"))
            return name is None
        missing = self._sequences.missing(sid, seq)
        if missing and channel is self._subscriptions.life:
            out.append(Dropped(VENUE, ts_recv, missing))
        elif missing:
            self._shelf.lose(self._lines.values(), (ts_recv, "seq_gap", self._epoch), out)
        return True

    def _refused(self, message: wire.Refusal, ts_recv: int, out: list[MarketEvent]) -> None:
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
                self._shelf.lose(self._lines.values(), (ts_recv, reason, self._epoch), out)
            return
        out.append(Unknown(VENUE, ts_recv, sanitise(f"error {code} {message.msg.msg}", DETAIL_CHARS_MAX)))
        if code in _TRY_AGAIN and command is not None:
            lines = [line for line in map(self._lines.get, sorted(command.tickers)) if line is not None]
            self._shelf.lose(lines, (ts_recv, "subscribing", self._epoch), out)
            if code == _FULL:
                self._memory.refused(carried(subscriptions, self._lines) or len(command.tickers) // 2)

    def _unreadable(self, frame: bytes, error: Exception, known: tuple[int, bool], out: list[MarketEvent]) -> None:
        """Report a frame that is of no known kind or makes no sense; believe no book it may have been about.

        ``known``: when it came, and whether its number was checked already.
        """
        ts_recv, counted = known
        try:
            envelope = wire.read_envelope(frame)
        except (ValueError, RecursionError):
            envelope = None
        if envelope is not None and not counted:
            self._count(envelope, ts_recv, out)
        if envelope is not None and envelope.type not in wire.KINDS:
            out.append(Unknown(VENUE, ts_recv, sanitise(envelope.type, DETAIL_CHARS_MAX)))
            return
        digest = blake2b(frame, digest_size=16).hexdigest()
        out.append(Malformed(VENUE, ts_recv, sanitise(str(error), DETAIL_CHARS_MAX), digest))
        if envelope is None or envelope.type in _ABOUT_BOOKS:
            lines = _named(frame, self._lines.values()) if envelope is not None else [*self._lines.values()]
            self._shelf.lose(lines, (ts_recv, "decode_error", self._epoch), out)


def carried(subscriptions: KalshiSubscriptions, lines: Mapping[str, MarketBook]) -> int:
    """Return how many instruments' books the venue was asked for and did not refuse."""
    on = subscriptions.books.on
    return sum(len(line.keys) for line in lines.values() if line.ticker in on)


def told(
    message: wire.Message, lines: Mapping[str, MarketBook], memory: KalshiSharedState, ts_recv: int
) -> list[MarketEvent]:
    """Return what a message says that touches no book; raises WireError or ValueError."""
    match message:
        case wire.TradeMessage():
            return trades(message.msg, lines.get(message.msg.market_ticker), memory.numbers, ts_recv)
        case wire.TickerMessage():
            return quotes(message.msg, lines.get(message.msg.market_ticker), memory.numbers, ts_recv)
        case wire.LifecycleMessage():
            return memory.announcements.market(message.msg, ts_recv)
        case wire.EventFee():
            return memory.announcements.fee(message.msg, lines, ts_recv)
        case _:
            return []


def trades(body: wire.TradeBody, line: MarketBook | None, numbers: NumberCache, ts_recv: int) -> list[MarketEvent]:
    """Return a public trade as each wanted outcome of its market sees it; raises WireError or ValueError."""
    if line is None:
        return []
    price = numbers.prices[body.yes_price_dollars or wire.cents(body.yes_price)]
    size = numbers.amounts[body.count_fp or str(body.count)]
    if size <= 0:
        raise WireError("trade of nothing")
    taker = _TAKER.get(body.taker_book_side or body.taker_outcome_side or body.taker_side or "")
    ts_venue = _venue_time(body.ts_ms, body.ts)
    trade_id = TradeId(body.trade_id[:ID_CHARS_MAX]) if body.trade_id else None
    told: list[MarketEvent] = []
    for key, mirrored in line.keys.items():
        at = Price(MICROS - price) if mirrored else price
        side = _FLIPPED[taker] if mirrored and taker else taker
        told.append(Trade(key, ts_recv, ts_venue, at, Size(size), side, trade_id))
    return told


def quotes(body: wire.TickerBody, line: MarketBook | None, numbers: NumberCache, ts_recv: int) -> list[MarketEvent]:
    """Return the venue's best prices as each wanted outcome sees them; raises ValueError."""
    if line is None:
        return []
    bid = _best(body.yes_bid_dollars, body.yes_bid_size_fp, numbers)
    ask = _best(body.yes_ask_dollars, body.yes_ask_size_fp, numbers)
    ts_venue = _venue_time(body.ts_ms, body.ts)
    return [
        Quote(key, ts_recv, ts_venue, _complement(ask), _complement(bid))
        if mirrored
        else Quote(key, ts_recv, ts_venue, bid, ask)
        for key, mirrored in line.keys.items()
    ]


def _best(price: str | None, size: str | None, numbers: NumberCache) -> Price | None:
    """Return a best price, None where nobody stands behind it: 0 and 1 are what an empty side looks like."""
    if not price or (size is not None and numbers.amounts[size] <= 0) or parse_micros(price) in (0, MICROS):
        return None
    return numbers.prices[price]


def _complement(price: Price | None) -> Price | None:
    return None if price is None else Price(MICROS - price)


def _venue_time(ts_ms: int | None, ts: int | str | None) -> int | None:
    """Return ms, or in older frames seconds, in ns UTC; None when absent or beyond all sense."""
    if ts_ms is None and isinstance(ts, int):
        ts_ms = ts * 1_000
    return ts_ms * _MS if ts_ms is not None and _EARLIEST < ts_ms < _LATEST else None


def _named(frame: bytes, lines: Iterable[MarketBook]) -> list[MarketBook]:
    """Return the lines that a broken frame names; all of them when it names none."""
    every = [*lines]
    named = [line for line in every if line.ticker.encode() in frame] if len(frame) <= SEARCHED_BYTES_MAX else []
    return named or every
