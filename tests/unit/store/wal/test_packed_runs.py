"""Tests of predsurv.store.wal.packed_runs."""

import struct
from array import array

import pytest
from hypothesis import given
from hypothesis import strategies as st

from predsurv.core import native
from predsurv.store.wal.packed_runs import (
    ABSENT,
    HUNDREDTHS,
    MILLISECONDS,
    TICKS,
    Unpack,
    as_stored,
    items_of,
    pack,
    python_unpack,
    repeated,
)

HEADER = 16
needs_compiled = pytest.mark.skipif(native.speedups is None, reason="there was no C compiler")


@pytest.fixture(params=["Python", pytest.param("compiled", marks=needs_compiled)])
def unpack(request: pytest.FixtureRequest) -> Unpack:
    if request.param == "Python":
        return python_unpack
    assert native.speedups is not None
    compiled: Unpack = native.speedups.unpack_runs
    return compiled


near = st.integers(0, 2**40).flatmap(lambda lo: st.lists(st.integers(lo, lo + 70_000), max_size=9))
scaled = st.lists(st.integers(0, 2**20), max_size=9).map(lambda each: [7 + 10_000 * number for number in each])
anything = st.lists(st.integers(-(2**63), 2**63 - 1), max_size=9)


@pytest.mark.parametrize("compiled", [False, pytest.param(True, marks=needs_compiled)])
@given(st.lists(st.one_of(near, scaled, anything), max_size=4), st.sampled_from([0, TICKS, HUNDREDTHS, MILLISECONDS]))
def test_what_was_packed_is_unpacked(compiled: bool, runs: list[list[int]], scale: int) -> None:
    read = native.speedups.unpack_runs if compiled and native.speedups else python_unpack
    packed = [pack(run, scale) for run in runs]
    assert array("q", read(packed, 8)).tolist() == [value for run in runs for value in run]
    assert [items_of(run) for run in packed] == [len(run) for run in runs]


@pytest.mark.parametrize(
    ("values", "scale", "width"),
    [
        ([5, 5, 5], 0, 0),
        ([1_790_000_000_000_000_000 + each for each in (0, 255)], 0, 1),
        ([1_790_000_000_000_000_000 + each for each in (0, 256)], 0, 2),
        ([0, 50_000_000], 0, 4),
        ([0, 50_000_000], MILLISECONDS, 1),
        ([100, 999_900], TICKS, 2),
        ([100, 999_901], TICKS, 4),
        ([10_000, 4_999_990_000], HUNDREDTHS, 4),
        ([-(2**63) + 1, 2**63 - 1], 0, 8),
        ([ABSENT, 3], 0, 8),
    ],
)
def test_a_run_is_no_wider_than_its_values_need(values: list[int], scale: int, width: int, unpack: Unpack) -> None:
    run = pack(values, scale)
    assert len(run) == HEADER + width * len(values)
    assert array("q", unpack([run], 8)).tolist() == values


@pytest.mark.parametrize(("width", "code"), [(1, "b"), (4, "i"), (8, "q")])
def test_runs_are_unpacked_as_integers_of_the_width_that_is_asked_for(width: int, code: str, unpack: Unpack) -> None:
    values = unpack([pack([3, 1]), repeated(-1, 2), as_stored(struct.pack("2i", 4, 5), 4)], width)
    assert array(code, values).tolist() == [3, 1, -1, -1, 4, 5]


@pytest.mark.parametrize(
    "run",
    [
        b"",
        pack([1, 2])[:-1],
        pack([1, 2]) + b"\0",
        repeated(1, 2) + b"\0",
        struct.pack("=IBB2xq", 1, 3, 0, 0) + bytes(3),
        struct.pack("=IBB2xq", 1, 1, 1, 0) + bytes(1),
    ],
)
def test_what_is_no_packed_run_is_refused(run: bytes, unpack: Unpack) -> None:
    with pytest.raises(ValueError, match="no packed run"):
        unpack([pack([1]), run], 8)
