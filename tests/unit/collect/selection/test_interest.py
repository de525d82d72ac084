"""Listed volume, mined scores and what was seen lately are on one scale, and each counts as much as it is worth."""

from collections.abc import Mapping

from hypothesis import given
from hypothesis import strategies as st

from predsurv.collect.selection.activity import Activity
from predsurv.collect.selection.interest import Knowledge, LiveWeights, MinedScore, interests, percentiles
from predsurv.collect.selection.planner import Candidate
from predsurv.core.ids import InstrumentId, InstrumentKey, MarketId, VenueName
from predsurv.core.num import MICROS

COUNT = 200


def key(number: int) -> InstrumentKey:
    return InstrumentKey(VenueName("mock"), MarketId(f"m{number:03d}"), InstrumentId(f"i{number:03d}"))


def listed() -> list[Candidate]:
    return [Candidate(key(n), True, (n + 1) ** 3 * MICROS) for n in range(COUNT)]


def steady(count: int = COUNT) -> dict[InstrumentKey, Activity]:
    """Every fourth was seen for five minutes, as busy as its volume says."""
    return {key(n): Activity(300.0, 300 * (n + 1) / 100, 3.0 * n, 60.0 * n) for n in range(0, count, 4)}


def place(found: Mapping[InstrumentKey, int], number: int) -> int:
    return sorted(found, key=found.__getitem__, reverse=True).index(key(number))


def test_without_knowledge_the_listed_volume_counts() -> None:
    found = interests(listed(), Knowledge())
    assert [place(found, n) for n in (COUNT - 1, COUNT // 2, 0)] == [0, COUNT // 2 - 1, COUNT - 1]
    assert max(found.values()) == MICROS


def test_a_market_that_turned_hot_comes_first_and_loses_that_when_it_is_not_seen_again() -> None:
    hot = steady() | {key(8): Activity(280.0, 280.0 * 30, 500.0, 90_000.0)}
    assert place(interests(listed(), Knowledge(hot)), 8) == 0
    faded = steady() | {key(8): hot[key(8)].weighted(1e-4)}
    assert place(interests(listed(), Knowledge(faded)), 8) > COUNT // 2


def test_a_moment_of_evidence_does_not_put_a_large_market_behind_small_ones() -> None:
    """Today's score of 5 s is at most .04: beside a guess of .99 on another scale that was the last place."""
    mined = {key(COUNT - 1): MinedScore(0.02, 0.01, 5 / 125)}
    assert place(interests(listed(), Knowledge(mined=mined)), COUNT - 1) < 10
    seen = steady() | {key(COUNT - 1): Activity(5.0, 0.0)}
    assert place(interests(listed(), Knowledge(seen)), COUNT - 1) < COUNT // 2


def test_a_well_known_dull_market_does_not_live_on_its_volume() -> None:
    mined = {key(COUNT - 1): MinedScore(0.03, 0.02, 0.98)}
    assert place(interests(listed(), Knowledge(mined=mined)), COUNT - 1) > COUNT * 3 // 4
    seen = steady() | {key(COUNT - 1): Activity(900.0, 0.0)}
    assert place(interests(listed(), Knowledge(seen)), COUNT - 1) > COUNT * 3 // 4


def test_what_is_seen_now_replaces_only_what_the_weights_give_it() -> None:
    mined = {key(n): MinedScore(0.5 * n / COUNT, 0.5 * (1 - n / COUNT), 1.0) for n in range(COUNT)}
    weights = LiveWeights(0.25, 0.25)
    hot = {**steady(), key(0): Activity(10_000.0, 1e6, 1e5, 1e8), key(196): Activity(10_000.0, 0.0)}
    found = interests(listed(), Knowledge(hot, mined, weights))
    assert place(found, 0) == 0  # .5 of what cannot be seen and .5 of what is
    assert place(found, 196) == COUNT - 1
    unheeded = interests(listed(), Knowledge(hot, mined, LiveWeights(0.0, 0.0)))
    alone = interests(listed(), Knowledge(mined=mined))
    assert unheeded == alone


@given(
    st.dictionaries(
        st.integers(0, 60).map(key),
        st.builds(Activity, st.floats(0.1, 1e4), st.floats(0, 1e5), st.floats(0, 1e3), st.floats(0, 1e5)),
    ),
    st.lists(st.integers(0, 10**12), max_size=60),
)
def test_interest_lies_between_0_and_1_whatever_was_seen(
    seen: dict[InstrumentKey, Activity], volumes: list[int]
) -> None:
    candidates = [Candidate(key(n), True, volume) for n, volume in enumerate(volumes)]
    found = interests(candidates, Knowledge(seen))
    assert found.keys() == {each.key for each in candidates}
    assert all(0 <= each <= MICROS for each in found.values())


@given(st.lists(st.floats(0, 10), max_size=40))
def test_percentiles_are_shares_of_what_is_less(values: list[float]) -> None:
    for value, share in zip(values, percentiles(values), strict=True):
        less, equal = sum(each < value for each in values), sum(each == value for each in values)
        assert share == ((less + equal / 2) / len(values) if value else 0)
