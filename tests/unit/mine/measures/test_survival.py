"""Times that were cut off count as what they are: at least that long."""

from itertools import pairwise
from random import Random

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from predsurv.mine.measures.survival import outlasting, quantile, reached

TIMES = st.lists(st.tuples(st.integers(1, 8), st.booleans()), min_size=1, max_size=30)
SHARES = st.sampled_from([0.1, 0.5, 0.9])


def by_rows(counts: dict[int, tuple[int, int]], share: float) -> int | None:
    rows = [(bucket, *counts[bucket]) for bucket in sorted(counts)]
    table = pl.DataFrame(rows, schema=["bucket", "count", "cut"], orient="row")
    found = table.select(pl.col("bucket").filter(reached(outlasting(), share)).first()).item()
    return None if found is None else int(found)


@given(TIMES, SHARES)
def test_without_cuts_a_quantile_is_that_of_the_sorted_times(rows: list[tuple[int, bool]], share: float) -> None:
    times = sorted(float(time) for time, _ in rows)
    whole = next(time for place, time in enumerate(times, 1) if place >= share * len(times) - 1e-9)
    assert quantile(times, [True] * len(times), share) == whole
    counts = {round(time): (times.count(time), 0) for time in times}
    assert by_rows(counts, share) == whole


@given(TIMES, SHARES)
def test_a_cut_never_makes_times_seem_shorter(rows: list[tuple[int, bool]], share: float) -> None:
    times, ended = [float(time) for time, _ in rows], [whole for _, whole in rows]
    first, all_whole = quantile(times, ended, share), quantile(times, [True] * len(times), share)
    assert all_whole is not None
    assert first is None or first >= all_whole


def test_a_table_by_hand() -> None:
    # five at risk: one ends at 1; four: one cut within 2, so of 3.5 one ends; two: both end at 3
    assert quantile([1, 2, 2, 3, 3], [True, True, False, True, True], 0.5) == 3
    counts = {1: (1, 0), 2: (1, 1), 3: (2, 0)}
    assert [by_rows(counts, share) for share in (0.2, 0.42, 0.43, 1.0)] == [1, 2, 3, 3]
    assert by_rows({1: (1, 0), 2: (0, 3)}, 0.5) is None
    assert by_rows({2: (0, 3)}, 0.1) is None
    assert quantile([], [], 0.5) is None


def test_the_median_of_recurring_events_is_found_from_short_windows() -> None:
    rng, times, ended = Random(1), list[float](), list[bool]()
    for _ in range(4_000):
        events = [rng.expovariate(1)]
        while events[-1] < 1.5:
            events.append(events[-1] + rng.expovariate(1))
        for before, after in pairwise(events):
            times.append(min(after, 1.5) - before)
            ended.append(after < 1.5)
    whole = sorted(time for time, each in zip(times, ended, strict=True) if each)
    assert whole[len(whole) // 2] < 0.45
    assert quantile(times, ended, 0.5) == pytest.approx(0.693, rel=0.05)
