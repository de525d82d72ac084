"""The CLOB's listings of every market ever, in pages, whole and simplified, and what it says of rewards."""

import base64
from collections.abc import Callable, Mapping
from typing import Final

from predsurv.core.num import format_micros
from predsurv.simulate.polymarket.catalog import SimulatedCatalog, SimulatedMarket
from predsurv.simulate.polymarket.trade_prints import TradePrint, TradePrints
from predsurv.simulate.server import ServerRequest, ServerResponse, json_response

PAGE_ROWS: Final = 1_000
_LAST_PAGE: Final = "LTE="
_BAD_CURSOR: Final = ServerResponse(400, b'{"error":"invalid next_cursor"}')
_SIMPLE: Final = ("condition_id", "rewards", "tokens", "active", "closed", "archived", "accepting_orders")

Row = dict[str, object]
WriteMarket = Callable[[SimulatedMarket], Row]


class MarketListing:
    """Lists the catalogue; ``write_market`` returns a market's row."""

    def __init__(self, catalog: SimulatedCatalog, prints: TradePrints, write_market: WriteMarket) -> None:
        self._catalog = catalog
        self._prints = prints
        self._routes: Mapping[str, WriteMarket] = {
            "markets": write_market,
            "sampling-markets": write_market,
            "simplified-markets": lambda row: _simplified(write_market(row)),
            "sampling-simplified-markets": lambda row: _simplified(write_market(row)),
        }

    def respond(self, request: ServerRequest) -> ServerResponse | None:
        """Return the response to a GET request, None for a path that is no listing."""
        match request.path.strip("/").split("/"):
            case [""]:
                return json_response("OK")
            case [name] if name in self._routes:
                return self._page(self._routes[name], request)
            case ["markets", "live-activity", condition]:
                return json_response([_activity(each) for each in self._prints.of({condition})])
            case ["rewards", "markets", *_]:
                return json_response({"limit": PAGE_ROWS, "count": 0, "next_cursor": _LAST_PAGE, "data": []})
            case _:
                return None

    def _page(self, write: WriteMarket, request: ServerRequest) -> ServerResponse:
        start = _position(request.query.get("next_cursor", [""])[0])
        if start is None:
            return _BAD_CURSOR
        rows, end = self._catalog.rows[start : start + PAGE_ROWS], start + PAGE_ROWS
        cursor = base64.b64encode(str(end).encode()).decode() if end < len(self._catalog.rows) else _LAST_PAGE
        data = [write(row) for row in rows]
        return json_response({"limit": PAGE_ROWS, "count": len(data), "next_cursor": cursor, "data": data})


def _simplified(row: Row) -> Row:
    return {name: row[name] for name in _SIMPLE}


def _activity(each: TradePrint) -> Row:
    row = each.row
    return {
        "event_type": "trade",
        "market": {"condition_id": row.condition, "asset_id": row.tokens[each.outcome], "question": row.question},
        "side": "BUY" if each.is_buy else "SELL",
        "size": format_micros(each.size),
        "price": format_micros(each.price),
        "outcome": row.outcomes[each.outcome],
        "outcome_index": each.outcome,
        "transaction_hash": each.transaction,
        "timestamp": str(each.second),
    }


def _position(cursor: str) -> int | None:
    """Return where the page of a cursor starts: the base64 of a number, None for another text."""
    try:
        digits = base64.b64decode(cursor, validate=True) if cursor else b"0"
    except ValueError:
        return None
    return int(digits) if digits.isdigit() and len(digits) < 12 else None
