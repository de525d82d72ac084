"""Baskets on sale for less than they pay, and the rebalancing of half-filled ones."""

from msgspec.structs import replace

from predsurv.core.events import Connected, Event, MarketChange, OrderCancelled, Tick
from predsurv.core.ids import ClientOrderId, InstrumentId, MarketId
from predsurv.core.market import NO_FEE, Outcome
from predsurv.core.num import MICROS, Money
from predsurv.core.orders import Intent
from predsurv.strategies.arbitrage import Arbitrage
from predsurv.strategies.arbitrage_params import ArbitrageParams
from tests.kit.manual_view import ABC, ManualView, no, yes
from tests.kit.trading_samples import FEE, START, S, cents, delta, fill, market, shares

FREE = tuple(replace(each, fee=NO_FEE) for each in ABC)


def ask(strategy: Arbitrage, event: Event, view: ManualView) -> list[Intent]:
    return list(strategy.on_event(event, view))


def cheap(view: ManualView, prices: tuple[int, int, int] = (30, 31, 32)) -> Event:
    events = [view.show(yes(index), bids=((10, 50),), asks=((price, 50),)) for index, price in enumerate(prices)]
    return events[-1]


def test_a_yes_basket_is_bought_with_one_group_of_immediate_orders() -> None:
    view = ManualView(FREE)
    legs = ask(Arbitrage(), cheap(view), view)
    assert [(leg.key, leg.side, leg.price, leg.size, leg.tif) for leg in legs] == [
        (yes(index), "buy", cents(price), shares(50), "ioc") for index, price in enumerate((30, 31, 32))
    ]
    assert {leg.signal for leg in legs} == {"yes_basket"}
    assert len({leg.group for leg in legs}) == 1
    assert legs[0].group is not None


def test_a_no_basket_is_bought_when_the_bids_sum_above_one() -> None:
    view = ManualView(FREE)
    events = [view.show(no(index), asks=((price, 50),)) for index, price in enumerate((60, 65, 70))]
    legs = ask(Arbitrage(), events[-1], view)
    assert [leg.signal for leg in legs] == ["no_basket"] * 3
    assert [leg.key for leg in legs] == [no(0), no(1), no(2)]


def test_all_outcomes_of_one_market_are_a_basket_too() -> None:
    three = market("t", outcomes=tuple(Outcome(InstrumentId(name), name) for name in "abc"), fee=NO_FEE)
    view = ManualView((three,))
    events = [view.show(three.key(index), asks=((31, 20),)) for index in range(3)]
    assert [leg.signal for leg in ask(Arbitrage(), events[-1], view)] == ["outcomes"] * 3


def test_a_basket_without_edge_after_fees_is_not_bought() -> None:
    prices = (32, 33, 33)
    view = ManualView(FREE)
    assert ask(Arbitrage(), cheap(view, prices), view)
    dear = ManualView(tuple(replace(each, fee=FEE) for each in ABC))
    assert ask(Arbitrage(), cheap(dear, prices), dear) == []


def test_a_basket_with_too_large_an_edge_is_not_bought() -> None:
    view = ManualView(FREE)
    assert ask(Arbitrage(), cheap(view, (10, 31, 32)), view) == []


def test_nothing_is_bought_with_a_leg_missing_closed_or_unknown() -> None:
    view = ManualView(FREE)
    view.show(yes(0), asks=((30, 50),))
    assert ask(Arbitrage(), view.show(yes(1), asks=((31, 50),)), view) == []
    view.cache.add(replace(FREE[2], status="paused"))
    assert ask(Arbitrage(), cheap(view), view) == []
    stranger = ManualView(())
    assert ask(Arbitrage(), stranger.show(yes(0), asks=((30, 50),)), stranger) == []


def test_no_basket_is_begun_with_a_leg_that_the_venue_would_refuse() -> None:
    strict = tuple(replace(each, min_taker_buy=Money(MICROS)) for each in FREE)
    for size, legs in ((9.99, 0), (10, 3)):
        view = ManualView(strict)
        view.show(yes(0), asks=((40, 50),))
        view.show(yes(1), asks=((45, 50),))
        assert len(ask(Arbitrage(), view.show(yes(2), asks=((10, size),)), view)) == legs


def test_free_cash_bounds_the_size_of_a_basket() -> None:
    view = ManualView(FREE)
    legs = ask(Arbitrage(ArbitrageParams(cost_max=Money(10 * MICROS))), cheap(view), view)
    assert legs[0].size < shares(11)
    view.money = Money(0)
    assert ask(Arbitrage(), cheap(view), view) == []


def test_a_basket_is_not_bought_again_during_cooldown_or_with_orders_in_flight() -> None:
    view, strategy = ManualView(FREE), Arbitrage()
    assert ask(strategy, cheap(view), view)
    assert ask(strategy, cheap(view), view) == []
    view.time += 3 * S
    view.rest("o", yes(0))
    assert ask(strategy, cheap(view), view) == []
    view.orders.clear()
    assert ask(strategy, cheap(view), view)


def test_a_change_behind_the_best_level_starts_no_search() -> None:
    view = ManualView(FREE)
    cheap(view)
    assert ask(Arbitrage(), delta("ask", 40, 5, key=yes(0)), view) == []
    assert ask(Arbitrage(), delta("ask", 30, 5, key=yes(0)), view) != []


def test_half_a_basket_is_completed() -> None:
    view, strategy = ManualView(FREE), Arbitrage()
    legs = ask(strategy, cheap(view), view)
    view.hold(yes(0), 50, 30)
    view.hold(yes(1), 50, 31)
    failed = OrderCancelled(yes(2), START, ClientOrderId("x"), "ioc")
    (wish,) = ask(strategy, failed, view)
    assert (wish.signal, wish.key, wish.size, wish.group) == ("complete", yes(2), shares(50), legs[0].group)
    view.hold(yes(2), 50, 32)
    assert ask(strategy, fill(key=yes(2)), view) == []
    assert ask(strategy, Tick(START), view) == []


def test_after_failing_to_complete_the_excess_is_sold() -> None:
    view, strategy = ManualView(FREE), Arbitrage(ArbitrageParams(completions_max=1))
    ask(strategy, cheap(view), view)
    view.hold(yes(0), 50, 30)
    failed = OrderCancelled(yes(2), START, ClientOrderId("x"), "ioc")
    assert {wish.signal for wish in ask(strategy, failed, view)} == {"complete"}
    (wish,) = ask(strategy, failed, view)
    assert (wish.signal, wish.side, wish.key) == ("unwind", "sell", yes(0))


def test_ticks_rebalance_after_the_cooldown_only() -> None:
    view, strategy = ManualView(FREE), Arbitrage()
    ask(strategy, cheap(view), view)
    view.hold(yes(0), 50, 30)
    assert ask(strategy, Tick(START), view) == []
    view.time += 2 * S
    assert ask(strategy, Tick(view.time), view) != []


def test_an_unbalanced_basket_of_an_earlier_run_is_rebalanced_before_another_is_bought() -> None:
    view, strategy = ManualView(FREE), Arbitrage()
    view.hold(yes(0), 50, 30)
    assert ask(strategy, cheap(view), view) == []
    assert ask(strategy, Tick(START), view) != []


def test_other_events_are_ignored() -> None:
    assert ask(Arbitrage(), Connected(ABC[0].venue, START, 1, 1), ManualView()) == []


def test_a_new_listing_clears_the_known_baskets() -> None:
    view, strategy = ManualView(FREE), Arbitrage()
    for index, price in enumerate((30, 31)):
        assert ask(strategy, view.show(yes(index), asks=((price, 50),)), view) == []
    grown = replace(FREE[0], market_id=MarketId("d"), outcomes=market("d").outcomes)
    view.cache.add(grown)
    change = MarketChange(grown.venue, grown.market_id, None, START, None, "created", "{}", grown)
    assert ask(strategy, change, view) == []
    assert ask(strategy, cheap(view), view) == []  # the newcomer has no book yet


def test_legs_kept_from_before_are_priced_again() -> None:
    view, strategy = ManualView(FREE), Arbitrage()
    first = [view.show(no(index), asks=((price, 50),)) for index, price in enumerate((45, 50))]
    view.show(no(2))
    assert len(ask(strategy, first[1], view)) == 2
    for index in range(2):
        view.hold(no(index), 50)
    ask(strategy, Tick(START), view)
    view.time += 3 * S
    view.show(no(1), asks=((60, 50),))
    assert ask(strategy, view.show(no(2), asks=((90, 50),)), view) == []
