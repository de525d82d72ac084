"""Every row of the table is reached by its own example; what is not clearly said leaves an order's fate unknown."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from predsurv.core.ids import OrderId
from predsurv.core.text import sanitise
from predsurv.venues.answers import AnswerRule, Fate, Reaction
from predsurv.venues.polymarket.orders.answers import (
    RULES,
    judge_cancel_all,
    judge_cancels,
    judge_order,
    judge_orders,
    read_reply,
)
from tests.kit.payloads import RECORDED, required

ID = OrderId("0xab")
OTHER = OrderId("0xcd")


def body(**fields: object) -> bytes:
    return json.dumps({"success": True, "errorMsg": "", "orderID": ID, "status": "live"} | fields).encode()


@pytest.mark.parametrize("number", range(len(RULES)), ids=[rule.example.decode()[:60] for rule in RULES])
def test_each_row_is_reached_by_its_example(number: int) -> None:
    rule = RULES[number]
    reply = read_reply(rule.statuses[0], rule.example)
    found = next(row for row in RULES if row.matches(rule.operations[0], reply))
    assert RULES.index(found) == number
    assert rule.source


ROWS: list[tuple[int, str, Fate, Reaction]] = [
    (400, "not enough balance / allowance", "rejected", "go_on"),
    (
        400,
        "not enough balance / allowance: the balance is not enough -> balance: 0, order amount: 1",
        "rejected",
        "go_on",
    ),
    (400, "order couldn\u2019t be fully filled. FOK orders are fully filled or killed.", "killed", "go_on"),
    (400, "no orders found to match with FAK order. FAK orders are partially filled or killed.", "killed", "go_on"),
    (400, "order 0x12 is invalid. Duplicated.", "unknown", "reconcile"),
    (400, "rpc error: context canceled", "unknown", "reconcile"),
    (400, "order 0x12 is invalid. Price (0.333) breaks minimum tick size rule: 0.005", "rejected", "go_on"),
    (400, "order 0x12 is invalid. Size (1) lower than the minimum: 5", "rejected", "go_on"),
    (400, "'0x1234' address banned", "rejected", "halt"),
    (400, "'0x1234' address in closed only mode", "rejected", "halt"),
    (400, "the market is not yet ready to process new orders", "rejected", "retry_after"),
    (400, "something that nobody has seen", "rejected", "go_on"),
    (401, "Unauthorized/Invalid api key", "rejected", "halt"),
    (404, "not found", "rejected", "go_on"),
    (408, "Request Timeout", "unknown", "reconcile"),
    (425, "Too Early", "rejected", "retry_after"),
    (429, "Too Many Requests", "rejected", "retry_after"),
    (500, "FOK orders are filled or killed", "unknown", "reconcile"),
    (500, "Internal server error", "unknown", "reconcile"),
    (502, "Bad Gateway", "unknown", "reconcile"),
    (503, "Service Unavailable", "unknown", "reconcile"),
    (503, "Trading is currently disabled. Check polymarket.com for updates", "rejected", "retry_after"),
    (302, "moved", "unknown", "reconcile"),
]


@pytest.mark.parametrize(("status", "text", "fate", "reaction"), ROWS)
def test_errors(status: int, text: str, fate: Fate, reaction: Reaction) -> None:
    verdict = judge_order(status, json.dumps({"error": text}).encode(), ID)
    assert (verdict.fate, verdict.reaction) == (fate, reaction)


def test_the_three_modes_of_503() -> None:
    texts = {
        "cancel_only": "Trading is currently cancel-only. New orders are not accepted, but cancels are allowed.",
        "post_only": "post-only mode: only post-only orders and cancels are allowed",
        "closed": "Trading is currently disabled. Check polymarket.com for updates",
    }
    for phase, text in texts.items():
        verdict = judge_order(503, json.dumps({"error": text}).encode(), ID)
        assert (verdict.fate, verdict.reaction, verdict.phase) == ("rejected", "retry_after", phase)
    said = {"error": texts["post_only"], "code": "post_only_mode", "retry_after_seconds": 79}
    assert judge_order(503, json.dumps(said).encode(), ID).wait_ns == 79_000_000_000
    assert judge_order(503, json.dumps(said | {"retry_after_seconds": 10**12}).encode(), ID).wait_ns == 300_000_000_000
    assert judge_order(429, b"Too Many Requests", ID, 5).wait_ns == 5


@pytest.mark.parametrize("state", ["live", "matched", "delayed"])
def test_orders_that_the_venue_has(state: str) -> None:
    assert judge_order(200, body(status=state), ID)[:2] == ("accepted", "go_on")
    assert judge_order(200, body(status=state, orderID=ID.upper().replace("X", "x")), ID).fate == "accepted"


@pytest.mark.parametrize(
    "answer",
    [
        body(status="unmatched"),
        body(status=""),
        body(status="frozen"),
        body(orderID=OTHER),
        body(success=False),
        body(orderID=""),
        body(orderID=None, errorMsg=None),
        body(errorMsg="strange"),
        b"",
        b"{}",
        b"[]",
        b"null",
        b"<html>ok</html>",
        b"\xff",
        b"[" * 100_000,
        b'{"success":"yes"}',
    ],
)
def test_a_success_that_does_not_say_so_throughout_is_unknown(answer: bytes) -> None:
    assert judge_order(200, answer, ID)[:2] == ("unknown", "reconcile")


def test_an_error_of_a_batch_means_what_it_means_alone() -> None:
    texts = [
        "",
        "not enough balance / allowance",
        "post-only mode: only post-only orders and cancels are allowed",
        "new",
    ]
    rows = [
        {"errorMsg": text, "orderID": "" if text else ID, "status": "" if text else "live", "success": True}
        for text in texts
    ]
    verdicts = judge_orders(200, json.dumps(rows).encode(), [ID] * 4)
    assert [verdict.fate for verdict in verdicts] == ["accepted", "rejected", "rejected", "rejected"]
    assert verdicts[2].phase == "post_only"
    killed = {"errorMsg": "no orders found to match with FAK order.", "orderID": "", "success": True}
    assert judge_orders(200, json.dumps([killed]).encode(), [ID])[0].fate == "killed"


@pytest.mark.parametrize("text", ["Internal server error", "internal error", "Request Timeout"])
def test_a_failure_of_the_server_is_one_in_a_batch_too(text: str) -> None:
    row = {"errorMsg": text, "orderID": "", "success": False}
    assert judge_orders(200, json.dumps([row]).encode(), [ID])[0][:2] == ("unknown", "reconcile")


def test_a_batch_with_fewer_answers_than_orders_is_unknown() -> None:
    for answer in (b"[]", b"{}", body(), b"[" + body() + b"]"):
        assert [each.fate for each in judge_orders(200, answer, [ID, OTHER])] == ["unknown", "unknown"]
    assert [each.fate for each in judge_orders(500, b"", [ID, OTHER])] == ["unknown", "unknown"]
    swapped = judge_orders(200, b"[" + body() + b"," + body() + b"]", [ID, OTHER])
    assert [each.fate for each in swapped] == ["accepted", "unknown"]


def test_a_page_of_the_edge_stops_trading_and_says_nothing_of_the_order() -> None:
    verdict = judge_order(403, b"<!DOCTYPE html><html><title>Attention Required!</title></html>", ID)
    assert (verdict.fate, verdict.reaction) == ("unknown", "halt")


def test_cancels_one_by_one() -> None:
    reply = {"canceled": ["0xAB"], "not_canceled": {"0xcd": "already canceled or matched"}}
    verdicts = judge_cancels(200, json.dumps(reply).encode(), [ID, OTHER, OrderId("0xef")])
    assert [(each.fate, each.reaction) for each in verdicts] == [
        ("accepted", "go_on"),
        ("rejected", "reconcile"),
        ("unknown", "reconcile"),
    ]
    for status, answer, fate in [(200, b"{}", "unknown"), (500, b"", "unknown"), (429, b"", "rejected")]:
        assert judge_cancels(status, answer, [ID])[0].fate == fate
    cancel_only = json.dumps({"error": "Trading is currently disabled. Check polymarket.com"}).encode()
    assert judge_cancels(503, cancel_only, [ID])[0][:2] == ("rejected", "retry_after")


def test_the_samples_of_another_adapter() -> None:
    folder = required(RECORDED).polymarket / "adapter_samples"
    known = OrderId("0x1234567890abcdef1234567890abcdef1234567890abcdef1234567890abcdef12")
    cancelled = (folder / "http_cancel_response_ok.json").read_bytes()
    assert judge_cancels(200, cancelled, [OrderId(json.loads(cancelled)["canceled"][0])])[0].fate == "accepted"
    assert judge_order(500, (folder / "http_order_response_error_500.json").read_bytes(), known).fate == "unknown"
    assert judge_order(200, (folder / "http_order_response_failed.json").read_bytes(), known).fate == "rejected"
    # It does not say in which state the order is, which the venue's own answers do.
    assert judge_order(200, (folder / "http_order_response_ok.json").read_bytes(), known).fate == "unknown"


@given(
    st.integers(0, 999),
    st.binary(max_size=200)
    | st.recursive(
        st.none() | st.booleans() | st.integers() | st.text(max_size=20),
        lambda inner: (
            st.lists(inner, max_size=4)
            | st.dictionaries(
                st.sampled_from(
                    ["success", "errorMsg", "orderID", "status", "error", "code", "canceled", "not_canceled"]
                ),
                inner,
            )
        ),
        max_leaves=12,
    ).map(lambda value: json.dumps(value).encode()),
)
def test_whatever_is_answered_there_is_a_verdict(status: int, answer: bytes) -> None:
    verdicts = [
        judge_order(status, answer, ID),
        *judge_orders(status, answer, [ID]),
        *judge_cancels(status, answer, [ID]),
    ]
    for verdict in verdicts:
        assert sanitise(verdict.reason) == verdict.reason
        if verdict.fate == "accepted":
            assert status in range(200, 300)
        if verdict.fate == "unknown":
            assert verdict.reaction in ("reconcile", "halt")


def test_rows_are_whole() -> None:
    assert all(isinstance(rule, AnswerRule) and rule.example and rule.source for rule in RULES)


def test_a_cancel_of_all_names_orders_that_nobody_asked_for() -> None:
    reply = {
        "canceled": [ID.upper().replace("0X", "0x"), "0xef"],
        "not_canceled": {"0x12": "already canceled or matched"},
    }
    verdicts = judge_cancel_all(200, json.dumps(reply).encode(), [ID, OTHER])
    assert {order_id: verdict.fate for order_id, verdict in verdicts.items()} == {
        ID: "accepted",
        OTHER: "unknown",  # it was over before, or nobody can tell
        "0xef": "accepted",
        "0x12": "rejected",
    }


@pytest.mark.parametrize(
    ("status", "body", "fate"), [(500, b"", "unknown"), (429, b"Too Many Requests", "rejected"), (200, b"<", "unknown")]
)
def test_a_failed_cancel_of_all_says_the_same_of_all_that_were_known(status: int, body: bytes, fate: str) -> None:
    verdicts = judge_cancel_all(status, body, [ID, OTHER])
    assert {order_id: verdict.fate for order_id, verdict in verdicts.items()} == {ID: fate, OTHER: fate}
