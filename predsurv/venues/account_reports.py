"""What venues tell of an account, in one form for private channels and REST, and what it means for an order of ours.

A report names an order by the venue's id. Whoever knows the order of that id turns the report into account events here;
a report about an order that nobody knows is a finding of reconciliation.
"""

from typing import Literal, NamedTuple

from msgspec import Struct

from predsurv.core.events import (
    AccountEvent,
    Fill,
    Malformed,
    OrderAccepted,
    OrderCancelled,
    OrderUnknown,
    Unknown,
)
from predsurv.core.fees import maker_fee, taker_fee
from predsurv.core.ids import ClientOrderId, InstrumentKey, OrderId, OrderSide, TradeId
from predsurv.core.market import FeeSchedule
from predsurv.core.num import Money, Price, Size
from predsurv.core.orders import Order

ReportedState = Literal["open", "filled", "cancelled"]

Settlement = Literal[
    "matched",  # agreed, and may still fail: no fill yet
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


def account_events(report: OrderReport | TradeReport, order: Order, fees: KnownFees) -> tuple[AccountEvent, ...]:
    """Return what ``report`` means for ``order``, which is the one that it names.

    A trade is a fill once it is settled; one that failed makes the order unknown, because only the venue can say what
    became of it. So does a report of another instrument or direction than the order's.
    """
    if report.key != order.key or report.side not in (None, order.side):
        return (_unknown(report, order, "the venue reports another instrument or side for this order"),)
    if isinstance(report, OrderReport):
        return _of_order(report, order)
    if report.settlement == "settled":
        return _fills(report, order, fees)
    return (_unknown(report, order, f"trade {report.trade_id} failed"),) if report.settlement == "failed" else ()


def _of_order(report: OrderReport, order: Order) -> tuple[AccountEvent, ...]:
    if report.state == "cancelled":
        return (OrderCancelled(order.key, report.ts_recv, order.client_order_id, report.reason or "cancelled"),)
    # That it was matched says that it exists: fills follow when their trades settle.
    return (OrderAccepted(order.key, report.ts_recv, order.client_order_id, report.order_id),)


def _fills(report: TradeReport, order: Order, fees: KnownFees) -> tuple[AccountEvent, ...]:
    """Return a fill for each price; where there is one, it has the trade's id, and else ids that begin with it."""
    fee_of, several = maker_fee if report.maker else taker_fee, len(report.parts) > 1
    stated = report.fee if not several else None
    return tuple(
        Fill(
            order.key,
            report.ts_recv,
            report.ts_venue,
            order.client_order_id,
            TradeId(f"{report.trade_id}:{part.price}") if several else report.trade_id,
            order.side,
            part.price,
            part.size,
            fee_of(fees.schedule, part.price, part.size, order.side) if stated is None else stated,
            report.maker,
            stated is None and fees.is_assumed,
        )
        for part in report.parts
    )


def _unknown(report: OrderReport | TradeReport, order: Order, reason: str) -> OrderUnknown:
    return OrderUnknown(order.key, report.ts_recv, order.client_order_id, reason)
