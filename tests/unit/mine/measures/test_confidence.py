"""Intervals are as wide and as skewed as what they are made of: Student's, and those of Poisson numbers."""

from math import exp, factorial, inf, sqrt

import pytest
from hypothesis import given
from hypothesis import strategies as st

from predsurv.mine.measures.confidence import Z_95, skewed_95, student_95

TABLE = {1: 12.7062, 2: 4.3027, 3: 3.1824, 4: 2.7764, 5: 2.5706, 7: 2.3646, 10: 2.2281, 30: 2.0423, 100: 1.9840}


def below(mean: float, count: int) -> float:
    """The probability of less than ``count``, and half of that of ``count``, with a Poisson number."""
    terms = [exp(-mean) * mean**k / factorial(k) for k in range(count + 1)]
    return sum(terms[:-1]) + terms[-1] / 2


@pytest.mark.parametrize(("freedom", "quantile"), TABLE.items())
def test_students_quantiles_are_those_of_the_tables(freedom: int, quantile: float) -> None:
    assert student_95(freedom) == pytest.approx(quantile, abs=1e-4)


@given(st.floats(0, 1e7), st.floats(1, 10))
def test_more_degrees_never_widen_an_interval(freedom: float, factor: float) -> None:
    assert Z_95 - 1e-9 <= student_95(freedom * factor) <= student_95(freedom) + 1e-4
    assert student_95(inf) == Z_95


@pytest.mark.parametrize(("count", "off"), [(1, 0.021), (2, 0.01), (4, 0.005), (10, 0.003), (40, 0.001), (100, 0.001)])
def test_the_interval_of_a_poisson_number_leaves_half_of_the_rest_on_each_side(count: int, off: float) -> None:
    low, high = skewed_95(count, sqrt(count), 1 / sqrt(count), inf)
    assert 1 - below(low, count) == pytest.approx(0.025, abs=off)
    assert below(high, count) == pytest.approx(0.025, abs=0.007)


@given(st.floats(-1e6, 1e6), st.floats(1e-3, 1e3), st.floats(-1, 1), st.floats(1, 1e5))
def test_an_interval_holds_its_estimate_and_leans_to_where_more_may_be(
    estimate: float, error: float, skewness: float, freedom: float
) -> None:
    low, high = skewed_95(estimate, error, skewness, freedom)
    assert low < estimate < high
    assert high - estimate >= estimate - low - 1e-6 * (abs(estimate) + error * student_95(freedom))
    plain = skewed_95(estimate, error, 0, freedom)
    assert plain.high - estimate == pytest.approx(estimate - plain.low, rel=1e-3, abs=1e-6 * abs(estimate))
