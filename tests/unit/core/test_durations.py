"""Duration text is exact both ways, and nothing else is accepted."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from predsurv.core.durations import format_duration, parse_duration


@given(st.integers(0, 10**17))
def test_duration_text_is_exact_both_ways(duration: int) -> None:
    assert parse_duration(format_duration(duration)) == duration


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
