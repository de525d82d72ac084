"""Decodes private channels and the portfolio into reports; what cannot be read is a report, too.

Reports are in YES, as the venue keeps its books: ``in_terms_of`` turns one into the NO of an order. One unreadable row
never costs the others, and nothing raises but what is no page at all.
"""

from collections.abc import Callable, Mapping
from typing import Final, NamedTuple, TypeVar

import msgspec
from msgspec import Raw, Struct
from msgspec.structs import replace

from predsurv.core.errors import WireError
from predsurv.core.events import MarketResolved, Unknown
from predsurv.core.ids import (
    ClientOrderId,
    InstrumentId,
    InstrumentKey,
    MarketId,
    OrderId,
    OrderSide,
    Side,
    TradeId,
)
from predsurv.core.num import MICROS, Money, Price, Size, complement, parse_micros, parse_signed_micros
from predsurv.core.text import sanitise
from predsurv.venues.account_reports import (
    AccountReport,
    OrderGroupReport,
    OrderReport,
    PositionReport,
    ReportedState,
    TradePart,
    TradeReport,
)
from predsurv.venues.kalshi.account.wire import (
    AccountBalance,
    FillBody,
    FillsPage,
    OneOrder,
    OrderGroupBody,
    OrdersPage,
    PositionBody,
    PositionsPage,
    PrivateFrame,
    SettlementBody,
    SettlementsPage,
    UserOrderBody,
)
from predsurv.venues.kalshi.market_parser import NO_SUFFIX, VENUE
from predsurv.venues.parsing import DETAIL_CHARS_MAX, checked_id, malformed, parse_date, parse_open_price, venue_time

ROWS_MAX: Final = 10_000
"""Most rows of one page."""

_UNREADABLE: Final = (WireError, ValueError, RecursionError)
_MS_PER_S: Final = 1_000
_CENTS: Final = 100
_STATES: Final[Mapping[str, ReportedState]] = {"resting": "open", "canceled": "cancelled", "executed": "filled"}
_SIDES: Final[Mapping[Side, OrderSide]] = {"bid": "buy", "ask": "sell"}

Read = Callable[[bytes | Raw, int], AccountReport]
Page = TypeVar("Page", bound=Struct)


class PortfolioPage(NamedTuple):
    """The rows of a page, and the cursor of the next one, None on the last page."""

    reports: tuple[AccountReport, ...]
    next_cursor: str | None


class Collateral(NamedTuple):
    """Cash of the account (micros), and of each shard where the venue says; an order needs it on its own shard."""

    cash: Money
    shards: Mapping[int, Money]


def decode_frame(frame: bytes, ts_recv: int) -> AccountReport:
    """Return what a frame of a private channel tells; acknowledgements and other channels are ``Unknown`` by type."""
    try:
        given = msgspec.json.decode(frame, type=PrivateFrame)
        read = _READERS.get(given.type)
        if read is None:
            return Unknown(VENUE, ts_recv, sanitise(given.type, DETAIL_CHARS_MAX))
        return read(given.msg, ts_recv)
    except _UNREADABLE as error:
        return malformed(VENUE, frame, error, ts_recv)


def orders_page(body: bytes, ts_recv: int) -> PortfolioPage:
    """Return the rows of ``GET /portfolio/orders``; raises WireError for no page."""
    page = _decoded(body, OrdersPage)
    return _page(page.orders, page.cursor, _order, ts_recv)


def fills_page(body: bytes, ts_recv: int) -> PortfolioPage:
    """Return the rows of ``GET /portfolio/fills``; raises WireError for no page."""
    page = _decoded(body, FillsPage)
    return _page(page.fills, page.cursor, _fill, ts_recv)


def positions_page(body: bytes, ts_recv: int) -> PortfolioPage:
    """Return the markets of ``GET /portfolio/positions``; raises WireError for no page."""
    page = _decoded(body, PositionsPage)
    return _page(page.market_positions, page.cursor, _position, ts_recv)


class SettledPage(NamedTuple):
    """What markets paid, and the cursor of the next page, None on the last one."""

    settlements: tuple[MarketResolved, ...]
    next_cursor: str | None


def settlements_page(body: bytes, ts_recv: int) -> SettledPage:
    """Return the rows of ``GET /portfolio/settlements``; raises WireError for no page.

    A row whose payout is not stated is left out: the cash that it brought is found by comparing.
    """
    page = _decoded(body, SettlementsPage)
    if len(page.settlements) > ROWS_MAX:
        raise WireError(f"a page of {len(page.settlements)} rows")
    found = (_settlement(row, ts_recv) for row in page.settlements)
    return SettledPage(tuple(each for each in found if each is not None), page.cursor or None)


def _settlement(row: SettlementBody, ts_recv: int) -> MarketResolved | None:
    paid = {"yes": MICROS, "no": 0}.get(row.market_result)
    if paid is None and row.value is not None and 0 <= row.value <= _CENTS:
        paid = row.value * (MICROS // _CENTS)
    if paid is None:
        return None
    key = _key(row.ticker)
    payouts = ((key.instrument_id, Price(paid)), (_no(key), Price(MICROS - paid)))
    return MarketResolved(VENUE, key.market_id, ts_recv, parse_date(row.settled_time), payouts)


def one_order(body: bytes, ts_recv: int) -> AccountReport:
    """Return the answer to ``GET /portfolio/orders/{id}``; raises WireError for no answer."""
    return _row(_decoded(body, OneOrder).order, ts_recv, _order)


def read_balance(body: bytes) -> Collateral:
    """Return the answer to ``GET /portfolio/balance``; raises WireError."""
    given = _decoded(body, AccountBalance)
    try:
        shards = {
            each.exchange_index: Money(parse_signed_micros(each.balance)) for each in given.balance_breakdown or ()
        }
        return Collateral(Money(parse_signed_micros(given.balance_dollars)), shards)
    except ValueError as error:
        raise WireError(f"not a balance: {sanitise(str(error), DETAIL_CHARS_MAX)}") from None


Report = TypeVar("Report", OrderReport, TradeReport)


def in_terms_of(report: Report, key: InstrumentKey) -> Report:
    """Return ``report`` in the instrument ``key``, that of an order, where that is the NO of its market."""
    if key.market_id != report.key.market_id or key.instrument_id != _no(report.key):
        return report
    side: OrderSide = "buy" if report.side == "sell" else "sell"
    if isinstance(report, OrderReport):
        return replace(report, key=key, side=side, price=complement(report.price))
    parts = tuple(TradePart(complement(part.price), part.size) for part in reversed(report.parts))
    return replace(report, key=key, side=side, parts=parts)


def _fill(raw: bytes | Raw, ts_recv: int) -> AccountReport:
    body = msgspec.json.decode(raw, type=FillBody)
    size = Size(parse_micros(body.count_fp))
    if size <= 0:
        raise WireError("a fill of no size")
    return TradeReport(
        _key(body.market_ticker or body.ticker),
        ts_recv,
        _time(body.ts_ms, body.ts, body.created_time),
        TradeId(checked_id(body.trade_id, "a trade's id")),
        OrderId(checked_id(body.order_id, "an order's id")),
        _SIDES[body.book_side],
        (TradePart(parse_open_price(body.yes_price_dollars), size),),
        maker=not body.is_taker,
        settlement="settled",
        fee=None if body.fee_cost is None else Money(parse_signed_micros(body.fee_cost)),
        client_order_id=_client_id(body.client_order_id),
    )


def _order(raw: bytes | Raw, ts_recv: int) -> AccountReport:
    body = msgspec.json.decode(raw, type=UserOrderBody)
    state = _STATES.get(body.status)
    if state is None:
        return Unknown(VENUE, ts_recv, sanitise(f"order {body.status}", DETAIL_CHARS_MAX))
    filled = parse_micros(body.fill_count_fp)
    # An amendment may have made an order greater than it was at first.
    size = max(parse_micros(body.initial_count_fp), filled + parse_micros(body.remaining_count_fp))
    return OrderReport(
        _key(body.ticker),
        ts_recv,
        _time(body.last_updated_ts_ms or body.created_ts_ms, None, body.last_update_time or body.created_time),
        OrderId(checked_id(body.order_id, "an order's id")),
        state,
        _SIDES[body.book_side],
        parse_open_price(body.yes_price_dollars),
        Size(size),
        Size(filled),
        _client_id(body.client_order_id),
        sanitise(body.last_update_reason or "", DETAIL_CHARS_MAX),
        body.exchange_index,
    )


def _position(raw: bytes | Raw, ts_recv: int) -> AccountReport:
    body = msgspec.json.decode(raw, type=PositionBody)
    size, key = parse_signed_micros(body.position_fp), _key(body.market_ticker or body.ticker)
    held = key if size >= 0 else InstrumentKey(VENUE, key.market_id, _no(key))
    return PositionReport(held, ts_recv, Size(abs(size)))


def _group(raw: bytes | Raw, ts_recv: int) -> AccountReport:
    body = msgspec.json.decode(raw, type=OrderGroupBody)
    return OrderGroupReport(
        ts_recv,
        venue_time(body.ts_ms),
        checked_id(body.order_group_id, "a group's id"),
        sanitise(body.event_type, DETAIL_CHARS_MAX),
        None if body.contracts_limit_fp is None else Size(parse_micros(body.contracts_limit_fp)),
    )


_READERS: Final[Mapping[str, Read]] = {
    "fill": _fill,
    "user_order": _order,
    "market_position": _position,
    "order_group_updates": _group,
}


def _decoded(body: bytes, kind: type[Page]) -> Page:
    try:
        return msgspec.json.decode(body, type=kind)
    except _UNREADABLE as error:
        raise WireError(f"not an answer about the portfolio: {sanitise(str(error), DETAIL_CHARS_MAX)}") from None


def _page(rows: list[Raw], cursor: str | None, read: Read, ts_recv: int) -> PortfolioPage:
    if len(rows) > ROWS_MAX:
        raise WireError(f"a page of {len(rows)} rows")
    return PortfolioPage(tuple(_row(row, ts_recv, read) for row in rows), cursor or None)


def _row(row: Raw, ts_recv: int, read: Read) -> AccountReport:
    try:
        return read(row, ts_recv)
    except _UNREADABLE as error:
        return malformed(VENUE, bytes(row), error, ts_recv)


def _key(ticker: str | None) -> InstrumentKey:
    checked = checked_id(ticker or "", "a ticker", suffix=NO_SUFFIX)
    return InstrumentKey(VENUE, MarketId(checked), InstrumentId(checked))


def _no(key: InstrumentKey) -> InstrumentId:
    return InstrumentId(f"{key.market_id}{NO_SUFFIX}")


def _client_id(text: str | None) -> ClientOrderId | None:
    return ClientOrderId(checked_id(text, "a client order id")) if text else None


def _time(ts_ms: int | None, ts_s: int | str | None, date: str | None) -> int | None:
    if ts_ms is None and isinstance(ts_s, int):
        ts_ms = ts_s * _MS_PER_S
    return parse_date(date) if ts_ms is None else venue_time(ts_ms)
