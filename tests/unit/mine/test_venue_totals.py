"""The estimate is unbiased, its error is that of the draw, and where all is recorded it is the sum."""

from itertools import combinations
from math import sqrt

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from predsurv.mine.venue_totals import period_totals, summed

VALUES = {"a": 5.0, "b": 0.0, "c": 12.0, "d": 7.0, "e": 3.0}
CERTAIN = {"x": 100.0, "y": 40.0}


def frame(*rows: tuple[int, float, float, float, float | None]) -> pl.LazyFrame:
    schema = ["period", "inclusion", "seconds", "planned_s", "updates"]
    return pl.DataFrame(rows, schema=schema, schema_overrides={"updates": pl.Float64}, orient="row").lazy()


def totals(rows: pl.LazyFrame) -> pl.DataFrame:
    return summed(period_totals(rows, ["updates"]), ["updates"])


def drawn(names: tuple[str, ...], period: int = 0) -> list[tuple[int, float, float, float, float]]:
    chance = len(names) / len(VALUES)
    return [
        *((period, 1.0, 300.0, 300.0, value) for value in CERTAIN.values()),
        *((period, chance, 300.0, 300.0, VALUES[name]) for name in names),
    ]


def test_over_all_draws_the_mean_is_the_truth_and_the_variance_that_of_the_draws() -> None:
    samples = [totals(frame(*drawn(names))).row(0) for names in combinations(VALUES, 3)]
    estimates = [estimate for _, estimate, *_ in samples]
    truth = sum(VALUES.values()) + sum(CERTAIN.values())
    mean = sum(estimates) / len(estimates)
    assert mean == pytest.approx(truth)
    spread = sum((each - truth) ** 2 for each in estimates) / len(estimates)
    assert sum(error**2 for _, _, error, _, _ in samples) / len(samples) == pytest.approx(spread)


@given(st.lists(st.tuples(st.floats(0, 1e6), st.floats(1, 300)), min_size=1, max_size=20))
def test_where_all_is_recorded_and_covered_the_total_is_the_sum(counted: list[tuple[float, float]]) -> None:
    rows = [(number % 3, 1.0, seconds, seconds, count) for number, (count, seconds) in enumerate(counted)]
    _, estimate, error, low, high = totals(frame(*rows)).row(0)
    assert estimate == low == high == pytest.approx(sum(count for count, _ in counted))
    assert error == 0


def test_time_that_should_have_been_covered_counts_like_that_which_was() -> None:
    _, estimate, *_ = totals(frame((0, 1.0, 150.0, 300.0, 10.0), (0, 1.0, 300.0, 300.0, 20.0))).row(0)
    assert estimate == pytest.approx(30 * 600 / 450)
    _, none_of_it, *_ = totals(frame((0, 0.5, 0.0, 300.0, 0.0), (0, 0.5, 300.0, 300.0, 20.0))).row(0)
    assert none_of_it == pytest.approx(20 * 2 * 2)


def test_errors_of_periods_add_up_as_squares() -> None:
    one = totals(frame(*drawn(("a", "c", "e")))).row(0)
    two = totals(frame(*drawn(("a", "c", "e")), *drawn(("a", "c", "e"), 1))).row(0)
    assert two[1] == pytest.approx(2 * one[1])
    assert two[2] == pytest.approx(sqrt(2) * one[2])


def test_with_few_draws_an_interval_is_wider_than_with_many() -> None:
    """As many standard errors as their number and their skewness ask for."""
    widths = []
    for periods in (1, 5, 2_000):
        rows = [row for period in range(periods) for row in drawn(("a", "c", "e"), period)]
        _, estimate, error, low, high = totals(frame(*rows)).row(0)
        widths.append((high - low) / error)
        assert high - estimate >= estimate - low - 1e-9
    assert widths[0] > widths[1] > widths[2]
    assert widths[2] == pytest.approx(2 * 1.96, rel=0.01)


def test_what_stays_is_not_counted_for_what_arrives() -> None:
    """Busy ones stay and are covered throughout; one that arrives later is scaled by its own time, and by no more."""
    rows = [(0, 1.0, 300.0, 300.0, 1_000.0), (0, 1.0, 240.0, 300.0, 8.0)]
    assert totals(frame(*rows)).row(0)[1] == pytest.approx(1_000 + 8 * 300 / 240)


def test_of_what_was_hardly_covered_the_others_of_its_kind_tell() -> None:
    rows = [(0, 1.0, 300.0, 300.0, 50.0), (0, 1.0, 29.0, 300.0, 29.0), (0, 0.5, 300.0, 300.0, 4.0)]
    assert totals(frame(*rows)).row(0)[1] == pytest.approx(50 * 2 + 4 / 0.5)
    rows[1] = (0, 1.0, 30.0, 300.0, 29.0)
    assert totals(frame(*rows)).row(0)[1] == pytest.approx(50 + 29 * 10 + 4 / 0.5)


def test_what_was_not_covered_is_unknown_even_of_a_certain_one() -> None:
    _, estimate, error, low, high = totals(frame((0, 1.0, 200.0, 300.0, 40.0))).row(0)
    assert (estimate, error) == (
        60.0,
        pytest.approx(sqrt(40 * 100 * 300 / 200**2)),
    )  # Poisson: 20 of a rate known to 40
    assert low < estimate < high
    by_size = frame((0, 1.0, 200.0, 300.0, 40.0)).with_columns(updates_squares=pl.lit(1_600.0))
    assert totals(by_size).row(0)[2] == pytest.approx(sqrt(1_600 * 100 * 300 / 200**2))  # as one trade of 40 shares


def test_no_less_is_believed_than_was_recorded() -> None:
    rows = [(0, 1.0, 300.0, 300.0, 99.0), (0, 0.5, 300.0, 300.0, 10.0)]
    _, estimate, _, low, _ = totals(frame(*rows)).row(0)
    assert (estimate, low) == (119.0, 109.0)


def test_a_single_one_that_was_drawn_has_an_error_too() -> None:
    _, estimate, error, *_ = totals(frame((0, 0.25, 300.0, 300.0, 8.0))).row(0)
    assert (estimate, error) == (32.0, pytest.approx(sqrt(0.75) * 32))


def test_what_was_observed_nowhere_is_unknown() -> None:
    assert totals(frame((0, 1.0, 300.0, 300.0, None))).row(0) == ("updates", None, None, None, None)
    assert period_totals(frame((0, 1.0, 0.0, 300.0, 0.0)), ["updates"]).collect().is_empty()
