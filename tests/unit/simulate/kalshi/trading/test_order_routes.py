"""What is answered to orders, changes and cancels, and what of them is left afterwards."""

from typing import Any

import pytest
from msgspec.structs import replace

from predsurv.simulate.kalshi.trading.order_routes import BLOCKED_FOR, ORDERS_MAX
from tests.kit.kalshi_desk import NS_PER_S, ORDERS, KalshiDeskTrial

GONE = (404, "not_found", "order not found")
NO_OBJECT = (400, "bad_request", "the body is no JSON object")
PAUSED = (400, "trading_paused", "trading is paused, orders can be cancelled")
HALTED = (400, "exchange_paused", "the exchange is not active")


@pytest.fixture
def trial() -> KalshiDeskTrial:
    return KalshiDeskTrial()


@pytest.mark.parametrize(
    ("changes", "code", "details"),
    [
        ({"side": "yes"}, "invalid_parameters", "side"),
        ({"time_in_force": ["fill_or_kill"]}, "invalid_parameters", "time_in_force"),
        ({"self_trade_prevention_type": {}}, "invalid_parameters", "self_trade_prevention_type"),
        ({"expiration_time": "tomorrow"}, "invalid_parameters", "expiration_time"),
        ({"expiration_time": 10**15}, "invalid_parameters", "expiration_time"),
        ({"expiration_time": 1_000}, "invalid_parameters", "expiration_time is in the past"),
        ({"time_in_force": "fill_or_kill", "post_only": True}, "invalid_parameters", "post_only"),
        ({"reduce_only": True}, "invalid_parameters", "reduce_only"),
        ({"subaccount": 1}, "invalid_parameters", "subaccount"),
        ({"price": "1.0000", "count": "0.001"}, "invalid_parameters", "count, price"),
        ({"count": None, "side": ""}, "missing_parameters", "side, count"),
    ],
)
def test_an_order_that_is_wrong_is_told_what_is(
    trial: KalshiDeskTrial, changes: dict[str, Any], code: str, details: str
) -> None:
    assert trial.place(**changes).error == (400, code, details)
    assert trial.get("/portfolio/orders")["orders"] == []


@pytest.mark.parametrize("body", [b"[]", b"{", b"\xff", b'"text"'])
def test_a_body_that_is_no_object_is_refused_everywhere(trial: KalshiDeskTrial, body: bytes) -> None:
    order_id = trial.placed()
    for path in ("", "/batched", f"/{order_id}/amend", f"/{order_id}/decrease"):
        assert trial.ask("POST", f"{ORDERS}{path}", body).error == NO_OBJECT
    assert trial.ask("DELETE", f"{ORDERS}/batched", body).error == NO_OBJECT
    assert trial.row(order_id)["remaining_count_fp"] == "5.00"


@pytest.mark.parametrize("rows", [[], None, {}, [1], [{}] * (ORDERS_MAX + 1)])
def test_a_batch_has_one_to_so_many_orders(trial: KalshiDeskTrial, rows: object) -> None:
    refused = (400, "invalid_parameters", f"orders: 1 to {ORDERS_MAX}")
    assert trial.ask("POST", f"{ORDERS}/batched", {"orders": rows}).error == refused
    assert trial.ask("DELETE", f"{ORDERS}/batched", {"orders": rows}).error == refused


def test_a_batch_of_cancels_is_answered_in_order(trial: KalshiDeskTrial) -> None:
    order_id = trial.placed()
    rows = [{"order_id": "none"}, {"order_id": order_id}, {"order_id": order_id}]
    found = trial.ask("DELETE", f"{ORDERS}/batched", {"orders": rows}).body["orders"]
    assert [(row["order_id"], row["reduced_by"]) for row in found] == [
        ("none", "0.00"),
        (order_id, "5.00"),
        (order_id, "0.00"),
    ]
    assert found[2]["error"] == {"code": "not_found", "message": "not found", "details": "order not found"}


def test_an_order_of_another_shard_is_found_by_its_market_or_shard_only(trial: KalshiDeskTrial) -> None:
    trial.markets.listed[trial.ticker].exchange_index = 2
    orders = [trial.placed() for _ in range(2)]
    path = f"{ORDERS}/{orders[0]}"
    for query in ({}, {"exchange_index": "-1"}, {"exchange_index": "1"}, {"market_ticker": "KXNONE"}):
        assert trial.ask("DELETE", path, **query).error == GONE
    assert trial.ask("DELETE", path, exchange_index="2").body["reduced_by"] == "5.00"
    assert trial.ask("DELETE", f"{ORDERS}/{orders[1]}", market_ticker=trial.ticker).status == 200


def test_only_a_position_is_reduced(trial: KalshiDeskTrial) -> None:
    reducing = {"reduce_only": True, "time_in_force": "immediate_or_cancel"}
    refused = (400, "invalid_order", "reduce only: no position to reduce")
    assert trial.place("ask", "0.0100", "5", **reducing).error == refused
    trial.placed("bid", "0.9900", "3", time_in_force="immediate_or_cancel")
    assert trial.place("bid", "0.9900", "5", **reducing).error == refused
    assert trial.place("ask", "0.0100", "5", **reducing).body["fill_count"] == "3.00"
    assert trial.get("/portfolio/positions")["market_positions"][0]["position_fp"] == "0.00"


def test_after_all_were_cancelled_no_order_is_taken_for_a_minute(trial: KalshiDeskTrial) -> None:
    order_id = trial.placed()
    assert trial.ask("DELETE", ORDERS).body == {}
    assert trial.row(order_id)["status"] == "canceled"
    refused = (400, "invalid_order", "all orders were cancelled less than a minute ago")
    assert trial.place().error == refused
    trial.wait(BLOCKED_FOR // NS_PER_S)
    assert trial.place().error == (400, "MARKET_INACTIVE", ""), "taken again, but the market has closed"


def test_an_amended_order_is_checked_as_a_new_one(trial: KalshiDeskTrial) -> None:
    order_id = trial.placed("bid", "0.4100", "5", client_order_id="kept", post_only=True)
    body = {"ticker": trial.ticker, "side": "bid", "price": "0.4000", "count": "5"}

    def refused(**changes: Any) -> tuple[int, str, str]:
        return trial.ask("POST", f"{ORDERS}/{order_id}/amend", body | changes).error

    wrong = (400, "invalid_parameters", "side, price or count")
    assert [refused(side="ask"), refused(price="x"), refused(count=5)] == [wrong] * 3
    assert refused(ticker="KXNONE") == GONE
    assert refused(price="0.4050") == (400, "invalid_price", "not a price of this market")
    assert refused(price="0.4400") == (400, "invalid_order", "post only cross")
    assert refused(updated_client_order_id="kept") == (409, "order_already_exists", "")
    assert refused(count="100000000") == (400, "insufficient_balance", "")
    row = trial.row(order_id)
    assert (row["yes_price_dollars"], row["remaining_count_fp"]) == ("0.4100", "5.00")
    trial.ask("DELETE", f"{ORDERS}/{order_id}")
    assert refused() == GONE


def test_an_order_is_not_amended_below_what_was_filled(trial: KalshiDeskTrial) -> None:
    order_id = trial.placed("bid", "0.4300", "5")
    trial.others_take("ask", 43, 300)
    body = {"ticker": trial.ticker, "side": "bid", "price": "0.4300", "count": "3"}
    refused = (400, "invalid_order", "count is not above what was filled")
    assert trial.ask("POST", f"{ORDERS}/{order_id}/amend", body).error == refused
    answer = trial.ask("POST", f"{ORDERS}/{order_id}/amend", body | {"count": "4"}).body
    assert (answer["fill_count"], answer["remaining_count"]) == ("3.00", "1.00")
    assert answer["average_fill_price"] == "0.4300"


def test_an_order_whose_count_is_amended_down_keeps_its_place(trial: KalshiDeskTrial) -> None:
    first, second = (trial.placed("bid", "0.4300", "5") for _ in range(2))
    body = {"ticker": trial.ticker, "side": "bid", "price": "0.4300", "count": "4"}
    trial.ask("POST", f"{ORDERS}/{first}/amend", body)
    assert trial.get(f"/portfolio/orders/{second}/queue_position")["queue_position_fp"] == "4.00"
    trial.ask("POST", f"{ORDERS}/{first}/amend", body | {"count": "6"})
    assert trial.get(f"/portfolio/orders/{first}/queue_position")["queue_position_fp"] == "5.00"


def test_an_order_is_decreased_by_or_to_a_count(trial: KalshiDeskTrial) -> None:
    order_id = trial.placed("bid", "0.4100", "9")
    path = f"{ORDERS}/{order_id}/decrease"
    wrong = (400, "invalid_parameters", "reduce_by or reduce_to")
    for body in ({}, {"reduce_by": "1", "reduce_to": "1"}, {"reduce_by": "0"}, {"reduce_to": "x"}):
        assert trial.ask("POST", path, body).error == wrong
    asked = ({"reduce_to": "7"}, {"reduce_to": "8"}, {"reduce_by": "2.50"}, {"reduce_by": "100"})
    left = [trial.ask("POST", path, body).body["remaining_count"] for body in asked]
    assert left == ["7.00", "7.00", "4.50", "0.00"], "never more than before"
    assert trial.ask("POST", path, {"reduce_by": "1"}).error == GONE


def test_in_a_pause_orders_leave_the_book_and_can_be_decreased_and_cancelled(trial: KalshiDeskTrial) -> None:
    order_id = trial.placed("bid", "0.4300", "9")
    trial.markets.trading.begin("pause", trial.exchange.now, NS_PER_S)
    trial.service.pause()
    assert trial.book.best("bid") == 420_000
    body = {"ticker": trial.ticker, "side": "bid", "price": "0.4200", "count": "5"}
    assert trial.ask("POST", f"{ORDERS}/{order_id}/amend", body).error == PAUSED
    assert trial.place().error == PAUSED
    assert trial.ask("POST", f"{ORDERS}/{order_id}/decrease", {"reduce_to": "4"}).body["remaining_count"] == "4.00"
    trial.markets.trading.end(trial.exchange.now + NS_PER_S)
    trial.service.resume()
    assert [match.size for match in trial.others_take("ask", 43, 900)] == [4_000_000]


def test_in_a_halt_nothing_is_taken(trial: KalshiDeskTrial) -> None:
    order_id = trial.placed()
    trial.markets.trading.begin("halt", trial.exchange.now, NS_PER_S)
    for method, path in (("POST", ""), ("DELETE", ""), ("POST", f"/{order_id}/decrease"), ("DELETE", f"/{order_id}")):
        assert trial.ask(method, f"{ORDERS}{path}", trial.wanted()).error == HALTED
    assert trial.row(order_id)["status"] == "resting"


def test_a_market_that_is_unknown_or_over_takes_no_order(trial: KalshiDeskTrial) -> None:
    assert trial.place(ticker="KXNONE").error == (404, "not_found", "market not found")
    listing = trial.markets.listed[trial.ticker]
    listing.market = replace(listing.market, status="closed")
    listing.result = "yes"
    assert trial.place().error == (400, "MARKET_INACTIVE", "")


def test_an_order_that_ends_in_the_very_moment_it_is_changed_stays_ended(trial: KalshiDeskTrial) -> None:
    orders = [trial.placed("bid", "0.0100", expiration_time=trial.exchange.now // NS_PER_S + 1) for _ in range(2)]
    trial.exchange.advance((trial.exchange.now // NS_PER_S + 1) * NS_PER_S - 1)
    body = {"ticker": trial.ticker, "side": "bid", "price": "0.0200", "count": "9"}
    assert trial.ask("POST", f"{ORDERS}/{orders[0]}/amend", body).error == GONE
    assert [trial.row(order_id)["status"] for order_id in orders] == ["canceled"] * 2


def test_an_order_that_ends_in_the_very_moment_it_is_decreased_has_nothing_left(trial: KalshiDeskTrial) -> None:
    order_id = trial.placed("bid", "0.0100", expiration_time=trial.exchange.now // NS_PER_S + 1)
    trial.exchange.advance((trial.exchange.now // NS_PER_S + 1) * NS_PER_S - 1)
    answer = trial.ask("POST", f"{ORDERS}/{order_id}/decrease", {"reduce_by": "1"})
    assert answer.body["remaining_count"] == "0.00"
    assert trial.row(order_id)["status"] == "canceled"


def test_an_amended_order_expires_when_it_did_and_has_its_new_name(trial: KalshiDeskTrial) -> None:
    order_id = trial.placed("bid", "0.0100", expiration_time=trial.exchange.now // NS_PER_S + 1)
    body = {"ticker": trial.ticker, "side": "bid", "price": "0.0200", "count": "9", "updated_client_order_id": "new"}
    assert trial.ask("POST", f"{ORDERS}/{order_id}/amend", body).body["client_order_id"] == "new"
    assert trial.place(client_order_id="new").error == (409, "order_already_exists", "")
    trial.wait(2)
    assert trial.row(order_id)["status"] == "canceled"


def test_a_batch_is_answered_in_order(trial: KalshiDeskTrial) -> None:
    orders = [trial.wanted(), trial.wanted(price="0.5050"), trial.wanted("bid", "0.9900", "1")]
    answer = trial.ask("POST", f"{ORDERS}/batched", {"orders": orders})
    assert answer.status == 201
    rested, refused, filled = answer.body["orders"]
    assert (rested["remaining_count"], filled["fill_count"]) == ("5.00", "1.00")
    assert (refused["client_order_id"], refused["error"]["code"]) == (orders[1]["client_order_id"], "invalid_price")


def test_a_pause_ends_the_orders_that_asked_for_it(trial: KalshiDeskTrial) -> None:
    kept, ended = trial.placed(), trial.placed(cancel_order_on_pause=True)
    trial.service.pause()
    assert [trial.row(order_id)["status"] for order_id in (kept, ended)] == ["resting", "canceled"]
