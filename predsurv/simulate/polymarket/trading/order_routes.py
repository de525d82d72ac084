"""The routes that place and cancel orders, with the faults of the order paths."""

from collections.abc import Callable, Sequence
from typing import Any, Final

import msgspec
from msgspec import Raw

from predsurv.simulate.polymarket.trading.account_rows import Json, placed_row
from predsurv.simulate.polymarket.trading.accounts import ClobOrder
from predsurv.simulate.polymarket.trading.credentials import IssuedKey
from predsurv.simulate.polymarket.trading.order_desk import OrderDesk
from predsurv.simulate.polymarket.trading.order_entry import OrderReader, OrderRejection
from predsurv.simulate.polymarket.trading.order_faults import with_order_faults
from predsurv.simulate.server import ServerRequest, ServerResponse, json_response

ORDERS_MAX: Final = 15
CANCELS_MAX: Final = 1_000
_INVALID: Final = ServerResponse(400, b'{"error":"Invalid order payload"}')


class OrderRoutes:
    """Checks with ``entry`` and lets ``desk`` do it; ``is_active`` returns whether a fault of a kind is active."""

    def __init__(self, entry: OrderReader, desk: OrderDesk, is_active: Callable[[str], bool]) -> None:
        self._entry = entry
        self._desk = desk
        self._is_active = is_active

    def place(self, request: ServerRequest, key: IssuedKey) -> ServerResponse:
        """Place one order."""
        is_post_only = b'"postOnly":true' in request.body
        return with_order_faults(
            self._is_active, lambda: self._placed(request.body, key), places=True, is_post_only=is_post_only
        )

    def _placed(self, body: bytes, key: IssuedKey) -> ServerResponse:
        result = self._place_one(body, key)
        if isinstance(result, OrderRejection):
            return json_response({"error": result.text}, result.status)
        return json_response(result)

    def place_batch(self, request: ServerRequest, key: IssuedKey) -> ServerResponse:
        """Place up to ``ORDERS_MAX`` orders, each answered in its place."""
        rows = _raw_list(request.body)
        if rows is None or not rows:
            return _INVALID
        if len(rows) > ORDERS_MAX:
            return _too_many(len(rows), ORDERS_MAX)
        is_post_only = all(b'"postOnly":true' in bytes(row) for row in rows)

        def carry_out() -> ServerResponse:
            return json_response([_batch_row(self._place_one(row, key)) for row in rows])

        return with_order_faults(self._is_active, carry_out, places=True, is_post_only=is_post_only)

    def _place_one(self, body: bytes | Raw, key: IssuedKey) -> Json | OrderRejection:
        entered = self._entry.enter(body, key)
        if isinstance(entered, OrderRejection):
            return entered
        placed = self._desk.place(entered)
        return placed if isinstance(placed, OrderRejection) else placed_row(*placed)

    def cancel(self, request: ServerRequest, key: IssuedKey) -> ServerResponse:
        """Cancel one order."""
        named = _object(request.body).get("orderID")
        if not isinstance(named, str) or not named.startswith("0x"):
            return json_response({"error": "Invalid orderID"}, 400)
        return self._cancelled(key, [named])

    def cancel_batch(self, request: ServerRequest, key: IssuedKey) -> ServerResponse:
        """Cancel up to ``CANCELS_MAX`` orders."""
        try:
            named = msgspec.json.decode(request.body, type=list[str])
        except (msgspec.DecodeError, UnicodeDecodeError):
            return _INVALID
        if len(named) > CANCELS_MAX:
            return json_response(
                {"error": f"Too many orders in payload: {len(named)}, max allowed: {CANCELS_MAX}"}, 400
            )
        return self._cancelled(key, named)

    def cancel_all(self, _: ServerRequest, key: IssuedKey) -> ServerResponse:
        """Cancel every order of the account."""
        return self._cancelled(key, [order.order_id for order in self._desk.account(key.address).open_orders()])

    def cancel_market(self, request: ServerRequest, key: IssuedKey) -> ServerResponse:
        """Cancel the orders of a market, of one token, or of both."""
        named = _object(request.body)
        market, asset = named.get("market"), named.get("asset_id")
        if not market and not asset:
            return _INVALID
        found = [order for order in self._desk.account(key.address).open_orders() if _is_of(order, market, asset)]
        return self._cancelled(key, [order.order_id for order in found])

    def _cancelled(self, key: IssuedKey, named: Sequence[str]) -> ServerResponse:
        account = self._desk.account(key.address)

        def carry_out() -> ServerResponse:
            reasons = {order_id: self._desk.cancel(account, order_id) for order_id in dict.fromkeys(named)}
            left = {order_id: reason for order_id, reason in reasons.items() if reason is not None}
            return json_response({"canceled": [each for each in reasons if each not in left], "not_canceled": left})

        return with_order_faults(self._is_active, carry_out, places=False, is_post_only=False)


def _batch_row(result: Json | OrderRejection) -> Json:
    """Return one order's answer in a batch, where a refusal is a success without an order."""
    if not isinstance(result, OrderRejection):
        return result
    return {
        "success": True,
        "errorMsg": result.text,
        "orderID": "",
        "status": "",
        "makingAmount": "",
        "takingAmount": "",
        "tradeIDs": [],
        "transactionsHashes": [],
    }


def _too_many(count: int, most: int) -> ServerResponse:
    return json_response({"error": f"Too many orders in payload: {count}, max allowed: {most}"}, 400)


def _is_of(order: ClobOrder, market: object, asset: object) -> bool:
    return (not market or order.entered.token.row.condition == market) and (not asset or order.asset == asset)


def _object(body: bytes) -> dict[str, Any]:
    """Return a JSON object, an empty one where ``body`` is none."""
    try:
        return msgspec.json.decode(body, type=dict[str, Any])
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return {}


def _raw_list(body: bytes) -> list[Raw] | None:
    try:
        return msgspec.json.decode(body, type=list[Raw])
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return None
