"""Tests of predsurv.store.schema."""

import pyarrow as pa
from hypothesis import given
from hypothesis import strategies as st

from predsurv.store.schema import EXACT_MAX, encoding_of, level_columns, schema_of, to_float, to_micros


def test_every_price_converts_exactly() -> None:
    prices = pa.array(range(1_000_001), pa.int64())
    assert to_micros(to_float(prices)).equals(prices)


@given(st.lists(st.none() | st.integers(0, EXACT_MAX), max_size=50))
def test_every_size_up_to_the_bound_converts_exactly(micros: list[int | None]) -> None:
    column = pa.array(micros, pa.int64())
    assert to_micros(to_float(column)).equals(column)


@given(st.integers(0, EXACT_MAX))
def test_the_number_on_disk_is_the_nearest_to_the_decimal(micros: int) -> None:
    assert to_float(pa.array([micros], pa.int64())).to_pylist() == [micros / 1_000_000]


def test_a_snapshot_row_has_its_levels_best_first() -> None:
    assert level_columns(2) == [
        "bid_px_00", "bid_px_01", "bid_sz_00", "bid_sz_01", "ask_px_00", "ask_px_01", "ask_sz_00", "ask_sz_01",
    ]  # fmt: skip
    assert schema_of("snapshots", 2).names == [
        "ts_recv", "ts_venue", "market_id", "instrument_id", *level_columns(2), "trusted", "segment",
    ]  # fmt: skip


def test_no_column_is_encoded_twice() -> None:
    encoding = encoding_of(schema_of("deltas", 10))
    assert not set(encoding.dictionary) & encoding.column.keys()
    assert {"market_id", "instrument_id"} <= set(encoding.dictionary)


def test_ids_are_bounded_where_a_file_has_several_groups_of_rows() -> None:
    schema = schema_of("deltas", 10)
    assert encoding_of(schema).statistics == ["ts_recv"]
    assert encoding_of(schema, merged=True).statistics == ["ts_recv", "market_id", "instrument_id"]
