"""Kalshi's private REST API: which request is answered by whom, with the faults of the order paths."""

from collections.abc import Callable, Mapping
from typing import Final

from predsurv.simulate.kalshi.markets import KalshiMarkets
from predsurv.simulate.kalshi.rest_api import RestResponse
from predsurv.simulate.kalshi.trading.group_routes import GroupRoutes
from predsurv.simulate.kalshi.trading.order_desk import KalshiDesk
from predsurv.simulate.kalshi.trading.order_routes import KalshiOrderRoutes, error_response
from predsurv.simulate.kalshi.trading.orders import OrderError
from predsurv.simulate.kalshi.trading.portfolio_routes import PortfolioRoutes, Query, first
from predsurv.simulate.server import ServerRequest, ServerResponse

SLOW_S: Final = 3
"""How long a slow answer takes, seconds."""
_S: Final = 1_000_000_000
_ORDERS: Final = "/portfolio/events/orders"
_GROUPS: Final = "/portfolio/order_groups"
_V1: Final = "/portfolio/orders"

ORDER_KINDS: Final[Mapping[str, int]] = {
    "orderlost": 3 * _S,  # carried out, and the connection is reset instead of an answer
    "orderreset": 3 * _S,  # reset before anything was done
    "order500": 3 * _S,  # 500, not carried out
    "order500done": 3 * _S,  # 500, carried out
    "order429": 3 * _S,
    "order408": 3 * _S,  # a time-out, carried out
    "orderslow": 3 * _S,  # carried out, answered SLOW_S later
    "orderblank": 3 * _S,  # carried out, and a 2xx that names no order
}
"""The kinds, with their default durations (ns)."""

_BEFORE: Final[Mapping[str, ServerResponse]] = {
    "orderreset": ServerResponse(500, reset=True),
    "order500": ServerResponse(500, b'{"error":{"code":"internal_server_error","message":"internal server error"}}'),
    "order429": ServerResponse(429, b'{"error":{"code":"too_many_requests","message":"too many requests"}}'),
}

ToServer = Callable[[RestResponse], ServerResponse]
"""Adds the headers of every response."""


class KalshiTradingApi:
    """Answers private requests; ``is_active`` returns whether a fault of a kind is active."""

    def __init__(self, desk: KalshiDesk, markets: KalshiMarkets, is_active: Callable[[str], bool]) -> None:
        self._is_active = is_active
        self._orders = KalshiOrderRoutes(desk, markets.trading)
        self._groups = GroupRoutes(desk)
        self._portfolio = portfolio = PortfolioRoutes(desk, markets)
        self._reads: Mapping[str, Callable[[Query], RestResponse]] = {
            "/portfolio/balance": portfolio.balance,
            "/portfolio/orders": portfolio.orders,
            "/portfolio/fills": portfolio.fills,
            "/portfolio/positions": portfolio.positions,
            "/portfolio/settlements": portfolio.settlements,
            "/portfolio/orders/queue_positions": portfolio.queue_positions,
            _GROUPS: lambda _: self._groups.list(),
        }

    def respond(self, path: str, request: ServerRequest, to_server: ToServer) -> ServerResponse | None:
        """Return the response to a request for ``path`` (without the version), None for one that is not private."""
        if not path.startswith("/portfolio"):
            return None
        if request.method == "GET":
            return to_server(self._read(path.rstrip("/"), request.query))
        before = next((response for kind, response in _BEFORE.items() if self._is_active(kind)), None)
        if before is not None:
            return before
        response = to_server(self._write(path.rstrip("/"), request))
        if self._is_active("orderlost"):
            return response._replace(reset=True)
        if self._is_active("order500done"):
            return _BEFORE["order500"]
        if self._is_active("order408"):
            return ServerResponse(408, b'{"error":"timeout"}')
        if self._is_active("orderblank"):
            return response._replace(body=b"{}")
        return response._replace(delay_s=SLOW_S) if self._is_active("orderslow") else response

    def _read(self, path: str, query: Query) -> RestResponse:
        read = self._reads.get(path)
        if read is not None:
            return read(query)
        match path.split("/"):
            case ["", "portfolio", "orders", order_id]:
                return self._portfolio.order(order_id)
            case ["", "portfolio", "orders", order_id, "queue_position"]:
                return self._portfolio.queue_position(order_id)
            case ["", "portfolio", "order_groups", group_id]:
                return self._groups.one(group_id)
            case _:
                return error_response(OrderError(404, "not_found"))

    def _write(self, path: str, request: ServerRequest) -> RestResponse:
        if path.startswith(_V1):
            return error_response(OrderError(410, "deprecated_v1_order_endpoint"))
        if path.startswith(_ORDERS):
            return self._write_order(request, path.removeprefix(_ORDERS).strip("/").split("/"))
        if path.startswith(_GROUPS):
            return self._write_group(request, path.removeprefix(_GROUPS).strip("/").split("/"))
        return error_response(OrderError(404, "not_found"))

    def _write_order(self, request: ServerRequest, parts: list[str]) -> RestResponse:
        orders, body = self._orders, request.body
        match request.method, parts:
            case "POST", [""]:
                return orders.place(body)
            case "DELETE", [""]:
                return orders.cancel_all()
            case "POST", ["batched"]:
                return orders.place_batch(body)
            case "DELETE", ["batched"]:
                return orders.cancel_batch(body)
            case "DELETE", [order_id]:
                return orders.cancel(order_id, request.query)
            case "POST", [order_id, "amend"]:
                return orders.amend(order_id, body)
            case "POST", [order_id, "decrease"]:
                return orders.decrease(order_id, body)
            case _:
                return error_response(OrderError(405, "method_not_allowed"))

    def _write_group(self, request: ServerRequest, parts: list[str]) -> RestResponse:
        shard = first(request.query, "exchange_index")
        match request.method, parts:
            case "POST", ["create"]:
                return self._groups.create(request.body)
            case "DELETE", [group_id]:
                return self._groups.delete(group_id, shard)
            case "PUT", [group_id, what]:
                return self._groups.change(group_id, what, request.body, shard)
            case _:
                return error_response(OrderError(405, "method_not_allowed"))
