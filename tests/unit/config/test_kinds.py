"""Durations, sizes and decimals are exact both ways, and nothing else is accepted."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from predsurv.config.kinds import format_bytes, format_duration, parse_bytes, parse_duration
from predsurv.config.schema import KEYS


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
def test_durations(text: str, duration: int) -> None:
    assert parse_duration(text) == duration


@pytest.mark.parametrize("text", ["", "5", "5 m", "-5m", "1e3s", "٥m", "1.s", "0.5ns", "5M", "1s\n", "9" * 19 + "s"])
def test_other_duration_texts_are_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r"not a duration|finer"):
        parse_duration(text)


@pytest.mark.parametrize(("text", "size"), [("512", 512), ("64MB", 64_000_000), ("64MiB", 2**26), ("0B", 0)])
def test_sizes(text: str, size: int) -> None:
    assert parse_bytes(text) == size


@pytest.mark.parametrize("text", ["", "1.5MB", "64 MB", "64mb", "-1", "٦MB"])
def test_other_size_texts_are_refused(text: str) -> None:
    with pytest.raises(ValueError, match="not a size"):
        parse_bytes(text)


@pytest.mark.parametrize("name", KEYS)
def test_every_default_is_a_value_of_its_kind(name: str) -> None:
    key = KEYS[name]
    assert key.kind.parse(key.kind.render(key.value)) == key.value
    assert key.kind.expected


@pytest.mark.parametrize("raw", [None, 1.5, float("nan"), object(), b"x", -(10**40), "\x1b[2J", "\n"])
def test_a_value_of_no_kind_is_refused_by_every_key(raw: object) -> None:
    for key in KEYS.values():
        with pytest.raises(ValueError, match=r"."):
            key.kind.parse(raw)


@given(st.sampled_from(sorted(KEYS)), st.text(max_size=20))
def test_any_text_is_a_value_or_a_value_error(name: str, text: str) -> None:
    kind = KEYS[name].kind
    try:
        value = kind.from_text(text)
    except ValueError:
        return
    assert kind.parse(kind.render(value)) == value
