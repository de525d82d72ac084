"""A small Kalshi for private requests, on a real socket: signatures checked, one account, faults as a test says."""

import base64
import json
from collections import Counter, deque
from datetime import UTC, datetime
from email.utils import format_datetime
from typing import Any

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from msgspec import Struct

from predsurv.simulate.server import LoopbackServer, ServerRequest, ServerResponse, WebSocketConnection

KEY_ID = "11111111-2222-3333-4444-555555555555"
BASE = "/trade-api/v2"
WS = "/trade-api/ws/v2"
MICROS = 1_000_000


class KalshiOrder(Struct):
    """An order as the venue has it, in YES; micros, ``expires`` in seconds since 1970 or None."""

    id: str
    client_id: str
    ticker: str
    side: str
    price: int
    size: int
    tif: str
    expires: int | None
    filled: int = 0
    status: str = "resting"

    @property
    def remaining(self) -> int:
        return self.size - self.filled if self.status == "resting" else 0


class FakeKalshi:
    """``faults``: what happens to the next placements: ``lost``, ``dropped``, ``500taken``; ``ok`` for nothing.

    ``meets``: how much of the next orders trades on arrival, micros.
    """

    def __init__(self) -> None:
        self.server = LoopbackServer(self)
        self.key = Ed25519PrivateKey.generate()
        self.orders: dict[str, KalshiOrder] = {}
        self.fills: list[dict[str, Any]] = []
        self.cash = 1_000 * MICROS
        self.shards: dict[int, int] = {}
        self.positions: Counter[str] = Counter()
        self.faults: deque[str] = deque()
        self.lost_cancels = 0
        self.meets: deque[int] = deque()
        self.posted: Counter[str] = Counter()
        self.bodies: list[dict[str, Any]] = []
        self.amended: list[dict[str, Any]] = []
        self.users: list[WebSocketConnection] = []
        self.time_offset = 0
        self.requests: list[tuple[str, str]] = []
        self.settlements: list[dict[str, Any]] = []
        self.keys: dict[str, Any] = {"api_keys": []}

    @property
    def pem(self) -> str:
        return self.key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode()

    @property
    def flags(self) -> dict[str, str]:
        return {
            "venues.kalshi.rest_url": f"http://127.0.0.1:{self.server.port}{BASE}",
            "venues.kalshi.ws_url": f"ws://127.0.0.1:{self.server.port}{WS}",
        }

    def open(self) -> list[KalshiOrder]:
        """The orders that rest."""
        return [each for each in self.orders.values() if each.status == "resting"]

    def respond(self, request: ServerRequest) -> ServerResponse | None:
        path = request.path.removeprefix(BASE)
        if path == "/exchange/status":
            now = datetime.fromtimestamp(datetime.now(UTC).timestamp() + self.time_offset, UTC)
            headers = {"date": format_datetime(now, usegmt=True), "content-type": "application/json"}
            return ServerResponse(200, b'{"exchange_active":true,"trading_active":true}', headers)
        if not self._is_signed(request):
            return _json(401, {"code": "token_authentication_failure"})
        if request.upgrade:
            return None
        self.requests.append((request.method, path))
        handlers = {
            ("GET", "/account/limits"): self._limits,
            ("POST", "/portfolio/events/orders"): self._place,
            ("DELETE", "/portfolio/events/orders/batched"): self._cancel_batch,
            ("GET", "/portfolio/orders"): self._list,
            ("GET", "/portfolio/fills"): self._fills,
            ("GET", "/portfolio/positions"): self._positions,
            ("GET", "/portfolio/balance"): self._balance,
            ("GET", "/portfolio/settlements"): self._settlements,
            ("GET", "/api_keys"): self._keys,
        }
        found = handlers.get((request.method, path))
        return self._of_one(request, path) if found is None else found(request)

    def on_open(self, websocket: WebSocketConnection) -> None:
        pass

    def on_message(self, websocket: WebSocketConnection, message: bytes) -> None:
        params = json.loads(message)["params"]
        self.users.append(websocket)
        for sid, channel in enumerate(params["channels"], 1):
            row = {"id": 1, "type": "subscribed", "msg": {"channel": channel, "sid": sid}}
            websocket.send([json.dumps(row).encode()])

    def on_close(self, websocket: WebSocketConnection) -> None:
        if websocket in self.users:
            self.users.remove(websocket)

    def add_foreign(self) -> None:
        """Let somebody else with the same account place an order."""
        self.orders["f0"] = KalshiOrder("f0", "another", "KXTEST-26-A", "bid", 500_000, 10 * MICROS, "gtc", None)

    def fill_first(self, size: int) -> None:
        """Let the first order that rests trade at its price."""
        self.fill(self.open()[0], size)

    def fill(self, order: KalshiOrder, size: int, *, taker: bool = False) -> None:
        """Let an order trade at its price."""
        order.filled += size
        sign = 1 if order.side == "bid" else -1
        self.positions[order.ticker] += sign * size
        self.cash -= size * (order.price if sign > 0 else MICROS - order.price) // MICROS
        row = {
            "trade_id": f"t{len(self.fills)}",
            "order_id": order.id,
            "ticker": order.ticker,
            "is_taker": taker,
            "yes_price_dollars": _text(order.price),
            "count_fp": _text(size),
            "book_side": order.side,
            "fee_cost": "0.000000",
        }
        self.fills.append(row)
        self._tell("fill", row | {"market_ticker": order.ticker, "client_order_id": order.client_id})
        if order.filled == order.size:
            self.end(order, "executed")

    def end(self, order: KalshiOrder, status: str) -> None:
        """End an order."""
        order.status = status
        self._tell("user_order", _row(order))

    def _tell(self, kind: str, row: dict[str, Any]) -> None:
        for each in self.users:
            each.send([json.dumps({"type": kind, "sid": 1, "msg": row}).encode()])

    def _is_signed(self, request: ServerRequest) -> bool:
        headers = request.headers
        stamp = headers.get("kalshi-access-timestamp", "")
        try:
            signature = base64.b64decode(headers.get("kalshi-access-signature", ""))
            self.key.public_key().verify(signature, f"{stamp}{request.method}{request.path}".encode())
        except (InvalidSignature, ValueError):
            return False
        return headers.get("kalshi-access-key") == KEY_ID

    def _settlements(self, _: ServerRequest) -> ServerResponse:
        return _json(200, {"settlements": self.settlements, "cursor": ""})

    def _keys(self, _: ServerRequest) -> ServerResponse:
        return _json(200, self.keys)

    def _place(self, request: ServerRequest) -> ServerResponse:
        body = json.loads(request.body)
        self.bodies.append(body)
        self.posted[body["client_order_id"]] += 1
        fault = self.faults.popleft() if self.faults else "ok"
        if fault == "dropped":
            return ServerResponse(201, b'{"order_id":"x', truncated=True)
        if any(each.client_id == body["client_order_id"] for each in self.orders.values()):
            return _json(409, {"error": {"code": "order_already_exists", "message": "exists"}})
        order = KalshiOrder(
            f"k{len(self.orders)}",
            body["client_order_id"],
            body["ticker"],
            body["side"],
            _micros(body["price"]),
            _micros(body["count"]),
            body["time_in_force"],
            body.get("expiration_time"),
        )
        self.orders[order.id] = order
        met = min(self.meets.popleft() if self.meets else 0, order.size)
        if met:
            self.fill(order, met, taker=True)
        if order.tif == "immediate_or_cancel" and order.status == "resting":
            self.end(order, "canceled")
        if fault == "lost":
            return ServerResponse(201, json.dumps(_row(order)).encode(), truncated=True)
        if fault == "500taken":
            return _json(500, {"error": {"code": "internal", "message": "no"}})
        counts = {"fill_count": _text(order.filled), "remaining_count": _text(order.remaining)}
        return _json(201, {"order_id": order.id, "client_order_id": order.client_id, **counts})

    def _of_one(self, request: ServerRequest, path: str) -> ServerResponse:
        name = path.split("/")[-2] if path.endswith("/amend") else path.rpartition("/")[2]
        order = self.orders.get(name)
        if order is None:
            return _json(404, {"error": {"code": "not_found", "message": "not found"}})
        if path.startswith("/portfolio/orders/"):
            return _json(200, {"order": _row(order)})
        if order.status != "resting":
            return _json(404, {"error": {"code": "not_found", "message": "not found"}})
        if request.method == "DELETE":
            if request.query.get("market_ticker") != [order.ticker]:
                return _json(404, {"error": {"code": "not_found", "message": "shard 0 has no such order"}})
            left = order.remaining
            self.end(order, "canceled")
            return _json(200, {"order_id": order.id, "reduced_by": _text(left)})
        self.amended.append(json.loads(request.body))
        order.expires = self.amended[-1].get("expiration_time", order.expires)
        return _json(200, {"order_id": order.id})

    def _cancel_batch(self, request: ServerRequest) -> ServerResponse:
        """Each row has its answer; the answer of the request is lost where ``lost_cancels`` says so."""
        rows: list[dict[str, Any]] = []
        for given in json.loads(request.body)["orders"]:
            order = self.orders.get(given["order_id"])
            if order is None or order.status != "resting" or given.get("market_ticker") != order.ticker:
                error = {"code": "not_found", "message": "not found"}
                rows.append({"order_id": given["order_id"], "reduced_by": "0.00", "error": error})
                continue
            rows.append({"order_id": order.id, "reduced_by": _text(order.remaining)})
            self.end(order, "canceled")
        answer = _json(200, {"orders": rows})
        if self.lost_cancels:
            self.lost_cancels -= 1
            return answer._replace(truncated=True)
        return answer

    def _limits(self, _: ServerRequest) -> ServerResponse:
        return _json(200, _LIMITS)

    def _balance(self, _: ServerRequest) -> ServerResponse:
        shards = [{"exchange_index": name, "balance": _text(cash)} for name, cash in self.shards.items()]
        body = {"balance": self.cash // 10_000, "balance_dollars": _text(self.cash), "balance_breakdown": shards}
        return _json(200, body)

    def _list(self, request: ServerRequest) -> ServerResponse:
        status = request.query.get("status", [None])[0]
        ticker = request.query.get("ticker", [None])[0]
        rows = [
            _row(each)
            for each in self.orders.values()
            if status in (None, each.status) and ticker in (None, each.ticker)
        ]
        return _json(200, {"orders": rows, "cursor": ""})

    def _fills(self, request: ServerRequest) -> ServerResponse:
        order = request.query.get("order_id", [None])[0]
        rows = [each for each in self.fills if order in (None, each["order_id"])]
        return _json(200, {"fills": rows, "cursor": ""})

    def _positions(self, _: ServerRequest) -> ServerResponse:
        rows = [{"ticker": name, "position_fp": _signed(size)} for name, size in self.positions.items()]
        return _json(200, {"market_positions": rows, "event_positions": [], "cursor": ""})


_LIMITS = {
    "usage_tier": "basic",
    "read": {"refill_rate": 2_000, "bucket_capacity": 6_000},
    "write": {"refill_rate": 1_000, "bucket_capacity": 1_000},
}


def _row(order: KalshiOrder) -> dict[str, Any]:
    return {
        "order_id": order.id,
        "client_order_id": order.client_id,
        "ticker": order.ticker,
        "status": order.status,
        "book_side": order.side,
        "yes_price_dollars": _text(order.price),
        "fill_count_fp": _text(order.filled),
        "remaining_count_fp": _text(order.remaining),
        "initial_count_fp": _text(order.size),
    }


def _json(status: int, body: Any) -> ServerResponse:
    return ServerResponse(status, json.dumps(body).encode())


def _micros(text: str) -> int:
    whole, _, fraction = text.partition(".")
    return int(whole) * MICROS + int(fraction.ljust(6, "0"))


def _text(micros: int) -> str:
    return f"{micros // MICROS}.{micros % MICROS:06d}"


def _signed(micros: int) -> str:
    return f"-{_text(-micros)}" if micros < 0 else _text(micros)
