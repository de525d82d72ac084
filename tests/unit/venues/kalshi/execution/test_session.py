"""Private requests to Kalshi: the clock before the key, the account's limits, refusals in words."""

from email.utils import formatdate

import pytest

from predsurv.core.errors import ConfigError, PermanentError, SafetyError, TransientError
from predsurv.net.http import StatusError
from predsurv.venues.requests import VenueRequest
from tests.kit.scripted_accounts import kalshi_account
from tests.kit.scripted_http import NO_ROUTE, Answer

NOW_S = 1_800_000_000
LIMITS = b'{"read":{"refill_rate":200,"bucket_capacity":600},"write":{"refill_rate":%d,"bucket_capacity":500}}'
POST = VenueRequest("POST", "/portfolio/events/orders", b"{}")


def dated(seconds: int, text: str | None = None) -> Answer:
    return Answer(headers={"Date": formatdate(NOW_S + seconds, usegmt=True) if text is None else text})


@pytest.mark.parametrize(
    ("seconds", "words"),
    [
        (-60, "this machine's clock is 59.5 s ahead of kalshi's: signed requests would be refused; set it by NTP"),
        (60, "this machine's clock is 60.5 s behind kalshi's: signed requests would be refused; set it by NTP"),
    ],
)
async def test_a_wrong_clock_is_told_before_the_key_is_used(seconds: int, words: str) -> None:
    account = kalshi_account(dated(seconds))
    with pytest.raises(SafetyError, match=words):
        await account.session.log_in()
    assert account.server.paths() == ["/trade-api/v2/exchange/status"]
    assert "KALSHI-ACCESS-KEY" not in account.server.requests[0].headers


@pytest.mark.parametrize("text", ["", "yesterday", "Mon, 01 Jan 2024 00:00:00 +99999999999999"])
async def test_a_venue_without_a_time_is_tried_later(text: str) -> None:
    account = kalshi_account(dated(0, text))
    with pytest.raises(TransientError, match="kalshi does not say what time it is: HTTP 200; try later"):
        await account.session.log_in()


@pytest.mark.parametrize(("rate", "known"), [(300, 300), (0, 100)])
async def test_the_write_limit_is_that_of_the_account_where_it_is_stated(rate: int, known: int) -> None:
    zoneless = formatdate(NOW_S).replace("GMT", "-0000")
    account = kalshi_account(dated(0, zoneless), Answer(LIMITS % rate))
    await account.session.log_in()
    assert account.session.writes_per_second == known
    assert abs(account.session.skew) <= 1_000_000_000


async def test_limits_without_writes_leave_those_of_everybody() -> None:
    account = kalshi_account(dated(0), Answer(b'{"read":{"refill_rate":200,"bucket_capacity":600}}'))
    await account.session.log_in()
    assert account.session.writes_per_second == 100


@pytest.mark.parametrize("status", [401, 403])
async def test_a_refused_key_is_said_to_be_one(status: int) -> None:
    account = kalshi_account(Answer(status=status))
    with pytest.raises(PermanentError, match="kalshi refuses the key; check PREDSURV_KALSHI_KEY_ID and the key file"):
        await account.session.read("/portfolio/balance")


async def test_a_key_that_is_refused_at_the_start_is_a_matter_of_configuration() -> None:
    account = kalshi_account(dated(0), Answer(status=401))
    with pytest.raises(ConfigError, match="kalshi refuses the key; check PREDSURV_KALSHI_KEY_ID"):
        await account.session.log_in()


async def test_another_refusal_keeps_its_status() -> None:
    account = kalshi_account(Answer(status=404))
    with pytest.raises(StatusError) as raised:
        await account.session.read("/portfolio/orders/k1")
    assert raised.value.status == 404


@pytest.mark.parametrize(("headers", "wait"), [({"Retry-After": "7"}, 7), ({}, 1)])
async def test_nothing_is_sent_for_as_long_as_the_venue_asks(headers: dict[str, str], wait: int) -> None:
    account = kalshi_account(Answer(status=429, headers=headers), Answer())
    before = account.server.clock.monotonic()
    assert (await account.session.send(POST)).status == 429
    assert account.server.clock.monotonic() == before, "the answer itself comes at once"
    assert (await account.session.send(POST)).status == 200
    assert account.server.clock.monotonic() - before >= wait * 1_000_000_000


@pytest.mark.parametrize("answer", [Answer(lost=True), NO_ROUTE, Answer(b"", 503)])
async def test_a_venue_that_is_down_leaves_no_doubt_about_orders(answer: Answer) -> None:
    with pytest.raises(TransientError):
        await kalshi_account(answer).session.log_in()


@pytest.mark.parametrize(
    ("answer", "expires"),
    [
        (Answer(b'{"api_keys":[],"api_key_region_expiration_ts":1790000000}'), 1_790_000_000 * 10**9),
        (Answer(b'{"api_keys":[],"api_key_region_expiration_ts":null}'), None),
        (Answer(b'{"api_keys":[]}'), None),
        (Answer(b"[]"), None),
        (Answer(b"{}", 403), None),
        (Answer(b"{}", 404), None),
    ],
)
async def test_a_key_expires_when_the_venue_says_so(answer: Answer, expires: int | None) -> None:
    account = kalshi_account(answer)
    assert await account.session.key_expires() == expires
    assert account.server.paths() == ["/trade-api/v2/api_keys"]
