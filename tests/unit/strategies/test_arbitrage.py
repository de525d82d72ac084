"""Baskets on sale for less than they pay, and the rebalancing of half-filled ones."""

from msgspec.structs import replace

from predsurv.core.events import Connected, Event, MarketChange, MarketResolved, OrderCancelled, Tick
from predsurv.core.ids import ClientOrderId, InstrumentId, MarketId, VenueName
from predsurv.core.mapping import ApprovedMapping, MappedMarket
from predsurv.core.market import NO_FEE, Market, Outcome
from predsurv.core.num import MICROS, Money, Price, Ratio
from predsurv.core.orders import Intent
from predsurv.strategies.arbitrage import Arbitrage
from predsurv.strategies.arbitrage_params import ArbitrageParams
from tests.kit.manual_view import ABC, ManualView, no, yes
from tests.kit.trading_samples import FEE, NO, START, YES, S, V, cents, delta, fill, market, shares

FREE = tuple(replace(each, fee=NO_FEE) for each in ABC)


def outcome_ids(each: Market) -> tuple[InstrumentId, ...]:
    return tuple(outcome.instrument_id for outcome in each.outcomes)


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
    cheap(view, (33, 34, 35))
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


def test_a_leg_that_adds_to_what_is_held_is_bought_alone() -> None:
    view, strategy = ManualView(FREE), Arbitrage()
    first = [view.show(no(index), asks=((price, 50),)) for index, price in enumerate((45, 50))]
    view.show(no(2))
    assert len(ask(strategy, first[1], view)) == 2
    for index in range(2):
        view.hold(no(index), 50)
    ask(strategy, Tick(START), view)
    view.time += 3 * S
    view.show(no(1), asks=((60, 50),))
    (more,) = ask(strategy, view.show(no(2), asks=((90, 50),)), view)
    assert (more.key, more.signal) == (no(2), "no_basket")  # ten cents a share for sure, whatever the others cost now


def test_the_certificate_goes_with_the_first_order() -> None:
    view = ManualView(FREE)
    legs = ask(Arbitrage(), cheap(view), view)
    assert legs[0].note == (
        "costs $46.50 with fees of $0.00; pays $50.00 whichever outcome (Will a?, Will b?, Will c?): sure gain $3.50; "
        "none of it can be void"
    )
    assert [leg.note for leg in legs[1:]] == ["", ""]


def test_a_leg_that_has_not_changed_for_long_is_not_bought() -> None:
    view, params = ManualView(FREE), ArbitrageParams()
    view.show(yes(0), asks=((30, 50),))
    view.time += params.leg_age_max + 1
    view.show(yes(1), asks=((31, 50),))
    assert ask(Arbitrage(), view.show(yes(2), asks=((32, 50),)), view) == []


VOIDABLE = tuple(replace(each, neg_risk=False, exhaustive=False) for each in FREE)


def test_three_legs_of_no_have_to_earn_a_part_of_what_they_lose_in_a_void() -> None:
    never = ArbitrageParams(void_cover=Ratio(1_000 * MICROS))
    for price, legs in ((64, 0), (63, 3)):  # two void, the third wins: a dollar for what cost 192 and 189 cents
        view = ManualView(VOIDABLE)
        events = [view.show(each.key(1), asks=((price, 50),)) for each in VOIDABLE]
        assert len(ask(Arbitrage(), events[-1], view)) == legs
        assert ask(Arbitrage(never), events[-1], view) == []


def test_of_three_legs_of_no_the_two_that_lose_least_in_a_void_are_bought() -> None:
    view = ManualView(VOIDABLE)
    prices = (44, 50, 97)
    events = [view.show(each.key(1), asks=((price, 50),)) for each, price in zip(VOIDABLE, prices, strict=True)]
    legs = ask(Arbitrage(), events[-1], view)
    assert [leg.key for leg in legs] == [VOIDABLE[0].key(1), VOIDABLE[1].key(1)]


def test_money_that_is_locked_up_for_long_has_to_earn_more() -> None:
    for days, legs in ((30, 3), (300, 0)):
        late = tuple(replace(each, close_time=START + days * 86_400 * S) for each in FREE)
        view = ManualView(late)
        assert len(ask(Arbitrage(), cheap(view, (32, 33, 33)), view)) == legs


def test_legs_that_may_be_reverted_are_charged_for_it() -> None:
    chain = tuple(replace(each, venue=VenueName("polymarket")) for each in FREE)
    for bid, legs in ((32, 3), (2, 0)):
        view = ManualView(chain)
        for each in chain[:2]:
            view.show(each.key(0), bids=((bid, 50),), asks=((33, 50),))
        event = view.show(chain[2].key(0), bids=((bid, 50),), asks=((33, 50),))
        assert len(ask(Arbitrage(), event, view)) == legs
        assert len(ask(Arbitrage(ArbitrageParams(revert_rate=Ratio(0))), event, view)) == 3


def test_complete_sets_are_sold_for_more_than_they_pay() -> None:
    view = ManualView(FREE)
    for index in range(3):
        view.hold(yes(index), 50)
    events = [view.show(yes(index), bids=((price, 20),)) for index, price in enumerate((33, 34, 35))]
    sales = ask(Arbitrage(), events[-1], view)
    assert [(sale.signal, sale.side, sale.size) for sale in sales] == [("unwind", "sell", shares(20))] * 3


def test_what_is_incomplete_comes_before_anything_new() -> None:
    view, strategy = ManualView(FREE), Arbitrage()
    view.hold(yes(0), 30)
    assert ask(strategy, cheap(view), view) == []
    legs = ask(strategy, Tick(START), view)
    assert {leg.signal for leg in legs} == {"complete"}


ELSEWHERE = market("x", venue=VenueName("other"), fee=NO_FEE)
PAIR = ApprovedMapping(
    MappedMarket(V, MarketId("m"), (YES.instrument_id, NO.instrument_id)),
    MappedMarket(
        ELSEWHERE.venue, ELSEWHERE.market_id, (ELSEWHERE.key(0).instrument_id, ELSEWHERE.key(1).instrument_id)
    ),
    "who",
    START,
)


def test_one_contract_is_bought_on_one_venue_and_its_opposite_on_another() -> None:
    for mappings, legs in (((), 0), ((PAIR,), 2)):
        view, strategy = ManualView((market(fee=NO_FEE), ELSEWHERE)), Arbitrage()
        if mappings:
            strategy.use_mappings(mappings)
        view.show(YES, bids=((40, 50),), asks=((45, 50),))
        view.show(NO, bids=((55, 50),), asks=((60, 50),))
        view.show(ELSEWHERE.key(0), bids=((50, 30),), asks=((55, 50),))
        wishes = ask(strategy, view.show(ELSEWHERE.key(1), bids=((45, 50),), asks=((50, 30),)), view)
        assert len(wishes) == legs
        if legs:
            assert strategy.interest.where_event is None
            assert [(leg.key, leg.price, leg.size, leg.signal) for leg in wishes] == [
                (YES, cents(45), shares(30), "cross"),
                (ELSEWHERE.key(1), cents(50), shares(30), "cross"),
            ]
            # Sure 1.5; both void the halves make up a dollar; one alone may leave half a dollar in place of one.
            assert wishes[0].note.startswith("costs $28.50 with fees of $0.00; pays $30.00 whichever outcome (")
            assert "sure gain $1.50; " in wishes[0].note
            assert wishes[0].note.endswith("if all is void $30.00 ($1.50), if only some is, at worst $15.00 (-$13.50)")


def test_a_cross_pair_is_sized_by_the_money_of_either_venue() -> None:
    view, strategy = ManualView((market(fee=NO_FEE), ELSEWHERE)), Arbitrage()
    strategy.use_mappings((PAIR,))
    view.money = Money(10 * MICROS)
    view.show(YES, asks=((45, 50),))
    wishes = ask(strategy, view.show(ELSEWHERE.key(1), asks=((50, 50),)), view)
    assert [leg.size for leg in wishes] == [shares(19.98)] * 2


def test_a_leg_is_not_added_to_two_if_that_adds_to_what_a_void_may_lose() -> None:
    view, strategy = ManualView(VOIDABLE), Arbitrage(ArbitrageParams(void_cover=Ratio(1_000 * MICROS)))
    for each in VOIDABLE[:2]:
        view.hold(each.key(1), 50, 49)
        view.show(each.key(1), asks=((50, 50),))
    event = view.show(VOIDABLE[2].key(1), asks=((96, 50),))
    assert ask(strategy, event, view) == []
    assert ask(strategy, Tick(START), view) == []


def test_what_is_left_after_a_full_fill_is_bought_at_once() -> None:
    view, strategy = ManualView(FREE), Arbitrage()
    first = ask(strategy, cheap(view), view)
    for index in range(3):
        view.hold(yes(index), 50)
    (again, *_) = ask(strategy, fill(key=yes(2)), view)
    assert again.group == first[0].group  # of the same instant
    assert again.signal == "yes_basket"


def test_sets_go_on_without_a_market_that_has_lost() -> None:
    view, strategy = ManualView(FREE), Arbitrage()
    ask(strategy, cheap(view), view)
    for index, size in enumerate((50, 50, 30)):
        view.hold(yes(index), size)
    lost = MarketResolved(
        V, FREE[0].market_id, START, None, tuple(zip(outcome_ids(FREE[0]), (Price(0), Price(MICROS)), strict=True))
    )
    view.cache.apply(lost)
    view.hold(yes(0), 0)
    assert ask(strategy, lost, view) == []
    view.time += 3 * S
    (wish,) = ask(strategy, Tick(view.time), view)
    assert (wish.signal, wish.key, wish.size) == ("complete", yes(2), shares(20))


def test_a_pair_of_yes_and_no_is_one_of_outcomes() -> None:
    alone = market(fee=NO_FEE)
    view = ManualView((alone,))
    view.show(YES, asks=((45, 50),))
    assert {leg.signal for leg in ask(Arbitrage(), view.show(NO, asks=((50, 50),)), view)} == {"outcomes"}


def test_sets_are_no_larger_than_the_limits_leave() -> None:
    view = ManualView(FREE)
    view.room = Money(8 * MICROS)
    legs = ask(Arbitrage(), cheap(view), view)
    assert sum(leg.price * leg.size for leg in legs) <= 8 * MICROS * MICROS
    assert legs[0].size == shares(8.6)


def test_what_is_held_of_a_decided_event_is_left_alone() -> None:
    view, strategy = ManualView(FREE), Arbitrage()
    view.hold(yes(0), 30)
    view.cache.apply(MarketResolved(V, yes(1).market_id, START, None, ((yes(1).instrument_id, Price(MICROS)),)))
    assert ask(strategy, Tick(START), view) == []


def test_what_is_balanced_at_a_tick_is_looked_at_no_more() -> None:
    view, strategy = ManualView(FREE), Arbitrage()
    for index in range(3):
        view.hold(yes(index), 30)
        view.show(yes(index), asks=((30, 50),))
    assert ask(strategy, Tick(START), view) == []
    view.hold(yes(0), 0)
    assert ask(strategy, Tick(START), view) == []
    ask(strategy, MarketChange(V, yes(0).market_id, None, START, None, "tick_size", "{}"), view)
    assert {leg.signal for leg in ask(strategy, Tick(START), view)} == {"complete"}


def test_what_cannot_be_completed_because_a_leg_has_ended_is_left_alone() -> None:
    view, strategy = ManualView(FREE), Arbitrage()
    cheap(view)
    view.hold(yes(0), 30)
    view.cache.apply(MarketChange(V, yes(1).market_id, None, START, None, "closed", "{}"))
    assert ask(strategy, Tick(START), view) == []
