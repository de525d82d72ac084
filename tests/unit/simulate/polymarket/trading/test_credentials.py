"""API keys are given for a signature, prove requests, and end when they are revoked."""

import json

import pytest

from predsurv.simulate.polymarket.simulator import PolymarketSimulator
from predsurv.simulate.polymarket.trading.credentials import CLOCK_TOLERANCE_S
from predsurv.simulate.server import ServerResponse
from predsurv.venues.requests import VenueRequest
from tests.kit.desk_polymarket import DeskTrader, server_request, silent_simulator


@pytest.fixture
def simulator() -> PolymarketSimulator:
    return silent_simulator()


@pytest.fixture
def trader(simulator: PolymarketSimulator) -> DeskTrader:
    return DeskTrader(simulator)


def derive(trader: DeskTrader, headers: dict[str, str], method: str = "GET") -> ServerResponse:
    path = "/auth/derive-api-key" if method == "GET" else "/auth/api-key"
    answer = trader.service.api.respond(server_request(method, path, headers=headers))
    assert answer is not None
    return answer


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("POLY_ADDRESS", "0x12"),
        ("POLY_ADDRESS", "0x" + "12" * 20),
        ("POLY_SIGNATURE", "none"),
        ("POLY_SIGNATURE", "0x1234"),
        ("POLY_SIGNATURE", "0x" + "ff" * 64 + "1b"),
        ("POLY_TIMESTAMP", "now"),
        ("POLY_TIMESTAMP", "9" * 13),
        ("POLY_NONCE", "-1"),
        ("POLY_NONCE", "9" * 19),
        ("POLY_NONCE", "1"),
    ],
)
def test_a_login_with_a_wrong_part_proves_nothing(trader: DeskTrader, name: str, value: str) -> None:
    answer = derive(trader, trader.login_headers() | {name: value})
    assert (answer.status, json.loads(answer.body)) == (401, {"error": "Invalid L1 Request headers"})
    assert json.loads(derive(trader, trader.login_headers()).body) == trader.credentials


@pytest.mark.parametrize(("late", "status"), [(CLOCK_TOLERANCE_S, 200), (CLOCK_TOLERANCE_S + 1, 401)])
def test_a_login_is_dated_within_the_tolerance(trader: DeskTrader, late: int, status: int) -> None:
    assert derive(trader, trader.login_headers(late=late)).status == status
    assert derive(trader, trader.login_headers(late=-late)).status == status


def test_keys_are_made_once_for_each_nonce_and_listed(simulator: PolymarketSimulator, trader: DeskTrader) -> None:
    unknown = derive(trader, trader.login_headers(nonce=1))
    assert (unknown.status, json.loads(unknown.body)["error"]) == (400, "Could not derive api key!")
    second = DeskTrader(simulator, nonce=1)
    assert second.credentials["apiKey"] != trader.credentials["apiKey"]
    again = derive(trader, trader.login_headers(nonce=1), "POST")
    assert (again.status, json.loads(again.body)["error"]) == (400, "Could not create api key!")
    DeskTrader(simulator, "0x" + "5a" * 32)
    assert trader.get("/auth/api-keys") == {"apiKeys": [trader.credentials["apiKey"], second.credentials["apiKey"]]}


def test_a_revoked_key_proves_nothing(trader: DeskTrader) -> None:
    assert json.loads(trader.ask("DELETE", "/auth/api-key").body) == "OK"
    answer = trader.ask("GET", "/data/orders")
    assert (answer.status, json.loads(answer.body)) == (401, {"error": "Unauthorized/Invalid api key"})
    assert derive(trader, trader.login_headers()).status == 400
    assert derive(trader, trader.login_headers(), "POST").status == 200


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("POLY_API_KEY", "other"),
        ("POLY_PASSPHRASE", "other"),
        ("POLY_SIGNATURE", "other"),
        ("POLY_SIGNATURE", "é"),
        ("POLY_ADDRESS", "0x" + "12" * 20),
        ("POLY_ADDRESS", "not hex"),
        ("POLY_TIMESTAMP", "1"),
        ("POLY_TIMESTAMP", ""),
    ],
)
def test_a_request_with_a_wrong_part_is_unauthorized(trader: DeskTrader, name: str, value: str) -> None:
    headers = dict(trader.api_key.headers(VenueRequest("GET", "/data/orders"), timestamp=trader.seconds()))
    good = trader.service.api.respond(server_request("GET", "/data/orders", headers=headers))
    bad = trader.service.api.respond(server_request("GET", "/data/orders", headers=headers | {name: value}))
    assert good is not None
    assert bad is not None
    assert (good.status, bad.status) == (200, 401)


def test_a_private_path_has_its_methods_and_others_are_not_private(trader: DeskTrader) -> None:
    assert trader.ask("PUT", "/order").status == 405
    assert trader.service.api.respond(server_request("GET", "/book")) is None


@pytest.mark.parametrize("body", [b"[]", b'{"heartbeat_id":1}', b"\xff"])
def test_a_heartbeat_that_is_none_is_refused(trader: DeskTrader, body: bytes) -> None:
    answer = trader.ask("POST", "/v1/heartbeats", body)
    assert (answer.status, json.loads(answer.body)) == (400, {"error": "Invalid payload"})
    assert json.loads(trader.ask("POST", "/v1/heartbeats").body)["heartbeat_id"], "no body begins"
