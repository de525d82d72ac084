"""Numbers and times of foreign columns are exact, or refused."""

from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from predsurv.core.errors import IntegrityError
from predsurv.interchange.rows import known_price, known_size, levels, micros, require_columns, time_ns

PATH = Path("rows.parquet")
NOON = 1_776_427_200


@given(st.integers(0, 10**15))
def test_a_float_of_millionths_comes_back_exactly(value: int) -> None:
    frame = pl.DataFrame({"price": [value / 1_000_000]})
    assert frame.select(micros(pl.col("price"))).item() == value


@pytest.mark.parametrize(
    ("value", "expected"), [("0.07", 70_000), ("1e-6", 1), ("nothing", None), (None, None), ("12.5", 12_500_000)]
)
def test_texts_are_read_as_they_stand(value: str | None, expected: int | None) -> None:
    frame = pl.DataFrame({"size": pl.Series([value], dtype=pl.String)})
    assert frame.select(micros(pl.col("size"))).item() == expected


@pytest.mark.parametrize("scale", [1, 10**3, 10**6, 10**9])
def test_the_unit_of_a_time_follows_from_its_size(scale: int) -> None:
    frame = pl.DataFrame({"time": [NOON * scale]})
    assert frame.select(time_ns(pl.col("time"), pl.Int64(), PATH, NOON * scale)).item() == NOON * 10**9


def test_a_time_with_a_type_is_taken_as_it_is() -> None:
    frame = pl.DataFrame({"time": [datetime(2026, 4, 17, 12, tzinfo=UTC)]})
    assert frame.select(time_ns(pl.col("time"), frame.schema["time"], PATH, None)).item() == NOON * 10**9


@pytest.mark.parametrize("sample", [0, 12, NOON * 10**11])
def test_a_number_that_is_no_time_is_refused(sample: int) -> None:
    with pytest.raises(IntegrityError, match=r"rows.parquet: time is no time from 2000 to 2099"):
        time_ns(pl.col("time"), pl.Int64(), PATH, sample)


def test_missing_columns_are_named_with_what_is_there() -> None:
    require_columns(PATH, {"a": 1, "b": 2}, ("a",))
    with pytest.raises(IntegrityError, match=r"rows.parquet: no column c, d; it has a, b"):
        require_columns(PATH, {"a": 1, "b": 2}, ("c", "d"))


@pytest.mark.parametrize(
    "side", [[["0.4", "1"], ["0.5", "2"], ["0.3", "0"]], [{"price": 0.5, "size": 2}, {"price": "0.4", "size": 1.0}]]
)
def test_levels_are_ordered_and_empty_ones_left_out(side: list[Any]) -> None:
    assert levels(side, best_highest=True) == ((500_000, 2_000_000), (400_000, 1_000_000))
    assert levels(side, best_highest=False) == ((400_000, 1_000_000), (500_000, 2_000_000))


@pytest.mark.parametrize(
    "side", [[["x", "1"]], [[0.5, float("inf")]], [[0.5, -1]], [[True, 1]], [["1.5", "1"]], [["0.5"]]]
)
def test_what_is_no_level_is_refused(side: list[Any]) -> None:
    with pytest.raises(ValueError, match=r"."):
        levels(side, best_highest=True)


@pytest.mark.parametrize("value", [None, -1, 1_000_001])
def test_prices_are_from_nothing_to_a_dollar(value: int | None) -> None:
    with pytest.raises(ValueError, match="no price"):
        known_price(value)
    assert known_price(1_000_000) == 1_000_000


def test_sizes_are_not_negative() -> None:
    for value in (None, -1):
        with pytest.raises(ValueError, match="no size"):
            known_size(value)
    assert known_size(0) == 0
