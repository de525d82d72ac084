"""A small CLOB for private requests, on a real socket: real signatures checked, one account, faults as a test says.

It knows no book: a test says what each order meets (``meet``) and when trades settle. What it does not know it leaves
to ``inner``, such as a simulated venue with the public part.
"""

import json
from collections import Counter, deque
from collections.abc import Callable, Iterable
from typing import Any

from coincurve import PublicKey
from msgspec import Struct

from predsurv.config import Secret
from predsurv.simulate.server import (
    LoopbackServer,
    ServerApplication,
    ServerRequest,
    ServerResponse,
    WebSocketConnection,
)
from predsurv.venues.polymarket.orders.api_keys import ApiKey
from predsurv.venues.polymarket.orders.ethereum_key import load_keccak
from predsurv.venues.polymarket.orders.exchanges import EXCHANGE_V3, NEG_RISK, STANDARD
from predsurv.venues.polymarket.orders.typed_data import OrderFields, OrderHasher
from predsurv.venues.requests import Method, VenueRequest
from tests.kit.polymarket_orders import ADDRESS

API_KEY, SECRET, PASSPHRASE = "0191-key", "c2VjcmV0LXNlY3JldA==", "pass-phrase"
MICROS = 1_000_000


class FakeOrder(Struct):
    """An order as the venue has it: micros; ``price`` is the quotient of its amounts."""

    id: str
    token: str
    side: str
    price: int
    size: int
    kind: str
    market: str = "0x" + "ab" * 32
    matched: int = 0
    status: str = "LIVE"


class FakeTrade(Struct):
    """A trade of one of our orders."""

    id: str
    order: FakeOrder
    price: int
    size: int
    maker: bool
    status: str = "MATCHED"


Meet = Callable[[FakeOrder], Iterable[tuple[int, int]]]
"""Returns what an order trades on arrival: (price, size) in micros."""


class FakeClob:
    """``faults``: what happens to the next placements, in order: ``lost`` (taken, no answer), ``dropped`` (not taken,
    no answer), ``503``, ``500`` and ``500taken``, ``429``, ``duplicated``, ``reset``; ``ok`` for nothing.
    """

    def __init__(self, inner: ServerApplication | None = None, meet: Meet = lambda _: ()) -> None:
        self.inner, self.meet = inner, meet
        self.server = LoopbackServer(self)
        self.orders: dict[str, FakeOrder] = {}
        self.trades: list[FakeTrade] = []
        self.cash = 1_000 * MICROS
        self.allowances: dict[str, str] = {}
        self.shares: Counter[str] = Counter()
        self.faults: deque[str] = deque()
        self.requests: list[tuple[str, str]] = []
        self.posted: Counter[str] = Counter()
        self.beats = 0
        self.beat_id = "beat-0"
        self.time_offset = 0
        self.silent = False
        self.users: list[WebSocketConnection] = []
        self.settle_at_once = True
        self.market_of: Callable[[str], str] = lambda _: "0x" + "ab" * 32
        self._inner_sockets: set[int] = set()
        keccak = load_keccak()
        self._hashers = [OrderHasher(keccak, each) for each in (STANDARD, NEG_RISK, EXCHANGE_V3)]
        self._keccak = keccak
        self._key = ApiKey(Secret(API_KEY), Secret(SECRET), Secret(PASSPHRASE), address=ADDRESS)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server.port}"

    @property
    def flags(self) -> dict[str, str]:
        """The configuration that leads to it."""
        return {
            "venues.polymarket.clob_url": self.url,
            "venues.polymarket.ws_user_url": f"ws://127.0.0.1:{self.server.port}/ws/user",
        }

    def open(self) -> list[FakeOrder]:
        """The orders that rest."""
        return [each for each in self.orders.values() if each.status == "LIVE"]

    def respond(self, request: ServerRequest) -> ServerResponse | None:
        if request.upgrade:
            if request.path == "/ws/user":
                return None
            return ServerResponse(404) if self.inner is None else self.inner.respond(request)
        private = self._private(request)
        if private is None:
            return ServerResponse(404, b"{}") if self.inner is None else self.inner.respond(request)
        self.requests.append((request.method, request.path))
        return private

    def on_open(self, websocket: WebSocketConnection) -> None:
        if websocket.request.path != "/ws/user" and self.inner is not None:
            self._inner_sockets.add(websocket.number)
            self.inner.on_open(websocket)

    def on_message(self, websocket: WebSocketConnection, message: bytes) -> None:
        if websocket.number in self._inner_sockets and self.inner is not None:
            self.inner.on_message(websocket, message)
        elif message == b"PING":
            if websocket in self.users and not self.silent:
                websocket.send([b"PONG"])
        elif json.loads(message)["auth"] == {"apiKey": API_KEY, "secret": SECRET, "passphrase": PASSPHRASE}:
            self.users.append(websocket)
        else:
            websocket.abort()

    def on_close(self, websocket: WebSocketConnection) -> None:
        if websocket.number in self._inner_sockets and self.inner is not None:
            self._inner_sockets.discard(websocket.number)
            self.inner.on_close(websocket)
        elif websocket in self.users:
            self.users.remove(websocket)

    def add_foreign(self) -> None:
        """Let somebody else with the same account place an order."""
        self.orders["0xf0"] = FakeOrder("0xf0", "9" * 77, "BUY", 500_000, 10 * MICROS, "GTC")

    def fill_first(self, size: int) -> None:
        """Let the first order that rests trade at its price."""
        order = self.open()[0]
        self.fill(order, order.price, size)

    def fill(self, order: FakeOrder, price: int, size: int, *, maker: bool = True) -> FakeTrade:
        """Let an order trade; it is told as matched, and settled where ``settle_at_once``."""
        trade = FakeTrade(f"t{len(self.trades)}", order, price, size, maker)
        self.trades.append(trade)
        order.matched += size
        if order.matched >= order.size:
            order.status = "MATCHED"
        self._tell(_trade_row(trade))
        if self.settle_at_once:
            self.settle(trade)
        return trade

    def settle(self, trade: FakeTrade, status: str = "CONFIRMED") -> None:
        """Let a trade be confirmed, or fail."""
        trade.status = status
        if status == "CONFIRMED":
            sign = 1 if trade.order.side == "BUY" else -1
            self.shares[trade.order.token] += sign * trade.size
            self.cash -= sign * trade.price * trade.size // MICROS
        self._tell(_trade_row(trade))

    def cancel(self, order: FakeOrder, reason: str = "CANCELED") -> None:
        """Cancel what rests of an order."""
        order.status = reason
        self._tell(_order_row(order, "CANCELLATION"))

    def disconnect(self) -> None:
        """Drop every user channel."""
        for each in tuple(self.users):
            each.abort()

    def _tell(self, row: dict[str, Any]) -> None:
        for each in self.users if not self.silent else ():
            each.send([json.dumps(row).encode()])

    def _private(self, request: ServerRequest) -> ServerResponse | None:
        method, path = request.method, request.path
        if path == "/time":
            import time

            return _json(200, int(time.time()) + self.time_offset)
        if path in ("/auth/derive-api-key", "/auth/api-key"):
            if request.headers.get("poly_address", request.headers.get("poly-address", "")) != ADDRESS:
                return _json(401, {"error": "Invalid L1 Request headers"})
            return _json(200, {"apiKey": API_KEY, "secret": SECRET, "passphrase": PASSPHRASE})
        handler = {
            ("POST", "/order"): self._place,
            ("DELETE", "/order"): self._delete,
            ("GET", "/data/orders"): self._list_orders,
            ("GET", "/data/trades"): self._list_trades,
            ("GET", "/balance-allowance"): self._balance,
            ("POST", "/v1/heartbeats"): self._beat,
            ("DELETE", "/cancel-all"): self._cancel_all,
        }.get((method, path))
        if handler is None and path.startswith("/data/order/"):
            handler = self._get_order
        if handler is None:
            return None
        if not self._is_proved(request):
            return _json(401, {"error": "Unauthorized/Invalid api key"})
        return handler(request)

    def _is_proved(self, request: ServerRequest) -> bool:
        given = {name.upper().replace("-", "_"): value for name, value in request.headers.items()}
        method: Method = request.method  # type: ignore[assignment]
        made = self._key.headers(
            VenueRequest(method, request.path, request.body or None), timestamp=int(given.get("POLY_TIMESTAMP", "0"))
        )
        return all(given.get(name) == value for name, value in made.items())

    def _place(self, request: ServerRequest) -> ServerResponse:
        body = json.loads(request.body)
        order = self._verified(body)
        if order is None:
            return _json(400, {"error": "invalid signature"})
        self.posted[order.id] += 1
        fault = self.faults.popleft() if self.faults else "ok"
        if fault in _REFUSED:
            return _REFUSED[fault]
        answer = self._take(order, body["orderType"])
        if fault == "lost":
            return answer._replace(truncated=True)
        if fault == "500taken":
            return _json(500, {"error": "could not insert order"})
        if fault == "duplicated":
            return _json(400, {"error": f"order {order.id} is invalid. Duplicated."})
        return answer

    def _take(self, order: FakeOrder, kind: str) -> ServerResponse:
        if order.id in self.orders:
            return _json(400, {"error": f"order {order.id} is invalid. Duplicated."})
        self.orders[order.id] = order
        self._tell(_order_row(order, "PLACEMENT"))
        for price, size in self.meet(order):
            self.fill(order, price, size, maker=False)
        state = "matched" if order.matched else "live"
        if kind in ("FAK", "FOK") and order.status == "LIVE":
            if not order.matched:
                del self.orders[order.id]
                return _json(400, {"error": "no orders found to match with FAK order. FAK orders are partially filled"})
            self.cancel(order)
        return _json(200, {"success": True, "errorMsg": "", "orderID": order.id, "status": state})

    def _verified(self, body: dict[str, Any]) -> FakeOrder | None:
        if body["owner"] != API_KEY:
            return None
        given = body["order"]
        fields = OrderFields(
            given["salt"],
            bytes.fromhex(given["maker"][2:]),
            bytes.fromhex(given["signer"][2:]),
            int(given["tokenId"]),
            int(given["makerAmount"]),
            int(given["takerAmount"]),
            0 if given["side"] == "BUY" else 1,
            given["signatureType"],
            int(given["timestamp"]),
        )
        signature = bytes.fromhex(given["signature"][2:])
        for hasher in self._hashers:
            digest = hasher.order_id(hasher.contents(fields))
            public = PublicKey.from_signature_and_message(
                signature[:64] + bytes((signature[64] - 27,)), digest, hasher=None
            )
            if self._keccak(public.format(compressed=False)[1:])[-20:].hex() == ADDRESS[2:].lower():
                buys = given["side"] == "BUY"
                maker, taker = fields.maker_amount, fields.taker_amount
                price = (maker if buys else taker) * MICROS // (taker if buys else maker)
                size, token = taker if buys else maker, given["tokenId"]
                return FakeOrder(
                    f"0x{digest.hex()}", token, given["side"], price, size, body["orderType"], self.market_of(token)
                )
        return None

    def _delete(self, request: ServerRequest) -> ServerResponse:
        name = json.loads(request.body)["orderID"]
        order = self.orders.get(name)
        if order is None or order.status != "LIVE":
            return _json(200, {"canceled": [], "not_canceled": {name: "already canceled or matched"}})
        self.cancel(order)
        return _json(200, {"canceled": [name], "not_canceled": {}})

    def _cancel_all(self, _: ServerRequest) -> ServerResponse:
        names = [each.id for each in self.open()]
        for each in self.open():
            self.cancel(each)
        return _json(200, {"canceled": names, "not_canceled": {}})

    def _get_order(self, request: ServerRequest) -> ServerResponse:
        order = self.orders.get(request.path.rpartition("/")[2])
        return _json(404, {"error": "not found"}) if order is None else _json(200, _order_row(order, None))

    def _list_orders(self, _: ServerRequest) -> ServerResponse:
        return _page([_order_row(each, None) for each in self.open()])

    def _list_trades(self, request: ServerRequest) -> ServerResponse:
        market = request.query.get("market", [None])[0]
        return _page([_trade_row(each) for each in self.trades if market in (None, each.order.market)])

    def _balance(self, request: ServerRequest) -> ServerResponse:
        token = request.query.get("token_id", [""])[0]
        return _json(200, {"balance": str(self.shares[token] if token else self.cash), "allowances": self.allowances})

    def _beat(self, request: ServerRequest) -> ServerResponse:
        given = json.loads(request.body)["heartbeat_id"]
        if self.beats and given != self.beat_id:
            return _json(400, {"error_msg": "Invalid Heartbeat ID", "heartbeat_id": self.beat_id})
        self.beats += 1
        self.beat_id = f"beat-{self.beats}"
        return _json(200, {"heartbeat_id": self.beat_id})


def _json(status: int, body: Any) -> ServerResponse:
    return ServerResponse(status, json.dumps(body).encode())


def _page(rows: list[Any]) -> ServerResponse:
    return _json(200, {"data": rows, "next_cursor": "LTE=", "limit": 500, "count": len(rows)})


def _text(micros: int) -> str:
    return f"{micros // MICROS}.{micros % MICROS:06d}"


def _order_row(order: FakeOrder, kind: str | None) -> dict[str, Any]:
    row = {
        "id": order.id,
        "market": order.market,
        "asset_id": order.token,
        "side": order.side,
        "original_size": _text(order.size),
        "size_matched": _text(order.matched),
        "price": _text(order.price),
        "status": order.status,
    }
    return row if kind is None else {**row, "type": kind, "event_type": "order", "timestamp": "1780000000123"}


def _trade_row(trade: FakeTrade) -> dict[str, Any]:
    order = trade.order
    other = "SELL" if order.side == "BUY" else "BUY"
    mine = {
        "order_id": order.id if trade.maker else "0xother",
        "owner": API_KEY if trade.maker else "another",
        "maker_address": ADDRESS if trade.maker else "0x" + "22" * 20,
        "matched_amount": _text(trade.size),
        "price": _text(trade.price),
        "asset_id": order.token,
        "side": order.side if trade.maker else other,
    }
    return {
        "id": trade.id,
        "taker_order_id": "0xother" if trade.maker else order.id,
        "market": order.market,
        "asset_id": order.token,
        "side": other if trade.maker else order.side,
        "size": _text(trade.size),
        "price": _text(trade.price),
        "status": trade.status,
        "owner": "another" if trade.maker else API_KEY,
        "trader_side": "MAKER" if trade.maker else "TAKER",
        "maker_orders": [mine],
        "timestamp": "1780000000456",
        "event_type": "trade",
        "type": "TRADE",
    }


_REFUSED = {
    "dropped": ServerResponse(200, b'{"success":tr', truncated=True),
    "503": _json(503, {"error": "Trading is currently cancel-only. New orders are not accepted"}),
    "429": ServerResponse(429, b"{}", {"retry-after": "1"}),
    "500": _json(500, {"error": "Internal server error"}),
}
