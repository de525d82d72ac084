"""Time whose file is gone is a gap, or time without trades, and everything else stays what it was."""

from collections.abc import Sequence
from datetime import UTC, datetime

import polars as pl
from hypothesis import given
from hypothesis import strategies as st

from predsurv.core.ids import VenueName
from predsurv.mine.lost_time import LostTime
from predsurv.store.layout import Dataset
from predsurv.store.read.missing import MissingFile

MOCK = VenueName("mock")
TIME = pl.Datetime("ns", "UTC")


def gone(lo: int, hi: int, dataset: Dataset = "deltas", collector: str = "c-0", venue: str = "mock") -> MissingFile:
    return MissingFile("x.parquet", dataset, VenueName(venue), collector, lo, hi)


def frame(*rows: tuple[str, int, int, str, str], collector: str = "c-0") -> pl.LazyFrame:
    """Coverage rows of (instrument, start, end, state, reason)."""
    made = pl.DataFrame(rows, ["instrument_id", "start", "end", "state", "reason"], orient="row")
    return made.with_columns(
        pl.col("start", "end").cast(TIME),
        pl.lit("mock").alias("venue"),
        pl.lit(collector).alias("collector"),
        pl.col("reason").cast(pl.Categorical),
    ).lazy()


def without_missing(coverage: pl.LazyFrame, missing: Sequence[MissingFile]) -> pl.LazyFrame:
    return LostTime(tuple(missing)).as_gaps(coverage)


def rows(coverage: pl.LazyFrame) -> list[tuple[str, int, int, str, str]]:
    times = pl.col("start", "end").dt.epoch("ns")
    found = coverage.select("instrument_id", times, "state", pl.col("reason").cast(pl.String)).collect()
    return sorted(found.iter_rows())


def test_covered_time_of_a_missing_file_is_a_gap() -> None:
    coverage = frame(
        ("a", 0, 100, "covered", "live"), ("a", 100, 150, "gap", "stall"), ("b", 60, 90, "covered", "live")
    )
    assert rows(without_missing(coverage, [gone(10, 19), gone(70, 119)])) == [
        ("a", 0, 10, "covered", "live"),
        ("a", 10, 20, "gap", "file_missing"),
        ("a", 20, 70, "covered", "live"),
        ("a", 70, 100, "gap", "file_missing"),
        ("a", 100, 150, "gap", "stall"),
        ("b", 60, 70, "covered", "live"),
        ("b", 70, 90, "gap", "file_missing"),
    ]


def test_only_what_the_same_collector_observed_at_the_venue_is_concerned() -> None:
    coverage = frame(("a", 0, 9, "covered", "live"))
    others = [gone(0, 9, collector="c-1"), gone(0, 9, venue="other"), gone(0, 9, "lifecycle"), gone(9, 20)]
    assert rows(without_missing(coverage, others)) == rows(coverage)
    assert rows(without_missing(coverage, [])) == rows(coverage)


def test_files_missing_for_the_same_time_count_once() -> None:
    coverage = frame(("a", 0, 9, "covered", "live"))
    lost = [gone(2, 4), gone(3, 6, "trades"), gone(7, 7, "snapshots")]
    assert rows(without_missing(coverage, lost)) == [
        ("a", 0, 2, "covered", "live"),
        ("a", 2, 8, "gap", "file_missing"),
        ("a", 8, 9, "covered", "live"),
    ]


def test_the_columns_stay_as_they_were() -> None:
    coverage = frame(("a", 0, 9, "covered", "live"))
    assert without_missing(coverage, [gone(2, 4)]).collect_schema() == coverage.collect_schema()
    assert datetime.fromtimestamp(0, UTC) == without_missing(coverage, [gone(2, 4)]).collect()["start"].min()


_SPANS = st.lists(st.tuples(st.integers(0, 30), st.integers(0, 8)), max_size=4)


@given(st.lists(st.tuples(st.integers(0, 30), st.integers(1, 9)), min_size=1, max_size=4), _SPANS)
def test_every_moment_is_what_it_was_or_a_gap(
    covered: Sequence[tuple[int, int]], lost: Sequence[tuple[int, int]]
) -> None:
    coverage = frame(*((f"i{n}", start, start + size, "covered", "live") for n, (start, size) in enumerate(covered)))
    found = rows(without_missing(coverage, [gone(lo, lo + size) for lo, size in lost]))
    for n, (start, size) in enumerate(covered):
        own = [row for row in found if row[0] == f"i{n}"]
        moments = [(ts, reason) for _, lo, hi, _, reason in own for ts in range(lo, hi)]
        missing = {ts for lo, length in lost for ts in range(lo, lo + length + 1)}
        assert moments == [(ts, "file_missing" if ts in missing else "live") for ts in range(start, start + size)]


def test_books_and_trades_are_lost_each_with_their_own_files() -> None:
    coverage = frame(("a", 0, 9, "covered", "live")).with_columns(pl.lit("live").alias("trades"))
    lost = LostTime((gone(2, 4), gone(3, 6, "trades")))
    assert rows(lost.without_books(coverage)) == [
        ("a", 0, 2, "covered", "live"),
        ("a", 2, 5, "gap", "file_missing"),
        ("a", 5, 9, "covered", "live"),
    ]
    times = pl.col("start", "end").dt.epoch("ns")
    told = lost.without_trades(coverage).select(times, "trades").collect().sort("start").rows()
    assert told == [(0, 3, "live"), (3, 7, "file_missing"), (7, 9, "live")]
