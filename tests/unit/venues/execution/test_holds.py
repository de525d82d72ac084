"""Reasons for which nothing is placed: who hears of them, and when each is gone."""

import pytest

from predsurv.core.ids import VenueName
from predsurv.core.reconciliation import TradingHeld
from predsurv.net.clock import ManualClock
from predsurv.venues.execution.holds import Holds

SECOND = 1_000_000_000


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock()


async def test_a_reason_is_in_force_until_its_time_is_up_or_it_is_lifted(clock: ManualClock) -> None:
    holds = Holds(VenueName("kalshi"), clock, lambda _: None)
    assert not holds.has("phase")
    holds.add("phase", "it is paused", 5 * SECOND)
    holds.add("clock", "the clock is wrong")
    assert (holds.has("phase"), holds.has("clock")) == (True, True)
    await clock.advance(5 * SECOND)
    assert (holds.has("phase"), holds.has("clock")) == (False, True)
    holds.lift("clock")
    assert not holds.has("clock")
    assert holds.reason == ""


async def test_only_a_change_of_the_first_reason_is_told(clock: ManualClock) -> None:
    told: list[TradingHeld] = []
    holds = Holds(VenueName("kalshi"), clock, told.append)
    holds.add("phase", "it is paused", SECOND)
    holds.add("clock", "the clock is wrong")
    holds.refresh()
    await clock.advance(SECOND)
    assert [each.reason for each in told] == ["it is paused"], "nobody asked since"
    holds.refresh()
    holds.lift("clock")
    holds.lift("clock")
    assert [each.reason for each in told] == ["it is paused", "the clock is wrong", ""]
