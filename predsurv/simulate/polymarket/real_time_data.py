"""The real-time data socket (RTDS): reference prices of coins and shares, by topic and symbol, once a second.

Source: docs.polymarket.com/market-data/websocket/rtds, and frames that were captured by others. Topics that have
nothing to tell here (``comments``) can be subscribed to and stay silent; so does what the venue does not have (assumed:
no document says how it answers to that).
"""

from collections.abc import Iterator
from typing import Final

import msgspec
from msgspec import Struct

from predsurv.simulate.polymarket.messages import PONG
from predsurv.simulate.polymarket.reference_prices import PRICES, cents_at, dollars_text
from predsurv.simulate.server import WebSocketConnection

RTDS_PATH: Final = "/"
SUBSCRIBERS_MAX: Final = 1_000
SUBSCRIPTIONS_MAX: Final = 100
"""Most subscriptions of one connection; what goes beyond is ignored."""
OPENING_SECONDS: Final = 60
"""How far back the prices go that a subscription with a symbol begins with."""
_S: Final = 1_000_000_000
_MS: Final = 1_000_000
_UPDATES: Final = ("update", "*", "")


class DataSubscription(Struct, frozen=True):
    """``{"topic":"crypto_prices","type":"*","filters":"{\\"symbol\\":\\"BTCUSDT\\"}"}``, or ``btcusdt,ethusdt``."""

    topic: str
    type: str = "*"
    filters: str = ""


class DataRequest(Struct):
    """``{"action":"subscribe","subscriptions":[…]}``."""

    action: str
    subscriptions: list[DataSubscription] = []


class DataFilter(Struct):
    """``{"symbol":"btcusdt"}``."""

    symbol: str


class _DataSubscriber(Struct):
    websocket: WebSocketConnection
    wanted: dict[DataSubscription, None]


_read_request = msgspec.json.Decoder(DataRequest).decode
_read_filter = msgspec.json.Decoder(DataFilter).decode


class RealTimeDataSocket:
    """The connections; ``now`` is the venue's time (ns UTC), to which ``tell`` lets it pass."""

    def __init__(self, seed: int, now: int) -> None:
        self._seed, self._now = seed, now
        self._subscribers: dict[int, _DataSubscriber] = {}

    def add(self, websocket: WebSocketConnection) -> None:
        """Add a connection without subscriptions."""
        if len(self._subscribers) >= SUBSCRIBERS_MAX:
            websocket.abort()
        else:
            self._subscribers[websocket.number] = _DataSubscriber(websocket, {})

    def remove(self, websocket: WebSocketConnection) -> None:
        """Remove a connection."""
        self._subscribers.pop(websocket.number, None)

    def on_message(self, websocket: WebSocketConnection, message: bytes) -> None:
        """Execute a client's request; what cannot be read is ignored."""
        subscriber = self._subscribers.get(websocket.number)
        if subscriber is None:
            return
        if message.upper() == b"PING":
            websocket.send([PONG])
            return
        try:
            request = _read_request(message)
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
            return
        for each in request.subscriptions:
            if request.action == "unsubscribe":
                subscriber.wanted.pop(each, None)
            elif request.action == "subscribe" and len(subscriber.wanted) < SUBSCRIPTIONS_MAX:
                subscriber.wanted[each] = None
                websocket.send([*self._opening(each)])

    def tell(self, now: int) -> None:
        """Let time pass until ``now`` (ns UTC): prices are told at full seconds, of several that pass the last."""
        second, before, self._now = now // _S, self._now // _S, now
        if second == before:
            return
        for subscriber in self._subscribers.values():
            told = dict.fromkeys((each.topic, symbol) for each in subscriber.wanted for symbol in _symbols(each))
            subscriber.websocket.send([self._update(topic, symbol, second) for topic, symbol in told])

    def _opening(self, wanted: DataSubscription) -> Iterator[bytes]:
        """Yield what a subscription that names symbols begins with."""
        if not wanted.filters:
            return
        second = self._now // _S
        for symbol in _symbols(wanted):
            rows = ",".join(
                f'{{"timestamp":{each * 1_000},"value":{self._price(wanted.topic, symbol, each)}}}'
                for each in range(second - OPENING_SECONDS + 1, second + 1)
            )
            yield self._message(wanted.topic, "subscribe", f'{{"symbol":"{symbol}","data":[{rows}]}}')

    def _update(self, topic: str, symbol: str, second: int) -> bytes:
        price = self._price(topic, symbol, second)
        received = f',"received_at":{self._now // _MS}' if topic == "equity_prices" else ""
        told = f'"value":{price},"full_accuracy_value":"{price}"{received}'
        return self._message(topic, "update", f'{{"symbol":"{symbol}","timestamp":{second * 1_000},{told}}}')

    def _message(self, topic: str, kind: str, payload: str) -> bytes:
        head = f'{{"topic":"{topic}","type":"{kind}","timestamp":{self._now // _MS},"payload":'
        return f"{head}{payload}}}".encode()

    def _price(self, topic: str, symbol: str, second: int) -> str:
        return dollars_text(cents_at(topic, symbol, second, self._seed))


def _symbols(wanted: DataSubscription) -> list[str]:
    """Return the symbols of a subscription's topic that it is about: all of them without a filter."""
    known = PRICES.get(wanted.topic, {})
    if wanted.type not in _UPDATES:
        return []
    if not wanted.filters:
        return list(known)
    try:
        named = [_read_filter(wanted.filters).symbol]
    except msgspec.DecodeError:
        named = wanted.filters.split(",")
    asked = dict.fromkeys(each.strip().lower() for each in named)
    return [each for each in asked if each in known]
