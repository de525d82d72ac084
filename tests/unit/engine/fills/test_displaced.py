"""Displaced orders stand where they stood until trades use them up, best prices first."""

import pytest

from predsurv.core.ids import Side
from predsurv.engine.fills import displaced
from predsurv.engine.fills.displaced import DisplacedOrders
from tests.kit.trading_samples import NO, YES, cents


@pytest.mark.parametrize(("side", "other", "prices"), [("bid", "ask", (50, 49, 48)), ("ask", "bid", (50, 51, 52))])
def test_what_trades_comes_off_the_best_prices_first(side: Side, other: Side, prices: tuple[int, int, int]) -> None:
    best, middle, worst = (cents(each) for each in prices)
    orders = DisplacedOrders()
    orders.add(YES, side, middle, 5)
    orders.add(YES, side, best, 3)
    orders.add(YES, side, best, 0)
    assert (orders.at(YES, side, best), orders.at(YES, other, best), orders.at(NO, side, best)) == (3, 0, 0)
    assert (orders.up_to(YES, side, middle), orders.up_to(YES, side, best), orders.up_to(NO, side, best)) == (8, 3, 0)
    assert orders.take_better(YES, side, middle, 9) == 3
    assert orders.take_better(NO, side, middle, 9) == 0
    assert orders.take_better(YES, side, worst, 2) == 2
    assert orders.take(YES, side, middle, 9) == 3
    assert orders.take(YES, side, middle, 9) == 0


def test_an_order_may_cross_what_was_displaced() -> None:
    orders = DisplacedOrders()
    orders.add(YES, "ask", cents(52), 1)
    orders.add(YES, "bid", cents(48), 1)
    assert [orders.crosses(YES, "bid", cents(each)) for each in (51, 52)] == [False, True]
    assert [orders.crosses(YES, "ask", cents(each)) for each in (49, 48)] == [False, True]
    assert not orders.crosses(NO, "bid", cents(99))


def test_the_instruments_recorded_are_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(displaced, "INSTRUMENTS_MAX", 1)
    orders = DisplacedOrders()
    orders.add(YES, "bid", cents(50), 1)
    orders.add(NO, "bid", cents(50), 1)
    assert (orders.at(YES, "bid", cents(50)), orders.at(NO, "bid", cents(50))) == (0, 1)


def test_the_sides_and_best_prices_of_what_was_displaced_are_known() -> None:
    orders = DisplacedOrders()
    assert (orders.sides(YES), list(orders.best(YES))) == ((), [])
    for side, price in (("ask", 52), ("bid", 48), ("ask", 51), ("bid", 49)):
        orders.add(YES, "ask" if side == "ask" else "bid", cents(price), 2)
    assert (orders.sides(YES), orders.sides(NO)) == (("bid", "ask"), ())
    assert sorted(orders.best(YES)) == [("ask", cents(51)), ("bid", cents(49))]
    assert orders.take_up_to(YES, "bid", cents(48), 3) == 3
    assert (orders.at(YES, "bid", cents(49)), orders.at(YES, "bid", cents(48))) == (0, 1)
    assert orders.take_up_to(YES, "bid", cents(48), 3) == 1


def test_what_was_added_is_unmet_until_the_book_is_looked_at() -> None:
    orders = DisplacedOrders()
    orders.add(YES, "bid", cents(49), 5)
    assert orders.unmet == {YES}
    orders.touched.clear()
    assert orders.meet(YES) == ("bid",)
    assert (orders.unmet, orders.touched) == (set(), {YES: None})
    orders.touched.clear()
    assert orders.meet(YES) == ("bid",)
    assert orders.touched == {}, "nothing more was added"
