"""Every row of the table is reached by its own example; what is not clearly said leaves an order's fate unknown."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from predsurv.core.ids import ClientOrderId, OrderId
from predsurv.core.text import sanitise
from predsurv.venues.answers import Fate, Reaction
from predsurv.venues.kalshi.orders.answers import (
    RULES,
    judge_cancel,
    judge_cancels,
    judge_change,
    judge_order,
    judge_orders,
    read_reply,
)
from tests.kit.payloads import RECORDED, required

COID = ClientOrderId("c1")
ID = OrderId("3b23")


def error(code: str, details: str = "") -> bytes:
    return json.dumps({"error": {"code": code, "message": code, "details": details}}).encode()


def body(**fields: object) -> bytes:
    placed = {"order_id": ID, "client_order_id": COID, "fill_count": "0.00", "remaining_count": "10.00", "ts_ms": 1}
    return json.dumps(placed | fields).encode()


@pytest.mark.parametrize("number", range(len(RULES)), ids=[rule.example.decode()[:60] for rule in RULES])
def test_each_row_is_reached_by_its_example(number: int) -> None:
    rule = RULES[number]
    reply = read_reply(rule.statuses[0], rule.example)
    found = next(row for row in RULES if row.matches(rule.operations[0], reply))
    assert RULES.index(found) == number
    assert rule.source


ROWS: list[tuple[int, bytes, Fate, Reaction]] = [
    (201, body(), "accepted", "go_on"),
    (201, body(fill_count="10.00", remaining_count="0.00"), "accepted", "go_on"),
    (201, body(fill_count="0.00", remaining_count="0.00"), "killed", "go_on"),
    (409, error("order_already_exists"), "unknown", "reconcile"),
    (409, error("fill_or_kill_insufficient_resting_volume"), "killed", "go_on"),
    (409, error("something_new"), "rejected", "go_on"),
    (400, error("invalid_order", "post only cross"), "rejected", "go_on"),
    (400, error("insufficient_balance"), "rejected", "go_on"),
    (400, b'{"code":"bad_request","message":"bad request","details":"..."}', "rejected", "go_on"),
    (400, error("MARKET_INACTIVE"), "rejected", "go_on"),
    (400, b"<html>", "unknown", "reconcile"),
    (401, b'{"code":"token_authentication_failure"}', "rejected", "halt"),
    (403, error("forbidden"), "rejected", "halt"),
    (403, b"<html>", "unknown", "reconcile"),
    (404, error("not_found"), "rejected", "go_on"),
    (410, error("deprecated_v1_order_endpoint"), "rejected", "halt"),
    (408, error("timeout"), "unknown", "reconcile"),
    (429, b'{"error":"too many requests"}', "rejected", "retry_after"),
    (429, b"", "rejected", "retry_after"),
    (500, error("internal_server_error"), "unknown", "reconcile"),
    (503, error("service_unavailable"), "unknown", "reconcile"),
    (504, b"<html>", "unknown", "reconcile"),
]


@pytest.mark.parametrize(("status", "answer", "fate", "reaction"), ROWS)
def test_answers_to_an_order(status: int, answer: bytes, fate: Fate, reaction: Reaction) -> None:
    verdict = judge_order(status, answer, COID)
    assert (verdict.fate, verdict.reaction) == (fate, reaction)


@pytest.mark.parametrize(
    "answer",
    [
        b"",
        b"{}",
        b"[]",
        b"null",
        b"\xff",
        b"[" * 100_000,
        body(order_id=None),
        body(order_id=""),
        body(fill_count="many"),
        body(remaining_count=None),
        body(client_order_id="another"),
        body(fill_count="-1.00"),
    ],
)
def test_a_success_that_does_not_say_so_throughout_is_unknown(answer: bytes) -> None:
    assert judge_order(201, answer, COID)[:2] == ("unknown", "reconcile")


def test_a_client_order_id_may_be_left_out() -> None:
    assert judge_order(201, body(client_order_id=None), COID).order_id == ID


def test_answers_to_a_cancel() -> None:
    done = json.dumps({"order_id": ID, "reduced_by": "1.00"}).encode()
    assert judge_cancel(200, done, ID)[:2] == ("accepted", "go_on")
    assert judge_cancel(200, done, OrderId("another"))[:2] == ("unknown", "reconcile")
    assert judge_cancel(404, error("not_found"), ID)[:2] == ("rejected", "reconcile")
    assert judge_cancel(400, error("MARKET_INACTIVE"), ID)[:2] == ("rejected", "reconcile")
    for status, answer in [(200, b"{}"), (500, b""), (408, b"")]:
        assert judge_cancel(status, answer, ID)[:2] == ("unknown", "reconcile")
    assert judge_cancel(429, b"", ID, 7)[:5] == ("rejected", "retry_after", "429", "", 7)


def test_answers_to_a_change() -> None:
    assert judge_change(200, json.dumps({"order_id": ID, "remaining_count": "1.00"}).encode(), ID).fate == "accepted"
    assert judge_change(200, json.dumps({"order_id": "another"}).encode(), ID).fate == "unknown"
    assert judge_change(404, error("not_found"), ID)[:2] == ("rejected", "reconcile")
    assert judge_change(400, error("invalid_order"), ID)[:2] == ("rejected", "go_on")
    assert judge_change(500, b"", ID).fate == "unknown"


def test_a_batch_is_judged_order_by_order() -> None:
    other = ClientOrderId("c2")
    rows = [json.loads(body()), {"client_order_id": other, "error": {"code": "insufficient_balance", "details": ""}}]
    answer = json.dumps({"orders": rows}).encode()
    assert [each.fate for each in judge_orders(201, answer, [COID, other])] == ["accepted", "rejected"]
    assert [each.fate for each in judge_orders(201, answer, [other, COID])] == ["unknown", "unknown"]
    assert [each.fate for each in judge_orders(201, answer, [COID])] == ["unknown"]
    killed = {"orders": [{"error": {"code": "fill_or_kill_insufficient_resting_volume"}}]}
    assert judge_orders(201, json.dumps(killed).encode(), [COID])[0].fate == "killed"
    assert [each.reaction for each in judge_orders(429, b"", [COID, other])] == ["retry_after", "retry_after"]


@pytest.mark.parametrize("row", [{"error": {"code": "internal_server_error"}}, {"error": "timeout"}, {"code": "new"}])
def test_an_error_of_a_batch_that_nobody_knows_is_no_rejection(row: dict[str, object]) -> None:
    """It has no status of its own: a failure of the server says nothing of the order in a batch either."""
    assert judge_orders(201, json.dumps({"orders": [row]}).encode(), [COID])[0][:2] == ("unknown", "reconcile")


def test_a_limit_that_one_order_of_a_batch_met_is_one() -> None:
    answer = json.dumps({"orders": [{"error": {"code": "too_many_requests"}}]}).encode()
    assert judge_orders(201, answer, [COID])[0][:2] == ("rejected", "retry_after")


def test_a_batch_of_cancels_is_judged_by_id() -> None:
    rows = [
        {"order_id": "b", "reduced_by": "0.00", "error": {"code": "not_found"}},
        {"order_id": "a", "reduced_by": "1.00", "error": None},
        {"order_id": "x", "reduced_by": "1.00"},
    ]
    ids = [OrderId("a"), OrderId("b"), OrderId("c")]
    verdicts = judge_cancels(200, json.dumps({"orders": rows}).encode(), ids)
    assert [each.fate for each in verdicts] == ["accepted", "rejected", "unknown"]
    assert [each.fate for each in judge_cancels(200, b"{}", ids)] == ["unknown"] * 3


def test_recorded_errors_and_acknowledgements() -> None:
    folder = required(RECORDED).kalshi / "rest"
    errors = [json.loads(line) for line in (folder / "errors.jsonl").read_text().splitlines()]
    fates = [judge_order(each["status"], json.dumps(each["body"]).encode(), COID)[:2] for each in errors]
    assert fates == [
        ("rejected", "go_on"),
        ("rejected", "go_on"),
        ("rejected", "retry_after"),
        ("rejected", "retry_after"),
        ("rejected", "halt"),
    ]
    examples = [json.loads(line) for line in (folder / "orders_v2_examples.jsonl").read_text().splitlines()]
    for each in examples:
        for status in (201, 200):
            answer = each.get(f"response_{status}")
            if answer and status == 201:
                placed = judge_order(201, json.dumps(answer).encode(), ClientOrderId(answer["client_order_id"]))
                assert placed.fate == "accepted"
            elif answer:
                assert judge_cancel(200, json.dumps(answer).encode(), OrderId(answer["order_id"])).fate == "accepted"


@given(
    st.integers(0, 999),
    st.binary(max_size=200)
    | st.recursive(
        st.none() | st.booleans() | st.integers() | st.text(max_size=20),
        lambda inner: (
            st.lists(inner, max_size=4)
            | st.dictionaries(
                st.sampled_from(["order_id", "error", "code", "orders", "fill_count", "reduced_by"]), inner
            )
        ),
        max_leaves=12,
    ).map(lambda value: json.dumps(value).encode()),
)
def test_whatever_is_answered_there_is_a_verdict(status: int, answer: bytes) -> None:
    verdicts = [
        judge_order(status, answer, COID),
        judge_cancel(status, answer, ID),
        judge_change(status, answer, ID),
        *judge_orders(status, answer, [COID]),
        *judge_cancels(status, answer, [ID]),
    ]
    for verdict in verdicts:
        assert sanitise(verdict.reason) == verdict.reason
        assert verdict.fate != "accepted" or status in range(200, 300)
