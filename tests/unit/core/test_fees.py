"""Fees equal the venues' own worked examples to the last unit."""

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from predsurv.core.fees import maker_fee, taker_fee
from predsurv.core.ids import OrderSide
from predsurv.core.market import NO_FEE, FeeSchedule
from predsurv.core.num import MICROS, Price, Size, complement, notional, parse_micros

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


@pytest.mark.parametrize(
    ("size", "price", "fee"), [(10_000, 10_000, 0), (1_000_000, 100, 0), (1_000_000, 500_000, 12_500)]
)
def test_polymarket_charges_nothing_below_half_of_its_unit(size: int, price: int, fee: int) -> None:
    assert taker_fee(FeeSchedule("polymarket", 50_000), Price(price), Size(size)) == fee


@pytest.mark.parametrize(("exponent", "fee"), [("0.5", "1.25"), ("1.5", "0.3125"), ("0.75", "0.88388")])
def test_polymarket_exponents_need_not_be_whole(exponent: str, fee: str) -> None:
    schedule = FeeSchedule("polymarket", parse_micros("0.025"), Decimal(exponent))
    assert taker_fee(schedule, Price(500_000), Size(100 * MICROS)) == parse_micros(fee)


@given(st.sampled_from([1, 2, 3]), prices, shares)
def test_polymarket_whole_exponents_give_the_same_as_decimals(exponent: int, price: int, size: int) -> None:
    whole = FeeSchedule("polymarket", 25_000, exponent)
    decimal = FeeSchedule("polymarket", 25_000, Decimal(exponent))
    assert taker_fee(whole, Price(price), Size(size)) == taker_fee(decimal, Price(price), Size(size))


def test_polymarket_makers_pay_nothing() -> None:
    schedule = FeeSchedule("polymarket", 70_000, maker_rate=70_000)
    assert maker_fee(schedule, Price(500_000), Size(10**8)) == 0


@pytest.mark.parametrize(
    ("count", "price", "rate", "fee"),
    [  # real fills, August 2026: what is paid is a multiple of $0.0001
        ("227.27", "0.0010", "0.07", "0.015930"),
        ("28.32", "0.0330", "0.07", "0.063340"),
        ("4.15", "0.2280", "0.07", "0.051200"),
        ("15", "0.74", "0.07", "0.202100"),
        ("3", "0.52", "0.07", "0.052500"),
        ("10", "0.08", "0.07", "0.051600"),
        ("1", "0.28", "0.07", "0.014200"),
        ("1", "0.51", "0.035", "0.008800"),
        ("1", "0.13", "0.035", "0.004000"),
        ("0.27", "0.27", "0.035", "0.001900"),
    ],
)
def test_kalshi_fees_fill_what_is_paid_up_to_a_hundredth_of_a_cent(count: str, price: str, rate: str, fee: str) -> None:
    schedule = FeeSchedule("kalshi", parse_micros(rate))
    assert taker_fee(schedule, Price(parse_micros(price)), Size(parse_micros(count))) == parse_micros(fee)


def test_kalshi_sales_pay_the_fee_of_buying_the_other_outcome() -> None:
    schedule, size = FeeSchedule("kalshi", 70_000), Size(parse_micros("227.27"))
    sale = taker_fee(schedule, Price(1_000), size, "sell")
    assert sale == taker_fee(schedule, Price(999_000), size)
    assert (227_270 - sale) % 100 == 0  # what is received is a multiple of $0.0001


def test_kalshi_maker_rate_is_its_own() -> None:
    schedule = FeeSchedule("kalshi", 70_000, maker_rate=17_500)
    assert maker_fee(schedule, Price(500_000), Size(100_000_000)) == parse_micros("0.4375")


@given(prices, shares)
def test_no_schedule_no_fee(price: int, size: int) -> None:
    assert taker_fee(NO_FEE, Price(price), Size(size)) == 0


@given(prices, shares)
def test_polymarket_fees_are_symmetric_around_one_half(price: int, size: int) -> None:
    schedule = FeeSchedule("polymarket", 70_000)
    assert taker_fee(schedule, Price(price), Size(size)) == taker_fee(schedule, Price(MICROS - price), Size(size))


@given(prices, shares)
def test_kalshi_charges_the_formula_and_less_than_a_unit_more(price: int, size: int) -> None:
    fee = taker_fee(FeeSchedule("kalshi", 70_000), Price(price), Size(size))
    exact = -(-size * 70_000 * price * (MICROS - price) // MICROS**3)
    assert exact <= fee <= exact + 100


@given(prices, shares, shares)
def test_kalshi_splitting_a_fill_never_costs_less(price: int, a: int, b: int) -> None:
    schedule = FeeSchedule("kalshi", 70_000)
    whole = taker_fee(schedule, Price(price), Size(a + b))
    parts = taker_fee(schedule, Price(price), Size(a)) + taker_fee(schedule, Price(price), Size(b))
    assert whole <= parts + 1 <= whole + 203


kalshi_prices = st.integers(1, 9_999).map(lambda ten_thousandths: Price(ten_thousandths * 100))
kalshi_counts = st.integers(1, 10**8).map(lambda hundredths: Size(hundredths * 10_000))
rates = st.integers(0, 140_000)
sides: st.SearchStrategy[OrderSide] = st.sampled_from(["buy", "sell"])


@given(kalshi_prices, kalshi_counts, rates, rates, sides)
def test_kalshi_leaves_every_balance_a_multiple_of_its_unit(
    price: Price, count: Size, taker_rate: int, maker_rate: int, side: OrderSide
) -> None:
    schedule = FeeSchedule("kalshi", taker_rate, maker_rate=maker_rate)
    value = notional(price, count)
    for fee in (taker_fee(schedule, price, count, side), maker_fee(schedule, price, count, side)):
        assert fee >= 0
        assert (value + fee if side == "buy" else value - fee) % 100 == 0


@given(kalshi_prices, kalshi_counts, rates)
def test_kalshi_charges_more_for_no_side_than_the_unit(price: Price, count: Size, rate: int) -> None:
    schedule = FeeSchedule("kalshi", rate)
    bought, sold = taker_fee(schedule, price, count), taker_fee(schedule, price, count, "sell")
    assert abs(bought - sold) < 100
    assert sold == taker_fee(schedule, complement(price), count)


def test_kalshi_rounds_what_is_paid_where_the_rate_is_zero_too() -> None:
    free = FeeSchedule("kalshi", 0)
    price, count = Price(parse_micros("0.013")), Size(parse_micros("0.27"))  # worth $0.00351
    assert taker_fee(free, price, count) == maker_fee(free, price, count) == parse_micros("0.00009")
    assert taker_fee(free, price, count, "sell") == parse_micros("0.00001")
    assert taker_fee(free, Price(parse_micros("0.13")), Size(parse_micros("27"))) == 0


@given(prices, shares, sides)
def test_polymarket_charges_both_sides_alike_and_makers_nothing(price: int, size: int, side: OrderSide) -> None:
    schedule = FeeSchedule("polymarket", 50_000)
    fee = taker_fee(schedule, Price(price), Size(size), side)
    assert fee == taker_fee(schedule, Price(price), Size(size))
    assert fee % 10 == 0
    assert maker_fee(schedule, Price(price), Size(size), side) == 0
