"""What was seen is forgotten by the clock and by what is seen after it, and no more is kept than the bound allows."""

import msgspec
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


@given(st.lists(st.tuples(st.integers(0, 5), st.floats(1, 1_000), st.floats(0, 50)), max_size=20))
def test_sums_that_were_packed_go_on_as_if_nothing_had_happened(seen: list[tuple[int, float, float]]) -> None:
    whole, first = RecentActivity(), RecentActivity()
    for each in (whole, first):
        for number, (which, seconds, count) in enumerate(seen):
            each.add({key(which): Activity(seconds, count, 1.0, 2.5)}, START + number * 300 * SECOND)
    second = RecentActivity()
    second.restore(first.packed(), VenueName("mock"))
    assert second.known() == whole.known()
    for each in (whole, second):  # the time between two runs counts as any other
        each.add({key(0): Activity(60.0, 3.0)}, START + 10_000 * SECOND)
    assert second.known() == whole.known()


def test_an_odd_name_does_not_keep_the_others_from_being_packed() -> None:
    recent, odd = RecentActivity(), InstrumentKey(VenueName("mock"), MarketId("\ud800"), InstrumentId("\udfff"))
    recent.add({odd: Activity(60.0), key(0): Activity(60.0)}, START)
    again = RecentActivity()
    again.restore(recent.packed(), VenueName("mock"))
    assert again.known()[key(0)] == recent.known()[key(0)]


@pytest.mark.parametrize("damaged", [b"", b"\xc1", b"\x92\x01", b"\x92\x01\x91\x92\xa1m\xa1i"])
def test_damaged_sums_change_nothing(damaged: bytes) -> None:
    recent = RecentActivity()
    recent.add({key(0): Activity(60.0)}, START)
    with pytest.raises(msgspec.MsgspecError):
        recent.restore(damaged, VenueName("mock"))
    assert key(0) in recent.known()
