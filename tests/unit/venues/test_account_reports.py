"""Reports become what the engine folds: acceptances, cancels, fills of settled trades, and doubts."""

from typing import Any

from msgspec.structs import replace

from predsurv.core.events import Fill, OrderAccepted, OrderCancelled, OrderUnknown
from predsurv.core.ids import ClientOrderId, InstrumentId, OrderId, TradeId
from predsurv.core.market import FeeSchedule
from predsurv.core.num import Money, Price, Size
from predsurv.core.orders import Order, order_of
from predsurv.venues.account_reports import (
    KnownFees,
    OrderReport,
    ReportedState,
    Settlement,
    TradePart,
    TradeReport,
    account_events,
)
from tests.kit.polymarket_orders import command

ORDER: Order = order_of(command(), "open")
FEES = KnownFees(FeeSchedule("polymarket", 40_000))
ID, COID = OrderId("0x12"), ClientOrderId("c1")


def order_report(state: ReportedState, **fields: Any) -> OrderReport:
    plain = OrderReport(ORDER.key, 5, 4, ID, state, ORDER.side, ORDER.price, ORDER.size, Size(0))
    return replace(plain, **fields)


def trade_report(settlement: Settlement, **fields: Any) -> TradeReport:
    parts = (TradePart(Price(500_000), Size(10_000_000)),)
    plain = TradeReport(ORDER.key, 5, 4, TradeId("t1"), ID, "buy", parts, maker=False, settlement=settlement)
    return replace(plain, **fields)


def test_an_order_that_the_venue_has_is_accepted() -> None:
    for state in ("open", "filled"):
        assert account_events(order_report(state), ORDER, FEES) == (OrderAccepted(ORDER.key, 5, COID, ID),)


def test_a_cancelled_order_says_why() -> None:
    assert account_events(order_report("cancelled", reason="EXPIRED_ORDER"), ORDER, FEES) == (
        OrderCancelled(ORDER.key, 5, COID, "EXPIRED_ORDER"),
    )


def test_a_trade_is_a_fill_once_it_is_settled() -> None:
    assert account_events(trade_report("matched"), ORDER, FEES) == ()
    fee = Money(100_000)  # 10 shares · 0.04 · 0.25
    expected = Fill(ORDER.key, 5, 4, COID, TradeId("t1"), "buy", Price(500_000), Size(10_000_000), fee, maker=False)
    assert account_events(trade_report("settled"), ORDER, FEES) == (expected,)


def test_makers_pay_what_makers_pay() -> None:
    (got,) = account_events(trade_report("settled", maker=True), ORDER, FEES)
    assert isinstance(got, Fill)
    assert (got.fee, got.maker, got.fee_assumed) == (0, True, False)


def test_the_fee_that_the_venue_states_counts() -> None:
    (stated,) = account_events(trade_report("settled", fee=Money(7)), ORDER, KnownFees(FEES.schedule, True))
    (assumed,) = account_events(trade_report("settled"), ORDER, KnownFees(FEES.schedule, True))
    assert isinstance(stated, Fill)
    assert isinstance(assumed, Fill)
    assert (stated.fee, stated.fee_assumed) == (7, False)
    assert (assumed.fee, assumed.fee_assumed) == (100_000, True)


def test_a_trade_at_several_prices_is_a_fill_for_each() -> None:
    parts = (TradePart(Price(480_000), Size(15_000_000)), TradePart(Price(500_000), Size(10_000_000)))
    fills = account_events(trade_report("settled", parts=parts), ORDER, FEES)
    assert [(each.trade_id, each.price, each.size) for each in fills if isinstance(each, Fill)] == [
        ("t1:480000", 480_000, 15_000_000),
        ("t1:500000", 500_000, 10_000_000),
    ]


def test_a_failed_trade_makes_the_order_unknown() -> None:
    assert account_events(trade_report("failed"), ORDER, FEES) == (OrderUnknown(ORDER.key, 5, COID, "trade t1 failed"),)


def test_a_report_of_another_instrument_or_side_makes_the_order_unknown() -> None:
    other = replace(ORDER.key, instrument_id=InstrumentId("1"))
    for report in (
        trade_report("settled", key=other),
        trade_report("settled", side="sell"),
        order_report("open", key=other),
    ):
        (got,) = account_events(report, ORDER, FEES)
        assert isinstance(got, OrderUnknown)
    (unsaid,) = account_events(trade_report("settled", side=None), ORDER, FEES)
    assert isinstance(unsaid, Fill)
    assert unsaid.side == "buy"
