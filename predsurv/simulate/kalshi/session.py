"""One client's session without I/O: commands in, numbered frames out, with fault injection."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any, Final

import msgspec
from msgspec import Struct

from predsurv.core.num import MICROS
from predsurv.simulate.kalshi.markets import ChannelMessage, KalshiBook, KalshiMarkets, contracts_text, dollars_text
from predsurv.venues.kalshi.subscriptions import BOOKS, LIFECYCLE, TRADES

_PRIVATE: Final = frozenset({"fill", "user_orders", "market_positions"})
CHANNELS: Final = frozenset({BOOKS, TRADES, LIFECYCLE, "ticker", "order_group_updates"}) | _PRIVATE
_UNNUMBERED: Final = _PRIVATE | {"ticker"}
"""Channels whose messages have no sequence number, so that a lost one cannot be noticed."""
_ERRORS: Final = {
    2: "Params required",
    5: "Unknown command",
    7: "Unknown subscription ID",
    8: "Unknown channel name",
    10: "Channel error",
    11: "Invalid parameter",
    13: "Unsupported action",
    14: "Market ticker required",
    25: "Subscription buffer overflow",
    26: "Market limit of the subscription reached",
}

_UNREADABLE_FRAMES: Final = {
    "malformed": b'{"type":"orderbook_delta","sid":',
    "unknown": b'{"type":"mood_change","msg":{}}',
}


class ClientSubscription(Struct):
    """One channel of one connection; ``yes_scale``: NO levels are sent at YES prices. ``everything``: all markets.

    ``now`` returns the time of sending (ns UTC), which every frame has; without it none has one.
    """

    sid: int
    channel: str
    tickers: dict[str, None]
    yes_scale: bool = False
    seq: int = 0
    now: Callable[[], int] | None = None
    everything: bool = False

    def frame(self, kind: str, body: bytes, command_id: int | None = None) -> bytes:
        """Return the next frame; ``command_id``: of the command that it responds to."""
        head = f'{{"type":"{kind}","sid":{self.sid},'
        if self.channel not in _UNNUMBERED:
            self.seq += 1
            head += f'"seq":{self.seq},'
        head += f'"id":{command_id},' if command_id is not None else ""
        head += f'"sending_ts_ms":{self.now() // 1_000_000},' if self.now is not None else ""
        return b'%b"msg":%b}' % (head.encode(), body)

    def ok(self, command_id: int) -> bytes:
        """Return the confirmation of a command."""
        self.seq += 1
        body = {"market_tickers": [*self.tickers]}
        return _encode({"id": command_id, "sid": self.sid, "seq": self.seq, "type": "ok", "msg": body})

    def negative_delta(self) -> list[bytes]:
        """Return a change that reduces a level by more than its size; none without markets."""
        if not self.tickers:
            return []
        ticker = next(iter(self.tickers))
        change = {"market_ticker": ticker, "price_dollars": "0.5000", "delta_fp": "-99999999.00", "side": "yes"}
        return [self.frame("orderbook_delta", _encode(change))]


class SessionFaults:
    """Faults that the next book frames of a connection get.

    ``pending``: how many of each kind are still to come; ``log_fault`` is called with the kind when one is applied.
    ``unnoticed``: a frame was left out or is held back and none was sent since, so that no client can know of it.
    """

    def __init__(self, log_fault: Callable[[str], None]) -> None:
        self.pending = {"gap": 0, "duplicate": 0, "reorder": 0, "error26": 0}
        self.frozen = False
        self.unnoticed = False
        self._log_fault = log_fault
        self._held: bytes | None = None

    def take(self, kind: str) -> bool:
        """Return whether a fault of ``kind`` is pending, and remove one."""
        is_pending = self.pending[kind] > 0
        self.pending[kind] -= is_pending
        return is_pending

    def apply(self, frame: bytes) -> list[bytes]:
        """Return the frames to send instead of ``frame``."""
        frames = self._sent_instead(frame)
        self.unnoticed = not frames
        return frames

    def _sent_instead(self, frame: bytes) -> list[bytes]:
        if self.frozen:
            return []
        if self._held is not None:
            held, self._held = self._held, None
            self._log_fault("reorder")
            return [frame, held]
        if self._take_and_log("gap"):
            return []
        if self._take_and_log("duplicate"):
            return [frame, frame]
        if self.take("reorder"):
            self._held = frame
            return []
        return [frame]

    def _take_and_log(self, kind: str) -> bool:
        is_pending = self.take(kind)
        if is_pending:
            self._log_fault(kind)
        return is_pending


class ClientSession:
    """The subscriptions of one connection, each with at most ``markets_per_subscription`` markets (0: any number).

    ``log_fault`` is called with the kind of each fault that applies to a frame; ``now``: see ``ClientSubscription``.
    """

    def __init__(
        self,
        markets: KalshiMarkets,
        markets_per_subscription: int = 0,
        log_fault: Callable[[str], None] = lambda _: None,
        now: Callable[[], int] | None = None,
    ) -> None:
        self._now = now
        self.faults = SessionFaults(log_fault)
        self._markets = markets
        self._markets_max = markets_per_subscription
        self.subscriptions: dict[str, ClientSubscription] = {}
        """By channel."""
        self._last_sid = 0

    def tickers(self) -> Sequence[str]:
        """Return the markets whose books this connection is subscribed to."""
        books = self.subscriptions.get(BOOKS)
        return [*books.tickers] if books else []

    def on_command(self, frame: str | bytes) -> list[bytes]:
        """Execute a command and return the response frames; nothing happens while frozen."""
        if self.faults.frozen:
            return []
        try:
            command = msgspec.json.decode(frame, type=dict[str, Any])
            command_id, name = int(command.get("id", 0)), str(command.get("cmd"))
            params = dict(command.get("params") or {})
        except (ValueError, TypeError):
            return [error(0, 1)]
        if name == "subscribe":
            return [*self._subscribe(command_id, params)]
        if name == "update_subscription":
            return [*self._update(command_id, params)]
        if name == "unsubscribe":
            return [*self._unsubscribe(command_id, params)]
        return [error(command_id, 5)]

    def publish(self, message: ChannelMessage) -> list[bytes]:
        """Return the frames for ``message``, faults applied; none when this connection is not subscribed to it."""
        subscription = self.subscriptions.get(message.channel)
        if subscription is None:
            return []
        if message.ticker is not None and message.ticker not in subscription.tickers and not subscription.everything:
            return []
        body = message.encoded
        if subscription.yes_scale and message.body.get("side") == "no":
            yes = dollars_text(MICROS - parse_dollars(message.body["price_dollars"]))
            body = msgspec.json.encode({**message.body, "price_dollars": yes})
        frame = subscription.frame(message.kind, body)
        return self.faults.apply(frame) if message.channel == BOOKS or self.faults.frozen else [frame]

    def inject(self, kind: str) -> list[bytes]:
        """Inject a fault; return the frames that it sends at once."""
        if kind in self.faults.pending:
            self.faults.pending[kind] += 1
            return []
        books = self.subscriptions.get(BOOKS)
        if books is not None and kind == "negative":
            return books.negative_delta()
        if books is not None and kind in ("error10", "error25"):
            # The subscription ends: the client has to subscribe again.
            del self.subscriptions[BOOKS]
            return [error(0, int(kind.removeprefix("error")), books)]
        return [_UNREADABLE_FRAMES[kind]] if kind in _UNREADABLE_FRAMES else []

    def _subscribe(self, command_id: int, params: dict[str, Any]) -> Iterator[bytes]:
        channels, tickers = params.get("channels") or [], _tickers(params)
        if not channels or not set(channels) <= CHANNELS:
            yield error(command_id, 8)
            return
        if self._exceeds_limit(tickers):
            yield error(command_id, 26)
            return
        for channel in channels:
            known = self.subscriptions.get(channel)
            if channel == BOOKS and not tickers:
                yield error(command_id, 14)
            elif known is not None:
                yield from self._add(command_id, known, tickers)
            else:
                yield from self._open(command_id, channel, tickers, yes_scale=bool(params.get("use_yes_price")))

    def _open(self, command_id: int, channel: str, tickers: Sequence[str], *, yes_scale: bool) -> Iterator[bytes]:
        self._last_sid += 1
        subscription = ClientSubscription(self._last_sid, channel, dict.fromkeys(tickers), yes_scale, now=self._now)
        subscription.everything = not tickers
        self.subscriptions[channel] = subscription
        yield _encode({"id": command_id, "type": "subscribed", "msg": {"channel": channel, "sid": self._last_sid}})
        if channel == BOOKS:
            yield from self._snapshots(subscription, tickers)

    def _update(self, command_id: int, params: dict[str, Any]) -> Iterator[bytes]:
        sid = params.get("sid") or next(iter(params.get("sids") or [0]))
        subscription = next((each for each in self.subscriptions.values() if each.sid == sid), None)
        tickers, action = _tickers(params), params.get("action")
        if subscription is None:
            yield error(command_id, 7)
        elif action == "add_markets":
            if self._exceeds_limit(tickers, subscription):
                yield error(command_id, 26, subscription)
                return
            yield from self._add(command_id, subscription, tickers)
        elif action == "delete_markets":
            for ticker in tickers:
                subscription.tickers.pop(ticker, None)
            yield subscription.ok(command_id)
        elif action == "get_snapshot" and subscription.channel == BOOKS:
            yield from self._snapshots(subscription, tickers, command_id)
        else:
            yield error(command_id, 13, subscription)

    def _unsubscribe(self, command_id: int, params: dict[str, Any]) -> Iterator[bytes]:
        for sid in params.get("sids") or []:
            channel = next((each.channel for each in self.subscriptions.values() if each.sid == sid), None)
            if channel is None:
                yield error(command_id, 7)
                continue
            ended = self.subscriptions.pop(channel)
            ended.seq += 1
            yield _encode({"id": command_id, "sid": sid, "seq": ended.seq, "type": "unsubscribed"})

    def _add(self, command_id: int, subscription: ClientSubscription, tickers: Sequence[str]) -> Iterator[bytes]:
        new = [ticker for ticker in tickers if ticker not in subscription.tickers]
        subscription.tickers.update(dict.fromkeys(new))
        yield subscription.ok(command_id)
        if subscription.channel == BOOKS:
            yield from self._snapshots(subscription, new)

    def _exceeds_limit(self, tickers: Sequence[str], known: ClientSubscription | None = None) -> bool:
        known = known or self.subscriptions.get(BOOKS)
        present = known.tickers if known else {}
        if tickers and self.faults.take("error26"):
            return True
        return bool(self._markets_max) and len({*present, *tickers}) > self._markets_max

    def _snapshots(
        self, subscription: ClientSubscription, tickers: Iterable[str], command_id: int | None = None
    ) -> Iterator[bytes]:
        for ticker in tickers:
            book = self._markets.book(ticker)
            body: dict[str, Any] = {"market_ticker": ticker, "market_id": ticker.lower() if book else ""}
            body |= _side_fields(book, yes_scale=subscription.yes_scale) if book else {}
            frame = subscription.frame("orderbook_snapshot", msgspec.json.encode(body), command_id)
            yield from self.faults.apply(frame)


def error(command_id: int, code: int, subscription: ClientSubscription | None = None) -> bytes:
    """Return the error response to a command (0: to none); one about a subscription takes a sequence number."""
    response: dict[str, Any] = {"id": command_id} if command_id else {}
    if subscription is not None:
        subscription.seq += 1
        response |= {"sid": subscription.sid, "seq": subscription.seq}
    text = _ERRORS.get(code, "Unable to process message")
    return _encode({**response, "type": "error", "msg": {"code": code, "msg": text}})


def parse_dollars(text: str) -> int:
    """Return a price text of ``dollars_text`` in micros."""
    whole, _, fraction = text.partition(".")
    return int(whole) * MICROS + int(fraction.ljust(6, "0"))


def _tickers(params: dict[str, Any]) -> list[str]:
    one = params.get("market_ticker")
    return [str(one)] if one else [str(each) for each in params.get("market_tickers") or []]


def _side_fields(book: KalshiBook, *, yes_scale: bool) -> dict[str, Any]:
    """Return the levels of both sides, prices ascending; an empty side is omitted."""
    no = {MICROS - price: size for price, size in book.no.items()} if yes_scale else book.no
    sides = {"yes_dollars_fp": book.yes, "no_dollars_fp": no}
    return {
        name: [[dollars_text(price), contracts_text(sizes[price])] for price in sorted(sizes)]
        for name, sizes in sides.items()
        if sizes
    }


def _encode(value: object) -> bytes:
    return msgspec.json.encode(value)
