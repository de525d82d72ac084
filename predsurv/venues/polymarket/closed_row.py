"""A market that is over as Gamma lists it: its record, when it opened and closed, and what it pays.

Separate from ``gamma_row``, whose fields every scan reads of every market.
"""

from typing import Final

import msgspec
from msgspec import Raw, Struct
from msgspec.structs import replace

from predsurv.core.errors import WireError
from predsurv.core.events import MarketResolved
from predsurv.core.market import Market
from predsurv.venues.parsing import parse_date
from predsurv.venues.polymarket.gamma_row import NULL, read_leniently, read_row, texts
from predsurv.venues.polymarket.market_parser import is_over, parse_market
from predsurv.venues.polymarket.rest import ClobMarket, ClobToken
from predsurv.venues.polymarket.settlement import settlement

_SETTLED: Final = frozenset({"resolved", "settled"})


class _ClosedFields(Struct, rename="camel", gc=False):
    """``{"closedTime":"2026-09-08 09:00:12+00","acceptingOrdersTimestamp":"2026-09-07T09:00:00Z",
    "startDate":"…","createdAt":"…","outcomePrices":"[\\"1\\", \\"0\\"]","umaResolutionStatus":"resolved",…}``
    """

    closed_time: str | None = None
    accepting_orders_timestamp: str | None = None
    start_date: str | None = None
    created_at: str | None = None
    outcome_prices: Raw = NULL
    uma_resolution_status: str | None = None
    resolution_status: str | None = None


class ClosedMarket(Struct, frozen=True):
    """``market``: its record. ``opened`` and ``closed``: ns UTC, None where that is not stated.

    ``resolved``: its settlement, None while it is not known what it pays.
    """

    market: Market
    opened: int | None
    closed: int | None
    resolved: MarketResolved | None


def created_at(raw: Raw) -> int | None:
    """Return when the market of a row was made (ns UTC), None where that is not stated or unreadable."""
    return parse_date(_fields(raw).created_at)


def opened_at(raw: Raw) -> int | None:
    """Return when the market of a row opened (ns UTC), as far as it is stated."""
    told = _fields(raw)
    starts = (told.accepting_orders_timestamp, told.start_date, told.created_at)
    return next((each for each in map(parse_date, starts) if each is not None), None)


def closed_at(raw: Raw) -> int | None:
    """Return when the market of a row closed (ns UTC), None where that is not stated or unreadable."""
    return parse_date(_fields(raw).closed_time)


def read_closed(raw: Raw, now: int) -> ClosedMarket | None:
    """Return the market of a row, None when it is not over or is no market that can be recorded.

    Raises WireError, ValueError or RecursionError.
    """
    read = read_row(raw)
    market = parse_market(read, now).market
    if market is None or not is_over(read.row):
        return None
    told = _fields(raw)
    closed = parse_date(told.closed_time)
    return ClosedMarket(market, opened_at(raw), closed, _settled(told, market, now, closed))


def _settled(told: _ClosedFields, market: Market, now: int, closed: int | None) -> MarketResolved | None:
    """Return the settlement where the venue says that there is one and the prices are evidence of it."""
    if _SETTLED.isdisjoint((told.uma_resolution_status, told.resolution_status)):
        return None
    try:
        prices = texts(told.outcome_prices)
    except WireError:
        return None
    if len(prices) != len(market.outcomes):
        return None
    tokens = [
        ClobToken(each.instrument_id, price=Raw(msgspec.json.encode(price)))
        for each, price in zip(market.outcomes, prices, strict=True)
    ]
    resolved = settlement(ClobMarket(closed=True, tokens=tokens), market.market_id, (), now)
    return None if resolved is None else replace(resolved, ts_venue=closed)


def _fields(raw: Raw) -> _ClosedFields:
    """Return what can be read of a row; nothing where it is no object."""
    try:
        return _read_fields(raw)
    except (ValueError, RecursionError):
        pass
    try:
        return read_leniently(bytes(raw), _ClosedFields, {})
    except (ValueError, RecursionError):
        return _ClosedFields()


_read_fields: Final = msgspec.json.Decoder(_ClosedFields).decode
