"""The parsing gate is exact, and lets nothing through but plain decimals."""

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from predsurv.core.num import (
    MICROS,
    Price,
    Size,
    complement,
    format_dollars,
    format_micros,
    notional,
    notional_up,
    parse_micros,
    parse_micros_floor,
    parse_price,
    parse_signed_micros,
    parse_size,
    round_half_up,
)

micros = st.integers(min_value=0, max_value=10**17)


@given(micros)
def test_format_then_parse_is_identity(value: int) -> None:
    assert parse_micros(format_micros(value)) == value


@given(micros.map(lambda value: -value))
def test_signed_values_round_trip(value: int) -> None:
    assert parse_signed_micros(format_micros(value)) == value


@given(st.from_regex(r"[0-9]{1,9}(\.[0-9]{1,6})?\Z", fullmatch=True))
def test_agrees_with_decimal(text: str) -> None:
    assert parse_micros(text) == int(Decimal(text) * MICROS)


@pytest.mark.parametrize(
    ("text", "value"),
    [
        (".48", 480_000),  # as Polymarket's documentation writes prices
        ("0.5", 500_000),
        ("1.", 1_000_000),
        ("0.0100", 10_000),
        ("13553.00", 13_553_000_000),
        ("0.123456000", 123_456),
    ],
)
def test_forms_that_venues_send(text: str, value: int) -> None:
    assert parse_micros(text) == value


@pytest.mark.parametrize(
    "text",
    [
        "",
        ".",
        "-1",
        "+1",
        "1e3",
        "1E-3",
        "NaN",
        "Infinity",
        "1_000",
        " 0.5",
        "0.5\n",
        "0,5",
        "0x10",
        "٠.٥",
        "1e9999999",
        "0.0000001",
        "9" * 40,
        "1.2.3",
    ],
)
def test_everything_else_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="decimal"):
        parse_micros(text)


@given(st.text(max_size=40))
def test_any_text_parses_exactly_or_raises_value_error(text: str) -> None:
    try:
        value = parse_micros(text)
    except ValueError:
        return
    assert Decimal(text) * MICROS == value


def test_statistics_are_cut_not_refused() -> None:
    assert parse_micros_floor("12071015.216477996") == 12_071_015_216_477


def test_a_price_lives_between_zero_and_one() -> None:
    assert parse_price("1") == MICROS
    with pytest.raises(ValueError, match="above 1"):
        parse_price("1.000001")


def test_signed_size_is_for_deltas_only() -> None:
    assert parse_signed_micros("-10.00") == -10_000_000
    with pytest.raises(ValueError, match="decimal"):
        parse_size("-10.00")
    with pytest.raises(ValueError, match="decimal"):
        parse_signed_micros("--10")


@given(st.integers(0, MICROS), st.integers(0, 10**13))
def test_notional_brackets_the_exact_product(price: int, size: int) -> None:
    low, high = notional(Price(price), Size(size)), notional_up(Price(price), Size(size))
    assert low * MICROS <= price * size <= high * MICROS
    assert 0 <= high - low <= 1


@given(st.integers(0, MICROS))
def test_complement_is_its_own_inverse(price: int) -> None:
    assert complement(complement(Price(price))) == price


@pytest.mark.parametrize(("n", "d", "expected"), [(5, 2, 3), (4, 3, 1), (0, 7, 0), (7, 4, 2)])
def test_half_rounds_up(n: int, d: int, expected: int) -> None:
    assert round_half_up(n, d) == expected


@pytest.mark.parametrize(
    ("micros", "text"),
    [
        (0, "$0.00"),
        (-37_520_000, "-$37.52"),
        (1_234_567_500_000, "$1,234,567.50"),
        (-1, "-$0.000001"),
        (4_390_100, "$4.3901"),
        (10_000_000, "$10.00"),
    ],
)
def test_dollars_for_people_are_exact_with_cents_at_least(micros: int, text: str) -> None:
    assert format_dollars(micros) == text
