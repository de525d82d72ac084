"""Messages of the user channel and pages of REST become reports, what cannot be read too; nothing raises."""

import json
from contextlib import suppress
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from predsurv.config import Secret
from predsurv.core.errors import WireError
from predsurv.core.events import Malformed, Unknown
from predsurv.venues.account_reports import AccountReport, OrderReport, TradeReport
from predsurv.venues.polymarket.account.decoder import MESSAGES_MAX, AccountDecoder, read_balance
from tests.kit.payloads import RECORDED, required

OWNER = "00000000-0000-0000-0000-000000000001"
WALLET = "0xF39Fd6e51aad88F6F4ce6aB8827279cffFb92266"
NOW = 1_780_000_000_000_000_000
YES, NO = "71" * 30, "52" * 30
DECODER = AccountDecoder(Secret(OWNER), WALLET)


def order(**fields: Any) -> dict[str, Any]:
    return {
        "event_type": "order",
        "id": "0x12",
        "market": "0xdd",
        "asset_id": YES,
        "side": "BUY",
        "original_size": "100.0",
        "size_matched": "0.0",
        "price": "0.5",
        "status": "LIVE",
        "type": "PLACEMENT",
        "timestamp": "1780000000500",
    } | fields


def maker(**fields: Any) -> dict[str, Any]:
    return {
        "order_id": "0xm1",
        "owner": "somebody",
        "maker_address": "0x70",
        "matched_amount": "25.0",
        "price": "0.5",
        "asset_id": YES,
        "side": "SELL",
    } | fields


def trade(*makers: dict[str, Any], **fields: Any) -> dict[str, Any]:
    return {
        "event_type": "trade",
        "type": "TRADE",
        "id": "t1",
        "taker_order_id": "0x12",
        "market": "0xdd",
        "asset_id": YES,
        "side": "BUY",
        "size": "25.0",
        "price": "0.5",
        "status": "CONFIRMED",
        "owner": OWNER,
        "maker_orders": list(makers),
        "trader_side": "TAKER",
        "timestamp": "1780000000",
    } | fields


def decoded(*messages: dict[str, Any]) -> list[AccountReport]:
    body = messages[0] if len(messages) == 1 else list(messages)
    return DECODER.frame(json.dumps(body).encode(), NOW)


def one_order(**fields: Any) -> OrderReport:
    (report,) = decoded(order(**fields))
    assert isinstance(report, OrderReport), report
    return report


def one_trade(*makers: dict[str, Any], **fields: Any) -> TradeReport:
    (report,) = decoded(trade(*makers, **fields))
    assert isinstance(report, TradeReport), report
    return report


def test_an_order_of_ours() -> None:
    report = one_order()
    assert (report.key.market_id, report.key.instrument_id, report.order_id) == ("0xdd", YES, "0x12")
    assert (report.side, report.price, report.size, report.filled) == ("buy", 500_000, 100_000_000, 0)
    assert (report.state, report.ts_venue, report.ts_recv) == ("open", 1_780_000_000_500_000_000, NOW)


@pytest.mark.parametrize(
    ("fields", "state", "reason"),
    [
        ({"type": "UPDATE", "size_matched": "25.0"}, "open", "LIVE"),
        ({"type": "UPDATE", "size_matched": "100.0", "status": "MATCHED"}, "filled", "MATCHED"),
        ({"type": "CANCELLATION", "status": "CANCELED"}, "cancelled", "CANCELED"),
        ({"type": "CANCELLATION", "status": "CANCELED_EXPIRED_ORDER"}, "cancelled", "EXPIRED_ORDER"),
        ({"type": "CANCELLATION", "status": "INVALID", "size_matched": ""}, "cancelled", "INVALID"),
        ({"type": "CANCELLATION", "status": "CANCELED", "size_matched": "100"}, "filled", "CANCELED"),
        ({"type": "PLACEMENT", "status": "DELAYED"}, "open", "DELAYED"),
        ({"event_type": None}, "open", "LIVE"),
        ({"type": "UPDATE", "size_matched": "102.04", "status": "MATCHED"}, "filled", "MATCHED"),
    ],
)
def test_states_of_an_order(fields: dict[str, Any], state: str, reason: str) -> None:
    report = one_order(**fields)
    assert (report.state, report.reason) == (state, reason)


@pytest.mark.parametrize(
    ("status", "settlement"),
    [
        ("MATCHED", "matched"),
        ("MATCHED_NOT_BROADCASTED", "matched"),
        ("MINED", "matched"),
        ("RETRYING", "matched"),
        ("CONFIRMED", "settled"),
        ("FAILED", "failed"),
        ("TRADE_STATUS_CONFIRMED", "settled"),
    ],
)
def test_a_trade_settles_when_it_is_confirmed(status: str, settlement: str) -> None:
    assert one_trade(maker(), status=status).settlement == settlement


def test_an_unknown_state_of_a_trade_is_told() -> None:
    (report,) = decoded(trade(status="HALF\x1b[31m"))
    assert isinstance(report, Unknown)
    assert "\x1b" not in report.kind


def test_what_a_taker_paid_is_what_the_makers_asked() -> None:
    report = one_trade(
        maker(matched_amount="10.0", price="0.48"),
        maker(matched_amount="10.0", price="0.5", order_id="0xm2"),
        maker(matched_amount="5.0", price="0.52", asset_id=NO, side="BUY", order_id="0xm3"),  # 0.48 in the other
    )
    assert report.parts == ((480_000, 15_000_000), (500_000, 10_000_000))
    assert (report.order_id, report.maker, report.side) == ("0x12", False, "buy")


def test_without_all_makers_the_price_of_the_trade_holds() -> None:
    for makers in ([], [maker(matched_amount="24.0", price="0.4")]):
        assert one_trade(*makers).parts == ((500_000, 25_000_000),)


def test_a_maker_trades_in_its_own_instrument_and_direction() -> None:
    mine = maker(owner=OWNER, asset_id=NO, side="BUY", price="0.52", order_id="0xmine")
    report = one_trade(mine, maker(), trader_side="MAKER", owner="somebody")
    assert (report.key.instrument_id, report.side, report.order_id) == (NO, "buy", "0xmine")
    assert (report.parts, report.maker, report.trade_id) == (((520_000, 25_000_000),), True, "t1")
    by_address = maker(maker_address=WALLET.lower(), order_id="0xmine")
    assert one_trade(by_address, trader_side="MAKER").order_id == "0xmine"


def test_several_orders_of_ours_in_one_trade() -> None:
    mine = [maker(owner=OWNER, order_id=name, matched_amount="5.0") for name in ("0xa", "0xb", "0xa")]
    reports = decoded(trade(*mine, trader_side="MAKER"))
    assert [(report.order_id, report.parts[0].size) for report in reports if isinstance(report, TradeReport)] == [
        ("0xa", 10_000_000),
        ("0xb", 5_000_000),
    ]
    # By the trade's id alone the second would be taken for the first, told again.
    assert [report.trade_id for report in reports if isinstance(report, TradeReport)] == ["t1/0xa", "t1/0xb"]


def test_a_trade_with_ourselves_is_of_both_orders() -> None:
    reports = decoded(trade(maker(owner=OWNER)))
    assert [report.maker for report in reports if isinstance(report, TradeReport)] == [False, True]


def test_one_bad_message_does_not_cost_the_others() -> None:
    reports = decoded(order(), order(price="1.5"), {"event_type": "new"}, trade(maker()))
    assert [type(report) for report in reports] == [OrderReport, Malformed, Unknown, TradeReport]


@pytest.mark.parametrize(
    "fields",
    [
        {"id": ""},
        {"id": "a b"},
        {"id": "x" * 300},
        {"market": ""},
        {"side": "HOLD"},
        {"price": "0"},
        {"price": "nan"},
        {"price": "1e-1"},
        {"original_size": "-1"},
        {"price": 0.5},
    ],
)
def test_an_order_that_cannot_be_is_malformed(fields: dict[str, Any]) -> None:
    (report,) = decoded(order(**fields))
    assert isinstance(report, Malformed)


@pytest.mark.parametrize(
    "fields",
    [{"size": "0"}, {"size": "x"}, {"trader_side": "MAKER"}, {"id": ""}, {"taker_order_id": ""}, {"maker_orders": [1]}],
)
def test_a_trade_that_cannot_be_is_malformed(fields: dict[str, Any]) -> None:
    (report,) = decoded(trade(**fields))
    assert isinstance(report, Malformed)


def test_keepalive_and_garbage() -> None:
    assert DECODER.frame(b"PONG", NOW) == []
    assert DECODER.frame(b"[]", NOW) == []
    for frame in (b"", b"{", b"\xff", b"null", b"[" * 100_000, b"[1,2]", b"<html>"):
        reports = DECODER.frame(frame, NOW)
        assert reports
        assert all(isinstance(report, Malformed) for report in reports)


def test_pages_of_rest() -> None:
    row = {
        name: value for name, value in order(status="ORDER_STATUS_LIVE").items() if name not in ("type", "timestamp")
    }
    body = json.dumps({"data": [row | {"event_type": None}, row | {"status": "STRANGE"}], "next_cursor": "MQ=="})
    page = DECODER.orders_page(body.encode(), NOW)
    assert [type(report) for report in page.reports] == [OrderReport, Malformed]
    assert page.next_cursor == "MQ=="
    last = DECODER.trades_page(json.dumps({"data": [trade(maker())], "next_cursor": "LTE="}).encode(), NOW)
    assert (len(last.reports), last.next_cursor) == (1, None)
    (one,) = DECODER.order(json.dumps(row).encode(), NOW)
    assert isinstance(one, OrderReport)
    for bad in (b"", b"{}", b"[]", b'{"data":1}'):
        with pytest.raises(WireError):
            DECODER.orders_page(bad, NOW)


def test_a_price_is_cut_where_it_is_a_quotient() -> None:
    assert one_order(price="0.570002565").price == 570_002


def test_times_of_trades() -> None:
    assert one_trade(maker(), timestamp=None, match_time="1780000000").ts_venue == NOW
    assert one_trade(maker(), timestamp="", match_time="2026-05-28T20:26:40Z").ts_venue == NOW
    assert one_trade(maker(), timestamp=None, match_time="soon").ts_venue is None
    assert one_trade(maker(), timestamp=None).ts_venue is None


def test_frames_and_pages_have_a_bound() -> None:
    rows = b",".join([b"{}"] * (MESSAGES_MAX + 1))
    (report,) = DECODER.frame(b"[" + rows + b"]", NOW)
    assert isinstance(report, Malformed)
    with pytest.raises(WireError):
        DECODER.orders_page(b'{"data":[' + rows + b"]}", NOW)


def test_balances() -> None:
    got = read_balance(b'{"balance":"1000000000","allowances":{"0xE1":"115792089237316195423570985008687907853"}}')
    assert (got.balance, got.allowances) == (1_000_000_000, {"0xe1": 115792089237316195423570985008687907853})
    assert read_balance(b'{"balance":"250.500000"}').balance == 250_500_000
    for bad in (b"", b"{}", b'{"balance":"-1"}', b'{"balance":"1e9"}', b'{"balance":"1","allowances":{"a":"x"}}'):
        with pytest.raises(WireError):
            read_balance(bad)


def test_recorded_messages() -> None:
    folder = required(RECORDED).polymarket / "adapter_samples"
    seen = {file.stem: DECODER.frame(file.read_bytes(), NOW) for file in sorted(folder.glob("ws_user_*.json"))}
    states = {
        name: [getattr(each, "state", getattr(each, "settlement", "")) for each in got] for name, got in seen.items()
    }
    assert states == {
        "ws_user_order_cancellation": ["cancelled"],
        "ws_user_order_fok_killed": ["cancelled"],
        "ws_user_order_matched": ["filled"],
        "ws_user_order_msg": ["open"],
        "ws_user_order_placement": ["open"],
        "ws_user_order_update": ["open"],
        "ws_user_order_venue_cancel": ["cancelled"],
        "ws_user_trade": ["settled"],
        "ws_user_trade_msg": ["settled"],
    }
    (killed,) = seen["ws_user_order_fok_killed"]
    assert isinstance(killed, OrderReport)
    assert killed.reason.endswith("FOK orders are fully filled or killed.")
    orders = DECODER.orders_page((folder / "http_open_orders_page.json").read_bytes(), NOW)
    assert [each.filled for each in orders.reports if isinstance(each, OrderReport)] == [0, 50_000_000]
    trades = DECODER.trades_page((folder / "http_trades_page.json").read_bytes(), NOW)
    assert [each.settlement for each in trades.reports if isinstance(each, TradeReport)] == ["matched"]
    for name in ("http_open_order", "http_open_order_sell_fok"):
        assert isinstance(DECODER.order((folder / f"{name}.json").read_bytes(), NOW)[0], OrderReport)
    assert read_balance((folder / "http_balance_allowance_collateral.json").read_bytes()).balance == 1_000_000_000


def test_the_owner_is_not_shown() -> None:
    assert OWNER not in f"{DECODER} {DECODER!r}"


_VALUES = st.none() | st.booleans() | st.integers() | st.text(max_size=12) | st.sampled_from(["0.5", "1", "BUY", "t"])
_NAMES = st.sampled_from([*order(), *trade(), *maker(), "data", "next_cursor"])


@given(
    st.binary(max_size=120)
    | st.recursive(
        _VALUES, lambda inner: st.lists(inner, max_size=4) | st.dictionaries(_NAMES, inner, max_size=14), max_leaves=24
    ).map(lambda value: json.dumps(value).encode())
)
def test_hostile_frames_are_errors_as_data(frame: bytes) -> None:
    for report in DECODER.frame(frame, NOW):
        assert isinstance(report, OrderReport | TradeReport | Malformed | Unknown)
    for read in (DECODER.orders_page, DECODER.trades_page):
        with suppress(WireError):
            read(frame, NOW)


@given(
    st.dictionaries(st.sampled_from(list(order())), _VALUES), st.dictionaries(st.sampled_from(list(trade())), _VALUES)
)
def test_a_field_of_any_value_never_raises(order_fields: dict[str, Any], trade_fields: dict[str, Any]) -> None:
    assert len(decoded(order(**order_fields))) == 1
    assert decoded(trade(maker(), **trade_fields))
