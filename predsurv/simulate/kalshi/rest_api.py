"""Kalshi's REST API: a pure function of the markets, from path and query to status and body."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any, Final, NamedTuple

import msgspec

from predsurv.simulate.kalshi.candles import PERIODS
from predsurv.simulate.kalshi.markets import KalshiBook, KalshiListing, KalshiMarkets, contracts_text, dollars_text
from predsurv.simulate.kalshi.rest_rows import event_metadata, event_row, market_row, market_status, series_rows

Query = Mapping[str, Sequence[str]]

BOOKS_MAX: Final = 100
_DIGITS_MAX: Final = 14
_LIMIT_MAX: Final = {"markets": 1_000, "events": 200, "trades": 1_000}
_LIMIT_DEFAULT: Final = {"markets": 100, "events": 200, "trades": 100}
_STATUS_FILTERS: Final = {
    "unopened": {"initialized"},
    "open": {"active"},
    "paused": {"inactive"},
    "closed": {"closed", "determined", "disputed", "amended"},
    "settled": {"finalized"},
}
_CUTOFFS: Final = (
    "market_settled_ts",
    "trades_created_ts",
    "orders_updated_ts",
    "market_positions_last_updated_ts",
)
_FIRST_DAY: Final = "2021-07-01T00:00:00Z"
"""Everything is later, so nothing is history."""
_NEVER: Final = 1 << 62
_TIMES: Final[tuple[tuple[str, Callable[[KalshiListing], int | None]], ...]] = (
    ("created_ts", lambda listed: listed.created_at),
    ("updated_ts", lambda listed: listed.updated_at),
    ("close_ts", lambda listed: listed.market.close_time),
    ("settled_ts", lambda listed: listed.settled_at),
)
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
            return _ok({"orderbook_fp": _book_levels(markets.books[ticker], _depth(query))})
        case ["", "markets", ticker] | ["", "historical", "markets", ticker]:
            return _one_market(markets, ticker)
        case ["", "series", _, "markets", ticker, "candlesticks"] if ticker in markets.listed:
            return _market_candles(markets, ticker, query)
        case ["", "series", name] if rows := [row for row in series_rows(markets) if row["ticker"] == name]:
            return _ok({"series": rows[0]})
        case ["", "events", name]:
            return _one_event(markets, name, query)
        case ["", "events", name, "metadata"]:
            return _event_metadata(markets, name)
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
    for ticker, listed in _matching(markets, query):
        yield market_row(listed, markets.books[ticker], market_status(listed))


def _matching(markets: KalshiMarkets, query: Query) -> Iterable[tuple[str, KalshiListing]]:
    """Yield the markets that fit the filters of ``/markets``."""
    wanted = _STATUS_FILTERS.get(_one(query, "status"))
    named = {ticker for names in query.get("tickers", ()) for ticker in names.split(",") if ticker}
    event, series = _one(query, "event_ticker"), _one(query, "series_ticker")
    bounds = [
        (_seconds(query, f"min_{name}"), _seconds(query, f"max_{name}") or _NEVER, value) for name, value in _TIMES
    ]
    if _one(query, "mve_filter") == "only":
        return
    for ticker, listed in markets.listed.items():
        if (
            (not named or ticker in named)
            and (not event or listed.event == event)
            and (not series or listed.series == series)
            and all(low <= (value(listed) or 0) <= high for low, high, value in bounds)
            and (wanted is None or market_status(listed) in wanted)
        ):
            yield ticker, listed


def _trades(markets: KalshiMarkets, query: Query) -> Iterable[dict[str, Any]]:
    ticker, since = _one(query, "ticker"), _seconds(query, "min_ts") // 1_000_000
    until = (_seconds(query, "max_ts") or _NEVER) // 1_000_000
    for body in markets.trades:
        if body["ts_ms"] < since:
            break
        if body["ts_ms"] <= until and (not ticker or body["market_ticker"] == ticker):
            row = {key: value for key, value in body.items() if key not in ("market_ticker", "ts", "ts_ms")}
            yield {**row, "ticker": body["market_ticker"], "created_time": _precise(body["ts_ms"])}


def _events(markets: KalshiMarkets, query: Query) -> Iterable[dict[str, Any]]:
    named = {each for names in query.get("tickers", ()) for each in names.split(",") if each}
    filters = {name: values for name, values in query.items() if name in ("series_ticker", "status", "min_close_ts")}
    by_event: dict[str, list[KalshiListing]] = {}
    for _, listed in _matching(markets, filters):
        if listed.event in named if named else (not listed.result or "status" in filters):
            by_event.setdefault(listed.event, []).append(listed)
    for rows in by_event.values():
        yield _event(markets, rows, nested=_one(query, "with_nested_markets") == "true")


def _event(markets: KalshiMarkets, rows: Sequence[KalshiListing], *, nested: bool) -> dict[str, Any]:
    found = event_row(rows[0])
    return found | {"markets": _rows(markets, rows)} if nested else found


def _rows(markets: KalshiMarkets, rows: Iterable[KalshiListing]) -> list[dict[str, Any]]:
    return [market_row(listed, markets.books[listed.ticker], market_status(listed)) for listed in rows]


def _one_event(markets: KalshiMarkets, name: str, query: Query) -> RestResponse:
    rows = [listed for listed in markets.listed.values() if listed.event == name]
    if not rows:
        return _error(404, "not_found")
    nested = _one(query, "with_nested_markets") == "true"
    found = {"event": _event(markets, rows, nested=nested)}
    return _ok(found if nested else found | {"markets": _rows(markets, rows)})


def _event_metadata(markets: KalshiMarkets, name: str) -> RestResponse:
    rows = [listed for listed in markets.listed.values() if listed.event == name]
    return _ok(event_metadata(rows)) if rows else _error(404, "not_found")


def _one_market(markets: KalshiMarkets, ticker: str) -> RestResponse:
    listed = markets.listed.get(ticker)
    return _error(404, "not_found") if listed is None else _ok({"market": _rows(markets, [listed])[0]})


def _candles(markets: KalshiMarkets, tickers: Sequence[str], query: Query) -> list[dict[str, Any]] | None:
    """Return the candles of each market, None where the times or the period are none."""
    texts = [_one(query, name) for name in ("start_ts", "end_ts", "period_interval")]
    if not all(text.isascii() and text.isdigit() and len(text) < 12 for text in texts):
        return None
    start, end, period = (int(text) for text in texts)
    if period not in PERIODS or start > end:
        return None
    return [
        {"market_ticker": ticker, "candlesticks": markets.candles.candles(ticker, start, end, period)}
        for ticker in tickers
    ]


def _market_candles(markets: KalshiMarkets, ticker: str, query: Query) -> RestResponse:
    found = _candles(markets, [ticker], query)
    if found is None:
        return _error(400, "bad_request")
    return _ok({"ticker": ticker, "candlesticks": found[0]["candlesticks"]})


def _batch_candles(markets: KalshiMarkets, query: Query) -> RestResponse:
    tickers = [name for text in query.get("market_tickers", ()) for name in text.split(",") if name in markets.listed]
    found = _candles(markets, tickers[:BOOKS_MAX], query)
    return _error(400, "bad_request") if found is None else _ok({"markets": found})


def _one(query: Query, name: str) -> str:
    """Return the first value of a parameter, "" without it."""
    return next(iter(query.get(name, ())), "")


def _series(markets: KalshiMarkets, query: Query) -> Iterable[dict[str, Any]]:
    category = _one(query, "category")
    return (row for row in series_rows(markets) if not category or row["category"] == category)


def _depth(query: Query) -> int:
    """Return how many levels of a side are asked for, 0 for all."""
    text = _one(query, "depth")
    return int(text) if text.isascii() and text.isdigit() and len(text) < 4 else 0


def _book_levels(book: KalshiBook, depth: int = 0) -> dict[str, list[list[str]]]:
    """Return the best ``depth`` levels of both sides (0: all), prices ascending; an empty side is an empty list."""
    return {
        f"{name}_dollars": [[dollars_text(price), contracts_text(sizes[price])] for price in sorted(sizes)[-depth:]]
        for name, sizes in (("yes", book.yes), ("no", book.no))
    }


def _page(name: str, rows: Sequence[dict[str, Any]], query: Query) -> RestResponse:
    limit = next(iter(query.get("limit", (str(_LIMIT_DEFAULT[name]),))))
    cursor = next(iter(query.get("cursor", ("c0",))))
    if not _is_number(limit) or not _is_number(cursor[1:]):
        return _error(400, "bad_request")
    start = int(cursor[1:])
    stop = start + min(max(int(limit), 1), _LIMIT_MAX[name])
    return _ok({name: rows[start:stop], "cursor": f"c{stop}" if stop < len(rows) else ""})


def _precise(ms: int) -> str:
    moment = datetime.fromtimestamp(ms // 1_000, UTC).strftime("%Y-%m-%dT%H:%M:%S")
    return f"{moment}.{ms % 1_000:03d}000Z"


def _seconds(query: Query, name: str) -> int:
    """Return a parameter in unix seconds as ns UTC, 0 without it."""
    text = next(iter(query.get(name, ("0",))))
    return int(text) * 10**9 if _is_number(text) else 0


def _is_number(text: str) -> bool:
    return text.isascii() and text.isdigit() and len(text) < _DIGITS_MAX


def _ok(value: Mapping[str, Any]) -> RestResponse:
    return RestResponse(200, msgspec.json.encode(value))


def _error(status: int, code: str) -> RestResponse:
    return RestResponse(status, msgspec.json.encode({"error": {"code": code, "message": code.replace("_", " ")}}))


_ROUTES: Final[dict[str, Callable[[KalshiMarkets, Query], RestResponse]]] = {
    "/markets": lambda markets, query: _page("markets", [*_markets(markets, query)], query),
    "/markets/trades": lambda markets, query: _page("trades", [*_trades(markets, query)], query),
    "/markets/orderbooks": _books,
    "/events": lambda markets, query: _page("events", [*_events(markets, query)], query),
    "/series": lambda markets, query: _ok({"series": [*_series(markets, query)]}),
    "/series/fee_changes": lambda markets, _: _ok({"series_fee_change_arr": markets.fee_changes}),
    "/events/fee_changes": lambda markets, _: _ok({"event_fee_changes": markets.event_fee_changes, "cursor": ""}),
    "/markets/candlesticks": _batch_candles,
    "/historical/markets": lambda _, query: _page("markets", [], query),
    "/historical/trades": lambda _, query: _page("trades", [], query),
    "/historical/cutoff": lambda *_: _ok(dict.fromkeys(_CUTOFFS, _FIRST_DAY)),
    "/account/endpoint_costs": lambda *_: _ok({"default_cost": 10, "endpoint_costs": []}),
    "/exchange/status": lambda markets, _: _ok(markets.trading.status()),
    "/exchange/schedule": lambda markets, _: _ok(markets.trading.schedule()),
    "/api_keys": lambda *_: _ok({"api_keys": [], "api_key_region_expiration_ts": None}),
    "/account/limits": lambda *_: _ok({"usage_tier": "basic", "read": _BUCKET, "write": _BUCKET, "grants": []}),
}
