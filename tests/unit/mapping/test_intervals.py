"""Intervals of numbers: the algebra against the membership of numbers, one by one."""

from collections.abc import Callable
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from predsurv.core.num import MICROS
from predsurv.mapping import intervals
from predsurv.mapping.intervals import EVERYTHING, Interval, complement, on_grid, relate, tiling, union

VALUES = st.integers(-5, 5)
MAKERS: list[Callable[[int], Interval]] = [intervals.above, intervals.at_least, intervals.below, intervals.at_most]
BOUNDS = st.builds(lambda make, value: make(value), st.sampled_from(MAKERS), VALUES)
RANGES = st.builds(intervals.between, VALUES, VALUES)
ANY = BOUNDS | RANGES
NUMBERS = range(-8, 9)


def members(*given_: Interval) -> set[int]:
    return {number for number in NUMBERS if any(each.holds(number) for each in given_)}


@given(st.lists(ANY, max_size=5))
def test_a_union_holds_what_any_of_its_parts_holds_and_its_parts_are_apart(parts: list[Interval]) -> None:
    joined = union(parts)
    assert members(*joined) == members(*parts)
    assert all(one.high < other.low for one, other in pairwise(joined))


@given(ANY)
def test_a_complement_holds_what_is_left(interval: Interval) -> None:
    assert members(*complement(interval)) == set(NUMBERS) - members(interval)
    assert union((interval, *complement(interval))) == (EVERYTHING,)


@given(ANY, ANY)
def test_a_relation_is_that_of_the_sets(one: Interval, other: Interval) -> None:
    mine, yours = members(one), members(other)
    relation = relate(one, other)
    if relation == "equal":
        assert mine == yours
    elif relation == "subset":
        assert mine <= yours
    elif relation == "superset":
        assert mine >= yours
    elif relation in ("disjoint", "complement"):
        assert not mine & yours
    else:
        assert mine - yours or yours - mine


@given(ANY, st.integers(1, 3))
def test_a_grid_keeps_its_own_numbers_and_makes_what_holds_the_same_ones_equal(interval: Interval, step: int) -> None:
    snapped = on_grid(interval, step)
    on = [number for number in range(-9, 10) if number % step == 0]
    assert [number for number in on if snapped.holds(number)] == [number for number in on if interval.holds(number)]
    assert on_grid(snapped, step) == snapped


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (intervals.above(90 * MICROS), intervals.at_least(91 * MICROS)),
        (intervals.below(40 * MICROS), intervals.at_most(39 * MICROS)),
        (intervals.at_least(30 * MICROS + MICROS // 2), intervals.above(30 * MICROS)),
    ],
)
def test_bounds_on_whole_numbers_are_one_and_the_same(one: Interval, other: Interval) -> None:
    assert one != other
    assert on_grid(one, MICROS) == on_grid(other, MICROS)


@given(st.lists(st.integers(-5, 5), min_size=2, max_size=6, unique=True), st.data())
def test_cuts_tile_what_they_cut(cuts: list[int], data: st.DataObject) -> None:
    edges = sorted(cuts)
    tiles = [Interval(2 * low, 2 * high) for low, high in pairwise(edges)]
    order = data.draw(st.permutations(range(len(tiles))))
    shuffled = [tiles[index] for index in order]
    target = Interval(2 * edges[0], 2 * edges[-1])
    found = tiling(target, [*shuffled, intervals.above(20)])
    assert [shuffled[index] for index in found] == tiles
    hole = data.draw(st.integers(0, len(tiles) - 1))
    assert tiling(target, tiles[:hole] + tiles[hole + 1 :]) == ()
