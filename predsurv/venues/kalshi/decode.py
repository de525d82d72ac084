"""Kalshi's WebSocket: desired markets to commands, frames to events.

Kept apart from ``wire`` because this is where the venue's words end and ours begin. Every frame of
a subscription has a number, shared by all its markets: one that is missing may have been about any.
"""

from collections.abc import Iterable, Sequence
from collections.abc import Set as AbstractSet
from hashlib import blake2b
from typing import Final

from predsurv.core.errors import WireError
from predsurv.core.events import BookDelta, Dropped, GapReason, Malformed, MarketEvent, Quote, Trade, Unknown
from predsurv.core.ids import InstrumentKey, OrderSide, TradeId
from predsurv.core.num import MICROS, Price, Size
from predsurv.core.text import sanitise
from predsurv.venues.kalshi import wire
from predsurv.venues.kalshi.books import Line, Numbers, Shelf, is_crossed, snapshot
from predsurv.venues.kalshi.lifecycle import Announcements
from predsurv.venues.kalshi.listing import VENUE
from predsurv.venues.kalshi.subscriptions import BOOKS, LIFE, TRADES, Subscriptions

DETAIL_CHARS_MAX: Final = 120
SEARCHED_BYTES_MAX: Final = 1 << 16
"""A broken message up to this long is searched for the tickers it names."""

_MS: Final = 1_000_000
_EARLIEST: Final = 1_420_070_400_000  # 2015, in ms as the venue counts
_LATEST: Final = 4_102_444_800_000  # 2100

_TAKER: Final[dict[str, OrderSide]] = {"bid": "buy", "ask": "sell", "yes": "buy", "no": "sell"}
_FLIPPED: Final[dict[OrderSide, OrderSide]] = {"buy": "sell", "sell": "buy"}
_CHANNELS: Final[dict[type, str]] = {
    wire.Delta: BOOKS,
    wire.Snapshot: BOOKS,
    wire.Print: TRADES,
    wire.Life: LIFE,
    wire.EventLife: LIFE,
    wire.EventFee: LIFE,
}

# What the venue's error codes mean for us; any other leaves the subscriptions as they are.
_ENDED: Final[dict[int, GapReason]] = {7: "disconnect", 10: "disconnect", 25: "overflow"}
_FULL: Final = 26


class Memory:
    """What all connections of a feed share.

    ``capacity``: how many instruments a connection carries as far as the venue has said, None before.
    """

    def __init__(self) -> None:
        self.numbers = Numbers()
        self.announcements = Announcements()
        self.capacity: int | None = None


class KalshiCodec:
    """One connection; see ``predsurv.venues.codec.Codec``."""

    def __init__(self, epoch: int, memory: Memory | None = None) -> None:
        memory = memory or Memory()
        self._epoch = epoch
        self._memory = memory
        self._prices = memory.numbers.prices
        self._amounts = memory.numbers.amounts
        self._shelf = Shelf()
        self._lines = self._shelf.lines
        self._subscriptions = Subscriptions()
        self._seqs: dict[int, int] = {}

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

    def decode(self, frame: bytes, ts_recv: int, out: list[MarketEvent]) -> bool:
        """Append the events of ``frame``; see the protocol."""
        start = len(out)
        try:
            message = wire.read_frame(frame)
        except (ValueError, RecursionError) as error:
            return self._unread(frame, error, ts_recv, out)
        if not isinstance(message, wire.Ticker | wire.Subscribed) and message.seq is not None:
            self._count(message, ts_recv, out)
            start = len(out)
        try:
            if type(message) is wire.Delta:
                self._change(message, ts_recv, out)
            elif not self._other(message, ts_recv, out):
                return False
        except (WireError, ValueError) as error:
            del out[start:]
            self._malformed(frame, error, ts_recv, out)
        return True

    def _change(self, message: wire.Delta, ts_recv: int, out: list[MarketEvent]) -> None:
        body = message.msg
        line = self._lines.get(body.market_ticker)
        if line is None or not line.live:
            return
        price = self._prices[body.price_dollars or wire.cents(body.price)]
        change = self._amounts[body.delta_fp or str(body.delta)]
        bid = body.side == "yes"
        if not bid:
            price = Price(MICROS - price)
        sizes = line.bids if bid else line.asks
        size = sizes.get(price, 0) + change
        if size > 0:
            sizes[price] = size
        elif size == 0:
            sizes.pop(price, None)
        else:
            # The sum is wrong, so something was missed; nothing says since when.
            self._shelf.lose([line], (ts_recv, "hash_mismatch", self._epoch), out)
            return
        ts_ms = body.ts_ms
        ts_venue = ts_ms * _MS if ts_ms is not None and _EARLIEST < ts_ms < _LATEST else None
        for key, mirrored in line.live:
            at, is_bid = (Price(MICROS - price), not bid) if mirrored else (price, bid)
            side = "bid" if is_bid else "ask"
            out.append(BookDelta(key, ts_recv, ts_venue, self._epoch, message.seq, side, at, Size(size)))

    def _other(self, message: wire.Message, ts_recv: int, out: list[MarketEvent]) -> bool:
        """Append the events of a rarer message; return whether it was data."""
        match message:
            case wire.Snapshot():
                self._book(message, ts_recv, out)
            case wire.Print():
                out += trades(message.msg, self._lines.get(message.msg.market_ticker), self._memory.numbers, ts_recv)
            case wire.Ticker():
                out += quotes(message.msg, self._lines.get(message.msg.market_ticker), self._memory.numbers, ts_recv)
            case wire.Life():
                told = self._memory.announcements.market(message.msg, ts_recv)
                out += [] if told is None else [told]
            case wire.EventFee():
                out += self._memory.announcements.fee(message.msg, self._lines, ts_recv)
            case wire.Refusal():
                self._refused(message, ts_recv, out)
            case wire.Subscribed(body):
                self._subscriptions.subscribed(body.channel, body.sid)
                self._seqs.setdefault(body.sid, 0)
            case wire.Unsubscribed():
                self._seqs.pop(message.sid or 0, None)
            case _:
                pass
        return not isinstance(message, wire.Answer)

    def _book(self, message: wire.Snapshot, ts_recv: int, out: list[MarketEvent]) -> None:
        body = message.msg
        line = self._lines.get(body.market_ticker)
        yes, no = wire.sides(body)
        if line is None or (body.market_id == "" and not yes and not no):
            return  # an expired or unknown market: that is no empty book
        bids = self._memory.numbers.side(yes, no=False)
        asks = self._memory.numbers.side(no, no=True)
        if is_crossed(bids, asks):
            raise WireError("book is crossed: are NO bids on the YES scale now?")
        self._shelf.open(line, bids, asks)
        stamps = (ts_recv, self._epoch, message.seq)
        out += [snapshot(key, (bids, asks, mirrored), stamps) for key, mirrored in line.live]

    def _count(self, message: wire.Message, ts_recv: int, out: list[MarketEvent]) -> None:
        """Check the number of a frame; learn which channel its subscription is."""
        sid, seq = getattr(message, "sid", None), getattr(message, "seq", None)
        if sid is None or seq is None:
            return
        if self._subscriptions.by_sid(sid) is None and type(message) in _CHANNELS:
            self._subscriptions.subscribed(_CHANNELS[type(message)], sid)
        self._advance(sid, seq, ts_recv, out)
