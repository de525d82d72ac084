"""Percentiles of latency are right within the documented precision."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from predsurv.collect.status import LatencyHistogram, latency_of
from tests.kit.recorder_samples import START, A, S, book, delta

MS = 1_000_000


def histogram(*values: int) -> LatencyHistogram:
    result = LatencyHistogram()
    for value in values:
        result.add(value)
    return result


@given(st.lists(st.integers(1_000, 10**12), min_size=1, max_size=50), st.sampled_from([1, 50, 99, 100]))
def test_quantiles_are_right_within_a_factor_of_two(values: list[int], percent: int) -> None:
    exact = sorted(values)[-(-len(values) * percent // 100) - 1]
    found = histogram(*values).quantile(percent)
    assert found is not None
    assert exact / 2 <= found <= exact * 2
    assert found <= max(values)


def test_a_negative_latency_counts_as_zero() -> None:
    assert histogram(-5 * S).quantile(50) == 0


@given(st.lists(st.integers(0, 10**10)), st.lists(st.integers(0, 10**10)))
def test_merged_histograms_are_those_of_all_values(left: list[int], right: list[int]) -> None:
    assert histogram(*left).merge(histogram(*right)) == histogram(*left, *right)


@pytest.mark.parametrize(
    ("batch", "expected"),
    [([], None), ([book(A, START)], None), ([book(A, START), delta(A, START, 1, 1)], 5 * MS)],
)
def test_the_latency_of_a_batch_is_that_of_its_first_event_with_a_venue_time(
    batch: list[object], expected: int | None
) -> None:
    assert latency_of(batch) == expected  # type: ignore[arg-type]


def test_what_is_taken_is_not_counted_again() -> None:
    histogram = LatencyHistogram()
    histogram.add(5_000_000)
    taken = histogram.take()
    histogram.add(1_000)
    assert (taken.total, taken.peak, sum(taken.counts)) == (1, 5_000_000, 1)
    assert (histogram.total, histogram.peak, sum(histogram.counts)) == (1, 1_000, 1)
