"""What the simulator answers to REST requests, from the world alone.

Kept apart from the server because it has no socket and no clock: a path and a query in, a status
and a body out.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any, Final, NamedTuple

import msgspec

from predsurv.core.num import MICROS
from predsurv.simulate.kalshi.markets import (
    KalshiBook,
    KalshiMarkets,
    KalshiMarketState,
    contracts,
    dollars,
    fee_kind,
    ranges,
)

Query = Mapping[str, Sequence[str]]

BOOKS_MAX: Final = 100
_ROWS_MAX: Final = {"markets": 1_000, "events": 200, "trades": 1_000}
_ROWS: Final = {"markets": 100, "events": 200, "trades": 100}
_STATUS: Final = {
    "created": "initialized",
    "active": "active",
    "paused": "inactive",
    "closed": "closed",
    "disputed": "disputed",
    "resolved": "finalized",
    "void": "finalized",
}
_FILTERS: Final = {
    "unopened": {"initialized"},
    "open": {"active"},
    "paused": {"inactive"},
    "closed": {"closed", "determined", "disputed", "amended"},
    "settled": {"finalized"},
}
_BUCKET: Final = {"refill_rate": 200, "bucket_capacity": 600}


class RestAnswer(NamedTuple):
    """A status and a JSON body."""

    status: int
    body: bytes


def answer(world: KalshiMarkets, path: str, query: Query) -> RestAnswer:
    """Return the answer to ``GET path`` (below the version prefix)."""
    route = _ROUTES.get(path.rstrip("/"))
    if route is not None:
        return route(world, query)
    match path.split("/"):
        case ["", "markets", ticker, "orderbook"] if ticker in world.books:
            return _ok({"orderbook_fp": _ladder(world.books[ticker])})
        case _:
            return _error(404, "not_found")


def refusal(status: int) -> RestAnswer:
    """Return how the venue refuses with ``status``."""
    codes = {401: "token_authentication_failure", 429: "too_many_requests"}
    return _error(status, codes.get(status, "internal_server_error"))


def _books(world: KalshiMarkets, query: Query) -> RestAnswer:
    tickers = query.get("tickers", ())
    if not 0 < len(tickers) <= BOOKS_MAX:
        return _error(400, "bad_request")
    known = [ticker for ticker in tickers if ticker in world.books]
    return _ok({"orderbooks": [{"ticker": ticker, "orderbook_fp": _ladder(world.books[ticker])} for ticker in known]})


def _markets(world: KalshiMarkets, query: Query) -> Iterable[dict[str, Any]]:
    wanted = _FILTERS.get(next(iter(query.get("status", ("",)))))
    named = {ticker for names in query.get("tickers", ()) for ticker in names.split(",") if ticker}
    for ticker, listed in world.listed.items():
        if named and ticker not in named:
            continue
        status = "finalized" if listed.result else _STATUS[listed.market.status]
        if wanted is None or status in wanted:
            yield _market(listed, world.books[ticker], status)


def _market(listed: KalshiMarketState, book: KalshiBook, status: str) -> dict[str, Any]:
    market = listed.market
    bid, no_bid = max(book.yes, default=0), max(book.no, default=0)
    ask = MICROS - no_bid if no_bid else MICROS
    traded = (market.volume or 0) // 10_000 + listed.traded
    return {
        "ticker": listed.ticker,
        "event_ticker": listed.event,
        "market_type": "binary",
        "status": status,
        "title": market.question,
        "yes_sub_title": listed.outcome.label if listed.several else "",
        "open_time": _date(market.fetched_at),
        "close_time": _date(market.close_time),
        "yes_bid_dollars": dollars(bid),
        "yes_bid_size_fp": contracts(book.yes.get(bid, 0)),
        "yes_ask_dollars": dollars(ask),
        "yes_ask_size_fp": contracts(book.no.get(no_bid, 0)),
        "no_bid_dollars": dollars(no_bid),
        "no_ask_dollars": dollars(MICROS - bid if bid else MICROS),
        "volume_fp": contracts(traded),
        "volume_24h_fp": contracts((market.volume_24h or 0) // 10_000 + listed.traded),
        "open_interest_fp": contracts((market.open_interest or 0) // 10_000),
        "result": listed.result,
        "settlement_value_dollars": None if listed.payout is None else dollars(listed.payout),
        "settlement_ts": _date(listed.settled),
        "rules_primary": market.description or "",
        "rules_secondary": "",
        "price_level_structure": "linear_cent",
        "price_ranges": ranges(market.tick_size),
    }


def _trades(world: KalshiMarkets, query: Query) -> Iterable[dict[str, Any]]:
    only = next(iter(query.get("ticker", ("",))))
    for body in world.trades:
        if not only or body["market_ticker"] == only:
            row = {key: value for key, value in body.items() if key not in ("market_ticker", "ts", "ts_ms")}
            yield {**row, "ticker": body["market_ticker"], "created_time": _date(body["ts_ms"] * 1_000_000)}


def _events(world: KalshiMarkets) -> Iterable[dict[str, Any]]:
    seen = set()
    for listed in world.listed.values():
        if listed.event not in seen and not listed.result:
            seen.add(listed.event)
            yield {
                "event_ticker": listed.event,
                "series_ticker": listed.series,
                "title": listed.market.description or listed.market.question,
                "category": listed.market.category or "",
                "mutually_exclusive": listed.several or listed.market.mutually_exclusive,
                "collateral_return_type": "MECNET" if listed.several else "",
            }


def _series(world: KalshiMarkets) -> Iterable[dict[str, Any]]:
    by_name = {listed.series: listed for listed in world.listed.values()}
    for name, listed in by_name.items():
        kind, times = fee_kind(listed)
        yield {
            "ticker": name,
            "title": name,
            "category": listed.market.category or "",
            "tags": [*listed.market.tags],
            "fee_type": kind,
            "fee_multiplier": int(times),
        }


def _ladder(book: KalshiBook) -> dict[str, list[list[str]]]:
    """Return both sides, ascending; an empty one is an empty list."""
    return {
        f"{name}_dollars": [[dollars(price), contracts(sizes[price])] for price in sorted(sizes)]
        for name, sizes in (("yes", book.yes), ("no", book.no))
    }


def _page(name: str, rows: Sequence[dict[str, Any]], query: Query) -> RestAnswer:
    limit = next(iter(query.get("limit", (str(_ROWS[name]),))))
    cursor = next(iter(query.get("cursor", ("c0",))))
    if not limit.isdigit() or not cursor[1:].isdigit():
        return _error(400, "bad_request")
    start = int(cursor[1:])
    stop = start + min(max(int(limit), 1), _ROWS_MAX[name])
    return _ok({name: rows[start:stop], "cursor": f"c{stop}" if stop < len(rows) else ""})


def _date(ns: int | None) -> str | None:
    if ns is None:
        return None
    return datetime.fromtimestamp(ns // 10**9, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def _ok(value: Mapping[str, Any]) -> RestAnswer:
    return RestAnswer(200, msgspec.json.encode(value))


def _error(status: int, code: str) -> RestAnswer:
    return RestAnswer(status, msgspec.json.encode({"error": {"code": code, "message": code.replace("_", " ")}}))


_ROUTES: Final[dict[str, Callable[[KalshiMarkets, Query], RestAnswer]]] = {
    "/markets": lambda world, query: _page("markets", [*_markets(world, query)], query),
    "/markets/trades": lambda world, query: _page("trades", [*_trades(world, query)], query),
    "/markets/orderbooks": _books,
    "/events": lambda world, query: _page("events", [*_events(world)], query),
    "/series": lambda world, _: _ok({"series": [*_series(world)]}),
    "/series/fee_changes": lambda *_: _ok({"series_fee_change_arr": []}),
    "/exchange/status": lambda *_: _ok({"exchange_active": True, "trading_active": True}),
    "/account/limits": lambda *_: _ok({"usage_tier": "basic", "read": _BUCKET, "write": _BUCKET, "grants": []}),
}
