"""How two prices moved together: minutes in which both were known, and nothing else."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from predsurv.mapping.comovement import comovement

WALK = [0.5 + 0.01 * ((7 * minute) % 11) for minute in range(40)]
MIDS = st.lists(st.none() | st.floats(0, 1), min_size=5, max_size=40)


def test_prices_that_move_alike_are_told_from_prices_that_do_not() -> None:
    alike = comovement(WALK, [each + 0.02 for each in WALK])
    assert alike is not None
    assert (alike.minutes, alike.near_share) == (40, 1.0)
    assert alike.difference_usd == pytest.approx(0.02)
    assert alike.correlation == pytest.approx(1.0)
    assert str(alike) == "apart by 2.0 ¢ on average over 40 minutes, within 5 ¢ in 100%, changes correlate 1.00"
    apart = comovement(WALK, WALK[::-1])
    assert apart is not None
    assert apart.correlation is not None
    assert apart.correlation < 0.9


def test_the_complement_is_compared_where_the_second_pays_in_the_other_case() -> None:
    turned = comovement(WALK, [1 - each for each in WALK], inverse=True)
    assert turned is not None
    assert turned.difference_usd == pytest.approx(0)
    assert turned.correlation == pytest.approx(1.0)


def test_only_minutes_in_which_both_were_known_count() -> None:
    assert comovement([0.5, None], [None, 0.5]) is None
    found = comovement([0.5, None, 0.5, 0.7], [0.5, 0.9, 0.5, None])
    assert found is not None
    assert (found.minutes, found.difference_usd, found.correlation) == (2, 0.0, None)


@given(MIDS)
def test_the_order_of_the_sides_makes_no_difference(first: list[float | None]) -> None:
    second = [None if each is None else 1 - each for each in first]
    one, other = comovement(first, second), comovement(second, first)
    assert (one is None) == (other is None)
    if one is not None and other is not None:
        assert one.difference_usd == pytest.approx(other.difference_usd)
        assert one.near_share == other.near_share
        assert -1.0001 <= (one.correlation or 0.0) <= 1.0001
