"""Every number of the miner, checked by hand on small frames, and that cutting a day differently changes nothing."""

from collections.abc import Sequence
from itertools import pairwise

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from predsurv.mine import statistics as frames

S = 1_000_000_000
T0 = 1_795_132_800 * S  # 2026-11-20T00:00Z
DAY = 86_400 * S


def time_column(seconds: Sequence[float]) -> pl.Series:
    return pl.Series([T0 + int(second * S) for second in seconds], dtype=pl.Int64).cast(pl.Datetime("ns", "UTC"))


def coverage(*rows: tuple[str, float, float, str, str]) -> pl.LazyFrame:
    names = [row[0] for row in rows]
    return pl.LazyFrame(
        {
            "market_id": [f"m-{name}" for name in names],
            "instrument_id": names,
            "start": time_column([row[1] for row in rows]),
            "end": time_column([row[2] for row in rows]),
            "state": [row[3] for row in rows],
            "reason": [row[4] for row in rows],
            "inclusion": [0.25 if row[3] == "covered" else 0.0 for row in rows],
        }
    )


def intervals(*rows: tuple[str, float, float]) -> pl.LazyFrame:
    return frames.covered(coverage(*((*row, "covered", "live") for row in rows)), T0, T0 + DAY)


Top = tuple[str, float, float | None, float | None]


def tops(*rows: Top, trusted: bool = True) -> pl.LazyFrame:
    """(instrument, second, best bid, best ask), ten shares on each best level."""
    bids, asks = [row[2] for row in rows], [row[3] for row in rows]
    return pl.LazyFrame(
        {
            "instrument_id": [row[0] for row in rows],
            "ts_recv": time_column([row[1] for row in rows]),
            "trusted": [trusted] * len(rows),
            "bid_px_00": pl.Series(bids, dtype=pl.Float64),
            "bid_sz_00": pl.Series([None if bid is None else 10.0 for bid in bids], dtype=pl.Float64),
            "ask_px_00": pl.Series(asks, dtype=pl.Float64),
            "ask_sz_00": pl.Series([None if ask is None else 10.0 for ask in asks], dtype=pl.Float64),
        }
    )


def changes(*rows: tuple[str, float]) -> pl.LazyFrame:
    return pl.LazyFrame(
        {
            "instrument_id": [row[0] for row in rows],
            "ts_recv": time_column([row[1] for row in rows]),
            "kind": ["change"] * len(rows),
        },
        schema_overrides={"instrument_id": pl.String, "kind": pl.String},
    )


def sums(rows: pl.LazyFrame, spans: pl.LazyFrame) -> dict[str, float]:
    held = frames.held(frames.book_rows(rows, 1), spans, "mid")
    return frames.book_sums(held).collect().row(0, named=True)


def test_observed_and_missed_seconds_are_clipped_to_the_day() -> None:
    table = coverage(
        ("a", -100, 60, "covered", "live"),
        ("a", 60, 90, "gap", "disconnect"),
        ("a", 90, 100, "covered", "live"),
        ("a", 100, 400, "gap", "rotated_out"),
        ("a", 400, 900, "gap", "no_capacity"),
        ("a", 900, 990, "gap", "unannounced"),
    )
    row = frames.coverage_totals(table, T0, T0 + DAY).collect().row(0, named=True)
    assert row == {"market_id": "m-a", "instrument_id": "a", "observed_s": 70.0, "gap_s": 30.0, "weighted_s": 280.0}


def test_adjacent_covered_intervals_become_one() -> None:
    table = intervals(("a", 0, 10), ("a", 10, 20), ("a", 25, 30), ("b", 20, 40)).collect()
    assert [((row[1] - T0) // S, (row[2] - T0) // S) for row in table.iter_rows()] == [(0, 20), (25, 30), (20, 40)]


def test_intervals_that_overlap_become_one_however_they_lie() -> None:
    table = intervals(("a", 0, 3_600), ("a", 10, 20), ("a", 30, 40), ("b", 5, 6)).collect()
    assert [((row[1] - T0) // S, (row[2] - T0) // S) for row in table.iter_rows()] == [(0, 3_600), (5, 6)]


def test_a_book_that_crosses_itself_says_nothing_of_its_spread() -> None:
    found = sums(tops(("a", 0, 0.49, 0.51), ("a", 50, 0.51, 0.49), ("a", 70, 0.5, 0.5)), intervals(("a", 0, 100)))
    assert (found["held_s"], found["two_sided_s"], found["imbalance_known_s"]) == (100, 50, 50)
    assert found["spread_s"] / found["two_sided_s"] == pytest.approx(0.02)
    assert found["moved"] == 0


def test_the_tick_is_that_of_the_band_in_which_the_mid_lies() -> None:
    steps = pl.LazyFrame(
        [("a", 0, 0.0, 0.001), ("a", 0, 0.1, 0.01), ("a", 0, 0.9, 0.001), ("b", 0, 0.0, 0.1), ("c", 0, 0.0, 0.01)],
        schema=["instrument_id", "piece", "begin", "tick_size"],
        orient="row",
    )
    table = pl.LazyFrame(
        {
            "instrument_id": ["a", "b", "c"],
            "piece": [0, 0, 0],
            "mid_s": [20.0, 4.0, None],
            "spread_s": [0.8, 4.0, None],
            "two_sided_s": [40.0, 40.0, None],
        }
    )
    found = dict(frames.spreads_in_ticks(table, steps).collect().rows())
    assert found == pytest.approx({"a": 2.0, "b": 1.0})
    low = table.with_columns(pl.col("mid_s") / 10)
    assert dict(frames.spreads_in_ticks(low, steps).collect().rows()) == pytest.approx({"a": 20.0, "b": 1.0})


def test_a_spread_is_in_the_ticks_of_its_time_and_time_without_a_known_tick_weighs_nothing() -> None:
    # 2 c for 60 s, 4 c for 40 s; ticks of 1 c to 30 s, unknown to 50 s, 0.1 c from there on
    pieces = pl.LazyFrame(
        [("a", 0, T0, T0 + 30 * S), ("a", 1, T0 + 30 * S, T0 + 50 * S), ("a", 2, T0 + 50 * S, T0 + DAY)],
        schema=["instrument_id", "piece", "since", "until"],
        orient="row",
    )
    steps = pl.LazyFrame(
        [("a", 0, 0.0, 0.01), ("a", 2, 0.0, 0.001)],
        schema=["instrument_id", "piece", "begin", "tick_size"],
        orient="row",
    )
    rows = frames.book_rows(tops(("a", 0, 0.49, 0.51), ("a", 60, 0.48, 0.52), ("b", 0, 0.1, 0.2)), 1)
    found = frames.piece_sums(frames.held(rows, intervals(("a", 0, 100), ("b", 0, 100)), "mid"), pieces)
    seconds = found.sort("piece").select("piece", "two_sided_s").collect().rows()
    assert seconds == [(0, pytest.approx(30.0)), (1, pytest.approx(20.0)), (2, pytest.approx(50.0))]
    (row,) = frames.spreads_in_ticks(found, steps).collect().rows()
    assert row == ("a", pytest.approx((2 * 30 + 20 * 10 + 40 * 40) / 80))


def test_a_spread_weighs_as_long_as_it_held() -> None:
    # 0.02 for 10 s, 0.06 for 30 s, then the interval ends at 40 s: (0.02·10 + 0.06·30) / 40 = 0.05
    found = sums(tops(("a", 0, 0.49, 0.51), ("a", 10, 0.47, 0.53)), intervals(("a", 0, 40)))
    assert found["held_s"] == 40
    assert found["spread_s"] / found["two_sided_s"] == pytest.approx(0.05)
    assert found["mid_s"] / found["two_sided_s"] == pytest.approx(0.5)


def test_time_in_a_gap_weighs_nothing_and_a_row_does_not_reach_beyond_it() -> None:
    # covered 0–10 and 20–30; the second row, at 5 s, holds to 10 s; the third, at 22 s, to 30 s; 20–22 s is unknown.
    rows = tops(("a", 0, 0.40, 0.42), ("a", 5, 0.40, 0.44), ("a", 22, 0.40, 0.50))
    found = sums(rows, intervals(("a", 0, 10), ("a", 20, 30)))
    assert found["held_s"] == 5 + 5 + 8
    assert found["spread_s"] == pytest.approx(0.02 * 5 + 0.04 * 5 + 0.10 * 8)


def test_an_untrusted_row_weighs_nothing_and_ends_the_one_before() -> None:
    rows = pl.concat([tops(("a", 0, 0.4, 0.5)), tops(("a", 10, 0.4, 0.6), trusted=False)])
    assert sums(rows, intervals(("a", 0, 40)))["held_s"] == 10


def test_a_missing_side_is_not_two_sided_and_has_no_spread() -> None:
    found = sums(tops(("a", 0, 0.4, 0.5), ("a", 10, 0.4, None)), intervals(("a", 0, 40)))
    assert (found["two_sided_s"], found["held_s"]) == (10, 40)
    assert found["spread_s"] == pytest.approx(1.0)
    assert found["bid_depth_1c_s"] == 400
    assert found["ask_depth_1c_s"] == 100
    assert found["imbalance_s"] == pytest.approx(30.0)  # 0 for 10 s, then +1 for 30 s


def test_volatility_counts_steps_within_an_interval_only() -> None:
    # steps of 1 and 2 cents over 10 s each; the jump across the gap is not a step
    rows = tops(("a", 0, 0.40, 0.50), ("a", 10, 0.41, 0.51), ("a", 20, 0.43, 0.53), ("a", 50, 0.80, 0.90))
    found = sums(rows, intervals(("a", 0, 30), ("a", 45, 60)))
    assert found["moved"] == pytest.approx(0.01**2 + 0.02**2)
    assert found["moved_s"] == 20


def test_depth_counts_the_levels_near_the_best() -> None:
    rows = pl.LazyFrame(
        {
            "instrument_id": ["a"],
            "ts_recv": time_column([0]),
            "trusted": [True],
            "bid_px_00": [0.50],
            "bid_sz_00": [1.0],
            "bid_px_01": [0.49],
            "bid_sz_01": [2.0],
            "bid_px_02": [0.45],
            "bid_sz_02": [4.0],
            "bid_px_03": [0.449],
            "bid_sz_03": [8.0],
            "ask_px_00": [0.51],
            "ask_sz_00": [16.0],
            "ask_px_01": pl.Series([None], dtype=pl.Float64),
            "ask_sz_01": pl.Series([None], dtype=pl.Float64),
            "ask_px_02": [0.56],
            "ask_sz_02": [32.0],
            "ask_px_03": [0.57],
            "ask_sz_03": [64.0],
        }
    )
    row = frames.book_rows(rows, 4).collect().row(0, named=True)
    assert (row["bid_depth_1c"], row["bid_depth_5c"]) == (3.0, 7.0)
    assert (row["ask_depth_1c"], row["ask_depth_5c"]) == (16.0, 48.0)
    assert row["imbalance"] == pytest.approx((7 - 48) / 55)
    assert not row["cut"]
    assert frames.book_rows(rows, 3).collect()["cut"].to_list() == [False], "the third bid is exactly 5 cents away"
    assert frames.book_rows(rows, 2).collect()["cut"].to_list() == [True]
    assert frames.book_rows(rows, 1).collect()["cut"].to_list() == [True]


def test_updates_staleness_and_waits() -> None:
    # changes at 10, 14 and 94 s, observed 0–200 s: waits 4 s and 80 s; stale 20 s of the 80 and 46 s of the last 106
    spans = intervals(("a", 0, 200))
    rows = pl.concat(
        [
            frames.interval_starts(spans, T0, T0 + DAY),
            frames.update_rows(changes(("a", 10), ("a", 10), ("a", 14), ("a", 94))),
        ],
    )
    held = frames.held(rows, spans, "levels")
    found = frames.update_sums(held).collect().row(0, named=True)
    assert found["updates"] == 4
    assert found["stale_s"] == pytest.approx(20 + 46)
    median = frames.median_wait(frames.waits(held)).collect().item(0, "median_wait_s")
    assert median == pytest.approx(4.0, rel=0.05)


def test_an_instrument_that_never_changes_is_stale_from_its_first_minute_on() -> None:
    spans = intervals(("a", 0, 160))
    held = frames.held(frames.interval_starts(spans, T0, T0 + DAY), spans, "levels")
    assert frames.update_sums(held).collect().row(0, named=True)["stale_s"] == 100


def test_mid_paths_hold_the_last_mid_of_each_part_and_nothing_where_nothing_was_known() -> None:
    rows = frames.book_rows(tops(("a", 0, 0.4, 0.5), ("a", 1, 0.5, 0.6), ("a", 9, 0.6, 0.7)), 1)
    held = frames.held(rows, intervals(("a", 0, 4), ("a", 8, 10)), "mid")
    table = frames.mid_paths(held, T0, T0 + 10 * S, 5).collect().sort("bin")
    assert table.rows() == [("a", part, pytest.approx(mid)) for part, mid in ((0, 0.55), (1, 0.55), (4, 0.65))]


prices = st.one_of(st.none(), st.integers(1, 98).map(lambda cents: cents / 100))
book = st.lists(st.tuples(st.sampled_from("ab"), st.integers(0, 500), prices), min_size=1, max_size=30)
cuts = st.lists(st.integers(0, 500), max_size=5)


def folded(rows: pl.DataFrame, spans: pl.LazyFrame, at: Sequence[int]) -> pl.DataFrame:
    """Sum dataset by dataset as the job does, carrying each instrument's last row."""
    edges = [T0 - 1, *sorted(T0 + second * S for second in at), T0 + DAY]
    carry, parts = rows.clear(), []
    for low, high in pairwise(edges):
        piece = pl.concat([carry, rows.filter(pl.col("ts").is_between(low, high, closed="right"))])
        held = frames.held(piece.lazy(), spans, "mid").collect()
        parts.append(frames.book_sums(held.lazy().filter(~pl.col("last"))))
        carry = held.filter(pl.col("last")).select(rows.columns)
    parts.append(frames.book_sums(frames.held(carry.lazy(), spans, "mid")))
    return frames.added(parts).sort("instrument_id").collect()


@settings(max_examples=60, deadline=None)
@given(book, cuts)
def test_cutting_the_day_differently_changes_nothing(seen: list[tuple[str, int, float | None]], at: list[int]) -> None:
    distinct = {(name, second): (name, second, bid) for name, second, bid in seen}.values()
    rows = frames.book_rows(
        tops(*((name, second, bid, None if bid is None else bid + 0.01) for name, second, bid in distinct)), 1
    ).collect()
    spans = intervals(("a", 0, 200), ("a", 210, 400), ("b", 50, 600))
    whole, cut = folded(rows, spans, []), folded(rows, spans, at)
    assert whole.columns == cut.columns
    for left, right in zip(whole.rows(), cut.rows(), strict=True):
        assert left == pytest.approx(right)


@settings(max_examples=60, deadline=None)
@given(book)
def test_weights_never_exceed_the_observed_time(seen: list[tuple[str, int, float | None]]) -> None:
    rows = frames.book_rows(tops(*((name, second, bid, None) for name, second, bid in seen)), 1)
    spans = intervals(("a", 0, 200), ("a", 210, 400), ("b", 50, 600))
    table = frames.book_sums(frames.held(rows, spans, "mid")).collect()
    for name, held_s in table.select("instrument_id", "held_s").iter_rows():
        assert held_s <= {"a": 390, "b": 550}[name]
