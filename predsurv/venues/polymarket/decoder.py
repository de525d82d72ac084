"""Polymarket's market channel: desired tokens to requests, frames to events."""

from collections.abc import Iterable, Mapping, Sequence
from collections.abc import Set as AbstractSet
from typing import Final

import msgspec

from predsurv.core.errors import WireError
from predsurv.core.events import (
    BookDelta,
    BookSnapshot,
    Level,
    MarketEvent,
    Quote,
    Unknown,
)
from predsurv.core.ids import InstrumentKey, Side
from predsurv.core.num import MICROS, Price, parse_micros
from predsurv.core.text import sanitise
from predsurv.venues.parsing import DETAIL_CHARS_MAX, Stamp, malformed, venue_time
from predsurv.venues.polymarket import fast_decoder, wire
from predsurv.venues.polymarket.announcements import read_new_market, read_resolution
from predsurv.venues.polymarket.fast_decoder import ChangeReaders
from predsurv.venues.polymarket.hash_verifier import HashVerifier
from predsurv.venues.polymarket.market_facts import (
    MirrorReader,
    append_stated_tick,
    opening_tick,
    read_tick_change,
    read_trade,
)
from predsurv.venues.polymarket.market_parser import VENUE
from predsurv.venues.polymarket.shared_state import PolymarketSharedState
from predsurv.venues.polymarket.subscriptions import TokenSubscriptions

SEARCHED_BYTES_MAX: Final = 1 << 18
"""A malformed message up to this long is searched for the tokens it names."""

_TOKEN_SIGN: Final = b'"asset_id":"'
_HEAD_BYTES: Final = 512
"""Where the token of a message stands; after its market."""


class PolymarketCodec:
    """One connection to the market channel; see ``predsurv.venues.streaming.codec.Codec``.

    With ``announcements`` it subscribes the extra kinds as well: every new market of the venue, best
    prices and settlements. One connection does that for all, so that they do not delay any book.
    The mirrors in ``shared`` are subscribed with their instruments, for their trades. ``subscribed``: the
    wanted instruments by token. ``verifier`` holds the books as the venue writes them. ``readers`` are
    the fastest there are by default.
    """

    def __init__(
        self,
        epoch: int,
        shared: PolymarketSharedState | None = None,
        *,
        announcements: bool = False,
        readers: ChangeReaders | None = None,
    ) -> None:
        shared = shared or PolymarketSharedState()
        self._epoch = epoch
        self._shared = shared
        self._prices = shared.prices
        self._sizes = shared.sizes
        self.verifier = HashVerifier(shared.budget, shared.counts, shared.last_trade_texts)
        shared.codecs.add(self)
        self._enqueue = self.verifier.enqueue
        self._announcements = announcements
        self._opened = False
        self._subscriptions = TokenSubscriptions(epoch, self.verifier)
        self._mirrors = MirrorReader(shared, self.verifier)
        self.subscribed = self._subscriptions.subscribed
        self._live = self._subscriptions.live
        readers = readers or fast_decoder.BEST
        self._reader = readers.changes(self._subscriptions, epoch, shared, self.verifier)
        self.verifier.venue_books.raw_frames = readers.raw

    def requests(self, add: AbstractSet[InstrumentKey], drop: AbstractSet[InstrumentKey]) -> Sequence[bytes]:
        """Return the opening frame, or an ``unsubscribe`` and a ``subscribe`` where needed."""
        change = self._subscriptions.change(add, drop, self._shared.mirrors)
        # The flag belongs into every request: a later one without it switches the extra kinds off.
        flag: dict[str, object] = {"custom_feature_enabled": True} if self._announcements else {}
        frames = []
        if change.unsubscribe and self._opened:
            frames.append(_request({"operation": "unsubscribe"}, change.unsubscribe, flag))
        if change.subscribe:
            opening = {"operation": "subscribe"} if self._opened else {"type": "market"}
            frames.append(_request(opening, change.subscribe, flag))
            self._shared.questions.connections += not self._opened
            self._opened = True
        return frames

    def keepalive(self) -> bytes | None:
        """Return the text that the venue wants at least every ten seconds."""
        return wire.PING

    def awaiting(self) -> AbstractSet[InstrumentKey]:
        """Return the instruments without a valid book; a settled token never gets one."""
        return self._subscriptions.awaiting

    def take_lost(self) -> AbstractSet[InstrumentKey]:
        """Return the instruments whose book became invalid since the last call."""
        return self._subscriptions.take_lost()

    def decode(self, frames: Sequence[bytes], ts_recv: int, out: list[MarketEvent]) -> bool:
        """Append the events of ``frames``; see the protocol.

        Price changes in their present form (nineteen frames in twenty), and compiled most trades and books, go
        through a reader made for them; every other frame, and every one that it refuses, through ``_decode_frame``.
        """
        frames = frames if isinstance(frames, list) else list(frames)
        read, books = self._reader.read, self.verifier.venue_books
        at, data, pending = 0, False, books.pending if books.following else None
        while True:
            start, at = at, read(frames, at, ts_recv, out, pending)
            data |= at > start
            if at == len(frames):
                break
            data |= self._decode_frame(frames[at], ts_recv, out)
            self._reader.forget()
            at, pending = at + 1, books.pending if books.following else None
        books.bound()
        return data

    def audit(self, ts: int, now: int, out: list[MarketEvent]) -> bool:
        """Compare the books with the stated hashes; see ``predsurv.venues.streaming.codec.Auditor``."""
        for token, since, reason in self.verifier.verify(ts, now):
            if token in self._live:
                out.append(self._subscriptions.invalidate(self._live[token], since, reason))
        confirmed, self.verifier.silence_confirmed = self.verifier.silence_confirmed, False
        return confirmed and len(self.verifier.books) == len(self._live)

    def _decode_frame(self, frame: bytes, ts_recv: int, out: list[MarketEvent]) -> bool:
        """Append the events of a frame in any form, one message or an array; return whether any could be read."""
        if frame == wire.PONG:
            return False
        if frame.lstrip(b" \r\n\t")[:1] != b"[":
            return self._decode_message(frame, ts_recv, out)
        try:
            messages = wire.split(frame)
        except (WireError, ValueError) as error:
            self._report_malformed(frame, error, ts_recv, out)
            return False
        read = [self._decode_message(bytes(message), ts_recv, out) for message in messages]
        return any(read) or not read

    def _decode_message(self, message: bytes, ts_recv: int, out: list[MarketEvent]) -> bool:
        """Append the events of ``message``; return whether it could be read."""
        heard = self._subscriptions.heard_names
        if heard and _is_book_of(heard, message):
            return True
        start = len(out)
        book = self._reader.book(message, ts_recv)
        if book is not None:
            append_stated_tick(book.key, opening_tick(message), ts_recv, out, self._shared)
            out.append(book)  # type: ignore[arg-type]
            self._subscriptions.restore(book.key)
            self._enqueue(message)
            return True
        try:
            kind, content = wire.read(message)
            if content is None:
                out.append(Unknown(VENUE, ts_recv, sanitise(kind, DETAIL_CHARS_MAX)))
            elif isinstance(content, wire.PriceChange):
                self._append_changes(content, ts_recv, out)
                self._enqueue(content)
            else:
                event = self._event_of(content, ts_recv, out)
                if event is not None:
                    out.append(event)
        except (WireError, ValueError) as error:
            del out[start:]
            self._report_malformed(message, error, ts_recv, out)
            return False
        return True

    def _append_changes(self, message: wire.PriceChange[wire.WireChange], ts_recv: int, out: list[MarketEvent]) -> None:
        ts_venue = venue_time(message.timestamp)
        for change in message.price_changes:
            key = self._live.get(change.asset_id)
            if key is not None:
                side: Side = "bid" if change.side == "BUY" else "ask"
                price, size = self._prices[change.price], self._sizes[change.size]
                out.append(BookDelta(key, ts_recv, ts_venue, self._epoch, None, side, price, size))

    def _event_of(self, message: wire.Single, ts_recv: int, out: list[MarketEvent]) -> MarketEvent | None:
        """Return the event of ``message``, None when it is not new or of no subscribed token.

        Append before it to ``out`` what a book states besides.
        """
        if isinstance(message, wire.NewMarketMessage):
            return read_new_market(message, ts_recv, self._shared)
        if isinstance(message, wire.ResolvedMessage):
            concerned = self._announcements or self._subscriptions.have_any(message.assets_ids)
            return read_resolution(message, ts_recv, self._shared) if concerned else None
        key = self.subscribed.get(message.asset_id)
        if key is None:
            heard = self._subscriptions.heard.get(message.asset_id)
            return None if heard is None else self._mirrors.read(heard, message, ts_recv)
        if isinstance(message, wire.BestBidAsk):
            bid, ask = _best(message.best_bid, self._shared), _best(message.best_ask, self._shared)
            return Quote(key, ts_recv, venue_time(message.timestamp), bid, ask)
        event: MarketEvent | None
        if isinstance(message, wire.WireBook):
            event = _snapshot(key, message, Stamp(ts_recv, self._epoch), self._shared)
            append_stated_tick(key, message.tick_size, ts_recv, out, self._shared)
            self._subscriptions.restore(key)
        elif isinstance(message, wire.LastTrade):
            event = read_trade(key, message, ts_recv, self._shared)
        else:
            event = read_tick_change(key, message, ts_recv, self._shared)
        self._enqueue(message)
        return event

    def _report_malformed(self, message: bytes, error: Exception, ts_recv: int, out: list[MarketEvent]) -> None:
        """Report a malformed message and invalidate the books that it may have been about."""
        out.append(malformed(VENUE, message, error, ts_recv))
        affected = _affected(message, self._subscriptions, truncated=type(error) is msgspec.DecodeError)
        out += [self._subscriptions.invalidate(key, ts_recv, "decode_error") for key in affected]


def _is_book_of(tokens: AbstractSet[bytes], message: bytes) -> bool:
    """Return whether ``message``, as it usually is, is the book of one of ``tokens``; False when that takes longer."""
    at = message.find(_TOKEN_SIGN, 0, _HEAD_BYTES) + len(_TOKEN_SIGN)
    return message[at : message.find(b'"', at)] in tokens and wire.SIDE_SIGN in message


def _affected(message: bytes, subscriptions: TokenSubscriptions, *, truncated: bool) -> list[InstrumentKey]:
    """Return the instruments that a malformed ``message`` may have been about: all when it is too long to search.

    One that is no JSON may be ``truncated`` and may have named the other tokens of its market. What may have been
    a trade told on a mirror is missing in the recording of its instrument.
    """
    live = subscriptions.live
    if len(message) > SEARCHED_BYTES_MAX:
        return list(live.values())
    hit = {token for token in live if token.encode() in message}
    hit |= {heard.wanted.instrument_id for token, heard in subscriptions.heard.items() if token.encode() in message}
    named = [key for token, key in live.items() if token in hit]
    if not truncated:
        return named
    markets = {key.market_id for key in named}
    return [key for key in live.values() if key.market_id in markets or key.market_id.encode() in message]


def _request(params: Mapping[str, object], tokens: Iterable[str], flag: Mapping[str, object]) -> bytes:
    return msgspec.json.encode({**params, "assets_ids": sorted(tokens), **flag})


def _levels(side: Sequence[wire.WireLevel], shared: PolymarketSharedState, *, descending: bool) -> tuple[Level, ...]:
    """Return the levels of one side, best first, without empty ones; the wire's order is not promised.

    Works on whole columns, so that looking up, pairing and sorting happen outside the interpreter's loop.
    """
    if len(side) > wire.LEVELS_MAX:
        raise WireError(f"book side of {len(side)} levels")
    cached_prices, cached_sizes = shared.prices, shared.sizes
    prices, sizes = [cached_prices[level.price] for level in side], [cached_sizes[level.size] for level in side]
    if len(set(prices)) != len(prices):
        raise WireError("book names a price twice")
    # The venue has always sent the worst level first. Sorting numbers to see whether it still does is
    # cheaper than sorting levels.
    prices.reverse()
    sizes.reverse()
    pairs = zip(prices, sizes, strict=True)
    levels = tuple(pairs if prices == sorted(prices, reverse=descending) else sorted(pairs, reverse=descending))
    return levels if all(sizes) else tuple([level for level in levels if level[1]])


def _snapshot(key: InstrumentKey, message: wire.WireBook, stamp: Stamp, shared: PolymarketSharedState) -> BookSnapshot:
    bids = _levels(message.bids, shared, descending=True)
    asks = _levels(message.asks, shared, descending=False)
    return BookSnapshot(key, stamp.ts_recv, venue_time(message.timestamp), stamp.epoch, stamp.seq, bids, asks)


def _best(text: str, shared: PolymarketSharedState) -> Price | None:
    """Return a best price, None for an empty side: ``0``, ``1`` or no text."""
    if not text or parse_micros(text) in (0, MICROS):
        return None
    return shared.prices[text]
