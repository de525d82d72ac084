"""A trade counts once: for its own outcome where that is observed, else for the one whose book it works in."""

from collections.abc import Sequence

import polars as pl
import pytest

from predsurv.mine.trades import placed_trades

S = 1_000_000_000
MIRRORS = pl.DataFrame({"instrument_id": ["no"], "primary": ["yes"]})
NONE = MIRRORS.clear()

Row = tuple[str, float, float, float, str | None]
"""Instrument, second, price, size, id."""


def trades(*rows: Row) -> pl.LazyFrame:
    frame = pl.LazyFrame(
        rows, schema=["instrument_id", "ts_recv", "price", "size", "trade_id"], orient="row", infer_schema_length=None
    )
    return frame.with_columns(
        (pl.col("ts_recv") * S).cast(pl.Int64).cast(pl.Datetime("ns", "UTC")),
        pl.col("trade_id").cast(pl.String),
        pl.lit("buy").alias("taker_side"),
    )


def intervals(*rows: tuple[str, int, int]) -> pl.LazyFrame:
    spans = [(name, start * S, end * S) for name, start, end in rows]
    return pl.LazyFrame(spans, schema=["instrument_id", "start", "end"], orient="row").sort("instrument_id", "start")


def placed(rows: Sequence[Row], spans: Sequence[tuple[str, int, int]], mirrors: pl.DataFrame = MIRRORS) -> pl.DataFrame:
    return placed_trades(trades(*rows), intervals(*spans), mirrors).collect()


def counted(
    rows: Sequence[Row], spans: Sequence[tuple[str, int, int]], mirrors: pl.DataFrame = MIRRORS
) -> dict[str, object]:
    found: dict[str, tuple[int, float, float]] = {}
    for name, price, size in placed(rows, spans, mirrors).select("instrument_id", "price", "size").iter_rows():
        count, volume, notional = found.get(name, (0, 0.0, 0.0))
        found[name] = (count + 1, volume + size, notional + price * size)
    return dict(found)


def test_trades_count_in_observed_time_only() -> None:
    rows: list[Row] = [
        ("a", 5, 0.5, 10.0, None),
        ("a", 15, 0.6, 100.0, None),
        ("a", 25, 0.7, 20.0, None),
        ("b", 5, 0.1, 1.0, None),
    ]
    found = counted(rows, [("a", 0, 10), ("a", 20, 30)], NONE)
    assert found == {"a": (2, 30.0, pytest.approx(0.5 * 10 + 0.7 * 20))}


def test_a_trade_of_the_second_outcome_is_one_of_the_first_at_the_complement() -> None:
    found = counted([("yes", 1, 0.40, 10.0, "1"), ("no", 2, 0.70, 20.0, "2")], [("yes", 0, 10)])
    assert found == {"yes": (2, 30.0, pytest.approx(0.40 * 10 + 0.30 * 20))}


def test_where_both_outcomes_are_observed_each_has_its_own_trades() -> None:
    found = counted([("yes", 1, 0.4, 10.0, "1"), ("no", 2, 0.7, 20.0, "2")], [("yes", 0, 10), ("no", 0, 10)])
    assert found == {"yes": (1, 10.0, pytest.approx(4.0)), "no": (1, 20.0, pytest.approx(14.0))}


def test_a_trade_counts_for_the_first_outcome_only_in_time_in_which_its_own_was_not_observed() -> None:
    rows: list[Row] = [("no", 2, 0.7, 20.0, None), ("no", 7, 0.6, 1.0, None), ("no", 12, 0.5, 1.0, None)]
    found = counted(rows, [("yes", 0, 10), ("no", 0, 5)])
    assert found == {"no": (1, 20.0, pytest.approx(14.0)), "yes": (1, 1.0, pytest.approx(0.4))}


def test_a_trade_that_is_told_on_both_outcomes_under_one_id_counts_once() -> None:
    rows: list[Row] = [("yes", 1, 0.4, 10.0, "1"), ("no", 1, 0.6, 10.0, "1"), ("no", 2, 0.6, 1.0, "2")]
    assert counted(rows, [("yes", 0, 10)]) == {"yes": (2, 11.0, pytest.approx(4.4))}


def test_trades_without_an_id_are_different_trades() -> None:
    rows: list[Row] = [("yes", 1, 0.4, 10.0, None), ("no", 1, 0.6, 10.0, None)]
    assert counted(rows, [("yes", 0, 10)]) == {"yes": (2, 20.0, pytest.approx(8.0))}


def test_without_a_listing_another_outcome_counts_nowhere() -> None:
    assert counted([("no", 1, 0.6, 10.0, "1")], [("yes", 0, 10)], NONE) == {}


def test_the_taker_of_the_second_outcome_is_on_the_other_side_of_the_first() -> None:
    found = placed([("yes", 1, 0.40, 10.0, "1"), ("no", 2, 0.70, 20.0, "2")], [("yes", 0, 10)])
    assert found.select("ts", "sign", "start").rows() == [(S, 1, 0), (2 * S, -1, 0)]
