"""One value, three readers: each sees what it can use, and none is attacked by it."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from predsurv.cli.output.columns import (
    NOTHING,
    Column,
    Kind,
    Value,
    bar,
    machine,
    people,
    span,
    sparkline,
    spreadsheet,
    volume,
)

HOUR = 3_600_000_000_000


@pytest.mark.parametrize(
    ("kind", "value", "text"),
    [
        ("int", 1234567, "1,234,567"),
        ("decimal", 1234.567, "1,234.57"),
        ("micros", 1_234_567_890, "1,234.57"),
        ("percent", 0.1234, "12.34 %"),
        ("duration", 12_300_000_000, "12.3 s"),
        ("time", 1_795_215_600_000_000_000, "2026-11-20 23:00:00"),
        ("time", 10**24, f"{10**24} ns"),
        ("bytes", 123_456_789, "123.5 MB"),
        ("text", "plain", "plain"),
        ("text", True, "yes"),
        ("text", False, "no"),
        ("int", None, NOTHING),
        ("decimal", float("nan"), NOTHING),
        ("decimal", float("inf"), NOTHING),
    ],
)
def test_what_people_read(kind: Kind, value: Value, text: str) -> None:
    assert people(Column("c", "C", kind), value) == text


@pytest.mark.parametrize(
    ("kind", "value", "cell"),
    [
        ("micros", 123_456, 0.123456),
        ("duration", 1_500_000_000, 1.5),
        ("time", 1_795_215_600_000_000_000, "2026-11-20T23:00:00.000000Z"),
        ("decimal", float("nan"), None),
        ("spark", (1, None, float("nan")), [1.0, None, None]),
        ("bytes", 7, 7),
    ],
)
def test_what_programs_read(kind: Kind, value: Value, cell: object) -> None:
    assert machine(Column("c", "C", kind), value) == cell


@pytest.mark.parametrize("start", ["=", "+", "-", "@", " =", "＝"])
def test_a_formula_is_disarmed(start: str) -> None:
    assert spreadsheet(Column("c", "C"), f"{start}HYPERLINK(1)").startswith("'")


def test_a_negative_number_is_not_a_formula() -> None:
    assert spreadsheet(Column("c", "C", "decimal"), -1.5) == "-1.5"
    assert spreadsheet(Column("c", "C", "micros"), -1_500_000) == "-1.5"


@given(st.integers(-(10**15), 10**15))
def test_micros_reach_programs_exactly(value: int) -> None:
    cell = machine(Column("c", "C", "micros"), value)
    assert isinstance(cell, float)
    assert round(cell * 1_000_000) == value


@pytest.mark.parametrize(
    ("duration", "text"),
    [
        (0, "0 ms"),
        (350_000_000, "350 ms"),
        (1_500_000, "1.50 ms"),
        (119_900_000_000, "119.9 s"),
        (725_000_000_000, "12m 05s"),
        (5 * HOUR + 180_000_000_000, "5h 03m"),
        (76 * HOUR, "3d 04h"),
        (-2_000_000_000, "-2.0 s"),
    ],
)
def test_durations_in_words(duration: int, text: str) -> None:
    assert span(duration) == text


def test_bytes_in_words() -> None:
    assert [volume(size) for size in (12, 1_500, 2.5e12, 7.2e15)] == ["12 B", "1.5 kB", "2.5 TB", "7200.0 TB"]


@given(st.floats(-2, 3), st.integers(1, 40))
def test_a_bar_is_always_as_wide_as_asked(share: float, cells: int) -> None:
    assert len(bar(share, cells)) == cells


def test_a_bar_is_full_at_one_and_empty_at_zero() -> None:
    assert (bar(1.0, 4), bar(0.5, 4), bar(0.0, 4)) == ("████", "██  ", "    ")


def test_a_sparkline_leaves_holes_open() -> None:
    assert sparkline([0, None, 1]) == "▁ █"
    assert sparkline([5, 5]) == "▁▁"
    assert sparkline([None]) == NOTHING


@given(st.lists(st.one_of(st.none(), st.floats(-1e300, 1e300)), max_size=60))
def test_a_sparkline_never_fails(values: list[float | None]) -> None:
    assert len(sparkline(values)) <= 32
