"""Polymarket's market channel: desired tokens to requests, frames to events.

Kept apart from ``wire`` because this is where the venue's words end and ours begin; it holds what
one connection knows: which tokens it asked for and which of them have a book.
"""

from collections import deque
from collections.abc import Callable, Iterable, Sequence
from collections.abc import Set as AbstractSet
from hashlib import blake2b
from typing import Final

import msgspec

from predsurv.core.errors import WireError
from predsurv.core.events import (
    BookDelta,
    BookSnapshot,
    Gap,
    Level,
    Malformed,
    MarketChange,
    MarketEvent,
    MarketResolved,
    Quote,
    Trade,
    Unknown,
)
from predsurv.core.ids import InstrumentId, InstrumentKey, MarketId, OrderSide, TradeId
from predsurv.core.market import Market
from predsurv.core.num import MICROS, ONE, Price, Size, parse_micros
from predsurv.core.text import sanitise
from predsurv.venues.polymarket import listing, wire
from predsurv.venues.polymarket.continuity import Budget, Checks, Witness
from predsurv.venues.polymarket.listing import VENUE

PRICES_MAX: Final = 1 << 14
SIZES_MAX: Final = 1 << 16
SEEN_MAX: Final = 1 << 13
"""Trades and announcements remembered to tell a repeated message from a new one."""

DETAIL_CHARS_MAX: Final = 120

NOTED_MAX: Final = 1 << 13
"""Messages kept at most until they are checked; a connection's are checked after every read."""

SEARCHED_BYTES_MAX: Final = 1 << 18
"""A broken message up to this long is searched for the tokens it names."""

_CHANGE_TAIL: Final = wire.CHANGE_TAIL
_MS: Final = 1_000_000
_EARLIEST: Final = 1_420_070_400_000  # 2015, in ms as the venue counts
_LATEST: Final = 4_102_444_800_000  # 2100

_TAKER: Final[dict[str, OrderSide]] = {"BUY": "buy", "SELL": "sell"}


class Prices(dict[str, Price]):
    """Price texts already parsed; holds prices strictly between 0 and 1 only."""

    def __missing__(self, text: str) -> Price:
        price = Price(parse_micros(text))
        if not 0 < price < ONE:
            raise ValueError(f"price outside 0 … 1: {text[:32]!r}")
        if len(self) >= PRICES_MAX:
            self.clear()
        self[text] = price
        return price


class Sizes(dict[str, Size]):
    """Size texts already parsed."""

    def __missing__(self, text: str) -> Size:
        size = Size(parse_micros(text))
        if len(self) >= SIZES_MAX:
            self.clear()
        self[text] = size
        return size


class Seen:
    """The last ``SEEN_MAX`` ids."""

    def __init__(self) -> None:
        self._known: set[str] = set()
        self._order: deque[str] = deque()

    def add(self, name: str) -> bool:
        """Remember ``name``; return whether it is new."""
        if name in self._known:
            return False
        if len(self._order) >= SEEN_MAX:
            self._known.discard(self._order.popleft())
        self._known.add(name)
        self._order.append(name)
        return True


class Memory:
    """What all connections of a feed may share: parsed texts, what was told already, and the checks.

    Two connections carry the same instruments while one takes over, so what was told spans them.
    """

    def __init__(self) -> None:
        self.prices = Prices()
        self.sizes = Sizes()
        self.trades = Seen()
        self.announced = Seen()
        self.budget = Budget()
        self.checks = Checks()

    def for_herald(self) -> "Memory":
        """Return a memory that shares the announcements only: trades that a herald hears are not told."""
        other = Memory()
        other.announced = self.announced
        return other


class PolymarketCodec:
    """One connection to the market channel; see ``predsurv.venues.codec.Codec``.

    With ``heralds`` it asks for the extra kinds: every new market of the venue, best prices and
    settlements. One connection does that for all, so that their flood meets no books.
    """

    def __init__(self, epoch: int, memory: Memory | None = None, *, heralds: bool = False) -> None:
        memory = memory or Memory()
        self._epoch = epoch
        self._prices = memory.prices
        self._sizes = memory.sizes
        self._trades = memory.trades
        self._announced = memory.announced
        self._witness = Witness(memory.budget, memory.checks)
        self._noted = self._witness.noted
        self._read_change: Callable[[bytes], wire.PriceChange] = wire.read_change
        self._heralds = heralds
        self._opened = False
        self._wanted: dict[str, InstrumentKey] = {}
        self._live: dict[str, InstrumentKey] = {}
        self._awaiting: set[InstrumentKey] = set()
        self._lost: set[InstrumentKey] = set()

    def requests(self, add: AbstractSet[InstrumentKey], drop: AbstractSet[InstrumentKey]) -> Sequence[bytes]:
        """Return the opening frame, or an ``unsubscribe`` and a ``subscribe`` where needed."""
        for key in drop:
            self._wanted.pop(key.instrument_id, None)
            self._live.pop(key.instrument_id, None)
            self._awaiting.discard(key)
            self._lost.discard(key)
            self._witness.forget(key.instrument_id, for_good=key not in add)
        for key in add:
            self._wanted[key.instrument_id] = key
            self._live.pop(key.instrument_id, None)
            self._awaiting.add(key)
        frames = []
        if drop and self._opened:
            frames.append(self._request({"operation": "unsubscribe"}, drop))
        if add:
            frames.append(self._request({"operation": "subscribe"} if self._opened else {"type": "market"}, add))
            self._opened = True
        return frames

    def _request(self, what: dict[str, str], keys: Iterable[InstrumentKey]) -> bytes:
        # The flag belongs into every request: a later one without it switches the extra kinds off.
        flag = {"custom_feature_enabled": True} if self._heralds else {}
        return msgspec.json.encode({**what, "assets_ids": sorted(key.instrument_id for key in keys), **flag})

    def keepalive(self) -> bytes | None:
        """Return the text that the venue wants at least every ten seconds."""
        return b"PING"

    def awaiting(self) -> AbstractSet[InstrumentKey]:
        """Return the tokens without a book yet; a settled token never gets one."""
        return self._awaiting

    def take_lost(self) -> AbstractSet[InstrumentKey]:
        """Return the tokens whose book was broken since the last call."""
        lost, self._lost = self._lost, set()
        return lost

    def decode(self, frame: bytes, ts_recv: int, out: list[MarketEvent]) -> bool:
        """Append the events of ``frame``; see the protocol.

        A price change in its present form (nineteen frames in twenty) takes one decoder made for
        it; every other frame, and every one that this refuses, takes the patient way.
        """
        if not frame.endswith(_CHANGE_TAIL):
            return self._one_or_several(frame, ts_recv, out)
        start = len(out)
        try:
            self._changes(self._read_change(frame), ts_recv, out)
        except ValueError:
            del out[start:]
            return self._one_or_several(frame, ts_recv, out)
        return True

    def _changes(self, message: wire.PriceChange, ts_recv: int, out: list[MarketEvent]) -> None:
        live, prices, sizes, epoch = self._live, self._prices, self._sizes, self._epoch
        ts_venue: int | None = message.timestamp * _MS
        if not _EARLIEST < message.timestamp < _LATEST:
            ts_venue = None
        for change in message.price_changes:
            key = live.get(change.asset_id)
            if key is not None:
                out.append(
                    BookDelta(
                        key,
                        ts_recv,
                        ts_venue,
                        epoch,
                        None,
                        "bid" if change.side == "BUY" else "ask",
                        prices[change.price],
                        sizes[change.size],
                    )
                )
        self._noted.append(message)

    def audit(self, ts: int, now: int, out: list[MarketEvent]) -> bool:
        """Check the books against what the venue says of them; see ``predsurv.venues.codec.Auditor``."""
        for token, since in self._witness.settle(ts, now):
            if token in self._live:
                self._lose(self._live[token], Gap(self._live[token], since, "hash_mismatch", self._epoch), out)
        if self._witness.blind:
            self._read_change = wire.read_quoted_change
        return False

    def _lose(self, key: InstrumentKey, gap: Gap, out: list[MarketEvent]) -> None:
        del self._live[key.instrument_id]
        self._awaiting.add(key)
        self._lost.add(key)
        self._witness.forget(key.instrument_id, for_good=False)
        out.append(gap)

    def _one_or_several(self, frame: bytes, ts_recv: int, out: list[MarketEvent]) -> bool:
        if frame == wire.PONG:
            return False
        if frame.lstrip(b" \r\n\t")[:1] != b"[":
            return self._message(frame, ts_recv, out)
        try:
            messages = wire.split(frame)
        except (WireError, ValueError) as error:
            self._malformed(frame, error, ts_recv, out)
            return False
        understood = [self._message(bytes(message), ts_recv, out) for message in messages]
        return any(understood) or not understood

    def _message(self, message: bytes, ts_recv: int, out: list[MarketEvent]) -> bool:
        """Append what ``message`` says; return whether it could be understood."""
        start = len(out)
        try:
            kind, content = wire.read(message)
            if content is None:
                out.append(Unknown(VENUE, ts_recv, sanitise(kind, DETAIL_CHARS_MAX)))
            elif isinstance(content, wire.PriceChange):
                self._changes(content, ts_recv, out)
            else:
                event = self._event(content, ts_recv)
                if event is not None:
                    out.append(event)
        except (WireError, ValueError) as error:
            del out[start:]
            self._malformed(message, error, ts_recv, out)
            return False
        return True

    def _event(self, message: wire.Single, ts_recv: int) -> MarketEvent | None:
        """Return what ``message`` says, None when it says nothing new or concerns nobody here."""
        if isinstance(message, wire.Listed):
            created = _created(message, ts_recv)
            return created if self._announced.add(f"created {created.market_id}") else None
        if isinstance(message, wire.Resolved):
            concerned = self._heralds or not self._wanted.keys().isdisjoint(message.assets_ids)
            fresh = concerned and self._announced.add(f"resolved {message.market}")
            return _resolved(message, ts_recv) if fresh else None
        key = self._wanted.get(message.asset_id)
        return None if key is None else self._about(key, message, ts_recv)

    def _about(self, key: InstrumentKey, message: wire.AboutToken, ts_recv: int) -> MarketEvent | None:
        match message:
            case wire.WireBook():
                book = _book(key, message, (ts_recv, self._epoch), self._prices, self._sizes)
                self._live[key.instrument_id] = key
                self._awaiting.discard(key)
                self._lost.discard(key)
                if len(self._noted) >= NOTED_MAX:
                    self._witness.absorb()
                self._noted.append(message)
                return book
            case wire.LastTrade():
                trade = _trade(key, message, ts_recv, self._prices[message.price], self._sizes[message.size])
                self._noted.append(message)
                return trade if self._trades.add(str(trade.trade_id)) else None
            case wire.BestBidAsk():
                bid = _best(message.best_bid, self._prices)
                ask = _best(message.best_ask, self._prices)
                return Quote(key, ts_recv, _venue_time(message.timestamp), bid, ask)
            case wire.TickSizeChange():
                change = _tick_size(key, message, ts_recv, self._prices)
                self._noted.append(message)
                return change

    def _malformed(self, message: bytes, error: Exception, ts_recv: int, out: list[MarketEvent]) -> None:
        """Report a broken message and stop believing the books that it may have been about."""
        digest = blake2b(message, digest_size=16).hexdigest()
        out.append(Malformed(VENUE, ts_recv, sanitise(str(error), DETAIL_CHARS_MAX), digest))
        searched = len(message) <= SEARCHED_BYTES_MAX
        for token, key in self._wanted.items():
            if key in self._awaiting or (searched and token.encode() not in message):
                continue
            self._lose(key, Gap(key, ts_recv, "decode_error", self._epoch), out)


def _venue_time(stamp_ms: int) -> int | None:
    return stamp_ms * _MS if _EARLIEST < stamp_ms < _LATEST else None


def _levels(steps: Sequence[wire.Step], prices: Prices, sizes: Sizes, *, descending: bool) -> tuple[Level, ...]:
    """Return the levels of one side, best first, without empty ones; the wire's order is not promised.

    Whole sides at a time, so that looking up, pairing and sorting happen outside the interpreter's loop.
    """
    if len(steps) > wire.LEVELS_MAX:
        raise WireError(f"book side of {len(steps)} levels")
    side = dict(zip([prices[step.price] for step in steps], [sizes[step.size] for step in steps], strict=True))
    if len(side) != len(steps):
        raise WireError("book names a price twice")
    levels = [(price, side[price]) for price in sorted(side, reverse=descending)]
    return tuple(levels if all(side.values()) else [level for level in levels if level[1]])


def _book(
    key: InstrumentKey, message: wire.WireBook, when: tuple[int, int], prices: Prices, sizes: Sizes
) -> BookSnapshot:
    """Return a book received at a time and in an epoch."""
    bids = _levels(message.bids, prices, sizes, descending=True)
    asks = _levels(message.asks, prices, sizes, descending=False)
    ts_recv, epoch = when
    return BookSnapshot(key, ts_recv, _venue_time(message.timestamp), epoch, None, bids, asks)


def _best(text: str, prices: Prices) -> Price | None:
    """Return a best price; ``0``, ``1`` and nothing stand for an empty side."""
    if not text or parse_micros(text) in (0, MICROS):
        return None
    return prices[text]


def _trade(key: InstrumentKey, message: wire.LastTrade, ts_recv: int, price: Price, size: Size) -> Trade:
    """Return a trade; its id is made of all the venue says of it, as it gives none.

    One transaction can hold several trades, so its hash alone would merge them.
    """
    parts = (key.instrument_id, message.side, price, size, message.timestamp, message.transaction_hash)
    name = blake2b("|".join(map(str, parts)).encode(), digest_size=16).hexdigest()
    taker = _TAKER.get(message.side)
    return Trade(key, ts_recv, _venue_time(message.timestamp), price, size, taker, TradeId(name))


def _tick_size(key: InstrumentKey, message: wire.TickSizeChange, ts_recv: int, prices: Prices) -> MarketChange | None:
    tick = prices[message.new_tick_size]
    old = prices[message.old_tick_size] if message.old_tick_size else None
    if tick == old:
        return None
    value = msgspec.json.encode({"old": message.old_tick_size, "new": message.new_tick_size}).decode()
    stamp = _venue_time(message.timestamp)
    return MarketChange(VENUE, key.market_id, key.instrument_id, ts_recv, stamp, "tick_size", value, None, tick)


def _resolved(message: wire.Resolved, ts_recv: int) -> MarketResolved:
    if message.winning_asset_id not in message.assets_ids:
        raise WireError("winning_asset_id is none of assets_ids")
    payouts = tuple(
        (InstrumentId(token), ONE if token == message.winning_asset_id else Price(0)) for token in message.assets_ids
    )
    market_id = MarketId(listing.checked_id(message.market, "market"))
    return MarketResolved(VENUE, market_id, ts_recv, _venue_time(message.timestamp), payouts)


def _created(message: wire.Listed, ts_recv: int) -> MarketChange:
    market: Market | None = listing.market_of(listing.announced(message.fields), ts_recv)
    name = wire.text(message.fields, "condition_id", "") or wire.text(message.fields, "market")
    market_id = MarketId(listing.checked_id(name, "market"))
    value = msgspec.json.encode({"slug": wire.text(message.fields, "slug", "")}).decode()
    return MarketChange(VENUE, market_id, None, ts_recv, _venue_time(message.timestamp), "created", value, market)
