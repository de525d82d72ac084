"""Quotes on both sides, what pulls them, and how inventory leaves."""

from collections.abc import Sequence
from typing import Any

import pytest
from msgspec.structs import replace

from predsurv.core.durations import Duration
from predsurv.core.events import Connected, Event, MarketChange, Tick, VenuePhase
from predsurv.core.market import NO_FEE, Market
from predsurv.core.num import MICROS, Money, Price
from predsurv.core.orders import CancelIntent, Intent, Quotes
from predsurv.engine.interest import BookFilter
from predsurv.strategies.market_maker import MarketMaking
from predsurv.strategies.quote_prices import MarketMakerParams
from tests.kit.manual_view import ManualView
from tests.kit.trading_samples import NO, START, YES, S, V, book, cents, fill, gap, market, shares

FREE = market(fee=NO_FEE)
PARAMS = MarketMakerParams(requote_interval=Duration(0))
DAY = 86_400 * S


def shown(market_: Market = FREE, bid: int = 40, ask: int = 60) -> ManualView:
    view = ManualView((market_,))
    show(view, bid, ask)
    return view


def show(view: ManualView, bid: int = 40, ask: int = 60) -> Event:
    view.show(NO, bids=((100 - ask, 50),), asks=((100 - bid, 50),))
    return view.show(YES, bids=((bid, 50),), asks=((ask, 50),))


def asked(strategy: MarketMaking, event: Event, view: ManualView) -> list[Intent | CancelIntent | Quotes]:
    return list(strategy.on_event(event, view))


def quotes(decisions: Sequence[Any]) -> dict[Any, tuple[Any, Any]]:
    return {each.key: (each.bid, each.ask) for each in decisions if isinstance(each, Quotes)}


SIZE = PARAMS.size
FLAT = {YES: ((cents(49), SIZE), None), NO: ((cents(49), SIZE), None)}
NOTHING = {YES: (None, None), NO: (None, None)}


def test_both_outcomes_are_bid_for_when_nothing_is_held() -> None:
    assert quotes(asked(MarketMaking(PARAMS), book(((40, 50),), ((60, 50),)), shown())) == FLAT


def test_what_is_held_is_offered_instead_of_buying_the_other_outcome() -> None:
    view = shown()
    view.hold(YES, 20)
    assert quotes(asked(MarketMaking(PARAMS), show(view), view)) == {
        YES: ((cents(48), SIZE), (cents(51), SIZE)),  # 20 of 60 shift both by a third of 2 cents, outwards on the grid
        NO: (None, None),
    }
    view.hold(YES, 0)
    view.hold(NO, 10)
    found = quotes(asked(MarketMaking(PARAMS), show(view), view))
    assert found[YES] == (None, None)
    assert found[NO][1] == (cents(51), shares(10))
    assert found[NO][0] is not None


def test_a_full_inventory_is_not_added_to_and_a_scrap_is_not_offered() -> None:
    view = shown()
    view.hold(YES, 60)
    assert quotes(asked(MarketMaking(PARAMS), show(view), view))[YES][0] is None
    view.hold(YES, 4)
    found = quotes(asked(MarketMaking(PARAMS), show(view), view))
    assert found[YES][1] is None
    assert found[NO][0] is not None
    view.hold(YES, 0)
    view.hold(NO, 60)
    assert quotes(asked(MarketMaking(PARAMS), show(view), view))[NO][0] is None


def test_quoting_begins_in_wide_markets_of_middle_prices_and_in_few_at_a_time() -> None:
    strategy = MarketMaking(replace(PARAMS, markets_max=1))
    assert strategy.interest.where == BookFilter(spread_min=PARAMS.spread_min)
    narrow = shown(bid=50, ask=51)
    assert asked(strategy, show(narrow, 50, 51), narrow) == []
    far = shown(bid=2, ask=6)
    assert asked(strategy, show(far, 2, 6), far) == []
    view = shown()
    assert asked(strategy, show(view), view)
    other = market("other", fee=NO_FEE)
    view.cache.add(other)
    assert asked(strategy, view.show(other.key(0), bids=((40, 5),), asks=((60, 5),)), view) == []
    assert asked(strategy, show(view, 50, 51), view)  # once begun it goes on in a narrow market


def test_quotes_stay_for_a_while_unless_a_fill_changes_the_inventory() -> None:
    strategy, view = MarketMaking(replace(PARAMS, requote_interval=2 * S)), shown()
    assert asked(strategy, show(view), view)
    view.time += S
    assert asked(strategy, show(view, 41, 61), view) == []
    assert asked(strategy, fill(), view)
    view.time += S
    assert asked(strategy, Tick(view.time), view) == []
    view.time += S
    assert asked(strategy, Tick(view.time), view)


def test_a_gap_pulls_the_quotes_and_keeps_what_is_held() -> None:
    strategy, view = MarketMaking(PARAMS), shown()
    asked(strategy, show(view), view)
    view.hold(YES, 20)
    view.cache.apply(gap())
    pulled = asked(strategy, gap(), view)
    assert quotes(pulled) == NOTHING
    assert len(pulled) == 2
    assert asked(strategy, show(view), view)


def test_a_market_that_is_not_quoted_has_nothing_to_pull() -> None:
    view = shown()
    view.cache.apply(gap())
    assert asked(MarketMaking(PARAMS), gap(), view) == []
    view.rest("o", NO)
    assert quotes(asked(MarketMaking(PARAMS), gap(), view)) == NOTHING


def test_a_pause_pulls_the_quotes_where_cancels_are_taken() -> None:
    for phase, expected in (("cancel_only", NOTHING), ("closed", {})):
        strategy, view = MarketMaking(PARAMS), shown()
        asked(strategy, show(view), view)
        event = VenuePhase(V, START, None, phase, "{}")  # type: ignore[arg-type]
        view.cache.apply(event)
        assert quotes(asked(strategy, event, view)) == expected
    strategy, view = MarketMaking(PARAMS), shown()
    asked(strategy, show(view), view)
    paused = replace(FREE, status="paused")
    view.cache.add(paused)
    change = MarketChange(V, FREE.market_id, None, START, None, "paused", "{}", paused)
    assert quotes(asked(strategy, change, view)) == NOTHING


@pytest.mark.parametrize("field", ["close_time", "game_start"])
def test_before_the_end_quotes_are_pulled_and_what_is_held_is_sold(field: str) -> None:
    ending = replace(FREE, **{field: START + DAY})
    strategy, view = MarketMaking(PARAMS), shown(ending)
    assert quotes(asked(strategy, show(view), view)) == FLAT
    view.hold(YES, 20)
    view.hold(NO, 3)
    view.time = START + DAY - PARAMS.stop_before
    left = asked(strategy, Tick(view.time), view)
    assert quotes(left) == NOTHING
    (sale,) = [each for each in left if isinstance(each, Intent)]
    assert (sale.signal, sale.key, sale.side, sale.price, sale.size) == ("flatten", YES, "sell", cents(40), shares(20))
    view.rest("o", YES)
    assert not any(isinstance(each, Intent) for each in asked(strategy, Tick(view.time), view))


def test_inventory_of_before_a_restart_is_taken_up() -> None:
    strategy, view = MarketMaking(PARAMS), shown(bid=50, ask=51)
    assert asked(strategy, Tick(START), view) == []
    view.hold(YES, 20)
    assert quotes(asked(strategy, Tick(START), view))[YES][1] is not None


def test_no_quote_without_a_second_side_or_in_other_markets() -> None:
    view = shown()
    strategy = MarketMaking(PARAMS)
    assert asked(strategy, view.show(YES, bids=((40, 5),)), view) == []
    scalar = ManualView((replace(FREE, market_type="scalar"),))
    assert asked(strategy, show(scalar), scalar) == []
    assert asked(strategy, show(view), ManualView(())) == []
    assert asked(strategy, Connected(V, START, 1, 1), view) == []


def test_a_side_without_a_price_is_not_quoted() -> None:
    edge = MarketMakerParams(requote_interval=Duration(0), price_max=Price(999_999), spread_min=Price(1))
    view = shown(bid=98, ask=99)
    found = quotes(asked(MarketMaking(edge), show(view, 98, 99), view))
    assert found[NO] == (None, None) or found[NO][0] is not None
    assert found[YES][0] is not None


def test_bids_are_no_larger_than_the_limits_leave() -> None:
    view = shown()
    for room, size in ((4.9, 10), (2, 0)):
        view.room = Money(round(room * MICROS))
        found = quotes(asked(MarketMaking(PARAMS), show(view), view))
        assert found[YES] == ((cents(49), shares(size)) if size else None, None)
    order = view.rest("own", YES, price=49)
    assert quotes(asked(MarketMaking(PARAMS), show(view), view))[YES][0] == (cents(49), shares(14.08))
    assert order.remaining == shares(10)
