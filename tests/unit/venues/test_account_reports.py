"""Reports of trades become what the engine folds: fills, their confirmation, their failure."""

from typing import Any

from msgspec.structs import replace

from predsurv.core.events import Fill, FillConfirmed, FillFailed
from predsurv.core.ids import ClientOrderId, InstrumentId, OrderId, TradeId, VenueName
from predsurv.core.market import FeeSchedule
from predsurv.core.num import Money, Price, Size
from predsurv.core.orders import Order, order_of
from predsurv.venues.account_reports import (
    NOBODY,
    KnownFees,
    OrderReport,
    ReportedState,
    Settlement,
    TradePart,
    TradeReport,
    is_of,
    order_at_venue,
    trade_events,
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


def test_a_matched_trade_is_a_fill_that_may_fail_and_a_settled_one_is_told_and_confirmed() -> None:
    fee = Money(100_000)  # 10 shares · 0.04 · 0.25
    made = Fill(ORDER.key, 5, 4, COID, TradeId("t1"), "buy", Price(500_000), Size(10_000_000), fee, maker=False)
    expected = replace(made, unconfirmed=True)
    assert trade_events(trade_report("matched"), ORDER, FEES) == (expected,)
    confirmed = FillConfirmed(ORDER.key, 5, COID, TradeId("t1"))
    assert trade_events(trade_report("settled"), ORDER, FEES) == (expected, confirmed)


def test_where_trades_are_final_at_once_a_settled_one_is_a_fill() -> None:
    key = replace(ORDER.key, venue=VenueName("kalshi"))
    (got,) = trade_events(trade_report("settled", key=key), replace(ORDER, key=key), FEES)
    assert isinstance(got, Fill)
    assert not got.unconfirmed


def test_makers_pay_what_makers_pay() -> None:
    (got, _) = trade_events(trade_report("settled", maker=True), ORDER, FEES)
    assert isinstance(got, Fill)
    assert (got.fee, got.maker, got.fee_assumed) == (0, True, False)


def test_the_fee_that_the_venue_states_counts() -> None:
    (stated, _) = trade_events(trade_report("settled", fee=Money(7)), ORDER, KnownFees(FEES.schedule, True))
    (assumed, _) = trade_events(trade_report("settled"), ORDER, KnownFees(FEES.schedule, True))
    assert isinstance(stated, Fill)
    assert isinstance(assumed, Fill)
    assert (stated.fee, stated.fee_assumed) == (7, False)
    assert (assumed.fee, assumed.fee_assumed) == (100_000, True)


def test_a_trade_at_several_prices_is_a_fill_for_each() -> None:
    parts = (TradePart(Price(480_000), Size(15_000_000)), TradePart(Price(500_000), Size(10_000_000)))
    fills = trade_events(trade_report("settled", parts=parts), ORDER, FEES)
    assert [(each.trade_id, each.price, each.size) for each in fills if isinstance(each, Fill)] == [
        ("t1:480000", 480_000, 15_000_000),
        ("t1:500000", 500_000, 10_000_000),
    ]


def test_a_failed_trade_takes_back_each_of_its_fills() -> None:
    parts = (TradePart(Price(480_000), Size(15_000_000)), TradePart(Price(500_000), Size(10_000_000)))
    got = trade_events(trade_report("failed", parts=parts), ORDER, FEES)
    assert [(type(each), each.trade_id) for each in got if isinstance(each, FillFailed)] == [
        (FillFailed, "t1:480000"),
        (FillFailed, "t1:500000"),
    ]


def test_a_report_of_another_instrument_or_side_is_not_of_an_order() -> None:
    other = replace(ORDER.key, instrument_id=InstrumentId("1"))
    assert is_of(trade_report("settled"), ORDER)
    assert is_of(trade_report("settled", side=None), ORDER)
    assert not is_of(trade_report("settled", key=other), ORDER)
    assert not is_of(trade_report("settled", side="sell"), ORDER)
    assert not is_of(order_report("open", key=other), ORDER)


def test_an_order_at_the_venue_has_the_venues_id() -> None:
    got = order_at_venue(order_report("open"))
    assert (got.order_id, str(got.client_order_id), got.strategy, got.state) == (ID, str(ID), NOBODY, "open")
