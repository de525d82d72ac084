"""Decodes the user channel and the account's pages of REST into reports; what cannot be read is a report, too.

One unreadable message or row never costs the others, and nothing raises.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Final, NamedTuple

import msgspec
from msgspec import Raw
from msgspec.structs import replace

from predsurv.config import Secret
from predsurv.core.errors import WireError
from predsurv.core.events import Unknown
from predsurv.core.ids import InstrumentId, InstrumentKey, MarketId, OrderId, OrderSide, TradeId, VenueName
from predsurv.core.num import MICROS, Money, Price, Size, parse_micros, parse_micros_floor
from predsurv.core.text import sanitise
from predsurv.venues.account_reports import (
    AccountReport,
    OrderReport,
    ReportedState,
    Settlement,
    TradePart,
    TradeReport,
)
from predsurv.venues.parsing import DETAIL_CHARS_MAX, checked_id, malformed, parse_date, parse_open_price, venue_time
from predsurv.venues.polymarket.account.wire import (
    AccountOrder,
    AccountPage,
    AccountTrade,
    BalanceBody,
    MakerPart,
    MessageKind,
)
from predsurv.venues.polymarket.wire import PONG

VENUE: Final = VenueName("polymarket")
LAST_PAGE: Final = "LTE="
MESSAGES_MAX: Final = 10_000
"""Most messages of one frame, and most rows of one page."""

_MS_FROM: Final = 100_000_000_000  # greater numbers are milliseconds, smaller ones seconds
_UNREADABLE: Final = (WireError, ValueError, RecursionError)
_SIDES: Final[Mapping[str, OrderSide]] = {"BUY": "buy", "SELL": "sell"}
_ORDER_TYPES: Final = frozenset({"PLACEMENT", "UPDATE", "CANCELLATION"})
_SETTLEMENTS: Final[Mapping[str, Settlement]] = {
    "MATCHED": "matched",
    "MATCHED_NOT_BROADCASTED": "matched",
    "MINED": "matched",
    "RETRYING": "matched",
    "CONFIRMED": "settled",
    "FAILED": "failed",
}
_STATES: Final[Mapping[str, ReportedState]] = {
    "LIVE": "open",
    "DELAYED": "open",
    "UNMATCHED": "open",
    "MATCHED": "filled",
}


class ReportPage(NamedTuple):
    """The rows of a page, and the cursor of the next one, None on the last page."""

    reports: tuple[AccountReport, ...]
    next_cursor: str | None


class CollateralBalance(NamedTuple):
    """Cash or shares (micros), and how much of it each contract may take, by its address in small letters."""

    balance: Money
    allowances: Mapping[str, int]


class AccountDecoder:
    """Decodes what concerns one account: ``owner`` is its API key, ``wallet`` the maker of its orders."""

    def __init__(self, owner: Secret, wallet: str) -> None:
        self._owner = owner
        self._wallet = wallet.lower()

    def frame(self, frame: bytes, ts_recv: int) -> list[AccountReport]:
        """Return what a frame of the user channel tells, in its order: one message, or an array of them."""
        if frame == PONG:
            return []
        try:
            messages = _split(frame)
        except _UNREADABLE as error:
            return [malformed(VENUE, frame, error, ts_recv)]
        return [report for message in messages for report in self._row(message, ts_recv, self._of_kind)]

    def orders_page(self, body: bytes, ts_recv: int) -> ReportPage:
        """Return the rows of ``GET /data/orders``, which has open orders only; raises WireError for no page."""
        return self._page(body, ts_recv, self._order)

    def trades_page(self, body: bytes, ts_recv: int) -> ReportPage:
        """Return the rows of ``GET /data/trades``; raises WireError for no page."""
        return self._page(body, ts_recv, self._trade)

    def order(self, body: bytes, ts_recv: int) -> list[AccountReport]:
        """Return the answer to ``GET /data/order/{id}``."""
        return self._row(body, ts_recv, self._order)

    def _page(self, body: bytes, ts_recv: int, read: Callable[[bytes | Raw, int], list[AccountReport]]) -> ReportPage:
        try:
            page = msgspec.json.decode(body, type=AccountPage)
        except (*_UNREADABLE, msgspec.DecodeError) as error:
            raise WireError(f"not a page of the account: {sanitise(str(error), DETAIL_CHARS_MAX)}") from None
        if len(page.data) > MESSAGES_MAX:
            raise WireError(f"a page of {len(page.data)} rows")
        reports = [report for row in page.data for report in self._row(row, ts_recv, read)]
        more = page.next_cursor if page.next_cursor not in ("", LAST_PAGE) else None
        return ReportPage(tuple(reports), more)

    def _row(
        self, row: bytes | Raw, ts_recv: int, read: Callable[[bytes | Raw, int], list[AccountReport]]
    ) -> list[AccountReport]:
        try:
            return read(row, ts_recv)
        except _UNREADABLE as error:
            return [malformed(VENUE, bytes(row), error, ts_recv)]

    def _of_kind(self, message: bytes | Raw, ts_recv: int) -> list[AccountReport]:
        kind = msgspec.json.decode(message, type=MessageKind)
        if kind.event_type == "order" or (kind.event_type is None and kind.type in _ORDER_TYPES):
            return self._order(message, ts_recv)
        if kind.event_type == "trade" or (kind.event_type is None and kind.type == "TRADE"):
            return self._trade(message, ts_recv)
        return [Unknown(VENUE, ts_recv, sanitise(kind.event_type or kind.type or "no type", DETAIL_CHARS_MAX))]

    def _order(self, message: bytes | Raw, ts_recv: int) -> list[AccountReport]:
        order = msgspec.json.decode(message, type=AccountOrder)
        size, filled = Size(parse_micros(order.original_size)), Size(_micros_or_zero(order.size_matched))
        status = (order.status or "").removeprefix("ORDER_STATUS_")
        return [
            OrderReport(
                _key(order.market, order.asset_id),
                ts_recv,
                _time(order.timestamp),
                OrderId(checked_id(order.id, "an order's id")),
                _state(order.type, status, is_whole=0 < size <= filled),
                _side(order.side),
                _stated_price(order.price),
                size,
                filled,
                reason=sanitise(status.removeprefix("CANCELED_"), DETAIL_CHARS_MAX),
            )
        ]

    def _trade(self, message: bytes | Raw, ts_recv: int) -> list[AccountReport]:
        trade = msgspec.json.decode(message, type=AccountTrade)
        status = trade.status.removeprefix("TRADE_STATUS_")
        if status not in _SETTLEMENTS:
            return [Unknown(VENUE, ts_recv, sanitise(f"trade {status}", DETAIL_CHARS_MAX))]
        ours: dict[str, list[MakerPart]] = {}
        for each in trade.maker_orders or ():
            if self._is_ours(each):
                ours.setdefault(each.order_id, []).append(each)
        reports = [_maker(trade, parts, _SETTLEMENTS[status], ts_recv) for parts in ours.values()]
        if trade.trader_side == "TAKER" or (trade.trader_side is None and trade.owner == self._owner.reveal()):
            reports.insert(0, _taker(trade, _SETTLEMENTS[status], ts_recv))
        if len(reports) > 1:
            reports = [_of_its_own(each) for each in reports]
        if not reports:
            raise WireError("a trade that none of our orders is in")
        return [*reports]

    def _is_ours(self, part: MakerPart) -> bool:
        return part.owner == self._owner.reveal() or (part.maker_address or "").lower() == self._wallet

    def __repr__(self) -> str:
        return f"AccountDecoder({self._wallet})"


def read_balance(body: bytes) -> CollateralBalance:
    """Return the answer to ``GET /balance-allowance``; a balance with a point is in dollars. Raises WireError."""
    try:
        given = msgspec.json.decode(body, type=BalanceBody)
        balance = parse_micros(given.balance) if "." in given.balance else _whole(given.balance)
        allowances = {name.lower(): _whole(text) for name, text in (given.allowances or {}).items()}
    except _UNREADABLE as error:
        raise WireError(f"not a balance: {sanitise(str(error), DETAIL_CHARS_MAX)}") from None
    return CollateralBalance(Money(balance), allowances)


def _taker(trade: AccountTrade, settlement: Settlement, ts_recv: int) -> TradeReport:
    side, size = _side(trade.side), Size(parse_micros(trade.size))
    return TradeReport(
        _key(trade.market, trade.asset_id),
        ts_recv,
        _trade_time(trade),
        TradeId(checked_id(trade.id, "a trade's id")),
        OrderId(checked_id(trade.taker_order_id, "an order's id")),
        side,
        _taken(trade, size) or (TradePart(parse_open_price(trade.price), _positive(size)),),
        maker=False,
        settlement=settlement,
    )


def _maker(trade: AccountTrade, parts: Sequence[MakerPart], settlement: Settlement, ts_recv: int) -> TradeReport:
    part, size = parts[0], Size(sum(parse_micros(each.matched_amount) for each in parts))
    return TradeReport(
        _key(trade.market, part.asset_id),
        ts_recv,
        _trade_time(trade),
        TradeId(checked_id(trade.id, "a trade's id")),
        OrderId(checked_id(part.order_id, "an order's id")),
        None if part.side is None else _side(part.side),
        (TradePart(parse_open_price(part.price), _positive(size)),),
        maker=True,
        settlement=settlement,
    )


def _of_its_own(report: TradeReport) -> TradeReport:
    """Return what of a trade belongs to one of several orders of ours in it, with an id that the others do not have.

    By the trade's id alone the second would be taken for the first, told again.
    """
    return replace(report, trade_id=TradeId(f"{report.trade_id}/{report.order_id}"))


def _taken(trade: AccountTrade, size: Size) -> tuple[TradePart, ...]:
    """Return what the taker paid by price, from the resting orders that it met; empty where they are not all named.

    A resting order in the other outcome at p was met at 1 − p.
    """
    parts: dict[Price, int] = {}
    for each in trade.maker_orders or ():
        price = parse_open_price(each.price)
        met = price if each.asset_id == trade.asset_id else Price(MICROS - price)
        parts[met] = parts.get(met, 0) + parse_micros(each.matched_amount)
    if sum(parts.values()) != size or size <= 0:
        return ()
    return tuple(TradePart(price, Size(parts[price])) for price in sorted(parts) if parts[price])


def _split(frame: bytes) -> Sequence[Raw]:
    if not frame.lstrip().startswith(b"["):
        return (msgspec.json.decode(frame, type=Raw),)
    messages = msgspec.json.decode(frame, type=list[Raw])
    if len(messages) > MESSAGES_MAX:
        raise WireError(f"a frame of {len(messages)} messages")
    return messages


def _state(kind: str | None, status: str, *, is_whole: bool) -> ReportedState:
    """Return the state of an order; a cancellation that met a whole order is one that is filled."""
    if kind == "CANCELLATION" or (kind is None and (status.startswith("CANCELED") or status == "INVALID")):
        return "filled" if is_whole else "cancelled"
    if is_whole:
        return "filled"
    if kind is not None:
        return "open"
    if status not in _STATES:
        raise WireError(f"an order that is {sanitise(status, 32)}")
    return _STATES[status]


def _key(market: str, token: str) -> InstrumentKey:
    return InstrumentKey(
        VENUE, MarketId(checked_id(market, "a market's id")), InstrumentId(checked_id(token, "a token's id"))
    )


def _side(text: str) -> OrderSide:
    side = _SIDES.get(text.upper())
    if side is None:
        raise WireError("a side that is neither BUY nor SELL")
    return side


def _stated_price(text: str) -> Price:
    """Return an order's price, cut after six decimals: the venue may state the quotient of the two amounts."""
    price = parse_micros_floor(text)
    if not 0 < price < MICROS:
        raise WireError("a price outside 0 … 1")
    return Price(price)


def _positive(size: Size) -> Size:
    if size <= 0:
        raise WireError("a trade of no size")
    return size


def _trade_time(trade: AccountTrade) -> int | None:
    for stamp in (trade.timestamp, trade.match_time):
        if (ts := _time(stamp)) is not None:
            return ts
    return parse_date(trade.match_time) if isinstance(trade.match_time, str) else None


def _time(stamp: str | int | None) -> int | None:
    text = str(stamp if stamp is not None else "")
    if not (text.isascii() and text.isdigit() and len(text) <= 16):
        return None
    number = int(text)
    return venue_time(number if number >= _MS_FROM else number * 1_000)


def _micros_or_zero(text: str) -> int:
    return parse_micros(text) if text else 0


def _whole(text: str) -> int:
    if not (text.isascii() and text.isdigit() and len(text) <= 80):
        raise WireError("not a whole number")
    return int(text)
