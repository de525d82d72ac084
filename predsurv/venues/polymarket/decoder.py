"""Polymarket's market channel: desired tokens to requests, frames to events.

Kept apart from ``wire`` because this is where the venue's words end and ours begin; it holds what
one connection knows: which tokens it asked for and which of them have a book.
"""

from collections.abc import Iterable, Mapping, Sequence
from collections.abc import Set as AbstractSet
from hashlib import blake2b
from typing import Final

import msgspec

from predsurv.core.errors import WireError
from predsurv.core.events import (
    BookDelta,
    BookSnapshot,
    Level,
    Malformed,
    MarketChange,
    MarketEvent,
    MarketResolved,
    Quote,
    Trade,
    Unknown,
)
from predsurv.core.ids import InstrumentId, InstrumentKey, MarketId, OrderSide, Side, TradeId
from predsurv.core.market import Market
from predsurv.core.num import MICROS, ONE, Price, parse_micros, parse_size
from predsurv.core.text import sanitise
from predsurv.venues.parsing import checked_id
from predsurv.venues.polymarket import fast_decoder as changes
from predsurv.venues.polymarket import wire
from predsurv.venues.polymarket.fast_decoder import ChangeReaders, venue_time
from predsurv.venues.polymarket.hash_verifier import HashVerifier
from predsurv.venues.polymarket.market_parser import VENUE, announced_row, parse_market
from predsurv.venues.polymarket.shared_state import PolymarketSharedState, PriceCache, SeenIds, SizeCache, announcement
from predsurv.venues.polymarket.subscriptions import TokenSubscriptions

DETAIL_CHARS_MAX: Final = 120

SEARCHED_BYTES_MAX: Final = 1 << 18
"""A broken message up to this long is searched for the tokens it names."""

_TAKER: Final[dict[str, OrderSide]] = {"BUY": "buy", "SELL": "sell"}


class PolymarketCodec:
    """One connection to the market channel; see ``predsurv.venues.streaming.codec.Codec``.

    With ``heralds`` it asks for the extra kinds: every new market of the venue, best prices and
    settlements. One connection does that for all, so that their flood meets no books. ``carried``
    are the wanted instruments by token, ``witness`` holds the books as the venue writes them; ``readers`` are
    the best there are by default.
    """

    def __init__(
        self,
        epoch: int,
        memory: PolymarketSharedState | None = None,
        *,
        heralds: bool = False,
        readers: ChangeReaders | None = None,
    ) -> None:
        memory = memory or PolymarketSharedState()
        self._epoch = epoch
        self._prices = memory.prices
        self._sizes = memory.sizes
        self._trades = memory.trades
        self._announced = memory.announced
        self.witness = HashVerifier(memory.budget, memory.checks)
        memory.codecs.add(self)
        self._note = self.witness.note
        self._heralds = heralds
        self._opened = False
        self._tokens = TokenSubscriptions(epoch, self.witness)
        self.carried = self._tokens.carried
        self._live = self._tokens.live
        readers = readers or changes.BEST
        self._reader = readers.changes(self._live, epoch, memory, self.witness)
        self._read_book = readers.book
        self.witness.books.raw = readers.raw

    def requests(self, add: AbstractSet[InstrumentKey], drop: AbstractSet[InstrumentKey]) -> Sequence[bytes]:
        """Return the opening frame, or an ``unsubscribe`` and a ``subscribe`` where needed."""
        self._tokens.change(add, drop)
        # The flag belongs into every request: a later one without it switches the extra kinds off.
        flag: dict[str, object] = {"custom_feature_enabled": True} if self._heralds else {}
        frames = []
        if drop and self._opened:
            frames.append(_request({"operation": "unsubscribe"}, drop, flag))
        if add:
            frames.append(_request({"operation": "subscribe"} if self._opened else {"type": "market"}, add, flag))
            self._opened = True
        return frames

    def keepalive(self) -> bytes | None:
        """Return the text that the venue wants at least every ten seconds."""
        return b"PING"

    def awaiting(self) -> AbstractSet[InstrumentKey]:
        """Return the tokens without a book yet; a settled token never gets one."""
        return self._tokens.awaiting

    def take_lost(self) -> AbstractSet[InstrumentKey]:
        """Return the tokens whose book was broken since the last call."""
        return self._tokens.take_lost()

    def decode(self, frames: Sequence[bytes], ts_recv: int, out: list[MarketEvent]) -> bool:
        """Append the events of ``frames``; see the protocol.

        Price changes in their present form (nineteen frames in twenty) take a reader made for them; every
        other frame, and every one that this refuses, takes the patient way.
        """
        frames = frames if isinstance(frames, list) else list(frames)
        read, books = self._reader.read, self.witness.books
        at, data, noted = 0, False, books.noted if books.noting else None
        while True:
            start, at = at, read(frames, at, ts_recv, out, noted)
            data |= at > start
            if at == len(frames):
                break
            data |= self._one_or_several(frames[at], ts_recv, out)
            self._reader.forget()
            at, noted = at + 1, books.noted if books.noting else None
        books.limit()
        return data

    def _changes(self, message: wire.PriceChange, ts_recv: int, out: list[MarketEvent]) -> None:
        stamp = venue_time(message.timestamp)
        for change in message.price_changes:
            key = self._live.get(change.asset_id)
            if key is not None:
                side: Side = "bid" if change.side == "BUY" else "ask"
                price, size = self._prices[change.price], self._sizes[change.size]
                out.append(BookDelta(key, ts_recv, stamp, self._epoch, None, side, price, size))

    def audit(self, ts: int, now: int, out: list[MarketEvent]) -> bool:
        """Check the books against what the venue says of them; see ``predsurv.venues.streaming.codec.Auditor``."""
        for token, since, reason in self.witness.settle(ts, now):
            if token in self._live:
                out.append(self._tokens.lose(self._live[token], since, reason))
        vouched, self.witness.vouched = self.witness.vouched, False
        return vouched and len(self.witness.lines) == len(self._live)

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
        plain = self._read_book(message)
        if plain is not None:
            token, bids, asks, stamp = plain
            key = self.carried.get(token)
            if key is not None:
                out.append(BookSnapshot(key, ts_recv, venue_time(stamp), self._epoch, None, bids, asks))
                self._tokens.opened(key)
                self._note(message)
            return True
        try:
            kind, content = wire.read(message)
            if content is None:
                out.append(Unknown(VENUE, ts_recv, sanitise(kind, DETAIL_CHARS_MAX)))
            elif isinstance(content, wire.PriceChange):
                self._changes(content, ts_recv, out)
                self._note(content)
            else:
                event = self._single(content, ts_recv)
                if event is not None:
                    out.append(event)
        except (WireError, ValueError) as error:
            del out[start:]
            self._malformed(message, error, ts_recv, out)
            return False
        return True

    def _single(self, message: wire.Single, ts_recv: int) -> MarketEvent | None:
        """Return what ``message`` says, None when it says nothing new or concerns nobody here."""
        if isinstance(message, wire.NewMarketMessage):
            return _once(_created(message, ts_recv), self._announced)
        if isinstance(message, wire.ResolvedMessage):
            ours = self._heralds or not self.carried.keys().isdisjoint(message.assets_ids)
            return _once(_resolved(message, ts_recv), self._announced) if ours else None
        key = self.carried.get(message.asset_id)
        if key is None:
            return None
        if isinstance(message, wire.BestBidAsk):
            bid, ask = _best(message.best_bid, self._prices), _best(message.best_ask, self._prices)
            return Quote(key, ts_recv, venue_time(message.timestamp), bid, ask)
        event: MarketEvent | None
        if isinstance(message, wire.WireBook):
            event = _book(key, message, (ts_recv, self._epoch), self._prices, self._sizes)
            self._tokens.opened(key)
        elif isinstance(message, wire.LastTrade):
            trade_id = _trade_id(message)
            # What was traded is rarely traded again: remembering such sizes would fill memory and serve nobody.
            price, size, stamp = self._prices[message.price], parse_size(message.size), venue_time(message.timestamp)
            fresh = self._trades.add(trade_id)
            event = Trade(key, ts_recv, stamp, price, size, _TAKER.get(message.side), trade_id) if fresh else None
        else:
            event = _tick_size(key, message, ts_recv, self._prices)
        self._note(message)
        return event

    def _malformed(self, message: bytes, error: Exception, ts_recv: int, out: list[MarketEvent]) -> None:
        """Report a broken message and stop believing the books that it may have been about."""
        digest = blake2b(message, digest_size=16).hexdigest()
        out.append(Malformed(VENUE, ts_recv, sanitise(str(error), DETAIL_CHARS_MAX), digest))
        concerned = _concerned(message, self._live, cut=type(error) is msgspec.DecodeError)
        out += [self._tokens.lose(key, ts_recv, "decode_error") for key in concerned]


def _once(event: MarketChange | MarketResolved, announced: SeenIds) -> MarketChange | MarketResolved | None:
    return event if announced.add(announcement(event)) else None


def _concerned(message: bytes, live: Mapping[str, InstrumentKey], *, cut: bool) -> list[InstrumentKey]:
    """Return whose books a broken ``message`` may have been about: all when it is too long to search.

    What is no JSON at all was ``cut``, and may have gone on to name the other tokens of its market.
    """
    if len(message) > SEARCHED_BYTES_MAX:
        return list(live.values())
    named = [key for token, key in live.items() if token.encode() in message]
    if not cut:
        return named
    markets = {key.market_id for key in named}
    return [key for key in live.values() if key.market_id in markets or key.market_id.encode() in message]


def _request(what: Mapping[str, object], keys: Iterable[InstrumentKey], flag: Mapping[str, object]) -> bytes:
    return msgspec.json.encode({**what, "assets_ids": sorted(key.instrument_id for key in keys), **flag})


def _levels(
    steps: Sequence[wire.WireLevel], prices: PriceCache, sizes: SizeCache, *, descending: bool
) -> tuple[Level, ...]:
    """Return the levels of one side, best first, without empty ones; the wire's order is not promised.

    Whole sides at a time, so that looking up, pairing and sorting happen outside the interpreter's loop.
    """
    if len(steps) > wire.LEVELS_MAX:
        raise WireError(f"book side of {len(steps)} levels")
    at, held = [prices[step.price] for step in steps], [sizes[step.size] for step in steps]
    if len(set(at)) != len(at):
        raise WireError("book names a price twice")
    # The venue has always sent the worst level first. Sorting numbers to see whether it still does is
    # cheaper than sorting levels.
    at.reverse()
    held.reverse()
    pairs = zip(at, held, strict=True)
    levels = tuple(pairs if at == sorted(at, reverse=descending) else sorted(pairs, reverse=descending))
    return levels if all(held) else tuple([level for level in levels if level[1]])


def _book(
    key: InstrumentKey, message: wire.WireBook, when: tuple[int, int], prices: PriceCache, sizes: SizeCache
) -> BookSnapshot:
    """Return a book received at a time and in an epoch."""
    bids = _levels(message.bids, prices, sizes, descending=True)
    asks = _levels(message.asks, prices, sizes, descending=False)
    ts_recv, epoch = when
    return BookSnapshot(key, ts_recv, venue_time(message.timestamp), epoch, None, bids, asks)


def _best(text: str, prices: PriceCache) -> Price | None:
    """Return a best price; ``0``, ``1`` and nothing stand for an empty side."""
    if not text or parse_micros(text) in (0, MICROS):
        return None
    return prices[text]


def _trade_id(message: wire.LastTrade) -> TradeId:
    """Return an id made of all that the venue says of a trade, as it gives none.

    One transaction can hold several trades, so its hash alone would merge them.
    """
    said = (
        f"{message.asset_id}|{message.side}|{message.price}|{message.size}"
        f"|{message.timestamp}|{message.transaction_hash}"
    )
    return TradeId(blake2b(said.encode(), digest_size=16).hexdigest())


def _tick_size(
    key: InstrumentKey, message: wire.TickSizeChange, ts_recv: int, prices: PriceCache
) -> MarketChange | None:
    tick = prices[message.new_tick_size]
    old = prices[message.old_tick_size] if message.old_tick_size else None
    if tick == old:
        return None
    value = msgspec.json.encode({"old": message.old_tick_size, "new": message.new_tick_size}).decode()
    stamp = venue_time(message.timestamp)
    return MarketChange(VENUE, key.market_id, key.instrument_id, ts_recv, stamp, "tick_size", value, None, tick)


def _resolved(message: wire.ResolvedMessage, ts_recv: int) -> MarketResolved:
    if message.winning_asset_id not in message.assets_ids:
        raise WireError("winning_asset_id is none of assets_ids")
    payouts = tuple(
        (InstrumentId(token), ONE if token == message.winning_asset_id else Price(0)) for token in message.assets_ids
    )
    market_id = MarketId(checked_id(message.market, "market"))
    return MarketResolved(VENUE, market_id, ts_recv, venue_time(message.timestamp), payouts)


def _created(message: wire.NewMarketMessage, ts_recv: int) -> MarketChange:
    market: Market | None = parse_market(announced_row(message.fields), ts_recv)
    name = wire.text(message.fields, "condition_id", "") or wire.text(message.fields, "market")
    market_id = MarketId(checked_id(name, "market"))
    value = msgspec.json.encode({"slug": wire.text(message.fields, "slug", "")}).decode()
    return MarketChange(VENUE, market_id, None, ts_recv, venue_time(message.timestamp), "created", value, market)
