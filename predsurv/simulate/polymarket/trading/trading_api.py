"""The CLOB's private REST API: which route needs which proof, and who answers it."""

from collections.abc import Callable, Mapping
from typing import Final

import msgspec
from msgspec import Struct

from predsurv.exchange.exchange import Exchange
from predsurv.simulate.polymarket.trading.account_reads import AccountReads, scoring
from predsurv.simulate.polymarket.trading.credentials import ApiKeyRegistry, IssuedKey
from predsurv.simulate.polymarket.trading.heartbeats import Heartbeats
from predsurv.simulate.polymarket.trading.order_desk import OrderDesk
from predsurv.simulate.polymarket.trading.order_entry import OrderReader
from predsurv.simulate.polymarket.trading.order_routes import OrderRoutes
from predsurv.simulate.server import ServerRequest, ServerResponse, json_response

_NO_METHOD: Final = ServerResponse(405, b'{"error":"method not allowed"}')
_UNAUTHORIZED: Final = ServerResponse(401, b'{"error":"Unauthorized/Invalid api key"}')

_Answer = Callable[[ServerRequest, IssuedKey], ServerResponse]


class _Beat(Struct):
    heartbeat_id: str | None = ""


class TradingApi:
    """Answers for ``keys`` with what ``desk`` does; ``is_active`` returns whether a fault of a kind is active."""

    def __init__(
        self,
        exchange: Exchange,
        keys: ApiKeyRegistry,
        entry: OrderReader,
        desk: OrderDesk,
        is_active: Callable[[str], bool],
    ) -> None:
        self._keys = keys
        self._heartbeats = Heartbeats(exchange, desk.cancel_of)
        reads, orders = AccountReads(desk, lambda: exchange.now), OrderRoutes(entry, desk, is_active)
        self._read_order = reads.order
        self._routes: Mapping[tuple[str, str], _Answer] = {
            ("GET", "/auth/api-keys"): lambda _, key: json_response({"apiKeys": keys.of_address(key.address)}),
            ("DELETE", "/auth/api-key"): self._revoke,
            ("GET", "/v1/user/rate-limit-tier"): lambda *_: json_response({"tier": "standard"}),
            ("GET", "/auth/ban-status/closed-only"): lambda *_: json_response({"closed_only": False}),
            ("POST", "/order"): orders.place,
            ("POST", "/orders"): orders.place_batch,
            ("DELETE", "/order"): orders.cancel,
            ("DELETE", "/orders"): orders.cancel_batch,
            ("DELETE", "/cancel-all"): orders.cancel_all,
            ("DELETE", "/cancel-market-orders"): orders.cancel_market,
            ("GET", "/data/orders"): reads.orders,
            ("GET", "/data/trades"): reads.trades,
            ("GET", "/balance-allowance"): reads.balance,
            ("GET", "/balance-allowance/update"): lambda *_: json_response(""),
            ("POST", "/v1/heartbeats"): self._beat,
            ("POST", "/heartbeats"): lambda *_: json_response({"status": "ok"}),
            ("GET", "/order-scoring"): lambda *_: json_response({"scoring": False}),
            ("POST", "/orders-scoring"): scoring,
            ("GET", "/notifications"): reads.notifications,
            ("DELETE", "/notifications"): reads.drop_notifications,
        }

        self._paths = {path for _, path in self._routes} | {"/auth/api-key", "/auth/derive-api-key"}

    def respond(self, request: ServerRequest) -> ServerResponse | None:
        """Return the answer to a private request, None for a path or method that is none."""
        if (request.method, request.path) in (("POST", "/auth/api-key"), ("GET", "/auth/derive-api-key")):
            return self._login(request)
        answer = self._routes.get((request.method, request.path))
        if answer is None and request.method == "GET" and request.path.startswith("/data/order/"):
            answer = self._read_order
        if answer is None:
            return _NO_METHOD if request.path in self._paths else None
        key = self._keys.authenticated(request)
        return _UNAUTHORIZED if key is None else answer(request, key)

    def _login(self, request: ServerRequest) -> ServerResponse:
        login = self._keys.login(request.headers)
        if login is None:
            return ServerResponse(401, b'{"error":"Invalid L1 Request headers"}')
        issued = self._keys.create(login) if request.method == "POST" else self._keys.derive(login)
        if issued is None:
            verb = b"create" if request.method == "POST" else b"derive"
            return ServerResponse(400, b'{"error":"Could not %s api key!"}' % verb)
        return json_response({"apiKey": issued.key, "secret": issued.secret, "passphrase": issued.passphrase})

    def _revoke(self, _: ServerRequest, key: IssuedKey) -> ServerResponse:
        self._keys.revoke(key)
        return json_response("OK")

    def _beat(self, request: ServerRequest, key: IssuedKey) -> ServerResponse:
        try:
            beat = msgspec.json.decode(request.body or b"{}", type=_Beat)
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
            return ServerResponse(400, b'{"error":"Invalid payload"}')
        issued = self._heartbeats.beat(key.key, beat.heartbeat_id or "")
        if issued is None:
            expected = self._heartbeats.expected(key.key)
            return json_response({"error_msg": "Invalid Heartbeat ID", "heartbeat_id": expected}, 400)
        return json_response({"heartbeat_id": issued})
