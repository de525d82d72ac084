"""Frames of private channels and the portfolio become reports, what cannot be read too; nothing raises."""

import json
from contextlib import suppress
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from predsurv.core.errors import WireError
from predsurv.core.events import Malformed, Unknown
from predsurv.core.ids import InstrumentId, InstrumentKey, MarketId, VenueName
from predsurv.venues.account_reports import AccountReport, OrderGroupReport, OrderReport, PositionReport, TradeReport
from predsurv.venues.kalshi.account.decoder import (
    ROWS_MAX,
    decode_frame,
    fills_page,
    in_terms_of,
    one_order,
    orders_page,
    positions_page,
    read_balance,
    settlements_page,
)
from tests.kit.payloads import RECORDED, required

NOW = 1_780_000_000_000_000_000
TICKER = "HIGHNY-22DEC23-B53.5"


def key(suffix: str = "") -> InstrumentKey:
    return InstrumentKey(VenueName("kalshi"), MarketId(TICKER), InstrumentId(f"{TICKER}{suffix}"))


def fill(**fields: Any) -> dict[str, Any]:
    return {
        "trade_id": "t1",
        "order_id": "o1",
        "client_order_id": "c1",
        "market_ticker": TICKER,
        "exchange_index": 2,
        "is_taker": True,
        "side": "yes",
        "action": "buy",
        "yes_price_dollars": "0.7500",
        "count_fp": "278.00",
        "fee_cost": "0.010000",
        "ts_ms": 1780000000500,
        "book_side": "bid",
    } | fields


def order(**fields: Any) -> dict[str, Any]:
    return {
        "order_id": "o1",
        "ticker": TICKER,
        "exchange_index": 2,
        "status": "resting",
        "book_side": "bid",
        "yes_price_dollars": "0.3500",
        "fill_count_fp": "1.00",
        "remaining_count_fp": "9.00",
        "initial_count_fp": "10.00",
        "client_order_id": "c1",
        "created_ts_ms": 1780000000500,
    } | fields


def decoded(kind: str, body: Any) -> AccountReport:
    return decode_frame(json.dumps({"type": kind, "sid": 13, "msg": body}).encode(), NOW)


def test_a_fill() -> None:
    report = decoded("fill", fill())
    assert isinstance(report, TradeReport)
    assert (report.key, report.side, report.parts) == (key(), "buy", ((750_000, 278_000_000),))
    assert (report.fee, report.maker, report.settlement) == (10_000, False, "settled")
    assert (report.trade_id, report.order_id, report.client_order_id) == ("t1", "o1", "c1")
    assert report.ts_venue == 1_780_000_000_500_000_000


def test_only_the_side_of_the_book_counts() -> None:
    report = decoded("fill", fill(book_side="ask", side="yes", action="buy"))
    assert isinstance(report, TradeReport)
    assert report.side == "sell"


@pytest.mark.parametrize(
    ("fields", "state"),
    [
        ({}, "open"),
        ({"status": "canceled", "remaining_count_fp": "0.00", "last_update_reason": "ExpiryCancel"}, "cancelled"),
        ({"status": "executed", "fill_count_fp": "10.00", "remaining_count_fp": "0.00"}, "filled"),
    ],
)
def test_an_order(fields: dict[str, Any], state: str) -> None:
    report = decoded("user_order", order(**fields))
    assert isinstance(report, OrderReport)
    assert (report.key, report.state, report.price, report.size) == (key(), state, 350_000, 10_000_000)
    assert (report.reason, report.shard) == (fields.get("last_update_reason", ""), 2)


def test_an_order_of_an_unknown_state_is_told() -> None:
    assert isinstance(decoded("user_order", order(status="unknown")), Unknown)


def test_positions_of_no_are_below_zero() -> None:
    for text, suffix, size in (("100.00", "", 100_000_000), ("-2.50", ":no", 2_500_000), ("0.00", "", 0)):
        body = {"market_ticker": TICKER, "position_fp": text}
        assert decoded("market_position", body) == PositionReport(key(suffix), NOW, size)  # type: ignore[arg-type]


def test_an_order_group() -> None:
    body = {
        "event_type": "limit_updated",
        "order_group_id": "og",
        "contracts_limit_fp": "150.00",
        "ts_ms": 1780000000500,
    }
    report = decoded("order_group_updates", body)
    assert isinstance(report, OrderGroupReport)
    assert (report.group, report.change, report.limit) == ("og", "limit_updated", 150_000_000)
    assert decoded("order_group_updates", {"event_type": "triggered", "order_group_id": "og"}).limit is None  # type: ignore[union-attr]


def test_a_report_in_terms_of_no() -> None:
    filled, placed = decoded("fill", fill()), decoded("user_order", order())
    assert isinstance(filled, TradeReport)
    assert isinstance(placed, OrderReport)
    turned, order_of_no = in_terms_of(filled, key(":no")), in_terms_of(placed, key(":no"))
    assert (turned.key, turned.side, turned.parts) == (key(":no"), "sell", ((250_000, 278_000_000),))
    assert (order_of_no.key, order_of_no.side, order_of_no.price) == (key(":no"), "sell", 650_000)
    assert in_terms_of(filled, key()) is filled
    other = InstrumentKey(VenueName("kalshi"), MarketId("X"), InstrumentId("X:no"))
    assert in_terms_of(filled, other) is filled


def test_pages_of_the_portfolio() -> None:
    orders = orders_page(json.dumps({"orders": [order(), {"order_id": 1}], "cursor": "next"}).encode(), NOW)
    assert ([type(each) for each in orders.reports], orders.next_cursor) == ([OrderReport, Malformed], "next")
    row = {name: value for name, value in fill().items() if name not in ("market_ticker", "client_order_id")}
    fills = fills_page(json.dumps({"fills": [row | {"ticker": TICKER}], "cursor": ""}).encode(), NOW)
    assert ([type(each) for each in fills.reports], fills.next_cursor) == ([TradeReport], None)
    positions = positions_page(
        json.dumps({"market_positions": [{"ticker": TICKER, "position_fp": "-1.00"}]}).encode(), NOW
    )
    assert positions.reports == (PositionReport(key(":no"), NOW, 1_000_000),)  # type: ignore[arg-type]
    assert isinstance(one_order(json.dumps({"order": order()}).encode(), NOW), OrderReport)
    for read in (orders_page, fills_page, positions_page, one_order):
        for bad in (b"", b"{}", b"[]", b"\xff"):
            with pytest.raises(WireError):
                read(bad, NOW)


def test_an_amended_order_may_be_greater_than_it_was() -> None:
    report = decoded("user_order", order(remaining_count_fp="14.00"))
    assert isinstance(report, OrderReport)
    assert (report.size, report.filled) == (15_000_000, 1_000_000)


def test_times() -> None:
    for fields in ({"ts": 1780000000}, {"created_time": "2026-05-28T20:26:40Z"}):
        report = decoded("fill", fill(ts_ms=None, **fields))
        assert isinstance(report, TradeReport)
        assert report.ts_venue == NOW
    dated = decoded("user_order", order(created_ts_ms=None, last_update_time="2026-05-28T20:26:40Z"))
    assert isinstance(dated, OrderReport)
    assert dated.ts_venue == NOW


def test_pages_have_a_bound() -> None:
    rows = b",".join([b"{}"] * (ROWS_MAX + 1))
    with pytest.raises(WireError):
        fills_page(b'{"fills":[' + rows + b"]}", NOW)


def test_balances() -> None:
    shards = [{"exchange_index": 0, "balance": "10.0000"}, {"exchange_index": 2, "balance": "2.3400"}]
    got = read_balance(
        json.dumps({"balance": 1234, "balance_dollars": "12.3400", "balance_breakdown": shards}).encode()
    )
    assert (got.cash, got.shards) == (12_340_000, {0: 10_000_000, 2: 2_340_000})
    assert read_balance(b'{"balance_dollars":"-0.5"}') == (-500_000, {})
    for bad in (b"", b"{}", b'{"balance_dollars":"x"}', b'{"balance_dollars":"1","balance_breakdown":[{}]}'):
        with pytest.raises(WireError):
            read_balance(bad)


@pytest.mark.parametrize(
    ("kind", "body"),
    [
        ("fill", fill(count_fp="0.00")),
        ("fill", fill(yes_price_dollars="1.0000")),
        ("fill", fill(book_side="yes")),
        ("fill", fill(trade_id="")),
        ("fill", fill(market_ticker=None)),
        ("fill", fill(market_ticker="A:no")),
        ("fill", fill(count_fp="-1.00")),
        ("user_order", order(book_side=None)),
        ("user_order", order(client_order_id="a b")),
        ("market_position", {"market_ticker": TICKER, "position_fp": "many"}),
        ("order_group_updates", {"event_type": "x", "order_group_id": ""}),
        ("fill", None),
    ],
)
def test_what_cannot_be_is_malformed(kind: str, body: Any) -> None:
    assert isinstance(decoded(kind, body), Malformed)


def test_recorded_frames() -> None:
    private = ("fill", "user_order", "market_position", "order_group_updates")
    seen: dict[str, list[str]] = {}
    for name, frame in required(RECORDED).kalshi_frames():
        if frame["type"] in private:
            report = decode_frame(json.dumps(frame).encode(), NOW)
            seen.setdefault(name.partition(":")[0], []).append(type(report).__name__)
    assert seen["asyncapi_examples_latest_2026-10"] == [
        "TradeReport",
        "PositionReport",
        "OrderGroupReport",
        "OrderReport",
    ]
    # Before the direction in the book of YES was told there is no telling what an order or a fill was.
    assert seen["asyncapi_examples_2026-03-12"] == ["Malformed", "PositionReport", "OrderGroupReport", "Malformed"]


def test_other_frames_are_told_by_their_type() -> None:
    assert decode_frame(b'{"id":1,"type":"subscribed","msg":{"channel":"fill","sid":1}}', NOW) == Unknown(
        VenueName("kalshi"), NOW, "subscribed"
    )
    for frame in (b"", b"{}", b"[]", b"null", b"\xff", b"[" * 100_000):
        assert isinstance(decode_frame(frame, NOW), Malformed)


_VALUES = (
    st.none() | st.booleans() | st.integers() | st.text(max_size=12) | st.sampled_from(["0.5", "1.00", "bid", "t"])
)
_NAMES = st.sampled_from([*fill(), *order(), "orders", "fills", "market_positions", "order", "msg", "type", "cursor"])


@given(
    st.binary(max_size=120)
    | st.recursive(
        _VALUES, lambda inner: st.lists(inner, max_size=4) | st.dictionaries(_NAMES, inner, max_size=14), max_leaves=24
    ).map(lambda value: json.dumps(value).encode())
)
def test_hostile_frames_are_errors_as_data(frame: bytes) -> None:
    decode_frame(frame, NOW)
    for read in (orders_page, fills_page, positions_page, one_order):
        with suppress(WireError):
            read(frame, NOW)


@given(
    st.dictionaries(st.sampled_from(list(fill())), _VALUES), st.dictionaries(st.sampled_from(list(order())), _VALUES)
)
def test_a_field_of_any_value_never_raises(fill_fields: dict[str, Any], order_fields: dict[str, Any]) -> None:
    decoded("fill", fill(**fill_fields))
    decoded("user_order", order(**order_fields))


@pytest.mark.parametrize(
    ("row", "payouts"),
    [
        ({"market_result": "yes"}, (1_000_000, 0)),
        ({"market_result": "no", "value": 0}, (0, 1_000_000)),
        ({"market_result": "scalar", "value": 37}, (370_000, 630_000)),
    ],
)
def test_a_settlement_pays_what_the_venue_states(row: dict[str, Any], payouts: tuple[int, int]) -> None:
    body = json.dumps({"settlements": [row | {"ticker": TICKER, "settled_time": "2026-11-20T15:00:00Z"}]}).encode()
    (found,) = settlements_page(body, NOW).settlements
    assert found.market_id == TICKER
    assert found.payouts == ((TICKER, payouts[0]), (f"{TICKER}:no", payouts[1]))
    assert found.ts_venue == 1_795_186_800_000_000_000


@pytest.mark.parametrize("row", [{"market_result": "scalar"}, {"market_result": "later", "value": 101}])
def test_a_settlement_that_does_not_say_what_it_pays_is_left_to_the_comparison(row: dict[str, Any]) -> None:
    body = json.dumps({"settlements": [row | {"ticker": TICKER}], "cursor": "more"}).encode()
    assert settlements_page(body, NOW) == ((), "more")


def test_what_is_no_page_of_settlements_is_refused() -> None:
    rows = [{"ticker": TICKER, "market_result": "yes"}] * (ROWS_MAX + 1)
    for body in (b"{}", b"[", json.dumps({"settlements": rows}).encode()):
        with pytest.raises(WireError):
            settlements_page(body, NOW)
