"""How orders end: filled, expired, crossed with the account's own, or with the market."""

import pytest

from predsurv.simulate.kalshi.trading import account
from tests.kit.kalshi_desk import NS_PER_S, ORDERS, KalshiDeskTrial


@pytest.fixture
def trial() -> KalshiDeskTrial:
    return KalshiDeskTrial()


def last_reason(trial: KalshiDeskTrial, order_id: str) -> str:
    told = [body for body in trial.bodies("user_order") if body["order_id"] == order_id]
    return str(told[-1].get("last_update_reason", ""))


def test_a_resting_order_that_others_meet_is_a_makers(trial: KalshiDeskTrial) -> None:
    order_id = trial.placed("bid", "0.4300", "5")
    trial.others_take("ask", 43, 200)
    assert (trial.row(order_id)["status"], trial.row(order_id)["remaining_count_fp"]) == ("resting", "3.00")
    trial.others_take("ask", 43, 300)
    row = trial.row(order_id)
    assert (row["status"], row["maker_fill_cost_dollars"], row["taker_fill_cost_dollars"]) == (
        "executed",
        "2.150000",
        "0.000000",
    )
    assert [body["is_taker"] for body in trial.bodies("fill")] == [False, False]
    assert last_reason(trial, order_id) == "Trade"


def test_an_order_expires_and_says_so(trial: KalshiDeskTrial) -> None:
    order_id = trial.placed("bid", "0.0100", expiration_time=trial.exchange.now // NS_PER_S + 1)
    assert trial.row(order_id)["expiration_time"].endswith(".000000Z")
    trial.wait(2)
    assert trial.row(order_id)["status"] == "canceled"
    assert last_reason(trial, order_id) == "ExpiryCancel"


@pytest.mark.parametrize(("side", "opposite"), [("bid", "ask"), ("ask", "bid")])
def test_a_taker_stops_before_its_own_order(trial: KalshiDeskTrial, side: str, opposite: str) -> None:
    resting = trial.placed(opposite, "0.4300")
    taker = trial.placed(side, "0.4300")
    assert (trial.row(taker)["status"], trial.row(taker)["fill_count_fp"]) == ("canceled", "0.00")
    assert trial.row(resting)["status"] == "resting"
    assert last_reason(trial, taker) == "SelfTradeCancel"


def test_with_the_other_prevention_the_resting_order_ends(trial: KalshiDeskTrial) -> None:
    resting = trial.placed("ask", "0.4300")
    taker = trial.placed("bid", "0.4300", self_trade_prevention_type="maker")
    assert (trial.row(resting)["status"], trial.row(taker)["status"]) == ("canceled", "resting")
    assert last_reason(trial, resting) == "SelfTradeCancel"
    assert trial.get("/portfolio/fills")["fills"] == []


def test_when_a_market_closes_its_orders_end(trial: KalshiDeskTrial) -> None:
    order_id = trial.placed("bid", "0.0100")
    close = trial.markets.listed[trial.ticker].market.close_time
    assert close is not None
    trial.exchange.advance(close + NS_PER_S)
    assert trial.row(order_id)["status"] == "canceled"
    assert last_reason(trial, order_id) == "CloseCancel"


def test_an_order_that_is_filled_or_killed_is_filled_whole(trial: KalshiDeskTrial) -> None:
    answer = trial.place("bid", "0.4400", "282.80", time_in_force="fill_or_kill").body
    assert (answer["fill_count"], answer["remaining_count"]) == ("282.80", "0.00")
    killed = trial.place("bid", "0.4400", "1", time_in_force="fill_or_kill")
    assert killed.error == (409, "fill_or_kill_insufficient_resting_volume", "")


def test_of_too_many_orders_the_oldest_finished_one_is_forgotten(
    trial: KalshiDeskTrial, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(account, "ORDERS_KEPT_MAX", 2)
    live, finished = trial.placed(), trial.placed()
    trial.ask("DELETE", f"{ORDERS}/{finished}")
    third, fourth = trial.placed(), trial.placed()
    listed = [row["order_id"] for row in trial.get("/portfolio/orders")["orders"]]
    assert listed == [fourth, third, live], "what may still trade is kept"


def test_an_order_that_may_only_rest_does_not_take(trial: KalshiDeskTrial) -> None:
    assert trial.place("bid", "0.4400", post_only=True).error == (400, "invalid_order", "post only cross")
    assert trial.place("bid", "0.4300", post_only=True).body["remaining_count"] == "5.00"
