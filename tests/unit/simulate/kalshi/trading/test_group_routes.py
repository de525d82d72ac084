"""Order groups: what they are made of, what stops them, and how they answer to nonsense."""

import pytest

from predsurv.simulate.kalshi.trading import group_routes
from tests.kit.kalshi_desk import GROUPS, KalshiDeskTrial

NO_GROUP = (404, "not_found", "order group not found")
NO_LIMIT = (400, "invalid_parameters", "contracts_limit_fp")


def made(trial: KalshiDeskTrial, limit: str = "10.00") -> str:
    answer = trial.ask("POST", f"{GROUPS}/create", {"contracts_limit_fp": limit})
    assert answer.status == 201
    return str(answer.body["order_group_id"])


def test_groups_are_listed_with_their_limits() -> None:
    trial = KalshiDeskTrial()
    first = made(trial, "2.50")
    whole = trial.ask("POST", f"{GROUPS}/create", {"contracts_limit": 7}).body["order_group_id"]
    rows = trial.get(GROUPS)["order_groups"]
    assert [(row["id"], row["contracts_limit_fp"], row["is_auto_cancel_enabled"]) for row in rows] == [
        (first, "2.50", True),
        (whole, "7.00", True),
    ]
    assert [body["event_type"] for body in trial.bodies("order_group_updates")] == ["created", "created"]


def test_a_group_shows_its_live_orders_only() -> None:
    trial = KalshiDeskTrial()
    group = made(trial)
    kept = trial.placed(order_group_id=group)
    gone = trial.placed(order_group_id=group)
    trial.placed()
    trial.ask("DELETE", f"/portfolio/events/orders/{gone}", market_ticker=trial.ticker)
    assert trial.get(f"{GROUPS}/{group}")["orders"] == [kept]


@pytest.mark.parametrize("body", [b"[]", b"{", {}, {"contracts_limit_fp": "0"}, {"contracts_limit": -1}])
def test_a_group_needs_a_limit(body: object) -> None:
    trial = KalshiDeskTrial()
    group = made(trial)
    assert trial.ask("POST", f"{GROUPS}/create", body).error == NO_LIMIT
    assert trial.ask("PUT", f"{GROUPS}/{group}/limit", body).error == NO_LIMIT
    assert [row["contracts_limit_fp"] for row in trial.get(GROUPS)["order_groups"]] == ["10.00"]


def test_there_are_only_so_many_groups(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(group_routes, "GROUPS_MAX", 1)
    trial = KalshiDeskTrial()
    group = made(trial)
    assert trial.ask("POST", f"{GROUPS}/create", {"contracts_limit": 1}).error == NO_LIMIT
    assert trial.ask("DELETE", f"{GROUPS}/{group}").status == 200
    made(trial)


def test_an_unknown_group_is_not_found() -> None:
    trial = KalshiDeskTrial()
    group = made(trial)
    for method, path in (("GET", "none"), ("DELETE", "none"), ("PUT", "none/reset"), ("PUT", f"{group}/nonsense")):
        assert trial.ask(method, f"{GROUPS}/{path}").error == NO_GROUP
    assert trial.place(order_group_id="none").error == (400, "invalid_order", "no such order group")


def test_deleting_a_group_cancels_its_orders_and_no_other() -> None:
    trial = KalshiDeskTrial()
    group = made(trial)
    grouped, single = trial.placed(order_group_id=group), trial.placed()
    assert trial.ask("DELETE", f"{GROUPS}/{group}").status == 200
    assert (trial.row(grouped)["status"], trial.row(single)["status"]) == ("canceled", "resting")
    assert trial.get(GROUPS)["order_groups"] == []
    assert trial.bodies("order_group_updates")[-1]["event_type"] == "deleted"


def test_a_group_that_is_triggered_takes_orders_again_after_a_reset() -> None:
    trial = KalshiDeskTrial()
    group = made(trial)
    grouped, single = trial.placed(order_group_id=group), trial.placed()
    assert trial.ask("PUT", f"{GROUPS}/{group}/trigger").status == 200
    assert (trial.row(grouped)["status"], trial.row(single)["status"]) == ("canceled", "resting")
    assert trial.place(order_group_id=group).error == (400, "invalid_order", "the order group takes no orders")
    assert trial.ask("PUT", f"{GROUPS}/{group}/reset").status == 200
    assert trial.place(order_group_id=group).status == 201
    events = [body["event_type"] for body in trial.bodies("order_group_updates")]
    assert events == ["created", "triggered", "reset"]


def test_a_new_limit_holds_from_the_next_match_on() -> None:
    trial = KalshiDeskTrial()
    group = made(trial)
    taking = {"order_group_id": group, "time_in_force": "immediate_or_cancel"}
    assert trial.place("bid", "0.9900", "4", **taking).body["fill_count"] == "4.00"
    assert trial.ask("PUT", f"{GROUPS}/{group}/limit", {"contracts_limit_fp": "6.00"}).status == 200
    assert trial.bodies("order_group_updates")[-1]["contracts_limit_fp"] == "6.00"
    assert trial.place("bid", "0.9900", "2", **taking).body["fill_count"] == "2.00"
    assert trial.get(f"{GROUPS}/{group}")["is_auto_cancel_enabled"] is False


def test_a_group_whose_resting_order_was_met_up_to_the_limit_ends_its_other_orders() -> None:
    trial = KalshiDeskTrial()
    group = made(trial, "5.00")
    first, second = (trial.placed("bid", "0.4300", "5", order_group_id=group) for _ in range(2))
    lower = trial.placed("bid", "0.4100", "5", order_group_id=group)
    assert [match.size for match in trial.others_take("ask", 43, 800)] == [5_000_000, 3_000_000]
    assert (trial.row(first)["status"], trial.row(first)["fill_count_fp"]) == ("executed", "5.00")
    assert (trial.row(second)["status"], trial.row(second)["fill_count_fp"]) == ("canceled", "3.00")
    assert (trial.row(lower)["status"], trial.row(lower)["fill_count_fp"]) == ("canceled", "0.00")
    assert trial.book.best("bid") == 420_000, "nothing is left of it in the book"
    assert [body["event_type"] for body in trial.bodies("order_group_updates")] == ["created", "triggered"]


def test_a_group_that_is_reset_before_it_ends_its_orders_does_not_end_them() -> None:
    trial = KalshiDeskTrial()
    group = made(trial, "5.00")
    order_id = trial.placed("bid", "0.4300", "9", order_group_id=group)
    trial.book.take("ask", 430_000, 6_000_000)
    assert trial.ask("PUT", f"{GROUPS}/{group}/reset").status == 200
    trial.exchange.advance(trial.exchange.now + 1)
    assert trial.row(order_id)["remaining_count_fp"] == "3.00"
    assert trial.get(f"{GROUPS}/{group}")["orders"] == [order_id]


def test_a_group_that_ends_while_orders_come_back_from_a_pause_keeps_the_others_out() -> None:
    trial = KalshiDeskTrial()
    group = made(trial, "5.00")
    first, second = (trial.placed("bid", "0.4300", "5", order_group_id=group) for _ in range(2))
    trial.service.pause()
    trial.others_rest("ask", 43, 1_000)
    trial.service.resume()
    assert (trial.row(first)["status"], trial.row(second)["status"]) == ("executed", "canceled")


def test_a_group_takes_orders_of_its_own_shard_alone_and_is_found_there() -> None:
    trial = KalshiDeskTrial()
    trial.markets.listed[trial.ticker].exchange_index = 2
    first = made(trial)
    there = trial.ask("POST", f"{GROUPS}/create", {"contracts_limit": 7, "exchange_index": 2})
    group = there.body["order_group_id"]
    assert there.body["exchange_index"] == 2
    assert trial.place(order_group_id=first).error == (400, "invalid_order", "no such order group")
    trial.placed(order_group_id=group)
    assert [row["exchange_index"] for row in trial.get(GROUPS)["order_groups"]] == [0, 2]
    assert trial.ask("PUT", f"{GROUPS}/{group}/reset", {}).error == NO_GROUP
    assert trial.ask("DELETE", f"{GROUPS}/{group}").error == NO_GROUP
    assert trial.ask("DELETE", f"{GROUPS}/{group}", exchange_index="2").status == 200
    assert trial.ask("POST", f"{GROUPS}/create", {"contracts_limit": 7, "exchange_index": 4}).error == (
        400,
        "invalid_parameters",
        "exchange_index",
    )
