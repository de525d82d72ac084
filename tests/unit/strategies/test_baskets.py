"""Baskets that must pay a known sum."""

from msgspec.structs import replace

from predsurv.core.events import VenuePhase
from predsurv.core.ids import InstrumentId, VenueName
from predsurv.core.market import Outcome
from predsurv.core.num import MICROS
from predsurv.strategies.baskets import (
    Basket,
    baskets_of,
    best_cost,
    held_part,
    held_sizes,
    legs_of,
    without_costly_legs,
)
from tests.kit.manual_view import ABC, ManualView, no, yes
from tests.kit.trading_samples import START, S, market, shares

THREE = market("t", outcomes=tuple(Outcome(InstrumentId(name), name) for name in "abc"))


def by_kind(view: ManualView) -> dict[str, Basket]:
    return {basket.kind: basket for basket in baskets_of(ABC[0], view)}


def test_all_outcomes_of_one_market_pay_one() -> None:
    (basket,) = baskets_of(THREE, ManualView((THREE,)))
    assert (basket.kind, basket.keys, basket.payout) == ("outcomes", THREE.keys(), MICROS)


def test_an_exclusive_and_exhaustive_event_gives_two_baskets() -> None:
    found = by_kind(ManualView())
    assert found["yes_basket"].keys == (yes(0), yes(1), yes(2))
    assert found["yes_basket"].payout == MICROS
    assert found["no_basket"].keys == (no(0), no(1), no(2))
    assert found["no_basket"].payout == 2 * MICROS


def test_without_exhaustiveness_only_the_no_side_is_sure() -> None:
    view = ManualView((ABC[0], ABC[1], replace(ABC[2], exhaustive=False)))
    assert list(by_kind(view)) == ["no_basket"]


def test_a_market_alone_in_its_event_is_no_set() -> None:
    assert list(baskets_of(ABC[0], ManualView(ABC[:1]))) == []
    one = tuple(replace(each, outcomes=each.outcomes[:1]) for each in ABC)
    assert [basket.kind for basket in baskets_of(one[0], ManualView(one))] == ["yes_basket"]


def test_one_outcome_alone_is_no_set() -> None:
    alone = market("o", outcomes=(Outcome(InstrumentId("o"), "Yes"),))
    assert list(baskets_of(alone, ManualView((alone,)))) == []


def test_legs_need_open_markets_and_books() -> None:
    view = ManualView()
    basket = by_kind(view)["yes_basket"]
    for index in range(2):
        view.show(yes(index), bids=((20, 5),), asks=((30, 10),))
    assert legs_of(basket, view, "ask") is None
    view.show(yes(2), bids=((20, 5),), asks=((30, 10),))
    legs = legs_of(basket, view, "bid")
    assert legs is not None
    assert legs[0].levels == ((200_000, shares(5)),)
    assert [leg.market for leg in legs] == list(ABC)
    view.cache.add(replace(ABC[1], status="paused"))
    assert legs_of(basket, view, "ask") is None


def test_no_basket_legs_that_cost_more_than_they_add_are_left_out() -> None:
    view = ManualView()
    basket = by_kind(view)["no_basket"]
    for index, ask in enumerate((60, 70, 99)):
        view.show(no(index), asks=((ask, 10),))
    assert without_costly_legs(basket, view) == basket
    view.show(no(2), asks=())
    smaller = without_costly_legs(basket, view)
    assert smaller is not None
    assert (smaller.keys, smaller.payout, smaller.name) == ((no(0), no(1)), MICROS, basket.name)
    view.cache.add(replace(ABC[1], status="paused"))
    assert without_costly_legs(basket, view) is None
    assert without_costly_legs(by_kind(view)["yes_basket"], view) == by_kind(view)["yes_basket"]


def test_one_of_each_costs_the_sum_of_the_best_asks() -> None:
    view = ManualView()
    basket = by_kind(view)["yes_basket"]
    for index in range(3):
        assert best_cost(basket, view) is None
        view.show(yes(index), asks=((30 + index, 10),))
    assert best_cost(basket, view) == 930_000
    view.show(yes(1), bids=((10, 5),))
    assert best_cost(basket, view) is None


def test_a_basket_bought_before_is_recognised_by_its_positions() -> None:
    view = ManualView()
    baskets = by_kind(view)
    assert held_part(baskets["no_basket"], view) is None
    view.hold(no(0), 10)
    assert held_part(baskets["no_basket"], view) == baskets["no_basket"]
    view.hold(no(2), 10)
    before = held_part(baskets["no_basket"], view)
    assert before is not None
    assert (before.keys, before.payout) == ((no(0), no(2)), MICROS)
    view.hold(yes(0), 10)
    assert held_part(baskets["yes_basket"], view) == baskets["yes_basket"]
    assert held_sizes(baskets["yes_basket"], view) == (shares(10), 0, 0)


def test_a_market_that_is_not_binary_is_in_no_basket() -> None:
    scalar = replace(ABC[2], market_type="scalar")
    view = ManualView((ABC[0], ABC[1], scalar))
    assert list(baskets_of(scalar, view)) == []
    (basket,) = baskets_of(ABC[0], view)
    assert (basket.kind, basket.keys, basket.payout) == ("no_basket", (no(0), no(1)), MICROS)
    alone = replace(THREE, market_type="scalar")
    assert list(baskets_of(alone, ManualView((alone,)))) == []


def test_legs_need_a_venue_that_trades_and_a_market_that_has_not_ended() -> None:
    timed = tuple(replace(each, venue=VenueName("kalshi"), close_time=START + S) for each in ABC)
    view = ManualView(timed)
    basket = next(iter(baskets_of(timed[0], view)))
    for each in timed:
        view.show(each.key(0), bids=((20, 5),), asks=((30, 10),))
    assert legs_of(basket, view, "ask") is not None
    view.time = START + S
    assert legs_of(basket, view, "ask") is None
    view.time = START
    view.cache.apply(VenuePhase(timed[0].venue, START, None, "post_only", "{}"))
    assert legs_of(basket, view, "ask") is None
