"""Kalshi's REST API: a pure function of the markets, from path and query to status and body."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any, Final, NamedTuple

import msgspec

from predsurv.core.num import MICROS
from predsurv.simulate.kalshi.markets import (
    KalshiBook,
    KalshiListing,
    KalshiMarkets,
    contracts_text,
    dollars_text,
    price_ranges,
    series_fee,
)

Query = Mapping[str, Sequence[str]]

BOOKS_MAX: Final = 100
_LIMIT_MAX: Final = {"markets": 1_000, "events": 200, "trades": 1_000}
_LIMIT_DEFAULT: Final = {"markets": 100, "events": 200, "trades": 100}
_STATUS_OF: Final = {
    "created": "initialized",
    "active": "active",
    "paused": "inactive",
    "closed": "closed",
    "disputed": "disputed",
    "resolved": "finalized",
    "void": "finalized",
}
_STATUS_FILTERS: Final = {
    "unopened": {"initialized"},
    "open": {"active"},
    "paused": {"inactive"},
    "closed": {"closed", "determined", "disputed", "amended"},
    "settled": {"finalized"},
}
_BUCKET: Final = {"refill_rate": 200, "bucket_capacity": 600}


class RestResponse(NamedTuple):
    """A status and a JSON body."""

    status: int
    body: bytes


def respond(markets: KalshiMarkets, path: str, query: Query) -> RestResponse:
    """Return the response to ``GET path`` (``path`` without the version prefix)."""
    route = _ROUTES.get(path.rstrip("/"))
    if route is not None:
        return route(markets, query)
    match path.split("/"):
        case ["", "markets", ticker, "orderbook"] if ticker in markets.books:
            return _ok({"orderbook_fp": _book_levels(markets.books[ticker])})
        case ["", "series", name] if rows := [row for row in _series(markets) if row["ticker"] == name]:
            return _ok({"series": rows[0]})
        case _:
            return _error(404, "not_found")


def error_response(status: int) -> RestResponse:
    """Return the venue's error response with ``status``."""
    codes = {404: "not_found", 401: "token_authentication_failure", 405: "method_not_allowed", 429: "too_many_requests"}
    return _error(status, codes.get(status, "internal_server_error"))


def _books(markets: KalshiMarkets, query: Query) -> RestResponse:
    tickers = query.get("tickers", ())
    if not 0 < len(tickers) <= BOOKS_MAX:
        return _error(400, "bad_request")
    known = [ticker for ticker in tickers if ticker in markets.books]
    return _ok(
        {"orderbooks": [{"ticker": ticker, "orderbook_fp": _book_levels(markets.books[ticker])} for ticker in known]}
    )


def _markets(markets: KalshiMarkets, query: Query) -> Iterable[dict[str, Any]]:
    wanted = _STATUS_FILTERS.get(next(iter(query.get("status", ("",)))))
    named = {ticker for names in query.get("tickers", ()) for ticker in names.split(",") if ticker}
    updated_since, created_since = _seconds(query, "min_updated_ts"), _seconds(query, "min_created_ts")
    for ticker, listed in markets.listed.items():
        if named and ticker not in named:
            continue
        if listed.updated_at < updated_since or listed.created_at < created_since:
            continue
        status = _STATUS_OF[listed.market.status]
        if listed.result:
            status = "determined" if listed.settled_at is None else "finalized"
        if wanted is None or status in wanted:
            yield _market(listed, markets.books[ticker], status)


def _market(listed: KalshiListing, book: KalshiBook, status: str) -> dict[str, Any]:
    market = listed.market
    bid, no_bid = max(book.yes, default=0), max(book.no, default=0)
    ask = MICROS - no_bid if no_bid else MICROS
    volume = (market.volume or 0) // 10_000 + listed.contracts_traded
    return {
        "ticker": listed.ticker,
        "event_ticker": listed.event,
        "market_type": listed.market_type,
        "settlement_bounds_type": "floor" if listed.floor else "default",
        "settlement_floor_dollars": listed.floor or None,
        "exchange_index": listed.exchange_index,
        "status": status,
        "title": market.question,
        "yes_sub_title": listed.outcome.label if listed.is_multi_outcome else "",
        "created_time": _iso(listed.created_at),
        "updated_time": _iso(listed.updated_at),
        "open_time": _iso(max(listed.created_at, market.fetched_at)),
        "close_time": _iso(market.close_time),
        "yes_bid_dollars": dollars_text(bid),
        "yes_bid_size_fp": contracts_text(book.yes.get(bid, 0)),
        "yes_ask_dollars": dollars_text(ask),
        "yes_ask_size_fp": contracts_text(book.no.get(no_bid, 0)),
        "no_bid_dollars": dollars_text(no_bid),
        "no_ask_dollars": dollars_text(MICROS - bid if bid else MICROS),
        "volume_fp": contracts_text(volume),
        "volume_24h_fp": contracts_text((market.volume_24h or 0) // 10_000 + listed.contracts_traded),
        "open_interest_fp": contracts_text((market.open_interest or 0) // 10_000),
        "result": listed.result,
        "settlement_value_dollars": None if listed.payout is None else dollars_text(listed.payout),
        "settlement_ts": _iso(listed.settled_at),
        "rules_primary": market.description or "",
        "rules_secondary": "",
        "price_level_structure": "linear_cent",
        "price_ranges": price_ranges(market.tick_size),
    }


def _trades(markets: KalshiMarkets, query: Query) -> Iterable[dict[str, Any]]:
    ticker, since = next(iter(query.get("ticker", ("",)))), _seconds(query, "min_ts") // 1_000_000
    for body in markets.trades:
        if body["ts_ms"] < since:
            break
        if not ticker or body["market_ticker"] == ticker:
            row = {key: value for key, value in body.items() if key not in ("market_ticker", "ts", "ts_ms")}
            yield {**row, "ticker": body["market_ticker"], "created_time": _precise(body["ts_ms"])}


def _events(markets: KalshiMarkets, query: Query) -> Iterable[dict[str, Any]]:
    seen, named = set(), {each for names in query.get("tickers", ()) for each in names.split(",") if each}
    for listed in markets.listed.values():
        if listed.event not in seen and (listed.event in named if named else not listed.result):
            seen.add(listed.event)
            yield {
                "event_ticker": listed.event,
                "series_ticker": listed.series,
                "title": listed.market.description or listed.market.question,
                "category": listed.market.category or "",
                "mutually_exclusive": listed.is_multi_outcome or listed.market.mutually_exclusive,
                "collateral_return_type": "MECNET" if listed.is_multi_outcome else "",
            }


def _series(markets: KalshiMarkets) -> Iterable[dict[str, Any]]:
    by_name = {listed.series: listed for listed in markets.listed.values()}
    for name, listed in by_name.items():
        fee = series_fee(listed)
        yield {
            "ticker": name,
            "title": name,
            "category": listed.market.category or "",
            "tags": [*listed.market.tags],
            "fee_type": fee.fee_type,
            "fee_multiplier": int(fee.multiplier),
        }


def _book_levels(book: KalshiBook) -> dict[str, list[list[str]]]:
    """Return the levels of both sides, prices ascending; an empty side is an empty list."""
    return {
        f"{name}_dollars": [[dollars_text(price), contracts_text(sizes[price])] for price in sorted(sizes)]
        for name, sizes in (("yes", book.yes), ("no", book.no))
    }


def _page(name: str, rows: Sequence[dict[str, Any]], query: Query) -> RestResponse:
    limit = next(iter(query.get("limit", (str(_LIMIT_DEFAULT[name]),))))
    cursor = next(iter(query.get("cursor", ("c0",))))
    if not limit.isdigit() or not cursor[1:].isdigit():
        return _error(400, "bad_request")
    start = int(cursor[1:])
    stop = start + min(max(int(limit), 1), _LIMIT_MAX[name])
    return _ok({name: rows[start:stop], "cursor": f"c{stop}" if stop < len(rows) else ""})


def _iso(ns: int | None) -> str | None:
    if ns is None:
        return None
    return datetime.fromtimestamp(ns // 10**9, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def _precise(ms: int) -> str:
    moment = datetime.fromtimestamp(ms // 1_000, UTC).strftime("%Y-%m-%dT%H:%M:%S")
    return f"{moment}.{ms % 1_000:03d}000Z"


def _seconds(query: Query, name: str) -> int:
    """Return a parameter in unix seconds as ns UTC, 0 without it."""
    text = next(iter(query.get(name, ("0",))))
    return int(text) * 10**9 if text.isdigit() else 0


def _ok(value: Mapping[str, Any]) -> RestResponse:
    return RestResponse(200, msgspec.json.encode(value))


def _error(status: int, code: str) -> RestResponse:
    return RestResponse(status, msgspec.json.encode({"error": {"code": code, "message": code.replace("_", " ")}}))


_ROUTES: Final[dict[str, Callable[[KalshiMarkets, Query], RestResponse]]] = {
    "/markets": lambda markets, query: _page("markets", [*_markets(markets, query)], query),
    "/markets/trades": lambda markets, query: _page("trades", [*_trades(markets, query)], query),
    "/markets/orderbooks": _books,
    "/events": lambda markets, query: _page("events", [*_events(markets, query)], query),
    "/series": lambda markets, _: _ok({"series": [*_series(markets)]}),
    "/series/fee_changes": lambda markets, _: _ok({"series_fee_change_arr": markets.fee_changes}),
    "/events/fee_changes": lambda *_: _ok({"event_fee_changes": [], "cursor": ""}),
    "/exchange/status": lambda markets, _: _ok(markets.trading.status()),
    "/exchange/schedule": lambda markets, _: _ok(markets.trading.schedule()),
    "/account/limits": lambda *_: _ok({"usage_tier": "basic", "read": _BUCKET, "write": _BUCKET, "grants": []}),
}
