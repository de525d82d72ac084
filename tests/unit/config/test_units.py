"""Sizes are exact both ways, and nothing else is accepted."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from predsurv.config.units import format_bytes, parse_bytes


@given(st.integers(0, 10**14))
def test_byte_text_is_exact_both_ways(size: int) -> None:
    assert parse_bytes(format_bytes(size)) == size


@pytest.mark.parametrize(("text", "size"), [("512", 512), ("64MB", 64_000_000), ("64MiB", 2**26), ("0B", 0)])
def test_sizes_are_read_in_every_unit(text: str, size: int) -> None:
    assert parse_bytes(text) == size


@pytest.mark.parametrize("text", ["", "1.5MB", "64 MB", "64mb", "-1", "٦MB"])
def test_other_size_texts_are_refused(text: str) -> None:
    with pytest.raises(ValueError, match="not a size"):
        parse_bytes(text)
