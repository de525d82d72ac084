"""Numbers of Gamma: plain ones, read by integer arithmetic, are what ``Decimal`` makes of them."""

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec import Raw

from predsurv.core.errors import WireError
from predsurv.venues.polymarket.gamma_numbers import decimal_of, floor_micros

PLAIN = st.from_regex(r"[0-9]{1,18}(\.[0-9]{0,9})?", fullmatch=True)


@given(PLAIN, st.booleans())
def test_a_plain_amount_is_cut_after_the_sixth_decimal(digits: str, quoted: bool) -> None:
    data = f'"{digits}"' if quoted else digits
    assert floor_micros(Raw(data.encode()), "volume") == int(Decimal(digits) * 1_000_000)


@given(st.from_regex(rb'"?[-+]?[0-9.eE_]{0,40}[a-z]{0,3}"?', fullmatch=True))
def test_whatever_stands_there_an_amount_is_the_number_or_none(data: bytes) -> None:
    try:
        value = decimal_of(Raw(data), "volume")
    except WireError:
        with pytest.raises(WireError, match="volume is not a number in range"):
            floor_micros(Raw(data), "volume")
        return
    amount = floor_micros(Raw(data), "volume")
    assert amount == (None if value is None else int(value.scaleb(6)))


@pytest.mark.parametrize("data", [b"null", b"", b'""'])
def test_nothing_is_no_number(data: bytes) -> None:
    assert decimal_of(Raw(data), "tick") is None
    assert floor_micros(Raw(data), "volume") is None


@pytest.mark.parametrize(
    "data",
    [b"-1", b"NaN", b'"Infinity"', b"1e18", b"1_000", b'"twelve"', b"true", '"\u0661"'.encode(), b"1" * 65, b"[1]"],
)
def test_what_is_no_number_in_range_is_refused(data: bytes) -> None:
    for _ in range(2):  # the second time it is remembered
        with pytest.raises(WireError, match="tick is not a number in range"):
            decimal_of(Raw(data), "tick")


def test_an_exponent_is_read_exactly() -> None:
    assert decimal_of(Raw(b"1e-3"), "tick") == Decimal("0.001")
    assert floor_micros(Raw(b"1.5e3"), "volume") == 1_500_000_000
