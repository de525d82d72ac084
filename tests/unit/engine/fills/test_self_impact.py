"""What our fills displace: at most, by the pessimistic model; as it was, by the default; nothing, by the optimistic."""

import pytest
from msgspec.structs import replace

from predsurv.core.num import ONE
from predsurv.engine.books.consumed import ConsumedLiquidity
from predsurv.engine.fills import self_impact
from predsurv.engine.fills.departed_orders import DepartedOrders
from predsurv.engine.fills.queue_position import QueueModel, QueuePosition
from predsurv.engine.fills.self_impact import SelfImpact, stand_behind
from predsurv.state.book import Book
from tests.kit.trading_samples import START, YES, book, cents, delta, place, shares, trade


def order() -> QueuePosition:
    made = QueuePosition(command=place(), key=YES, side="bid", price=cents(49), remaining=shares(10), arrival=1)
    made.displaceable = shares(10)
    return made


def test_the_orders_of_others_behind_a_fill_of_ours_are_displaced() -> None:
    expected: dict[QueueModel, int] = {"pessimistic": shares(10), "proportional": shares(4), "optimistic": 0}
    for model, displaced in expected.items():
        impact = SelfImpact(ConsumedLiquidity(), model, DepartedOrders())
        assert impact.on_maker(trade(49, 20), "bid", (shares(20), shares(16)), [order()]) == displaced
        assert impact.displaced.at(YES, "bid", cents(49)) == displaced


def test_displaced_orders_meet_first_what_comes_as_far_as_ours() -> None:
    impact, ours = SelfImpact(ConsumedLiquidity(), "proportional", DepartedOrders()), order()
    impact.displaced.add(YES, "bid", cents(50), 3)
    impact.displaced.add(YES, "bid", cents(49), 5)
    ours.ahead = 4
    assert (impact.met_first(ours, 100, START), impact.meet_first(ours, 100)) == (7, 7)
    assert (impact.met_first(ours, 100, START), impact.meet_first(ours, 100)) == (0, 0)


def test_what_was_taken_from_us_in_public_may_stand_in_front_until_it_is_told() -> None:
    consumed, shown = ConsumedLiquidity(), Book(YES)
    shown.apply(book())
    impact = SelfImpact(consumed, "pessimistic", DepartedOrders())
    assert impact.follows_takers
    consumed.consume(shown, "ask", cents(51), shares(30))
    shown.apply(change := delta("ask", 51, 0))
    consumed.on_delta(change)
    assert impact.doubts.untold(YES, "bid", START) == shares(30)
    assert SelfImpact(consumed, "proportional", DepartedOrders()).doubts.untold(YES, "bid", START) == 0
    assert list(consumed.released.instruments()) == [YES]
    impact.on_taker(trade(51, 30, taker="buy"), shown)
    assert impact.doubts.untold(YES, "bid", START) == 0
    assert impact.doubts.unsure(shown, "ask", START) == 0, "nothing is on sale"


def test_what_was_displaced_before_an_order_joined_stands_ahead_of_it_once_it_is_told() -> None:
    ours = order()
    ours.joined = START
    stand_behind([ours], trade(49, 5), "bid", 5)
    stand_behind([ours], replace(trade(49, 5), ts_venue=START + 1), "bid", 5)
    stand_behind([ours], replace(trade(48, 5), ts_venue=START), "bid", 5)
    assert ours.ahead == 0
    stand_behind([ours], replace(trade(49, 5), ts_venue=START), "bid", 5)
    assert ours.ahead == 5


def test_what_filled_an_order_later_may_be_what_an_earlier_trade_met() -> None:
    ours = order()
    ours.filled(shares(3), START)
    earlier = replace(trade(49, 5), ts_venue=START - 1)
    assert SelfImpact(ConsumedLiquidity(), "pessimistic", DepartedOrders()).filled_after(ours, earlier) == shares(3)
    assert SelfImpact(ConsumedLiquidity(), "proportional", DepartedOrders()).filled_after(ours, earlier) == 0


def test_a_level_that_crosses_displaced_orders_met_them_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(self_impact, "MET_KEPT_MAX", 1)
    for model, left in (
        ("pessimistic", [(cents(51), shares(6))]),
        ("proportional", [(cents(50), shares(4)), (cents(51), shares(10))]),
    ):
        consumed, shown = ConsumedLiquidity(), Book(YES)
        shown.apply(book(asks=((50, 4), (51, 10))))
        impact = SelfImpact(consumed, "pessimistic" if model == "pessimistic" else "proportional", DepartedOrders())
        impact.displaced.add(YES, "bid", cents(51), shares(8))
        for _ in range(2):
            impact.on_book(shown)
            assert list(consumed.remaining(shown, "ask")) == left


def test_who_met_what_displaced_orders_had_met_rests_in_their_place() -> None:
    shown = Book(YES)
    shown.apply(book(asks=((50, 4), (51, 10))))
    impact = SelfImpact(ConsumedLiquidity(), "pessimistic", DepartedOrders())
    impact.displaced.add(YES, "bid", cents(51), shares(8))
    impact.on_book(shown)
    impact.on_taker(trade(51, 3, taker="buy"), shown)
    assert impact.displaced.at(YES, "bid", ONE) == shares(3), (
        "who met what displaced orders had met rests in their place"
    )
    assert impact.displaced.up_to(YES, "bid", cents(51)) == shares(8)
