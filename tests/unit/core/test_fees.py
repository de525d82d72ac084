"""Fees equal the venues' own worked examples to the last unit."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from predsurv.core.fees import maker_fee, taker_fee
from predsurv.core.market import NO_FEE, FeeSchedule
from predsurv.core.num import Price, Size, parse_micros

shares = st.integers(1, 10**12)
prices = st.integers(1, 999_999)


@pytest.mark.parametrize(
    ("rate", "exponent", "price", "size", "fee"),
    [
        # venues/polymarket.md 9
        ("0.25", 2, "0.5", "100", "1.5625"),
        ("0.25", 2, "0.3", "100", "1.1025"),
        ("0.04", 1, "0.5", "200", "2"),
        ("0.072", 1, "0.5", "200", "3.6"),
    ],
)
def test_polymarket_examples(rate: str, exponent: int, price: str, size: str, fee: str) -> None:
    schedule = FeeSchedule("polymarket", parse_micros(rate), exponent)
    charged = taker_fee(schedule, Price(parse_micros(price)), Size(parse_micros(size)))
    assert charged == parse_micros(fee)


def test_polymarket_charges_at_least_a_hundred_thousandth() -> None:
    schedule = FeeSchedule("polymarket", parse_micros("0.04"))
    assert taker_fee(schedule, Price(10_000), Size(10_000)) == 10


def test_polymarket_makers_pay_nothing() -> None:
    schedule = FeeSchedule("polymarket", 70_000, maker_rate=70_000)
    assert maker_fee(schedule, Price(500_000), Size(10**8)) == 0


def test_kalshi_example() -> None:
    # venues/kalshi.md 7: 1 contract at 0.055 costs 0.00363825, charged 0.003639
    schedule = FeeSchedule("kalshi", 70_000)
    assert taker_fee(schedule, Price(55_000), Size(1_000_000)) == 3_639


def test_kalshi_maker_rate_is_its_own() -> None:
    schedule = FeeSchedule("kalshi", 70_000, maker_rate=17_500)
    assert maker_fee(schedule, Price(500_000), Size(100_000_000)) == parse_micros("0.4375")


@given(prices, shares)
def test_no_schedule_no_fee(price: int, size: int) -> None:
    assert taker_fee(NO_FEE, Price(price), Size(size)) == 0


@given(st.sampled_from(["polymarket", "kalshi"]), prices, shares)
def test_fees_are_symmetric_around_one_half(model: str, price: int, size: int) -> None:
    schedule = FeeSchedule(model, 70_000)  # type: ignore[arg-type]
    mirrored = taker_fee(schedule, Price(1_000_000 - price), Size(size))
    assert taker_fee(schedule, Price(price), Size(size)) == mirrored > 0


@given(prices, shares, shares)
def test_kalshi_splitting_a_fill_never_costs_less(price: int, a: int, b: int) -> None:
    schedule = FeeSchedule("kalshi", 70_000)
    whole = taker_fee(schedule, Price(price), Size(a + b))
    parts = taker_fee(schedule, Price(price), Size(a)) + taker_fee(schedule, Price(price), Size(b))
    assert whole <= parts <= whole + 1
