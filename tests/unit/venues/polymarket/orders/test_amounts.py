"""Amounts are whole numbers that mean the limit, never more than was asked for, and never a price off the grid."""

from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from predsurv.core.ids import OrderSide
from predsurv.core.num import Price, Size, parse_micros
from predsurv.core.orders import TimeInForce
from predsurv.venues.polymarket.orders.amounts import (
    FINEST_TICK,
    TICK_SIZES,
    OrderAmounts,
    check_price,
    order_amounts,
)
from predsurv.venues.requests import OrderRefusal
from tests.kit.payloads import RECORDED, required

SIDES: tuple[OrderSide, ...] = ("buy", "sell")
TIFS: tuple[TimeInForce, ...] = ("gtc", "gtd", "ioc", "fok")


@st.composite
def grids(draw: st.DrawFn) -> tuple[Price, Price]:
    """A tick size and a price on its grid."""
    tick = draw(st.sampled_from(sorted(TICK_SIZES)))
    return Price(tick), Price(tick * draw(st.integers(1, 1_000_000 // tick - 1)))


def amounts(side: OrderSide, price: str, size: str, *, tick: str, tif: TimeInForce) -> OrderAmounts | OrderRefusal:
    return order_amounts(
        side, Price(parse_micros(price)), Size(parse_micros(size)), tick_size=Price(parse_micros(tick)), tif=tif
    )


@given(grids(), st.integers(1, 10**13), st.sampled_from(SIDES), st.sampled_from(["gtc", "gtd"]))
def test_an_order_that_may_rest_signs_exactly_its_limit(
    grid: tuple[Price, Price], size: int, side: OrderSide, tif: TimeInForce
) -> None:
    tick, price = grid
    got = order_amounts(side, price, Size(size), tick_size=tick, tif=tif)
    if size < 10_000:
        assert isinstance(got, OrderRefusal)
        assert got.reason == "too_small"
        return
    assert isinstance(got, OrderAmounts)
    assert got.size == size // 10_000 * 10_000
    assert Fraction(got.cost, got.size) == Fraction(price, 1_000_000)
    assert (got.maker, got.taker) == ((got.cost, got.size) if side == "buy" else (got.size, got.cost))


@given(grids(), st.integers(1, 10**12), st.sampled_from(SIDES), st.sampled_from(["ioc", "fok"]))
def test_a_taker_signs_its_limit_and_nothing_that_reaches_the_next_price(
    grid: tuple[Price, Price], size: int, side: OrderSide, tif: TimeInForce
) -> None:
    tick, price = grid
    got = order_amounts(side, price, Size(size), tick_size=tick, tif=tif)
    if isinstance(got, OrderRefusal):
        assert got.reason in ("too_small", "price_not_encodable")
        return
    assert 0 < got.size <= size
    assert got.cost * 1_000_000 <= price * size
    assert got.maker % 10_000 == 0, "what is given has two decimals"
    assert got.taker % (1_000 if tick == 100_000 else 100) == 0, "what is wanted has four, or three"
    signed, finest = Fraction(got.cost, got.size), Fraction(FINEST_TICK, 1_000_000)
    limit = Fraction(price, 1_000_000)
    assert limit <= signed < limit + finest if side == "buy" else limit - finest < signed <= limit


@given(grids(), st.sampled_from(SIDES), st.sampled_from(["ioc", "fok"]))
def test_a_taker_worth_a_dollar_can_always_be_signed(
    grid: tuple[Price, Price], side: OrderSide, tif: TimeInForce
) -> None:
    tick, price = grid
    worth = 10_000_000 if tick == 100_000 else 1_000_000  # the venue's own minimum is a dollar
    size = Size(-(-worth * 1_000_000 // price))
    assert isinstance(order_amounts(side, price, size, tick_size=tick, tif=tif), OrderAmounts)


def test_amounts_that_are_known() -> None:
    assert amounts("buy", "0.57", "17.54", tick="0.01", tif="gtc") == (9_997_800, 17_540_000, 17_540_000, 9_997_800)
    assert amounts("buy", "0.57", "17.54", tick="0.01", tif="fok") == (9_990_000, 17_526_300, 17_526_300, 9_990_000)
    assert amounts("sell", "0.57", "17.549", tick="0.01", tif="fok") == (17_540_000, 9_997_800, 17_540_000, 9_997_800)
    assert amounts("sell", "0.985", "10.13", tick="0.001", tif="ioc") == (10_130_000, 9_978_000, 10_130_000, 9_978_000)
    assert amounts("buy", "0.985", "10.13197", tick="0.001", tif="ioc") == (
        9_970_000,
        10_121_800,
        10_121_800,
        9_970_000,
    )


@pytest.mark.parametrize(
    ("price", "tick", "reason"),
    [
        ("0.333", "0.005", "off_grid"),
        ("0.3333", "0.0025", "off_grid"),
        ("0.33", "0.1", "off_grid"),
        ("0.335", "0.01", "off_grid"),
        ("0.00005", "0.0001", "price_range"),
        ("0.009", "0.01", "price_range"),
        ("0.991", "0.01", "price_range"),
        ("0", "0.01", "price_range"),
        ("1", "0.01", "price_range"),
        ("0.5", "0.02", "tick_size"),
    ],
)
def test_a_price_off_the_grid_is_refused(price: str, tick: str, reason: str) -> None:
    for tif in TIFS:
        got = amounts("buy", price, "100", tick=tick, tif=tif)
        assert isinstance(got, OrderRefusal)
        assert got.reason == reason


@given(grids())
def test_every_price_of_every_grid_is_accepted(grid: tuple[Price, Price]) -> None:
    assert check_price(grid[1], grid[0]) is None


@pytest.mark.parametrize("size", ["0.03", "0.229"])  # a cent buys 0.0175: 0.5714 a share; 13 cents 0.228: 0.570175
def test_cents_that_would_mean_a_higher_price_are_refused(size: str) -> None:
    got = amounts("buy", "0.57", size, tick="0.01", tif="fok")
    assert isinstance(got, OrderRefusal)
    assert got.reason == "price_not_encodable"


def test_cents_that_mean_less_than_the_finest_tick_above_the_limit_are_signed() -> None:
    assert amounts("buy", "0.57", "0.404", tick="0.01", tif="fok") == (230_000, 403_500, 403_500, 230_000)


def test_the_recorded_amounts() -> None:
    vectors = required(RECORDED).load("polymarket/order_amount_vectors_derived.json")
    assert len(vectors["limit"]) == 22
    for each in vectors["limit"]:
        got = amounts(each["side"].lower(), each["price"], each["size"], tick=each["tick"], tif="gtc")
        assert got[:2] == (each["makerAmount"], each["takerAmount"]), each
    for each in vectors["market"]:
        if each["side"] == "BUY":
            continue  # stated in dollars there: a taker here states shares
        got = amounts("sell", each["price"], each["amount"], tick=each["tick"], tif="fok")
        assert got[:2] == (each["makerAmount"], each["takerAmount"] // 100 * 100), each
