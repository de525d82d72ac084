"""The routes that place, change and cancel orders."""

from collections.abc import Mapping, Sequence
from typing import Any, Final

import msgspec

from predsurv.simulate.kalshi.markets import contracts_text, dollars_text
from predsurv.simulate.kalshi.rest_api import RestResponse
from predsurv.simulate.kalshi.trading.account_rows import Json, money_text
from predsurv.simulate.kalshi.trading.order_changes import amend, decrease
from predsurv.simulate.kalshi.trading.order_desk import KalshiDesk
from predsurv.simulate.kalshi.trading.order_reader import read_count, read_object, read_order, read_price
from predsurv.simulate.kalshi.trading.orders import KalshiOrder, OrderError
from predsurv.simulate.kalshi.trading_state import TradingState

ORDERS_MAX: Final = 20
"""Most orders of one batch."""
BLOCKED_FOR: Final = 60_000_000_000
"""How long no new order is taken after all were cancelled (ns)."""
_MS: Final = 1_000_000
_NOT_FOUND: Final = OrderError(404, "not_found", "order not found")

Query = Mapping[str, Sequence[str]]


class KalshiOrderRoutes:
    """Answers with what ``desk`` does, as far as ``trading`` allows it now."""

    def __init__(self, desk: KalshiDesk, trading: TradingState) -> None:
        self._desk = desk
        self._trading = trading
        self._blocked_until = 0

    def place(self, body: bytes) -> RestResponse:
        """Place one order."""
        given = read_object(body)
        result = given if isinstance(given, OrderError) else self._place_one(given)
        return error_response(result) if isinstance(result, OrderError) else ok(result, 201)

    def place_batch(self, body: bytes) -> RestResponse:
        """Place up to ``ORDERS_MAX`` orders, each answered in its place."""
        rows = _rows(body)
        if isinstance(rows, OrderError):
            return error_response(rows)
        answers: list[Json] = []
        for given in rows:
            result = self._place_one(given)
            if isinstance(result, OrderError):
                result = {"client_order_id": given.get("client_order_id"), "error": error_body(result)}
            answers.append(result)
        return ok({"orders": answers}, 201)

    def amend(self, order_id: str, body: bytes) -> RestResponse:
        """Give an order another price and total count."""
        given, order = read_object(body), self._desk.account.orders.get(order_id)
        refused = self._closed(cancels=False)
        if refused is not None or isinstance(given, OrderError):
            return error_response(refused or given)  # type: ignore[arg-type]
        if order is None or not order.is_live or given.get("ticker") != order.request.ticker:
            return error_response(_NOT_FOUND)
        price, count = read_price(given.get("price")), read_count(given.get("count"))
        if price is None or count is None or given.get("side") != order.request.side:
            return error_response(OrderError(400, "invalid_parameters", "side, price or count"))
        result = amend(self._desk, order, price, count, str(given.get("updated_client_order_id") or ""))
        return error_response(result) if result is not None else ok(_answer(order, self._desk.exchange.now))

    def decrease(self, order_id: str, body: bytes) -> RestResponse:
        """Reduce what rests of an order."""
        given, order = read_object(body), self._desk.account.orders.get(order_id)
        refused = self._closed(cancels=True)
        if refused is not None or isinstance(given, OrderError):
            return error_response(refused or given)  # type: ignore[arg-type]
        if order is None or not order.is_live:
            return error_response(_NOT_FOUND)
        by, to = given.get("reduce_by"), given.get("reduce_to")
        count = 0 if to in ("0", "0.00") else read_count(to if by is None else by)
        if (by is None) == (to is None) or count is None:
            return error_response(OrderError(400, "invalid_parameters", "reduce_by or reduce_to"))
        decrease(self._desk, order, count if by is None else max(order.remaining - count, 0))
        return ok(
            _ids(order) | {"remaining_count": contracts_text(order.remaining), "ts_ms": self._desk.exchange.now // _MS}
        )

    def cancel(self, order_id: str, query: Query) -> RestResponse:
        """Cancel one order; without its market or shard it is looked for on the first shard only."""
        result = self._cancel_one(order_id, {name: values[0] for name, values in query.items() if values})
        return error_response(result) if isinstance(result, OrderError) else ok(result)

    def cancel_batch(self, body: bytes) -> RestResponse:
        """Cancel several orders, each answered in its place."""
        rows = _rows(body)
        if isinstance(rows, OrderError):
            return error_response(rows)
        answers: list[Json] = []
        for given in rows:
            order_id = str(given.get("order_id"))
            result = self._cancel_one(order_id, given)
            if isinstance(result, OrderError):
                result = {"order_id": order_id, "reduced_by": "0.00", "error": error_body(result)}
            answers.append(result)
        return ok({"orders": answers})

    def cancel_all(self) -> RestResponse:
        """Cancel every order, and take no new one for ``BLOCKED_FOR``."""
        refused = self._closed(cancels=True)
        if refused is not None:
            return error_response(refused)
        for order in self._desk.account.live():
            self._desk.withdraw(order, "")
        self._blocked_until = self._desk.exchange.now + BLOCKED_FOR
        return ok({})

    def _place_one(self, given: dict[str, Any]) -> Json | OrderError:
        request = read_order(given)
        refused = self._closed(cancels=False)
        if refused is not None or isinstance(request, OrderError):
            return refused or request  # type: ignore[return-value]
        if self._desk.exchange.now < self._blocked_until:
            return OrderError(400, "invalid_order", "all orders were cancelled less than a minute ago")
        if request.reduce_only:
            held = self._desk.account.position(request.ticker) * (-1 if request.side == "bid" else 1)
            if held <= 0:
                return OrderError(400, "invalid_order", "reduce only: no position to reduce")
            request = request._replace(contracts=min(request.contracts, held))
        order = self._desk.place(request)
        return order if isinstance(order, OrderError) else _answer(order, self._desk.exchange.now)

    def _cancel_one(self, order_id: str, given: Mapping[str, Any]) -> Json | OrderError:
        refused = self._closed(cancels=True)
        order = self._desk.account.orders.get(order_id)
        if refused is not None:
            return refused
        ticker, shard = given.get("market_ticker"), str(given.get("exchange_index") or "")
        if order is None or not order.is_live or (ticker and ticker != order.request.ticker):
            return _NOT_FOUND
        if (shard in ("", "-1") and not ticker and order.listing.exchange_index) or (
            shard not in ("", "-1") and shard != str(order.listing.exchange_index)
        ):
            return _NOT_FOUND
        reduced = self._desk.withdraw(order, "")
        return _ids(order) | {"reduced_by": contracts_text(reduced), "ts_ms": self._desk.exchange.now // _MS}

    def _closed(self, *, cancels: bool) -> OrderError | None:
        """Return why nothing is taken now, or (``cancels``) not even a cancel."""
        if self._trading.is_halted:
            return OrderError(400, "exchange_paused", "the exchange is not active")
        if not cancels and not self._trading.is_open:
            return OrderError(400, "trading_paused", "trading is paused, orders can be cancelled")
        return None


def error_response(error: OrderError) -> RestResponse:
    """Return an error in the venue's form."""
    return RestResponse(error.status, msgspec.json.encode({"error": error_body(error)}))


def error_body(error: OrderError) -> Json:
    """Return the fields of an error."""
    body = {"code": error.code, "message": error.code.replace("_", " ")}
    return body | ({"details": error.details} if error.details else {})


def ok(value: object, status: int = 200) -> RestResponse:
    """Return a success."""
    return RestResponse(status, msgspec.json.encode(value))


def _rows(body: bytes) -> list[dict[str, Any]] | OrderError:
    given = read_object(body)
    if isinstance(given, OrderError):
        return given
    rows = given.get("orders")
    if not isinstance(rows, list) or not 0 < len(rows) <= ORDERS_MAX or not all(isinstance(row, dict) for row in rows):
        return OrderError(400, "invalid_parameters", f"orders: 1 to {ORDERS_MAX}")
    return rows


def _ids(order: KalshiOrder) -> Json:
    named = order.request.client_order_id
    return {"order_id": order.order_id} | ({"client_order_id": named} if named else {})


def _answer(order: KalshiOrder, now: int) -> Json:
    """Return the answer to an order: an unfilled one that only takes has nothing filled and nothing left."""
    answer = _ids(order) | {
        "fill_count": contracts_text(order.filled),
        "remaining_count": contracts_text(order.remaining),
        "ts_ms": now // _MS,
    }
    if order.filled:
        cost, fees = order.taker_cost + order.maker_cost, order.taker_fees + order.maker_fees
        own = cost * 100 // order.filled
        price = own if order.request.side == "bid" else 1_000_000 - own
        answer |= {
            "average_fill_price": dollars_text(price),
            "average_fee_paid": money_text(fees * 100 // order.filled),
        }
    return answer
