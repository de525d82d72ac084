"""The user channel: tells each API key what happens to its orders and trades, faults of the channel included."""

from collections.abc import Callable
from typing import Final

import msgspec
from msgspec import Struct

from predsurv.simulate.polymarket.messages import PONG
from predsurv.simulate.polymarket.trading.account_rows import Json, order_message, trade_message
from predsurv.simulate.polymarket.trading.accounts import ClobOrder
from predsurv.simulate.polymarket.trading.credentials import ApiKeyRegistry
from predsurv.simulate.polymarket.trading.settlement import SettlingTrade
from predsurv.simulate.server import WebSocketConnection

WS_USER_PATH: Final = "/ws/user"
_SUBSCRIBER_LIMIT: Final = 1_000


class UserAuth(Struct, rename="camel"):
    """``{"apiKey":"…","secret":"…","passphrase":"…"}``."""

    api_key: str
    secret: str
    passphrase: str


class UserRequest(Struct):
    """``{"type":"user","auth":{…},"markets":["0x…"]}``, or later with ``operation`` and without ``auth``."""

    auth: UserAuth | None = None
    markets: list[str] | None = None
    operation: str = ""


class UserSubscriber(Struct):
    """One connection: its API key ("" before it proved one) and markets (None: all)."""

    websocket: WebSocketConnection
    owner: str = ""
    markets: set[str] | None = None


_read_request = msgspec.json.Decoder(UserRequest).decode

IsActive = Callable[[str], bool]
"""Returns whether a lasting fault of a kind is active."""


class UserChannel:
    """The connections; ``now`` returns the venue's time (ns UTC)."""

    def __init__(self, keys: ApiKeyRegistry, is_active: IsActive, now: Callable[[], int]) -> None:
        self._keys = keys
        self._is_active = is_active
        self._now = now
        self._subscribers: dict[int, UserSubscriber] = {}

    def add(self, websocket: WebSocketConnection) -> None:
        """Add a connection, which has to prove a key with its first frame."""
        if len(self._subscribers) >= _SUBSCRIBER_LIMIT:
            websocket.abort()
        self._subscribers[websocket.number] = UserSubscriber(websocket)

    def remove(self, websocket: WebSocketConnection) -> None:
        """Remove a connection."""
        self._subscribers.pop(websocket.number, None)

    def drop_all(self) -> None:
        """Drop every connection without a close frame."""
        for subscriber in tuple(self._subscribers.values()):
            subscriber.websocket.abort()

    def on_message(self, websocket: WebSocketConnection, message: bytes) -> None:
        """Execute a client's request; a wrong key ends the connection without a word, as on the venue."""
        subscriber = self._subscribers.get(websocket.number)
        if subscriber is None:
            return
        if message == b"PING":
            websocket.send([PONG])
            return
        try:
            request = _read_request(message)
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
            request = UserRequest()
        if request.auth is not None:
            auth = request.auth
            issued = self._keys.of_subscriber(auth.api_key, auth.secret, auth.passphrase)
            subscriber.owner = "" if issued is None else issued.key
            subscriber.markets = None if request.markets is None else set(request.markets)
        elif subscriber.owner and request.markets:
            _change(subscriber, request.operation, request.markets)
        if not subscriber.owner:
            websocket.abort()

    def order_changed(self, order: ClobOrder, kind: str) -> None:
        """Tell the owner of an order what happened to it."""
        entered = order.entered
        self._send(entered.key.key, entered.token.row.condition, order_message(order, kind, self._now()))

    def trade_changed(self, trade: SettlingTrade) -> None:
        """Tell everyone who is in a trade its present status."""
        for owner in dict.fromkeys(order.entered.key.key for order in trade.orders()):
            self._send(owner, trade.row.condition, trade_message(trade, owner))

    def _send(self, owner: str, market: str, message: Json) -> None:
        if self._is_active("userfreeze"):
            return
        frames = [msgspec.json.encode(message)] * (2 if self._is_active("userduplicate") else 1)
        for subscriber in self._subscribers.values():
            if subscriber.owner == owner and (subscriber.markets is None or market in subscriber.markets):
                subscriber.websocket.send(frames)


def _change(subscriber: UserSubscriber, operation: str, markets: list[str]) -> None:
    if operation == "unsubscribe" and subscriber.markets is not None:
        subscriber.markets.difference_update(markets)
    elif operation == "subscribe":
        subscriber.markets = {*(subscriber.markets or ()), *markets}
