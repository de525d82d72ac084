"""What venues tell of an account, in one form for private channels and REST, and what it means for an order of ours.

A report names an order by the venue's id. Whoever knows the order of that id turns the report into account events here;
a report about an order that nobody knows is a finding of reconciliation.
"""

from typing import Final, Literal, NamedTuple

from msgspec import Struct
from msgspec.structs import replace

from predsurv.core.events import (
    AccountEvent,
    Fill,
    FillConfirmed,
    FillFailed,
    Malformed,
    Unknown,
)
from predsurv.core.fees import maker_fee, taker_fee
from predsurv.core.ids import ClientOrderId, InstrumentKey, OrderId, OrderSide, StrategyName, TradeId
from predsurv.core.market import FeeSchedule, settles_later
from predsurv.core.num import Money, Price, Size
from predsurv.core.orders import Order, OrderState

NOBODY: Final = StrategyName("-")
"""Whose orders and shares are that no strategy here ordered or bought."""

ReportedState = Literal["open", "filled", "cancelled"]

Settlement = Literal[
    "matched",  # agreed, and may still fail
    "settled",  # final
    "failed",  # it never happened
]


class OrderReport(Struct, frozen=True):
    """An order as the venue has it; prices and sizes in micros. ``reason``: why it was cancelled, harmless text."""

    key: InstrumentKey
    ts_recv: int
    ts_venue: int | None
    order_id: OrderId
    state: ReportedState
    side: OrderSide
    price: Price
    size: Size
    filled: Size
    client_order_id: ClientOrderId | None = None
    reason: str = ""
    shard: int | None = None


class TradePart(NamedTuple):
    """So much of a trade at this price (micros)."""

    price: Price
    size: Size


class TradeReport(Struct, frozen=True):
    """What of a trade belongs to one order. ``parts``: by price, ascending; ``fee`` is None where the venue names none.

    ``side`` is None where the venue does not say. The same trade is told again with each settlement: it is booked once,
    by trade id and order.
    """

    key: InstrumentKey
    ts_recv: int
    ts_venue: int | None
    trade_id: TradeId
    order_id: OrderId
    side: OrderSide | None
    parts: tuple[TradePart, ...]
    maker: bool
    settlement: Settlement
    fee: Money | None = None
    client_order_id: ClientOrderId | None = None


def order_at_venue(report: OrderReport) -> Order:
    """Return the order that ``report`` is of as the venue has it: it may be of anybody with the same account."""
    name = report.client_order_id or ClientOrderId(report.order_id)
    state: OrderState = report.state
    made = Order(name, NOBODY, report.key, report.side, report.price, report.size, "gtc", state, report.filled, 0)
    return replace(made, order_id=report.order_id)


class PositionReport(Struct, frozen=True):
    """Shares held of an instrument (micros), as the venue nets them."""

    key: InstrumentKey
    ts_recv: int
    size: Size


class OrderGroupReport(Struct, frozen=True):
    """A change of a group of orders: created, triggered, reset, deleted, limit_updated; ``limit`` in micros."""

    ts_recv: int
    ts_venue: int | None
    group: str
    change: str
    limit: Size | None


AccountReport = OrderReport | TradeReport | PositionReport | OrderGroupReport | Malformed | Unknown


class KnownFees(NamedTuple):
    """The fees of a market; ``is_assumed`` where nobody stated them."""

    schedule: FeeSchedule
    is_assumed: bool = False


def is_of(report: OrderReport | TradeReport, order: Order) -> bool:
    """Return whether a report can be about ``order``: it names no other instrument and no other direction."""
    return report.key == order.key and report.side in (None, order.side)


def trade_events(report: TradeReport, order: Order, fees: KnownFees) -> tuple[AccountEvent, ...]:
    """Return what ``report`` means for ``order``, which is the one that it names.

    Where trades settle later a matched one is a fill that may still fail; a settled one is told as a fill again, which
    is a duplicate where that was told before, and confirmed.
    """
    if report.settlement == "failed":
        return tuple(
            FillFailed(order.key, report.ts_recv, order.client_order_id, trade_id, "the trade failed on chain")
            for trade_id, _ in _trades(report)
        )
    fills = _fills(report, order, fees)
    if report.settlement == "matched" or not settles_later(order.key.venue):
        return fills
    return (*fills, *(FillConfirmed(each.key, each.ts_recv, each.client_order_id, each.trade_id) for each in fills))


class _PricedTrade(NamedTuple):
    """What of a trade has one price, with an id of its own."""

    trade_id: TradeId
    part: TradePart


def _trades(report: TradeReport) -> tuple[_PricedTrade, ...]:
    """Return a trade by its prices; where there is one, it has the trade's id, and else ids that begin with it."""
    if len(report.parts) == 1:
        return (_PricedTrade(report.trade_id, report.parts[0]),)
    return tuple(_PricedTrade(TradeId(f"{report.trade_id}:{part.price}"), part) for part in report.parts)


def _fills(report: TradeReport, order: Order, fees: KnownFees) -> tuple[Fill, ...]:
    """Return a fill for each price; a fee that the venue states is that of the whole trade."""
    fee_of = maker_fee if report.maker else taker_fee
    stated = report.fee if len(report.parts) == 1 else None
    may_fail = settles_later(order.key.venue)
    return tuple(
        Fill(
            order.key,
            report.ts_recv,
            report.ts_venue,
            order.client_order_id,
            trade_id,
            order.side,
            part.price,
            part.size,
            fee_of(fees.schedule, part.price, part.size, order.side) if stated is None else stated,
            report.maker,
            stated is None and fees.is_assumed,
            may_fail,
        )
        for trade_id, part in _trades(report)
    )
