"""Durations and sizes are exact both ways, and nothing else is accepted."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from predsurv.config.units import format_bytes, format_duration, parse_bytes, parse_duration


@given(st.integers(0, 10**17))
def test_duration_text_is_exact_both_ways(duration: int) -> None:
    assert parse_duration(format_duration(duration)) == duration


@given(st.integers(0, 10**14))
def test_byte_text_is_exact_both_ways(size: int) -> None:
    assert parse_bytes(format_bytes(size)) == size


@pytest.mark.parametrize(
    ("text", "duration"),
    [("0s", 0), ("500ms", 500_000_000), ("1.5h", 5_400_000_000_000), ("5m", 300_000_000_000), ("1d", 86_400 * 10**9)],
)
def test_durations_are_read_in_every_unit(text: str, duration: int) -> None:
    assert parse_duration(text) == duration


@pytest.mark.parametrize("text", ["", "5", "5 m", "-5m", "1e3s", "٥m", "1.s", "0.5ns", "5M", "1s\n", "9" * 19 + "s"])
def test_other_duration_texts_are_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r"not a duration|finer"):
        parse_duration(text)


@pytest.mark.parametrize(("text", "size"), [("512", 512), ("64MB", 64_000_000), ("64MiB", 2**26), ("0B", 0)])
def test_sizes_are_read_in_every_unit(text: str, size: int) -> None:
    assert parse_bytes(text) == size


@pytest.mark.parametrize("text", ["", "1.5MB", "64 MB", "64mb", "-1", "٦MB"])
def test_other_size_texts_are_refused(text: str) -> None:
    with pytest.raises(ValueError, match="not a size"):
        parse_bytes(text)
