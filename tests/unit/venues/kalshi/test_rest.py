"""Requests are signed anew each time, paced by the account's limit, and refusals say what to do."""

from pathlib import Path

import httpx
import pytest

from predsurv.core.errors import PermanentError
from predsurv.net.http import StatusError
from predsurv.simulate.kalshi.throwaway_key import ThrowawayKey
from predsurv.venues.kalshi.auth import load_signer
from tests.kit.scripted_kalshi_rest import Pages

LIMITS = {"usage_tier": "basic", "read": {"refill_rate": 100, "bucket_capacity": 50}, "write": {}}
BUSY = httpx.Response(429, json={"error": {"code": "too_many_requests", "message": "too many requests"}})
REFUSED = httpx.Response(401, json={"code": "token_authentication_failure"})


@pytest.fixture
def key() -> ThrowawayKey:
    return ThrowawayKey("ed25519")


@pytest.fixture
def env(key: ThrowawayKey, tmp_path: Path) -> dict[str, str]:
    key.write(tmp_path / "key.pem")
    return {
        "PREDSURV_KALSHI_KEY_ID": key.key_id,
        "PREDSURV_KALSHI_PRIVATE_KEY_FILE": str(tmp_path / "key.pem"),
    }


async def test_anonymous_requests_carry_no_signature() -> None:
    pages = Pages(markets=[{}])
    await pages.rest().get("/markets")
    assert not [name for name in pages.requests[0].headers if name.startswith("kalshi")]
    assert pages.paths() == ["/markets"]


async def test_every_attempt_is_signed_for_its_own_moment(key: ThrowawayKey, env: dict[str, str]) -> None:
    pages = Pages(account__limits=[LIMITS], markets=[BUSY, httpx.Response(500), {}])
    rest = pages.rest(load_signer(pages.clock, env))
    await rest.get("/markets", [("limit", "5")])
    assert pages.paths() == ["/account/limits", "/markets", "/markets", "/markets"]
    stamps = []
    for request in pages.requests:
        headers = dict(request.headers)
        stamps.append(headers["kalshi-access-timestamp"])
        assert key.accepts(headers, "GET", request.url.path, int(stamps[-1]) * 1_000_000)
    assert len(set(stamps)) > 1


async def test_the_accounts_own_limit_is_kept(env: dict[str, str]) -> None:
    pages = Pages(account__limits=[LIMITS], markets=[{}])
    rest = pages.rest(load_signer(pages.clock, env))
    began = pages.clock.now()
    for _ in range(25):
        await rest.get("/markets")
    assert 1_900_000_000 <= pages.clock.now() - began <= 2_300_000_000, "5 at once, then 10 a second"


@pytest.mark.parametrize("answer", [httpx.Response(404), b"<html>", {"read": {"refill_rate": "x"}}, {"read": {}}])
async def test_without_an_answer_the_anonymous_limit_stays(env: dict[str, str], answer: object) -> None:
    pages = Pages(account__limits=[answer], markets=[{}])
    rest = pages.rest(load_signer(pages.clock, env))
    began = pages.clock.now()
    for _ in range(9):
        await rest.get("/markets")
    assert pages.clock.now() - began >= 2_000_000_000


async def test_a_refused_key_is_one_clear_line(env: dict[str, str]) -> None:
    pages = Pages(account__limits=[REFUSED])
    with pytest.raises(PermanentError, match="the API key was refused; check PREDSURV_KALSHI_KEY_ID") as raised:
        await pages.rest(load_signer(pages.clock, env)).get("/markets")
    assert env["PREDSURV_KALSHI_KEY_ID"] not in str(raised.value)


@pytest.mark.parametrize(
    ("date", "message"),
    [("Fri, 15 Jan 2027 07:59:00 GMT", "60 s ahead of"), ("Fri, 15 Jan 2027 08:01:00 GMT", "60 s behind")],
)
async def test_a_wrong_clock_is_told_from_a_wrong_key(env: dict[str, str], date: str, message: str) -> None:
    status = httpx.Response(200, json={}, headers={"Date": date})
    pages = Pages(account__limits=[REFUSED], exchange__status=[status])
    with pytest.raises(PermanentError, match=message):
        await pages.rest(load_signer(pages.clock, env)).get("/markets")


async def test_without_a_key_a_refusal_stays_what_it_is() -> None:
    with pytest.raises(StatusError):
        await Pages(markets=[REFUSED]).rest().get("/markets")
