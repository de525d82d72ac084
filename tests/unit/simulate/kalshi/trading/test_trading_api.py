"""Who answers which private request, and what the faults of the order paths make of the answers."""

import pytest

from predsurv.simulate.kalshi.rest_api import RestResponse
from predsurv.simulate.kalshi.trading.trading_api import ORDER_KINDS, SLOW_S
from predsurv.simulate.server import ServerRequest, ServerResponse
from tests.kit.kalshi_desk import GROUPS, LISTED, ORDERS, KalshiDeskTrial


@pytest.fixture
def trial() -> KalshiDeskTrial:
    return KalshiDeskTrial()


def test_what_is_not_private_is_for_others_to_answer(trial: KalshiDeskTrial) -> None:
    def never(_: RestResponse) -> ServerResponse:
        raise AssertionError("answered")

    request = ServerRequest("GET", "/markets", {}, {}, b"", upgrade=False, target="/markets")
    assert trial.service.api.respond("/markets", request, never) is None


@pytest.mark.parametrize(
    ("method", "path", "error"),
    [
        ("GET", "/portfolio/nothing", (404, "not_found", "")),
        ("POST", "/portfolio/nothing", (404, "not_found", "")),
        ("POST", LISTED, (410, "deprecated_v1_order_endpoint", "")),
        ("DELETE", f"{LISTED}/an-id", (410, "deprecated_v1_order_endpoint", "")),
        ("PUT", ORDERS, (405, "method_not_allowed", "")),
        ("POST", f"{ORDERS}/an-id/nonsense", (405, "method_not_allowed", "")),
        ("POST", GROUPS, (405, "method_not_allowed", "")),
        ("DELETE", f"{GROUPS}/an-id/limit", (405, "method_not_allowed", "")),
    ],
)
def test_requests_that_nobody_knows_are_refused(
    trial: KalshiDeskTrial, method: str, path: str, error: tuple[int, str, str]
) -> None:
    assert trial.ask(method, path).error == error


def test_a_slash_at_the_end_changes_nothing(trial: KalshiDeskTrial) -> None:
    order_id = trial.ask("POST", f"{ORDERS}/", trial.wanted()).body["order_id"]
    assert [row["order_id"] for row in trial.get(f"{LISTED}/")["orders"]] == [order_id]


@pytest.mark.parametrize(
    ("kind", "status", "reset", "delay", "exists"),
    [
        ("orderlost", 201, True, 0, True),
        ("orderreset", 500, True, 0, False),
        ("order500", 500, False, 0, False),
        ("order500done", 500, False, 0, True),
        ("order429", 429, False, 0, False),
        ("order408", 408, False, 0, True),
        ("orderslow", 201, False, SLOW_S, True),
        ("orderblank", 201, False, 0, True),
    ],
)
def test_a_fault_hides_what_was_done_from_who_asked(
    trial: KalshiDeskTrial, kind: str, status: int, reset: bool, delay: int, exists: bool
) -> None:
    assert kind in ORDER_KINDS
    trial.faults.add(kind)
    response = trial.send("POST", ORDERS, trial.wanted())
    assert (response.status, response.reset, response.delay_s) == (status, reset, delay)
    assert (kind == "orderblank") == (response.body == b"{}")
    assert len(trial.get(LISTED)["orders"]) == exists, "reads are answered all the time"
