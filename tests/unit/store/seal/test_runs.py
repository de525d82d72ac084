"""Tests of predsurv.store.seal.runs."""

from itertools import pairwise

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from predsurv.core import native
from predsurv.store.seal.runs import (
    RecordOrder,
    all_but,
    arrival_numbers,
    column_of,
    is_sorted,
    python_all_but,
    python_arrival_numbers,
    with_nulls,
)
from predsurv.store.wal.packed_runs import ABSENT, pack

needs_compiled = pytest.mark.skipif(native.speedups is None, reason="there was no C compiler")


def arrivals(times: list[int]) -> list[int]:
    order = RecordOrder(pa.array(times, pa.int64()))
    return list(order.except_at([]).arrival.to_pylist())


@given(st.lists(st.integers(0, 5), min_size=1))
def test_time_and_arrival_identify_each_record_and_are_in_order(times: list[int]) -> None:
    places = list(zip(times, arrivals(times), strict=True))
    assert len(set(places)) == len(places)
    for time in set(times):
        assert all(a < b for a, b in pairwise([place for place in places if place[0] == time]))


def test_records_with_different_times_all_have_arrival_zero() -> None:
    assert arrivals(list(range(5))) == [0] * 5


@given(st.lists(st.integers(0, 5)))
def test_records_out_of_order_are_detected(times: list[int]) -> None:
    assert RecordOrder(pa.array(times, pa.int64())).ordered == (times == sorted(times))
    assert is_sorted(pa.array(times, pa.int64())) == (times == sorted(times))


@given(st.lists(st.integers(0, 5), min_size=1), st.data())
def test_rows_get_the_time_of_their_position_and_the_rest_has_all_others(times: list[int], data: st.DataObject) -> None:
    some = data.draw(st.lists(st.integers(0, len(times) - 1), unique=True))
    order = RecordOrder(pa.array(times, pa.int64()))
    table = order.add_times(pa.table({"position": pa.array(some, pa.int32())}))
    rest, rest_times, _ = order.except_at(some)
    assert table["ts_recv"].to_pylist() == [times[at] for at in some]
    assert sorted(some + rest.to_pylist()) == list(range(len(times)))
    assert rest_times.to_pylist() == [times[at] for at in rest.to_pylist()]


def test_runs_are_joined_and_absent_is_null() -> None:
    column = column_of([pack([1, ABSENT]), pack([3])], pa.int64())
    assert with_nulls(column).to_pylist() == [1, None, 3]
    assert with_nulls(column.take(pa.array([1]))).to_pylist() == [None]
    assert with_nulls(column.take(pa.array([0]))).to_pylist() == [1]


@needs_compiled
@given(st.lists(st.integers(-3, 3) | st.integers(-(2**63), 2**63 - 1)), st.integers(0, 2))
def test_both_implementations_number_arrivals_alike(times: list[int], offset: int) -> None:
    column = pa.array(times, pa.int64())[offset:]
    assert arrival_numbers(column).equals(python_arrival_numbers(column))


@needs_compiled
@given(st.integers(0, 20), st.lists(st.integers(-2, 22)))
def test_both_implementations_leave_out_the_same_positions(count: int, positions: list[int]) -> None:
    assert all_but(count, positions).equals(python_all_but(count, positions))


@needs_compiled
@pytest.mark.parametrize(("offset", "count"), [(0, 3), (3, 0), (-1, 1), (0, -1), (1, 2)])
def test_times_that_are_not_there_are_refused(offset: int, count: int) -> None:
    assert native.speedups is not None
    with pytest.raises(ValueError, match="not so many"):
        native.speedups.arrival_numbers(bytes(16), offset, count)
    with pytest.raises(ValueError, match="so many records"):
        native.speedups.all_but(-1, b"")
