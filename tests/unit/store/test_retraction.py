"""No coverage outlives the records that it describes, and time stays tiled."""

from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from predsurv.core.ids import InstrumentId, InstrumentKey, MarketId, VenueName
from predsurv.core.records import Coverage
from predsurv.store.retraction import LOSSES_MAX, CoverageRetraction, retract

MOCK, OTHER = VenueName("mock"), VenueName("other")
A = InstrumentKey(MOCK, MarketId("m"), InstrumentId("a"))
B = InstrumentKey(OTHER, MarketId("m"), InstrumentId("b"))
times = st.integers(0, 30)


def covered(start: int, end: int, key: InstrumentKey = A) -> Coverage:
    return Coverage(key, start, end, "covered", "live", 1, 500_000)


def spans(rows: list[Coverage]) -> list[tuple[int, int, str]]:
    return sorted((row.start, row.end, row.reason) for row in rows)


def test_lost_time_is_not_covered() -> None:
    stall = Coverage(A, 3, 6, "gap", "stall", 1)
    assert spans(retract([covered(1, 9), stall], 5)) == [(1, 5, "live"), (3, 6, "stall"), (5, 9, "crash")]
    assert retract([covered(1, 5), covered(5, 5)], 5) == [covered(1, 5), covered(5, 5)]
    assert spans(retract([covered(6, 9)], 5)) == [(6, 9, "crash")]
    assert spans(retract([covered(3, 12)], 7, "disk_full")) == [(3, 7, "live"), (7, 12, "disk_full")]


def test_time_after_the_loss_stays_covered() -> None:
    assert spans(retract([covered(1, 9)], 3, until=6)) == [(1, 3, "live"), (3, 6, "crash"), (6, 9, "live")]
    assert retract([covered(6, 9)], 3, until=6) == [covered(6, 9)]


def test_a_lost_interval_starts_at_its_own_time_for_each_venue() -> None:
    losses = CoverageRetraction()
    losses.add({MOCK: 5, OTHER: 20})
    assert spans(losses.apply(covered(1, 9))) == [(1, 5, "live"), (5, 9, "crash")]
    assert losses.apply(covered(1, 9, B)) == [covered(1, 9, B)]
    losses.add({MOCK: 8})
    assert spans(losses.apply(covered(1, 9, B))) == [(1, 9, "crash")]


@given(st.lists(st.tuples(times, times), max_size=LOSSES_MAX), times, st.integers(1, 30))
def test_retracted_coverage_tiles_the_same_time(lost: list[tuple[int, int]], start: int, length: int) -> None:
    losses, original = CoverageRetraction(), covered(start, start + length)
    for since, until in lost:
        losses.add({MOCK: since}, until)
    made = sorted(losses.apply(original), key=lambda each: each.start)
    assert (made[0].start, made[-1].end) == (original.start, original.end)
    assert all(before.end == after.start for before, after in pairwise(made))
    assert all(each.start < each.end for each in made)
    assert all((each.epoch, each.inclusion) == (1, 500_000) for each in made)
    for each in made:
        if each.state == "covered":
            assert not any(since < each.end and each.start < until for since, until in lost if since < until)


def test_an_open_loss_ends_where_it_is_closed() -> None:
    losses = CoverageRetraction()
    losses.add({MOCK: 2}, 4)
    losses.add({MOCK: 6})
    assert spans(losses.apply(covered(0, 9))) == [(0, 2, "live"), (2, 4, "crash"), (4, 6, "live"), (6, 9, "crash")]
    losses.close(8)
    losses.close(20)
    assert spans(losses.apply(covered(5, 9))) == [(5, 6, "live"), (6, 8, "crash"), (8, 9, "live")]
