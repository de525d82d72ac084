"""What an account has: its orders, trades, balances and notifications, in pages."""

import base64
from collections.abc import Callable, Mapping, Sequence
from typing import Final, TypeVar

import msgspec

from predsurv.simulate.polymarket.trading.account_rows import Json, notification, order_row, trade_row
from predsurv.simulate.polymarket.trading.accounts import ClobOrder
from predsurv.simulate.polymarket.trading.credentials import IssuedKey
from predsurv.simulate.polymarket.trading.order_desk import OrderDesk
from predsurv.simulate.polymarket.trading.settlement import SettlingTrade
from predsurv.simulate.server import ServerRequest, ServerResponse, json_response
from predsurv.venues.polymarket.orders.exchanges import EXCHANGE_V3, NEG_RISK, STANDARD

PAGE_ROWS: Final = 500
NOTIFICATIONS_KEPT_MAX: Final = 1_000
_ALLOWANCE: Final = str((1 << 256) - 1)
_LAST_PAGE: Final = "LTE="
_NS_PER_S: Final = 1_000_000_000

_Row = TypeVar("_Row")


class AccountReads:
    """Reads the accounts of ``desk``; ``now`` returns the venue's time (ns UTC)."""

    def __init__(self, desk: OrderDesk, now: Callable[[], int]) -> None:
        self._desk = desk
        self._now = now
        self._notifications: dict[str, list[Json]] = {}
        self._notification_count = 0
        desk.matching.listeners.append(self._notify)

    def order(self, request: ServerRequest, key: IssuedKey) -> ServerResponse:
        """Return one order of the account, live or not."""
        found = self._desk.account(key.address).orders.get(request.path.rpartition("/")[2])
        return ServerResponse(404, b'{"error":"order not found"}') if found is None else json_response(order_row(found))

    def orders(self, request: ServerRequest, key: IssuedKey) -> ServerResponse:
        """Return a page of the live orders, oldest first."""
        wanted = _wanted(request, ("id", "market", "asset_id"))
        found = [
            order
            for order in self._desk.account(key.address).open_orders()
            if _fits(
                wanted, {"id": order.order_id, "market": order.entered.token.row.condition, "asset_id": order.asset}
            )
        ]
        return _page(found, request, order_row)

    def trades(self, request: ServerRequest, key: IssuedKey) -> ServerResponse:
        """Return a page of the trades, newest first."""
        wanted = _wanted(request, ("id", "market", "asset_id", "maker_address"))
        after, before = (_seconds(request, name) for name in ("after", "before"))
        found: list[tuple[SettlingTrade, str]] = []
        for trade in reversed(self._desk.matching.settlement.trades.values()):
            owners = [order.entered.key.key for order in trade.orders() if order.entered.key.address == key.address]
            if not owners:
                continue
            second = trade.matched_at // _NS_PER_S
            if (after is not None and second <= after) or (before is not None and second >= before):
                continue
            # An account may have several keys: the row is the one of the key that its order came with.
            found.append((trade, key.key if key.key in owners else owners[0]))
        rows = [row for row in (trade_row(trade, owner) for trade, owner in found) if _fits(wanted, row)]
        return _page(rows, request, lambda row: row)

    def balance(self, request: ServerRequest, key: IssuedKey) -> ServerResponse:
        """Return the balance of dollars or of one token, and what the exchanges may take of it."""
        account = self._desk.account(key.address)
        kind, token = (request.query.get(name, [""])[0] for name in ("asset_type", "token_id"))
        if kind not in ("COLLATERAL", "CONDITIONAL", "CONDITIONAL-V2") or (kind != "COLLATERAL") != bool(token):
            return ServerResponse(400, b'{"error":"invalid asset type or token id"}')
        balance = account.shares.get(token, 0) if token else account.dollars
        allowances = {each.address: _ALLOWANCE for each in (STANDARD, NEG_RISK, EXCHANGE_V3)}
        return json_response({"balance": str(balance), "allowances": allowances})

    def notifications(self, _: ServerRequest, key: IssuedKey) -> ServerResponse:
        """Return the notifications that were not dropped."""
        return json_response(self._notifications.get(key.key, []))

    def drop_notifications(self, request: ServerRequest, key: IssuedKey) -> ServerResponse:
        """Drop the notifications with the given ids."""
        ids = {part for text in request.query.get("ids", ()) for part in text.split(",")}
        kept = [each for each in self._notifications.get(key.key, []) if str(each["id"]) not in ids]
        self._notifications[key.key] = kept
        return json_response("OK")

    def _notify(self, order: ClobOrder, _: str) -> None:
        if order.ended:
            self._notification_count += 1
            kept = self._notifications.setdefault(order.entered.key.key, [])
            kept.append(notification(order, self._notification_count, self._now()))
            del kept[:-NOTIFICATIONS_KEPT_MAX]


def scoring(request: ServerRequest, _: IssuedKey) -> ServerResponse:
    """Return that none of the named orders scores: there are no rewards here."""
    return json_response({str(each): False for each in _string_list(request.body)})


def _string_list(body: bytes) -> Sequence[str]:
    try:
        return msgspec.json.decode(body, type=list[str])
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return ()


def _wanted(request: ServerRequest, names: Sequence[str]) -> Mapping[str, str]:
    return {name: request.query[name][0] for name in names if request.query.get(name, [""])[0]}


def _fits(wanted: Mapping[str, str], row: Mapping[str, object]) -> bool:
    return all(str(row[name]).lower() == value.lower() for name, value in wanted.items())


def _seconds(request: ServerRequest, name: str) -> int | None:
    text = request.query.get(name, [""])[0]
    return int(text) if text.isascii() and text.isdigit() and len(text) < 14 else None


def _page(rows: Sequence[_Row], request: ServerRequest, write: Callable[[_Row], Json]) -> ServerResponse:
    start = _position(request.query.get("next_cursor", [""])[0])
    if start is None:
        return ServerResponse(400, b'{"error":"invalid next_cursor"}')
    page, end = rows[start : start + PAGE_ROWS], start + PAGE_ROWS
    cursor = base64.b64encode(str(end).encode()).decode() if end < len(rows) else _LAST_PAGE
    return json_response(
        {"limit": PAGE_ROWS, "count": len(page), "next_cursor": cursor, "data": [write(row) for row in page]}
    )


def _position(cursor: str) -> int | None:
    """Return where the page of a cursor starts: the base64 of a number, None for another text."""
    if not cursor:
        return 0
    try:
        digits = base64.b64decode(cursor, validate=True)
    except ValueError:
        return None
    return int(digits) if digits.isdigit() and len(digits) < 12 else None
