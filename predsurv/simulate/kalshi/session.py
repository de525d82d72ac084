"""One connection of the simulator: commands in, numbered frames out.

Kept apart from the server because it has no socket: what is numbered, what a fault swallows and
what the client was never told is exact and testable.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any, Final

import msgspec
from msgspec import Struct

from predsurv.core.num import MICROS
from predsurv.simulate.kalshi.markets import ChannelMessage, KalshiBook, KalshiMarkets, contracts, dollars
from predsurv.venues.kalshi.subscriptions import BOOKS, LIFECYCLE, TRADES

CHANNELS: Final = frozenset({BOOKS, TRADES, LIFECYCLE, "ticker"})
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

_NONSENSE: Final = {
    "malformed": b'{"type":"orderbook_delta","sid":',
    "unknown": b'{"type":"mood_change","msg":{}}',
}


class ClientSubscription(Struct):
    """One channel of one connection; ``yes_scale`` tells NO levels at YES prices."""

    sid: int
    channel: str
    tickers: dict[str, None]
    yes_scale: bool = False
    seq: int = 0

    def frame(self, kind: str, body: bytes, number: int | None = None) -> bytes:
        """Return the next numbered frame; ``number`` is that of the command it answers."""
        self.seq += 1
        head = f'{{"type":"{kind}","sid":{self.sid},"seq":{self.seq},'
        head += f'"id":{number},' if number is not None else ""
        return b'%b"msg":%b}' % (head.encode(), body)

    def ok(self, number: int) -> bytes:
        """Return that command ``number`` was carried out."""
        self.seq += 1
        body = {"market_tickers": [*self.tickers]}
        return _encode({"id": number, "sid": self.sid, "seq": self.seq, "type": "ok", "msg": body})

    def corrupt(self) -> list[bytes]:
        """Return a change that takes more from a level than was ever there."""
        if not self.tickers:
            return []
        ticker = next(iter(self.tickers))
        change = {"market_ticker": ticker, "price_dollars": "0.5000", "delta_fp": "-99999999.00", "side": "yes"}
        return [self.frame("orderbook_delta", _encode(change))]


class SessionFaults:
    """What is to go wrong with a connection's next books and changes; ``note`` is told when it did."""

    def __init__(self, note: Callable[[str], None]) -> None:
        self.next = {"gap": 0, "duplicate": 0, "reorder": 0, "error26": 0}
        self.frozen = False
        self._note = note
        self._held: bytes | None = None

    def takes(self, kind: str) -> bool:
        """Return whether the next frame suffers ``kind``; it is over then."""
        due = self.next[kind] > 0
        self.next[kind] -= due
        return due

    def through(self, frame: bytes) -> list[bytes]:
        """Return what becomes of a numbered frame."""
        if self.frozen:
            return []
        if self._held is not None:
            held, self._held = self._held, None
            self._note("reorder")
            return [frame, held]
        if self._befalls("gap"):
            return []
        if self._befalls("duplicate"):
            return [frame, frame]
        if self.takes("reorder"):
            self._held = frame
            return []
        return [frame]

    def _befalls(self, kind: str) -> bool:
        due = self.takes(kind)
        if due:
            self._note(kind)
        return due


class ClientSession:
    """The subscriptions of one connection; at most ``limit`` markets a subscription (0: any number).

    ``note`` is told when something befell a frame.
    """

    def __init__(self, world: KalshiMarkets, limit: int = 0, note: Callable[[str], None] = lambda _: None) -> None:
        self.mischief = SessionFaults(note)
        self._world = world
        self._limit = limit
        self._subscriptions: dict[str, ClientSubscription] = {}
        self._sids = 0

    def tickers(self) -> Sequence[str]:
        """Return the markets whose books this connection carries."""
        books = self._subscriptions.get(BOOKS)
        return [*books.tickers] if books else []

    def command(self, frame: str | bytes) -> list[bytes]:
        """Return the answers to a command; nothing while frozen."""
        if self.mischief.frozen:
            return []
        try:
            said = msgspec.json.decode(frame, type=dict[str, Any])
            number, name, params = int(said.get("id", 0)), str(said.get("cmd")), dict(said.get("params") or {})
        except (ValueError, TypeError):
            return [error(0, 1)]
        if name == "subscribe":
            return [*self._subscribe(number, params)]
        if name == "update_subscription":
            return [*self._update(number, params)]
        if name == "unsubscribe":
            return [*self._unsubscribe(number, params)]
        return [error(number, 5)]

    def tell(self, told: ChannelMessage) -> list[bytes]:
        """Return the frames that bring ``told``, if this connection wants it; faults included."""
        subscription = self._subscriptions.get(told.channel)
        if subscription is None or (told.ticker is not None and told.ticker not in subscription.tickers):
            return []
        body = told.encoded
        if subscription.yes_scale and told.body.get("side") == "no":
            yes = dollars(MICROS - round_micros(told.body["price_dollars"]))
            body = msgspec.json.encode({**told.body, "price_dollars": yes})
        frame = subscription.frame(told.kind, body)
        return self.mischief.through(frame) if told.channel == BOOKS or self.mischief.frozen else [frame]

    def afflict(self, kind: str) -> list[bytes]:
        """Let ``kind`` go wrong; return the frames that come of it at once."""
        if kind in self.mischief.next:
            self.mischief.next[kind] += 1
            return []
        books = self._subscriptions.get(BOOKS)
        if books is not None and kind == "negative":
            return books.corrupt()
        if books is not None and kind in ("error10", "error25"):
            # The client has to subscribe anew.
            del self._subscriptions[BOOKS]
            return [error(0, int(kind.removeprefix("error")), books)]
        return [_NONSENSE[kind]] if kind in _NONSENSE else []

    def _subscribe(self, number: int, params: dict[str, Any]) -> Iterator[bytes]:
        channels, tickers = params.get("channels") or [], _tickers(params)
        if not channels or not set(channels) <= CHANNELS:
            yield error(number, 8)
            return
        if self._refuses(tickers):
            yield error(number, 26)
            return
        for channel in channels:
            known = self._subscriptions.get(channel)
            if channel == BOOKS and not tickers:
                yield error(number, 14)
            elif known is not None:
                yield from self._add(number, known, tickers)
            else:
                yield from self._open(number, channel, (tickers, bool(params.get("use_yes_price"))))

    def _open(self, number: int, channel: str, what: tuple[Sequence[str], bool]) -> Iterator[bytes]:
        tickers, yes_scale = what
        self._sids += 1
        subscription = ClientSubscription(self._sids, channel, dict.fromkeys(tickers), yes_scale)
        self._subscriptions[channel] = subscription
        yield _encode({"id": number, "type": "subscribed", "msg": {"channel": channel, "sid": self._sids}})
        if channel == BOOKS:
            yield from self._snapshots(subscription, tickers)

    def _update(self, number: int, params: dict[str, Any]) -> Iterator[bytes]:
        sid = params.get("sid") or next(iter(params.get("sids") or [0]))
        subscription = next((each for each in self._subscriptions.values() if each.sid == sid), None)
        tickers, action = _tickers(params), params.get("action")
        if subscription is None:
            yield error(number, 7)
        elif action == "add_markets":
            if self._refuses(tickers, subscription):
                yield error(number, 26, subscription)
                return
            yield from self._add(number, subscription, tickers)
        elif action == "delete_markets":
            for ticker in tickers:
                subscription.tickers.pop(ticker, None)
            yield subscription.ok(number)
        elif action == "get_snapshot" and subscription.channel == BOOKS:
            yield from self._snapshots(subscription, tickers, number)
        else:
            yield error(number, 13, subscription)

    def _unsubscribe(self, number: int, params: dict[str, Any]) -> Iterator[bytes]:
        for sid in params.get("sids") or []:
            channel = next((each.channel for each in self._subscriptions.values() if each.sid == sid), None)
            if channel is None:
                yield error(number, 7)
                continue
            gone = self._subscriptions.pop(channel)
            gone.seq += 1
            yield _encode({"id": number, "sid": sid, "seq": gone.seq, "type": "unsubscribed"})

    def _add(self, number: int, subscription: ClientSubscription, tickers: Sequence[str]) -> Iterator[bytes]:
        fresh = [ticker for ticker in tickers if ticker not in subscription.tickers]
        subscription.tickers.update(dict.fromkeys(fresh))
        yield subscription.ok(number)
        if subscription.channel == BOOKS:
            yield from self._snapshots(subscription, fresh)

    def _refuses(self, tickers: Sequence[str], known: ClientSubscription | None = None) -> bool:
        known = known or self._subscriptions.get(BOOKS)
        have = known.tickers if known else {}
        if tickers and self.mischief.takes("error26"):
            return True
        return bool(self._limit) and len({*have, *tickers}) > self._limit

    def _snapshots(
        self, subscription: ClientSubscription, tickers: Iterable[str], number: int | None = None
    ) -> Iterator[bytes]:
        for ticker in tickers:
            book = self._world.book(ticker)
            body: dict[str, Any] = {"market_ticker": ticker, "market_id": ticker.lower() if book else ""}
            body |= _sides(book, yes_scale=subscription.yes_scale) if book else {}
            frame = subscription.frame("orderbook_snapshot", msgspec.json.encode(body), number)
            yield from self.mischief.through(frame)


def error(number: int, code: int, subscription: ClientSubscription | None = None) -> bytes:
    """Return a refusal of command ``number`` (0: of none); one about a subscription is numbered."""
    answer: dict[str, Any] = {"id": number} if number else {}
    if subscription is not None:
        subscription.seq += 1
        answer |= {"sid": subscription.sid, "seq": subscription.seq}
    said = _ERRORS.get(code, "Unable to process message")
    return _encode({**answer, "type": "error", "msg": {"code": code, "msg": said}})


def round_micros(text: str) -> int:
    """Return a price that the world wrote, in micros."""
    whole, _, fraction = text.partition(".")
    return int(whole) * MICROS + int(fraction.ljust(6, "0"))


def _tickers(params: dict[str, Any]) -> list[str]:
    one = params.get("market_ticker")
    return [str(one)] if one else [str(each) for each in params.get("market_tickers") or []]


def _sides(book: KalshiBook, *, yes_scale: bool) -> dict[str, Any]:
    """Return both sides, ascending; an empty one is left out."""
    no = {MICROS - price: size for price, size in book.no.items()} if yes_scale else book.no
    told = {"yes_dollars_fp": book.yes, "no_dollars_fp": no}
    return {
        name: [[dollars(price), contracts(sizes[price])] for price in sorted(sizes)]
        for name, sizes in told.items()
        if sizes
    }


def _encode(value: object) -> bytes:
    return msgspec.json.encode(value)
