"""The Data API: trades, open interest, prices, tokens and resolutions; of wallets it knows those that trade here."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final

from msgspec import Raw

from predsurv.core.num import MICROS, format_micros
from predsurv.simulate.polymarket.catalog import ListedToken, SimulatedCatalog, SimulatedMarket, payouts
from predsurv.simulate.polymarket.history import PriceHistory
from predsurv.simulate.polymarket.trade_prints import TradePrint, TradePrints
from predsurv.simulate.server import ServerRequest, ServerResponse, json_response

ROWS_MAX: Final = 1_000
ROWS_DEFAULT: Final = 100
POINTS_MAX: Final = 10_000
_S: Final = 1_000_000_000
_NOBODY: Final = "0x" + "00" * 20
_BAD_REQUEST: Final = ServerResponse(400, b'{"error":"invalid request parameters"}')

Json = dict[str, Any]
Query = Mapping[str, list[str]]
Wallets = Callable[[], Mapping[str, Mapping[str, int]]]
"""Returns what each wallet (by its address in small letters) holds of each token, micros."""


class DataApi:
    """Answers from the catalogue, the price history and the trades; ``wallets`` are those that trade here."""

    def __init__(self, catalog: SimulatedCatalog, history: PriceHistory, prints: TradePrints, wallets: Wallets) -> None:
        self._catalog = catalog
        self._history = history
        self._prints = prints
        self._wallets = wallets
        self._routes: dict[str, Callable[[Query], ServerResponse]] = {
            "/": lambda _: json_response({"data": "OK"}),
            "/trades": lambda query: self._trades(query, _old_trade, wrapped=False),
            "/oi": lambda query: json_response(self._open_interest(query, "market")),
            "/positions": lambda query: self._positions(query, wrapped=False),
            "/v2/trades": lambda query: self._trades(query, _trade, wrapped=True),
            "/v2/oi": lambda query: json_response({"data": self._open_interest(query, "condition_id")}),
            "/v2/holders": self._holders,
            "/v2/positions": lambda query: self._positions(query, wrapped=True),
            "/v2/prices-history": self._prices,
            "/v2/tokens": self._tokens,
            "/v2/resolutions": self._resolutions,
            "/v2/activity": lambda query: self._page([], query),
        }

    def respond(self, request: ServerRequest) -> ServerResponse | None:
        """Return the response to a request, None for a path that is unknown."""
        route = self._routes.get(request.path)
        if route is None:
            return None
        if request.method != "GET":
            return ServerResponse(405, b'{"error":"method not allowed"}')
        return route(request.query)

    def _trades(self, query: Query, write: Callable[[TradePrint], Json], *, wrapped: bool) -> ServerResponse:
        conditions = set(_listed(query, "condition_id") + _listed(query, "market"))
        side = query.get("side", [""])[0]
        low, high = _number(query, "start", 0), _number(query, "end", 1 << 60)
        found = [
            each
            for each in self._prints.of(conditions)
            if (not side or (side == "BUY") == each.is_buy) and low <= each.second <= high
        ]
        rows = [] if query.get("user", [""])[0] else [write(each) for each in found]
        if not wrapped:
            start = _number(query, "offset", 0)
            return json_response(rows[start : start + min(_number(query, "limit", ROWS_DEFAULT), ROWS_MAX)])
        return self._page(rows, query)

    def _page(self, rows: Sequence[Json], query: Query) -> ServerResponse:
        start, limit = _number(query, "cursor", 0), min(max(_number(query, "limit", ROWS_DEFAULT), 1), ROWS_MAX)
        end = start + limit
        more = {"has_more": end < len(rows), "next_cursor": str(end) if end < len(rows) else None}
        return json_response({"data": rows[start:end], "pagination": {"limit": limit, **more}, **more})

    def _open_interest(self, query: Query, name: str) -> list[Json]:
        wanted = _listed(query, name)
        rows = [row for row in map(self._catalog.by_condition, wanted) if row is not None] or self._catalog.rows
        return [
            {name: row.condition, "value": _money(self._catalog.current(row).open_interest or 0)}
            for row in rows[:ROWS_MAX]
        ]

    def _positions(self, query: Query, *, wrapped: bool) -> ServerResponse:
        rows, held = list[Json](), self._wallets().get(query.get("user", [""])[0].lower(), {})
        for token, size in held.items():
            found = self._catalog.by_token(token)
            if found is None or not size:
                continue
            row = (_position if wrapped else _old_position)(query["user"][0], found, size)
            other = found.row.tokens[1 - found.outcome]
            rows.append(row | {"mergeable": not found.row.is_settled and bool(held.get(other))})
        for name in ("redeemable", "mergeable"):
            wanted = query.get(name, [""])[0]
            rows = [row for row in rows if not wanted or row[name] == (wanted == "true")]
        if wrapped:
            return self._page(rows, query)
        start = _number(query, "offset", 0)
        return json_response(rows[start : start + min(_number(query, "limit", ROWS_DEFAULT), ROWS_MAX)])

    def _holders(self, query: Query) -> ServerResponse:
        """Return who holds the tokens of the markets that are named, the most first."""
        least = _number(query, "min_balance", 0) * MICROS
        rows = list[Json]()
        for row in map(self._catalog.by_condition, _listed(query, "condition_id")):
            for outcome, token in enumerate(() if row is None else row.tokens):
                held = [(shares.get(token, 0), wallet) for wallet, shares in self._wallets().items()]
                found = sorted((each for each in held if each[0] > least), reverse=True)
                rows.append({"token_id": token, "holders": [_holder(token, outcome, *each) for each in found]})
        return self._page(rows, query)

    def _resolutions(self, query: Query) -> ServerResponse:
        """Return how the markets that are named, or those of the events, were settled."""
        conditions, events = set(_listed(query, "condition_id")), set(_listed(query, "event_id"))
        found = [
            row
            for row in self._catalog.rows
            if row.is_settled and (row.condition in conditions or str(row.event.number) in events)
        ]
        return json_response({"data": [_resolution(row) for row in found]})

    def _prices(self, query: Query) -> ServerResponse:
        found = self._catalog.by_token(query.get("token_id", [""])[0])
        if found is None or sum(name in query for name in ("interval", "start", "as_of")) != 1:
            return _BAD_REQUEST
        row, outcome = found
        rows = [
            {"timestamp": second, "price": _money(MICROS - price if outcome else price), "resolution_seconds": 60}
            for second, price in self._history.points(row.tokens[0])
            if _number(query, "start", 0) <= second <= _number(query, "end", 1 << 60)
        ]
        return self._page(rows[-POINTS_MAX:], query)

    def _tokens(self, query: Query) -> ServerResponse:
        tokens = _listed(query, "token_id")
        for row in map(self._catalog.by_condition, _listed(query, "condition_id")):
            tokens += row.tokens if row is not None else ()
        found = [each for each in map(self._catalog.by_token, tokens) if each is not None]
        return json_response({"data": [_token(each) for each in found]})


def _trade(each: TradePrint) -> Json:
    row = each.row
    return {
        "proxy_wallet": _NOBODY,
        "token_id": row.tokens[each.outcome],
        "condition_id": row.condition,
        "side": "BUY" if each.is_buy else "SELL",
        "size": _money(each.size),
        "price": _money(each.price),
        "timestamp": each.second,
        "transaction_hash": each.transaction,
        "title": row.question,
        "slug": row.slug,
        "event_slug": row.event.slug,
        "outcome": row.outcomes[each.outcome],
        "outcome_index": each.outcome,
    }


def _old_trade(each: TradePrint) -> Json:
    given = _trade(each)
    names = {
        "proxy_wallet": "proxyWallet",
        "token_id": "asset",
        "condition_id": "conditionId",
        "transaction_hash": "transactionHash",
        "event_slug": "eventSlug",
        "outcome_index": "outcomeIndex",
    }
    return {names.get(name, name): value for name, value in given.items()}


def _worth(found: ListedToken) -> int:
    """Return what a share of a settled market's token pays (micros), 0 before."""
    return [*payouts(found.row)][found.outcome] if found.row.is_settled else 0


def _position(user: str, found: ListedToken, size: int) -> Json:
    row, worth = found.row, _worth(found)
    zeros = dict.fromkeys(
        (
            "avg_price",
            "entry_cost_usdc",
            "entry_fees_usdc",
            "total_cost_usdc",
            "realized_pnl",
            "unrealized_pnl",
            "total_pnl",
            "percent_pnl",
            "percent_realized_pnl",
        ),
        0,
    )
    return zeros | {
        "proxy_wallet": user,
        "token_id": row.tokens[found.outcome],
        "condition_id": row.condition,
        "current_size": _money(size),
        "total_size": _money(size),
        "current_price": _money(worth),
        "current_value": _money(worth * size // MICROS),
        "status": "REDEEMABLE" if row.is_settled else "OPEN",
        "redeemable": row.is_settled,
        "mergeable": False,
        "negative_risk": row.neg_risk,
        "archived": False,
        "verified": False,
        "title": row.question,
        "slug": row.slug,
        "outcome": row.outcomes[found.outcome],
        "outcome_index": found.outcome,
    }


def _old_position(user: str, found: ListedToken, size: int) -> Json:
    row, worth = found.row, _worth(found)
    return {
        "proxyWallet": user,
        "asset": row.tokens[found.outcome],
        "conditionId": row.condition,
        "size": _money(size),
        "curPrice": _money(worth),
        "currentValue": _money(worth * size // MICROS),
        "redeemable": row.is_settled,
        "mergeable": False,
        "negativeRisk": row.neg_risk,
        "title": row.question,
        "slug": row.slug,
        "outcome": row.outcomes[found.outcome],
        "outcomeIndex": found.outcome,
    }


def _holder(token: str, outcome: int, size: int, wallet: str) -> Json:
    return {
        "proxy_wallet": wallet,
        "token_id": token,
        "amount": _money(size),
        "outcome_index": outcome,
        "display_username_public": False,
        "verified": False,
    }


def _resolution(row: SimulatedMarket) -> Json:
    second = (row.closed_at or 0) // _S
    return {
        "question_id": None,
        "condition_id": row.condition,
        "status": "resolved",
        "extended_review": False,
        "was_disputed": False,
        "new_version_q": False,
        "price": _money(row.payout or 0),
        "last_update_timestamp": second,
        "market_type": None if row.neg_risk else "BINARY",
        "payouts": [_money(each) for each in payouts(row)],
        "resolution_source": "reported",
        "resolved_at": second,
    }


def _token(found: ListedToken) -> Json:
    row, outcome = found
    return {
        "token_id": row.tokens[outcome],
        "condition_id": row.condition,
        "structural_condition_id": None,
        "module": "v1_ctf",
        "outcome_index": outcome,
        "clob_index": outcome,
        "outcome": row.outcomes[outcome],
        "opposite_token_id": row.tokens[1 - outcome],
        "resolved": row.is_settled,
        "final_price": _money(_worth(found)) if row.is_settled else None,
        "title": row.question,
        "market_slug": row.slug,
        "closed": row.is_closed,
        "neg_risk": row.neg_risk,
        "neg_risk_market_id": None,
        "question_index": None,
        "event_id": row.event.number,
        "event_slug": row.event.slug,
    }


def _money(micros: int) -> Raw:
    return Raw(format_micros(micros).encode())


def _listed(query: Query, name: str) -> list[str]:
    return [part for text in query.get(name, ()) for part in text.split(",") if part]


def _number(query: Query, name: str, default: int) -> int:
    text = query.get(name, [""])[0]
    return int(text) if text.isascii() and text.isdigit() and len(text) < 14 else default
