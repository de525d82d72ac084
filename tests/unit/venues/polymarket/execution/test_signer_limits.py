"""A signer keeps to the limits of its tier, to what the venue says is left, and to the lowest where it says nothing."""

import logging
from itertools import pairwise

import pytest

from predsurv.net.clock import ManualClock
from predsurv.venues.polymarket.execution.signer_limits import STANDARD, TIERS, SignerLimits
from predsurv.venues.requests import VenueRequest
from tests.kit.scripted_accounts import clob_account
from tests.kit.scripted_http import NO_ROUTE, Answer

POST = VenueRequest("POST", "/orders", b"[]")
DELETE = VenueRequest("DELETE", "/orders", b"[]")


def test_no_tier_has_less_than_one_below_it() -> None:
    tiers = list(TIERS.values())
    for below, above in pairwise(tiers):
        assert all(low < high for low, high in zip(below, above, strict=True))


def test_a_tier_has_its_own_limits_and_an_unknown_one_those_of_the_lowest(caplog: pytest.LogCaptureFixture) -> None:
    limits = SignerLimits(ManualClock())
    assert (limits.tier, limits.rates) == ("", STANDARD)
    limits.adopt("Gold")
    assert (limits.tier, limits.rates) == ("gold", TIERS["gold"])
    assert {name: level.burst for name, level in limits.levels().items()} == {"orders": 600, "cancels": 1_200}
    limits.adopt("uranium\x1b[1m")
    assert limits.rates == STANDARD
    assert {name: level.burst for name, level in limits.levels().items()} == {"orders": 60, "cancels": 120}
    assert "nothing is known of rate limit tier uranium" in caplog.text
    assert "\x1b" not in caplog.text


@pytest.mark.parametrize(("answer", "tier"), [(Answer(b'{"tier":"silver"}'), "silver"), (Answer(b"[]"), "")])
async def test_the_tier_is_asked_for(answer: Answer, tier: str) -> None:
    account = clob_account(answer)
    await account.session.learn_tier()
    assert account.session.limits.tier == tier
    assert account.server.paths() == ["/v1/user/rate-limit-tier"]


async def test_a_tier_that_cannot_be_asked_for_stops_nothing() -> None:
    account = clob_account(NO_ROUTE)
    await account.session.learn_tier()
    assert account.session.limits.rates == STANDARD


async def test_each_answer_says_what_is_left_of_its_own_bucket(caplog: pytest.LogCaptureFixture) -> None:
    said = {"Poly-RateLimit-Remaining": "7", "Poly-RateLimit-Tier": "standard"}
    owed = {"Poly-RateLimit-Remaining": "-2", "Poly-RateLimit-Tier": "copper"}
    nothing = {"Poly-RateLimit-Remaining": "x"}
    account = clob_account(*(Answer(headers=each) for each in (said, owed, nothing)))
    caplog.set_level(logging.INFO)
    await account.session.send(POST, 3)
    levels = account.session.request_levels()
    assert (levels["orders"].available, levels["cancels"].available) == (7, 120), "somebody else sent fifty"
    await account.session.send(DELETE, 2)
    levels = account.session.request_levels()
    assert (levels["orders"].burst, levels["cancels"].burst) == (90, 180)
    assert (levels["orders"].available, levels["cancels"].available) == (37, 0), "it may send thirty more"
    await account.session.send(POST)
    assert account.session.request_levels()["orders"].available == 36
