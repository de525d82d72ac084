"""Requests are proved as the venue's own clients prove them, and no part of a key is ever shown."""

import copy
import json
import pickle

import pytest

from predsurv.config import Secret
from predsurv.core.errors import WireError
from predsurv.venues.polymarket.orders.api_keys import ApiKey, login_headers, read_api_key
from predsurv.venues.requests import VenueRequest
from tests.kit.polymarket_orders import ADDRESS, key
from tests.kit.shown import everything_shown, whole_traceback

CANARY = "Q0FOQVJZ" * 5 + "Q0E="  # base64 of a word that nothing else says


def api_key(secret: str = CANARY) -> ApiKey:
    return ApiKey(Secret("canary-key-0191"), Secret(secret), Secret("canary-passphrase"), address=ADDRESS)


def test_the_published_login_and_the_one_of_the_main_chain() -> None:
    """From the venue's client: tests/signing/test_eip712.py; the second by both of its clients."""
    headers = login_headers(key(), timestamp=10000000, nonce=23, chain_id=80002)
    assert headers["POLY_SIGNATURE"] == (
        "0xf62319a987514da40e57e2f4d7529f7bac38f0355bd88bb5adbb3768d80de6c1"
        "682518e0af677d5260366425f4361e7b70c25ae232aff0ab2331e2b164a1aedc1b"
    )
    assert (headers["POLY_ADDRESS"], headers["POLY_TIMESTAMP"], headers["POLY_NONCE"]) == (ADDRESS, "10000000", "23")
    assert login_headers(key(), timestamp=10000000, nonce=23)["POLY_SIGNATURE"] == (
        "0x1a7118db6100dfd8efd102be36f472b59475dcac56eb4c9a2a94748d3655ba7c"
        "3c89deb8c19ee79eceb0a531122fbfbe88ed118034f9d8212e2b725e7b296b9d1c"
    )


def test_the_published_proof_of_a_request_and_one_without_a_body() -> None:
    """From the venue's client: tests/signing/test_hmac.py; the second by both of its clients."""
    mine = api_key("A" * 43 + "=")
    proved = mine.headers(VenueRequest("test-sign", "/orders", b'{"hash": "0x123"}'), timestamp=1000000)  # type: ignore[arg-type]
    assert proved["POLY_SIGNATURE"] == "ZwAdJKvoYRlEKDkNMwd5BuwNNtg93kNaR_oU2HrfVvc="
    read = mine.headers(VenueRequest("GET", "/data/orders", query=(("market", "0x1"),)), timestamp=1700000000)
    assert read["POLY_SIGNATURE"] == "m6lGS9WyES7JjpAYNd7zIdW5bfHxAAI_pIa1St9vLO4="
    assert dict(read) | {"POLY_SIGNATURE": ""} == {
        "POLY_ADDRESS": ADDRESS,
        "POLY_API_KEY": "canary-key-0191",
        "POLY_PASSPHRASE": "canary-passphrase",
        "POLY_TIMESTAMP": "1700000000",
        "POLY_SIGNATURE": "",
    }


def test_a_secret_without_padding_is_the_same() -> None:
    request = VenueRequest("GET", "/data/orders")
    assert dict(api_key(CANARY.rstrip("=")).headers(request, timestamp=1)) == dict(
        api_key().headers(request, timestamp=1)
    )


def test_the_first_frame_of_the_user_channel() -> None:
    auth = {"apiKey": "canary-key-0191", "secret": CANARY, "passphrase": "canary-passphrase"}
    assert json.loads(api_key().subscription()) == {"type": "user", "auth": auth}
    assert json.loads(api_key().subscription(["0xab"])) == {"type": "user", "auth": auth, "markets": ["0xab"]}


def test_the_answer_that_gives_a_key() -> None:
    body = json.dumps({"apiKey": "canary-key-0191", "secret": CANARY, "passphrase": "canary-passphrase", "new": 1})
    got, request = read_api_key(body.encode(), address=ADDRESS), VenueRequest("GET", "/x")
    assert dict(got.headers(request, timestamp=5)) == dict(api_key().headers(request, timestamp=5))
    assert got.owner.reveal() == "canary-key-0191"


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"<html>",
        b"[]",
        b"\xff\xfe",
        b"[" * 100_000,
        b'{"apiKey":"canary","secret":"canary"}',
        b'{"apiKey":"","secret":"canary","passphrase":"canary"}',
        b'{"apiKey":"canary\\r\\nX: y","secret":"canary","passphrase":"canary"}',
        b'{"apiKey":"k","secret":"canary!!","passphrase":"p"}',
    ],
)
def test_an_answer_without_a_key_is_told_without_showing_it(body: bytes) -> None:
    with pytest.raises(WireError) as refused:
        read_api_key(body, address=ADDRESS)
    assert "canary" not in whole_traceback(refused.value)


def test_nothing_of_a_key_is_shown(caplog: pytest.LogCaptureFixture) -> None:
    mine = api_key()
    request = VenueRequest("POST", "/order", b'{"owner":"canary-key-0191"}')
    headers = mine.headers(request, timestamp=1)
    shown = everything_shown(caplog, mine, headers, request, mine.owner)
    for canary in ("canary-key", "canary-pass", CANARY[:6], headers["POLY_SIGNATURE"][:6]):
        assert canary not in shown
    for hidden in (mine, headers, mine.owner):
        with pytest.raises(TypeError):
            pickle.dumps(hidden)
        with pytest.raises(TypeError):
            copy.deepcopy(hidden)
