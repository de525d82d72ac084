"""Rows of markets, events and series as REST writes them."""

from collections.abc import Iterable
from datetime import UTC, datetime
from typing import Any, Final

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

_STATUS_OF: Final = {
    "created": "initialized",
    "active": "active",
    "paused": "inactive",
    "closed": "closed",
    "disputed": "disputed",
    "resolved": "finalized",
    "void": "finalized",
}
_SOURCES: Final = [{"name": "Made up", "url": "https://example.com/source"}]
_NEVER: Final = 4_102_444_800 * 10**9
"""The close time of a market without one, ns UTC: the venue has one for every market."""


def market_status(listed: KalshiListing) -> str:
    """Return the status of a market as the venue writes it."""
    if listed.result:
        return "determined" if listed.settled_at is None else "finalized"
    return _STATUS_OF[listed.market.status]


def market_row(listed: KalshiListing, book: KalshiBook, status: str) -> dict[str, Any]:
    """Return a market; ``status`` as the venue writes it."""
    market = listed.market
    bid, no_bid = max(book.yes, default=0), max(book.no, default=0)
    ask = MICROS - no_bid if no_bid else MICROS
    close = iso_text(_NEVER if market.close_time is None else market.close_time)
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
        "created_time": iso_text(listed.created_at),
        "updated_time": iso_text(listed.updated_at),
        "open_time": iso_text(max(listed.created_at, market.fetched_at)),
        "close_time": close,
        "yes_bid_dollars": dollars_text(bid),
        "yes_bid_size_fp": contracts_text(book.yes.get(bid, 0)),
        "yes_ask_dollars": dollars_text(ask),
        "yes_ask_size_fp": contracts_text(book.no.get(no_bid, 0)),
        "last_price_dollars": dollars_text(listed.last_price),
        "no_bid_dollars": dollars_text(no_bid),
        "no_ask_dollars": dollars_text(MICROS - bid if bid else MICROS),
        "previous_yes_bid_dollars": dollars_text(0),
        "previous_yes_ask_dollars": dollars_text(0),
        "previous_price_dollars": dollars_text(0),
        "notional_value_dollars": "1.0000",
        "no_sub_title": listed.outcome.label if listed.is_multi_outcome else "",
        "latest_expiration_time": close,
        "settlement_timer_seconds": 1,
        "can_close_early": True,
        "expiration_value": "",
        "volume_fp": contracts_text(volume),
        "volume_24h_fp": contracts_text((market.volume_24h or 0) // 10_000 + listed.contracts_traded),
        "open_interest_fp": contracts_text((market.open_interest or 0) // 10_000),
        "result": listed.result,
        "settlement_value_dollars": None if listed.payout is None else dollars_text(listed.payout),
        "settlement_ts": iso_text(listed.settled_at),
        "rules_primary": market.description or "",
        "rules_secondary": "",
        "price_level_structure": "linear_cent",
        "price_ranges": price_ranges(market.tick_size),
    }


def event_row(listed: KalshiListing) -> dict[str, Any]:
    """Return the event of a market; of those that exclude each other one pays, and only these return collateral."""
    is_exclusive = listed.is_multi_outcome or listed.market.mutually_exclusive
    return {
        "event_ticker": listed.event,
        "series_ticker": listed.series,
        "title": listed.market.description or listed.market.question,
        "sub_title": "",
        "category": listed.market.category or "",
        "mutually_exclusive": is_exclusive,
        "collateral_return_type": "MECNET" if is_exclusive else "",
        "settlement_sources": _SOURCES,
        "last_updated_ts": iso_text(listed.updated_at),
        "exchange_index": listed.exchange_index,
    }


def event_metadata(rows: Iterable[KalshiListing]) -> dict[str, Any]:
    """Return the pictures of an event, of which there are none."""
    details = [{"market_ticker": listed.ticker, "image_url": "", "color_code": ""} for listed in rows]
    return {"image_url": "", "market_details": details, "settlement_sources": _SOURCES}


def series_rows(markets: KalshiMarkets) -> Iterable[dict[str, Any]]:
    """Yield every series that has a market."""
    by_name = {listed.series: listed for listed in markets.listed.values()}
    for name, listed in by_name.items():
        fee = series_fee(listed)
        category = listed.market.category or ""
        yield {
            "ticker": name,
            "title": name,
            "frequency": "custom",
            "category": category,
            "categories": [category] if category else [],
            "tags": [*listed.market.tags],
            "settlement_sources": _SOURCES,
            "contract_url": "https://example.com/contract",
            "contract_terms_url": "https://example.com/terms",
            "fee_type": fee.fee_type,
            "fee_multiplier": int(fee.multiplier),
            "last_updated_ts": iso_text(listed.updated_at),
            "exchange_index": listed.exchange_index,
        }


def iso_text(ns: int | None) -> str | None:
    """Return a time (ns UTC) to the second, None for none."""
    if ns is None:
        return None
    return datetime.fromtimestamp(ns // 10**9, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
