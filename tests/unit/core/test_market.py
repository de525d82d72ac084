"""A market knows its instruments and which prices its venue accepts."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from predsurv.core.ids import EventId, InstrumentId, InstrumentKey, MarketId, OrderSide, VenueName
from predsurv.core.market import (
    Market,
    Outcome,
    PriceBand,
    buys_enough,
    next_on_grid,
    on_grid,
    previous_on_grid,
    size_allowed,
)
from predsurv.core.num import Money, Price, Size

MARKET = Market(
    venue=VenueName("mock"),
    market_id=MarketId("m"),
    event_id=EventId("e"),
    question="?",
    outcomes=(Outcome(InstrumentId("y"), "Yes"), Outcome(InstrumentId("n"), "No")),
    status="active",
    tick_size=Price(10_000),
    min_order_size=Size(5_000_000),
    fetched_at=0,
)
# The venue's tapered_deci_cent grid (venues/kalshi.md 1.3).
TAPERED = replace(
    MARKET,
    bands=(
        PriceBand(Price(0), Price(100_000), Price(1_000)),
        PriceBand(Price(100_000), Price(900_000), Price(10_000)),
        PriceBand(Price(900_000), Price(1_000_000), Price(1_000)),
    ),
)
APART = replace(
    MARKET,
    bands=(
        PriceBand(Price(2_000), Price(4_000), Price(1_000)),
        PriceBand(Price(95_000), Price(200_000), Price(10_000)),
    ),
)


def test_keys_follow_the_outcomes() -> None:
    assert MARKET.keys() == (
        InstrumentKey(VenueName("mock"), MarketId("m"), InstrumentId("y")),
        InstrumentKey(VenueName("mock"), MarketId("m"), InstrumentId("n")),
    )
    with pytest.raises(IndexError):
        MARKET.key(2)


def test_the_outcomes_of_a_binary_market_are_mirrors_of_each_other() -> None:
    yes, no = MARKET.keys()
    assert (MARKET.mirror_of(yes), MARKET.mirror_of(no)) == (no, yes)
    assert MARKET.mirror_of(InstrumentKey(VenueName("mock"), MarketId("m"), InstrumentId("x"))) is None
    for count in (1, 3):
        outcomes = tuple(Outcome(InstrumentId(f"o{number}"), "?") for number in range(count))
        market = replace(MARKET, outcomes=outcomes)
        assert market.mirror_of(market.key(0)) is None


def test_the_first_outcome_of_a_binary_market_stands_for_both_where_books_are_mirrored() -> None:
    yes, no = MARKET.keys()
    assert MARKET.primary_keys(mirrored=True) == (yes,)
    assert MARKET.primary_keys(mirrored=False) == (yes, no)
    assert MARKET.primary_of(no, mirrored=True) == MARKET.primary_of(yes, mirrored=True) == yes
    assert MARKET.primary_of(no, mirrored=False) == no


@pytest.mark.parametrize("labels", ["a", "abc"])
def test_other_numbers_of_outcomes_have_a_book_each(labels: str) -> None:
    market = replace(MARKET, outcomes=tuple(Outcome(InstrumentId(label), label) for label in labels))
    for mirrored in (True, False):
        assert market.primary_keys(mirrored=mirrored) == market.keys()
        assert [market.primary_of(key, mirrored=mirrored) for key in market.keys()] == list(market.keys())  # noqa: SIM118


@pytest.mark.parametrize(("price", "valid"), [(10_000, True), (15_000, False), (0, False), (1_000_000, False)])
def test_uniform_grid(price: int, valid: bool) -> None:
    assert on_grid(MARKET, Price(price)) is valid


@pytest.mark.parametrize(
    ("least", "size", "enough"), [(0, 1, True), (1_000_000, 9_999_999, False), (1_000_000, 10_000_000, True)]
)
def test_what_a_buy_must_be_worth(least: int, size: int, enough: bool) -> None:
    assert buys_enough(replace(MARKET, min_taker_buy=Money(least)), Price(100_000), Size(size)) is enough


@pytest.mark.parametrize(
    ("price", "valid"),
    [(51_000, True), (51_500, False), (150_000, True), (151_000, False), (951_000, True)],
)
def test_banded_grid(price: int, valid: bool) -> None:
    assert on_grid(TAPERED, Price(price)) is valid


@pytest.mark.parametrize("market", [MARKET, TAPERED, APART], ids=["uniform", "tapered", "apart"])
@given(price=st.integers(-5_000, 1_000_000))
def test_the_next_price_is_the_lowest_valid_one_above(market: Market, price: int) -> None:
    valid = (each for each in range(1_000, 1_000_000, 1_000) if each > price and on_grid(market, Price(each)))
    assert next_on_grid(market, Price(price)) == next(valid, None)


@pytest.mark.parametrize("market", [MARKET, TAPERED, APART], ids=["uniform", "tapered", "apart"])
@given(price=st.integers(-5_000, 1_005_000))
def test_the_previous_price_is_the_highest_valid_one_below(market: Market, price: int) -> None:
    valid = (each for each in range(999_000, 0, -1_000) if each < price and on_grid(market, Price(each)))
    assert previous_on_grid(market, Price(price)) == next(valid, None)


def test_orders_that_rest_are_measured_by_size_and_takers_by_worth_where_the_venue_does() -> None:
    by_worth = replace(MARKET, min_order_size=Size(5_000_000), min_taker_buy=Money(1_000_000))
    by_size = replace(by_worth, min_taker_buy=Money(0))

    def allowed(one: Market, price: int, size: int, side: OrderSide = "buy", *, rests: bool = False) -> bool:
        return size_allowed(one, Price(price), Size(size), side=side, rests=rests)

    assert allowed(by_worth, 600_000, 2_000_000)
    assert not allowed(by_worth, 600_000, 2_000_000, rests=True)
    assert not allowed(by_size, 600_000, 2_000_000)
    assert allowed(by_size, 600_000, 5_000_000, rests=True)
    assert allowed(by_worth, 100_000, 1), "whether a buy is worth enough depends on the book"
    assert allowed(by_worth, 100_000, 5_000_000, "sell")
    assert allowed(by_worth, 500_000, 2_000_000, "sell")
    assert not allowed(by_worth, 499_999, 2_000_000, "sell")
    assert not allowed(replace(by_worth, min_order_size=Size(0)), 500_000, 0)


def test_each_venue_has_its_own_timetable() -> None:
    timed = replace(MARKET, close_time=5, game_start=3)
    kalshi, polymarket = (replace(timed, venue=VenueName(name)) for name in ("kalshi", "polymarket"))
    assert [(each.trading_ends, each.orders_cleared_at) for each in (kalshi, polymarket, timed)] == [
        (5, None),
        (None, 3),
        (None, None),
    ]
    assert [each.reopening_clears for each in (kalshi, polymarket, timed)] == [True, False, False]
