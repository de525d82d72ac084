"""The routes that read the account: balance, orders, fills, positions, settlements, places in the queue."""

from collections.abc import Callable, Mapping, Sequence
from typing import Final, TypeVar

from predsurv.core.num import MICROS
from predsurv.exchange.book import queue_ahead
from predsurv.simulate.kalshi.markets import KalshiMarkets, contracts_text
from predsurv.simulate.kalshi.rest_api import RestResponse
from predsurv.simulate.kalshi.trading.account_rows import (
    Json,
    fill_row,
    money_text,
    order_row,
    position_row,
    settlement_row,
)
from predsurv.simulate.kalshi.trading.order_desk import KalshiDesk
from predsurv.simulate.kalshi.trading.order_routes import error_response, ok
from predsurv.simulate.kalshi.trading.orders import HUNDREDTH, KalshiOrder, OrderError

LIMIT_MAX: Final = 1_000
LIMIT_DEFAULT: Final = 100
_CENT: Final = 10_000
_DIGITS_MAX: Final = 14
_S: Final = 1_000_000_000

Query = Mapping[str, Sequence[str]]
_Row = TypeVar("_Row")


class PortfolioRoutes:
    """Reads the account of ``desk``."""

    def __init__(self, desk: KalshiDesk, markets: KalshiMarkets) -> None:
        self._desk = desk
        self._markets = markets

    def balance(self, _: Query) -> RestResponse:
        """Return the cash that no resting order needs, in cents and in dollars, and what the positions cost."""
        account = self._desk.account
        value = sum(position.cost for position in account.positions.values())
        breakdown = [{"exchange_index": 0, "balance": money_text(account.cash)}]
        return ok(
            {
                "balance": account.cash // _CENT,
                "balance_dollars": money_text(account.cash),
                "portfolio_value": value // _CENT,
                "updated_ts": self._desk.exchange.now // _S,
                "balance_breakdown": breakdown,
            }
        )

    def orders(self, query: Query) -> RestResponse:
        """Return a page of the orders, newest first."""
        status, ticker, event = (first(query, name) for name in ("status", "ticker", "event_ticker"))
        low, high = seconds(query, "min_ts"), seconds(query, "max_ts")
        found = [
            order
            for order in reversed(self._desk.account.orders.values())
            if (not status or order.status == status)
            and (not ticker or order.request.ticker == ticker)
            and (not event or order.listing.event == event)
            and low <= order.created // _S <= high
        ]
        return page("orders", found, query, order_row)

    def order(self, order_id: str) -> RestResponse:
        """Return one order."""
        found = self._desk.account.orders.get(order_id)
        return error_response(OrderError(404, "not_found")) if found is None else ok({"order": order_row(found)})

    def fills(self, query: Query) -> RestResponse:
        """Return a page of the fills, newest first."""
        order_id, ticker = first(query, "order_id"), first(query, "ticker")
        low, high = seconds(query, "min_ts"), seconds(query, "max_ts")
        found = [
            fill
            for fill in reversed(self._desk.account.fills)
            if (not order_id or fill.order.order_id == order_id)
            and (not ticker or fill.order.request.ticker == ticker)
            and low <= fill.ts // _S <= high
        ]
        return page("fills", found, query, fill_row)

    def positions(self, query: Query) -> RestResponse:
        """Return the positions by market and by event."""
        ticker, event = first(query, "ticker"), first(query, "event_ticker")
        markets: list[Json] = []
        events: dict[str, list[int]] = {}
        for name, position in self._desk.account.positions.items():
            listing = self._markets.listed[name]
            if (ticker and name != ticker) or (event and listing.event != event):
                continue
            markets.append(position_row(name, position, listing.exchange_index))
            sums = events.setdefault(listing.event, [0, 0, 0, 0])
            parts = (position.cost, abs(position.count), position.realized, position.fees)
            events[listing.event] = [total + part for total, part in zip(sums, parts, strict=True)]
        rows = [
            {
                "event_ticker": name,
                "total_cost_dollars": money_text(cost),
                "total_cost_shares_fp": contracts_text(count),
                "event_exposure_dollars": money_text(cost),
                "realized_pnl_dollars": money_text(realized),
                "fees_paid_dollars": money_text(fees),
            }
            for name, (cost, count, realized, fees) in events.items()
        ]
        return ok({"market_positions": markets, "event_positions": rows, "cursor": ""})

    def settlements(self, query: Query) -> RestResponse:
        """Return a page of the settlements, newest first."""
        ticker = first(query, "ticker")
        low, high = seconds(query, "min_ts"), seconds(query, "max_ts")
        found = [
            each
            for each in reversed(self._desk.account.settlements)
            if (not ticker or each.ticker == ticker) and low <= each.ts // _S <= high
        ]
        return page("settlements", found, query, settlement_row)

    def queue_positions(self, query: Query) -> RestResponse:
        """Return how many contracts are before each resting order."""
        tickers = {part for text in query.get("market_tickers", ()) for part in text.split(",") if part}
        event = first(query, "event_ticker")
        rows = [
            {
                "order_id": order.order_id,
                "market_ticker": order.request.ticker,
                "queue_position_fp": contracts_text(_ahead(order)),
            }
            for order in self._desk.account.live()
            if (not tickers or order.request.ticker in tickers) and (not event or order.listing.event == event)
        ]
        return ok({"queue_positions": rows})

    def queue_position(self, order_id: str) -> RestResponse:
        """Return how many contracts are before one resting order."""
        order = self._desk.account.orders.get(order_id)
        if order is None or not order.is_live:
            return error_response(OrderError(404, "not_found"))
        return ok({"queue_position_fp": contracts_text(_ahead(order))})


def first(query: Query, name: str) -> str:
    """Return the first value of a parameter, "" without it."""
    return next(iter(query.get(name, ())), "")


def seconds(query: Query, name: str) -> int:
    """Return a time in seconds: without ``min_…`` 0, without ``max_…`` a time that never comes."""
    text = first(query, name)
    return int(text) if _is_number(text) else 0 if name.startswith("min") else MICROS**3


def page(name: str, rows: Sequence[_Row], query: Query, write: Callable[[_Row], Json]) -> RestResponse:
    """Return a page of ``rows``; the cursor is the number of the row after it."""
    limit_text, cursor = first(query, "limit"), first(query, "cursor")
    limit = min(max(int(limit_text) if _is_number(limit_text) else LIMIT_DEFAULT, 1), LIMIT_MAX)
    start = int(cursor) if _is_number(cursor) else 0
    end = start + limit
    return ok({name: [write(row) for row in rows[start:end]], "cursor": str(end) if end < len(rows) else ""})


def _is_number(text: str) -> bool:
    return text.isascii() and text.isdigit() and len(text) < _DIGITS_MAX


def _ahead(order: KalshiOrder) -> int:
    return 0 if order.resting is None else queue_ahead(order.instrument.book, order.resting) // HUNDREDTH
