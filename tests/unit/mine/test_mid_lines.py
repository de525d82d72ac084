"""The gaps of charts: what lies between the covered intervals of each instrument."""

from itertools import pairwise

import polars as pl
from hypothesis import given
from hypothesis import strategies as st

from predsurv.mine.mid_lines import GAP_MERGE, unobserved

END = 10_000


def gaps(*intervals: tuple[int, int]) -> list[tuple[float, float]]:
    rows = [("i", start, end) for start, end in intervals]
    frame = pl.DataFrame(rows, schema=["instrument_id", "start", "end"], orient="row")
    return unobserved(frame, 0, END)["i"]


def test_gaps_are_shares_of_the_time_between_what_is_covered() -> None:
    assert gaps((0, END)) == []
    assert gaps((1_000, 4_000), (6_000, 9_000)) == [(0.0, 0.1), (0.4, 0.6), (0.9, 1.0)]


def test_gaps_with_next_to_nothing_between_them_are_one() -> None:
    assert gaps((5_000, 5_001)) == [(0.0, 1.0)]


@given(st.lists(st.integers(0, END), min_size=2, max_size=30, unique=True))
def test_gaps_and_covered_time_are_all_of_it(edges: list[int]) -> None:
    edges = sorted(edges[: len(edges) // 2 * 2])
    intervals = list(zip(edges[::2], edges[1::2], strict=True))
    found = gaps(*intervals)
    assert all(low < high for low, high in found)
    assert all(high + GAP_MERGE <= low + 1e-9 for (_, high), (low, _) in pairwise(found))
    uncovered = END - sum(end - start for start, end in intervals)
    hidden = len(intervals) * GAP_MERGE * END
    assert uncovered - 1e-6 <= sum(high - low for low, high in found) * END <= uncovered + hidden
