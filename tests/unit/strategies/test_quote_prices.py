"""Where quotes stand: fair value, floor, inventory, rewards."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from predsurv.core.market import NO_FEE, FeeSchedule, Market, PriceBand, on_grid
from predsurv.core.num import MICROS, Price, Size
from predsurv.strategies import quote_prices as module
from predsurv.strategies.quote_prices import FairValue, FairValues, MarketMakerParams, quote_prices, two_sided
from tests.kit.manual_view import ManualView
from tests.kit.trading_samples import YES, cents, market, shares

FREE = market(fee=NO_FEE)
PARAMS = MarketMakerParams()
WIDE = FairValue(cents(50), 0, cents(40), cents(60))


def both(
    market_: Market = FREE, fair: FairValue = WIDE, net: int = 0, params: MarketMakerParams = PARAMS
) -> tuple[int | None, int | None]:
    prices = quote_prices(market_, fair, net, params)
    return prices.bid, prices.ask


def test_quotes_stand_on_both_sides_of_the_fair_value() -> None:
    assert both() == (cents(49), cents(51))
    prices = quote_prices(FREE, WIDE, 0, PARAMS)
    assert (prices.no_bid, prices.no_ask, prices.size) == (cents(49), cents(51), PARAMS.size)
    assert both(fair=FairValue(504_900, 0, cents(40), cents(60))) == (cents(49), cents(52))


def test_inventory_shifts_both() -> None:
    assert both(net=PARAMS.inventory_max) == (cents(47), cents(49))
    assert both(net=-PARAMS.inventory_max // 2) == (cents(50), cents(52))
    assert both(net=-9 * PARAMS.inventory_max) == (cents(51), cents(53))


def test_the_floor_is_a_tick_the_fee_and_what_prices_moved() -> None:
    assert both(fair=FairValue(cents(50), cents(1), cents(40), cents(60))) == (cents(47), cents(53))
    charged = market(fee=FeeSchedule(model="kalshi", maker_rate=35_000))
    assert both(charged) == (cents(48), cents(52))
    assert both(market(tick_size=cents(2), fee=NO_FEE)) == (cents(48), cents(52))


def test_quotes_never_cross_the_market() -> None:
    narrow = FairValue(cents(50), 0, Price(495_000), Price(505_000))
    fine = market(tick_size=Price(1_000), fee=NO_FEE)
    bid, ask = both(fine, narrow, net=-PARAMS.inventory_max)
    assert (bid, ask) == (504_000, 530_000)
    bid, ask = both(fine, narrow, net=PARAMS.inventory_max)
    assert (bid, ask) == (470_000, 496_000)


def test_no_quote_where_the_grid_ends() -> None:
    assert both(fair=FairValue(cents(99), 0, cents(98), cents(100))) == (cents(98), None)
    prices = quote_prices(FREE, FairValue(cents(1), 0, Price(0), cents(2)), 0, PARAMS)
    assert (prices.bid, prices.no_ask) == (None, None)
    assert quote_prices(FREE, FairValue(cents(99), 0, cents(98), cents(100)), 0, PARAMS).no_bid is None


def test_rewards_draw_quotes_nearer_and_larger_within_the_floor() -> None:
    params = MarketMakerParams(half_spread_min=cents(4))
    paid = market(fee=NO_FEE, reward_min_size=shares(50), reward_max_spread=cents(3))
    assert both(FREE, params=params) == (cents(46), cents(54))
    assert both(paid, params=params) == (cents(47), cents(53))
    assert quote_prices(paid, WIDE, 0, params).size == shares(50)
    moved = FairValue(cents(50), cents(2), cents(40), cents(60))
    assert both(paid, moved, params=params) == (cents(45), cents(55))
    assert quote_prices(paid, moved, 0, params).size == params.size
    large = market(fee=NO_FEE, reward_min_size=shares(500), reward_max_spread=cents(3))
    assert quote_prices(large, WIDE, 0, params).size == params.size


def test_a_quote_is_no_smaller_than_the_market_takes() -> None:
    assert quote_prices(market(min_order_size=shares(30)), WIDE, 0, PARAMS).size == shares(30)


@given(st.integers(0, MICROS), st.integers(0, 50_000), st.integers(-(10**8), 10**8), st.booleans())
def test_quotes_are_on_the_grid_and_apart(price: int, moves: int, net: int, banded: bool) -> None:
    bands = (
        PriceBand(Price(0), cents(10), Price(1_000)),
        PriceBand(cents(10), cents(90), cents(1)),
        PriceBand(cents(90), cents(100), Price(1_000)),
    )
    market_ = market(bands=bands if banded else ())
    bid, ask = both(market_, FairValue(price, moves, Price(max(price - 1, 0)), Price(min(price + 1, MICROS))), net)
    assert bid is None or (on_grid(market_, Price(bid)) and bid <= price)
    assert ask is None or (on_grid(market_, Price(ask)) and ask >= price)
    assert bid is None or ask is None or ask - bid >= 10_000


def test_the_fair_value_is_the_microprice_with_the_average_of_its_moves(monkeypatch: pytest.MonkeyPatch) -> None:
    view, values = ManualView((FREE,)), FairValues()

    def update(bid: int, ask: int) -> FairValue | None:
        view.show(YES, bids=((bid, 10),), asks=((ask, 10),))
        book = view.book(YES)
        assert book is not None
        return values.update(YES, book)

    assert update(40, 60) == FairValue(cents(50), 0, cents(40), cents(60))
    assert update(48, 68) == FairValue(cents(58), 5_000, cents(48), cents(68))
    view.show(YES, bids=((48, 10),))
    book = view.book(YES)
    assert book is not None
    assert values.update(YES, book) is None
    monkeypatch.setattr(module, "BOOKS_MAX", 0)
    update(40, 60)
    assert update(40, 60) == FairValue(cents(50), 0, cents(40), cents(60))


def test_only_markets_of_two_outcomes_are_quoted() -> None:
    assert two_sided(FREE)
    assert not two_sided(market(market_type="scalar"))
    assert not two_sided(market(outcomes=FREE.outcomes[:1]))
    assert Size(0) == shares(0)
