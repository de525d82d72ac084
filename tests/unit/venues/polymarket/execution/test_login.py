"""Who trades on Polymarket: the clock first, an API key derived or made, refusals in words."""

from email.utils import formatdate
from pathlib import Path

import pytest

from predsurv.core.errors import ConfigError, SafetyError, TransientError
from predsurv.venues.polymarket.execution.login import PolymarketIdentity, load_signer, log_in
from tests.kit.live_orders import configured
from tests.kit.polymarket_orders import ADDRESS, PRIVATE_KEY
from tests.kit.scripted_http import NO_ROUTE, Answer, ScriptedHttp

NOW_S = 1_800_000_000
TIME = Answer(str(NOW_S).encode())
KEY = Answer(b'{"apiKey":"0191","secret":"c2VjcmV0LXNlY3JldA==","passphrase":"p"}')


class Login:
    """Logs in at a scripted venue with the key of everybody's first example."""

    def __init__(self, folder: Path) -> None:
        self.config = configured(folder)
        self.server = ScriptedHttp(TIME)

    async def at(self, *answers: Answer) -> PolymarketIdentity:
        self.server = ScriptedHttp(*answers)
        return await log_in(self.config, self.server.http, self.server.clock)


@pytest.fixture
def login(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Login:
    monkeypatch.setenv("PREDSURV_POLYMARKET_PRIVATE_KEY", PRIVATE_KEY)
    return Login(tmp_path)


def test_without_a_key_it_says_how_to_give_one(tmp_path: Path) -> None:
    with pytest.raises(ConfigError) as raised:
        load_signer(configured(tmp_path), {})
    assert str(raised.value) == (
        "no key to sign orders with: set PREDSURV_POLYMARKET_PRIVATE_KEY_FILE to a file (mode 600) that holds it"
    )


@pytest.mark.parametrize("status", [400, 404])
async def test_a_key_is_made_only_where_there_is_none(login: Login, status: int) -> None:
    identity = await login.at(TIME, Answer(status=status), KEY)
    assert [(each.method, each.url.path) for each in login.server.requests] == [
        ("GET", "/time"),
        ("GET", "/auth/derive-api-key"),
        ("POST", "/auth/api-key"),
    ]
    assert identity.api_key.address == ADDRESS
    await login.at(TIME, KEY)
    assert len(login.server.requests) == 2


@pytest.mark.parametrize("status", [401, 403])
async def test_a_refused_private_key_is_said_to_be_one(login: Login, status: int) -> None:
    with pytest.raises(ConfigError) as raised:
        await login.at(TIME, Answer(b"Invalid L1 headers", status))
    assert str(raised.value) == (
        "polymarket refuses the private key: Invalid L1 headers; check PREDSURV_POLYMARKET_PRIVATE_KEY"
    )


async def test_a_venue_that_gives_no_key_is_tried_later(login: Login) -> None:
    with pytest.raises(TransientError, match="polymarket gave no API key: HTTP 503, Down; try later"):
        await login.at(TIME, Answer(b"<title>Down</title>", 503))


@pytest.mark.parametrize(
    ("seconds", "words"),
    [(-60, "is 59.5 s ahead of polymarket's: signed requests"), (60, "is 60.5 s behind polymarket's: signed requests")],
)
async def test_a_wrong_clock_is_told_before_the_key_is_used(login: Login, seconds: int, words: str) -> None:
    with pytest.raises(SafetyError, match=words):
        await login.at(Answer(str(NOW_S + seconds).encode()))
    assert login.server.paths() == ["/time"]


@pytest.mark.parametrize("zone", ["GMT", "-0000"])
async def test_the_date_of_the_answer_serves_where_it_states_no_time(login: Login, zone: str) -> None:
    date = formatdate(NOW_S - 1).replace("-0000", zone)
    identity = await login.at(Answer(b"<html>", headers={"Date": date}), KEY)
    assert identity.skew == 500_000_000


@pytest.mark.parametrize("date", ["yesterday", "Mon, 01 Jan 2024 00:00:00 +99999999999999", ""])
async def test_a_venue_without_a_time_is_tried_later(login: Login, date: str) -> None:
    with pytest.raises(TransientError, match="polymarket does not say what time it is: HTTP 404; try later"):
        await login.at(Answer(b"", 404, {"Date": date}))


@pytest.mark.parametrize("answer", [Answer(lost=True), NO_ROUTE, Answer(b"", 503)])
async def test_a_venue_that_is_down_leaves_no_doubt_about_orders(login: Login, answer: Answer) -> None:
    for before in ((), (TIME,), (TIME, Answer(status=404))):
        with pytest.raises(TransientError):
            await login.at(*before, answer)
