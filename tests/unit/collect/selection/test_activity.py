"""What was seen is forgotten by the clock and by what is seen after it, and no more is kept than the bound allows."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from predsurv.collect.selection import activity
from predsurv.collect.selection.activity import HALF_LIFE, OBSERVED_HALF_LIFE, SECOND, Activity, RecentActivity
from predsurv.core.ids import InstrumentId, InstrumentKey, MarketId, VenueName

START = 10**18


def key(number: int) -> InstrumentKey:
    return InstrumentKey(VenueName("mock"), MarketId(f"m{number}"), InstrumentId(f"i{number}"))


def test_what_is_not_seen_again_counts_half_after_the_half_life() -> None:
    recent = RecentActivity()
    recent.add({key(0): Activity(300.0, 60.0, 6.0, 30.0)}, START)
    first = recent.known()[key(0)]
    recent.add({}, START + HALF_LIFE)
    later = recent.known()[key(0)]
    assert (later.seconds, later.updates, later.trades, later.dollars) == pytest.approx(
        (first.seconds / 2, first.updates / 2, first.trades / 2, first.dollars / 2)
    )


def test_a_market_that_calmed_while_it_was_watched_is_known_to_be_calm() -> None:
    recent, minute = RecentActivity(), 60 * SECOND
    for number in range(120):
        recent.add({key(0): Activity(60.0, 600.0)}, START + number * minute)
    for number in range(120, 180):  # an hour is four half-lives of observed time
        recent.add({key(0): Activity(60.0, 0.0)}, START + number * minute)
    known = recent.known()[key(0)]
    assert known.updates / known.seconds < 10 / 2 ** (3_600 * SECOND / OBSERVED_HALF_LIFE) * 1.5


@given(st.floats(1, 100_000), st.floats(0, 50), st.integers(1, 20))
def test_a_steady_rate_is_estimated_whatever_the_visits(seconds: float, rate: float, visits: int) -> None:
    recent = RecentActivity()
    for number in range(visits):
        recent.add({key(0): Activity(seconds, rate * seconds)}, START + number * HALF_LIFE // 7)
    for known in recent.known().values():
        assert known.updates == pytest.approx(rate * known.seconds)


def test_a_clock_that_is_set_back_changes_nothing() -> None:
    recent = RecentActivity()
    recent.add({key(0): Activity(300.0, 60.0)}, START)
    before = recent.known()[key(0)]
    recent.add({}, START - HALF_LIFE)
    assert recent.known()[key(0)] == before


def test_what_was_seen_long_ago_is_forgotten_and_the_bound_holds(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(activity, "SUMS_MAX", 3)
    recent = RecentActivity()
    recent.add({key(n): Activity(100.0 + n) for n in range(5)}, START)
    assert recent.known().keys() == {key(2), key(3), key(4)}
    recent.add({}, START + 10 * HALF_LIFE)
    assert not len(recent)


def test_what_was_never_covered_is_not_known() -> None:
    recent = RecentActivity()
    recent.add({key(0): Activity(0.0, 5.0)}, START)
    assert not recent.known()
