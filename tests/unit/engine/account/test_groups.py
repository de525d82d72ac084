"""A basket's money is the money of its orders and payouts."""

import pytest

from predsurv.core.events import MarketResolved
from predsurv.core.ids import StrategyName
from predsurv.core.num import MICROS, Money, Price
from predsurv.engine.account import groups as module
from predsurv.engine.account.groups import OrderGroup, OrderGroups
from tests.kit.trading_samples import NO, START, YES, V, fill, place, resolved, shares


def found() -> OrderGroups:
    baskets = OrderGroups()
    baskets.place(place("a", group="g"), START)
    baskets.place(place("b", key=NO, group="g"), START + 1)
    return baskets


def only(baskets: OrderGroups) -> OrderGroup:
    (basket,) = baskets.all()
    return basket


def test_orders_without_a_group_are_no_basket() -> None:
    baskets = OrderGroups()
    baskets.place(place(), START)
    assert baskets.all() == ()


def test_found_filled_settled() -> None:
    baskets = found()
    assert (only(baskets).opened, only(baskets).filled) == (START, False)
    baskets.fill("g", fill(size=10, price=45, fee=Money(5)))
    assert only(baskets).sets == 0
    baskets.fill("g", fill(size=8, price=50, key=NO))
    assert only(baskets).sets == shares(8)
    baskets.settle(resolved())
    assert only(baskets).settled
    assert only(baskets).cash == 10 * MICROS - 4_500_000 - 4 * MICROS - 5
    baskets.settle(resolved())
    assert only(baskets).cash == 1_499_995


def test_selling_the_excess_settles_a_failed_basket() -> None:
    baskets = found()
    baskets.fill("g", fill(size=10, price=45))
    baskets.fill("g", fill(size=10, price=44, side="sell"))
    assert (only(baskets).settled, only(baskets).sets, only(baskets).cash) == (True, 0, -100_000)


def test_a_fill_after_the_resolution_is_paid_too() -> None:
    baskets = found()
    baskets.settle(resolved())
    baskets.fill("g", fill(size=10, price=45))
    assert only(baskets).settled
    assert only(baskets).cash == 5_500_000
    baskets.forget_payouts()
    baskets.fill("g", fill(size=10, price=45))
    assert not only(baskets).settled


def test_an_outcome_without_a_payout_keeps_the_basket_open() -> None:
    baskets = found()
    baskets.fill("g", fill(size=1))
    baskets.fill("g", fill(size=1, key=NO))
    baskets.settle(MarketResolved(V, YES.market_id, START, None, ((YES.instrument_id, Price(0)),)))
    assert (only(baskets).settled, only(baskets).legs) == (False, {NO: shares(1)})


def test_a_group_of_sales_alone_is_held_negatively_and_harmless() -> None:
    baskets = OrderGroups()
    baskets.place(place("a", side="sell", group="g"), START)
    baskets.fill("g", fill(size=1, side="sell"))
    assert only(baskets).legs == {YES: -shares(1)}


def test_the_oldest_baskets_are_forgotten_beyond_the_bound(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "BASKETS_KEPT_MAX", 1)
    baskets = found()
    baskets.place(place("c", group="h", strategy=StrategyName("x")), START)
    assert [basket.group for basket in baskets.all()] == ["h"]
    baskets.fill("g", fill())
    baskets.settle(resolved())
    assert [basket.cash for basket in baskets.all()] == [0]
