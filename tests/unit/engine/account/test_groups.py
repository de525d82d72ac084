"""A group's money is the money of its orders and payouts."""

import pytest

from predsurv.core.events import MarketResolved
from predsurv.core.ids import StrategyName
from predsurv.core.num import MICROS, Money, Price
from predsurv.engine.account import groups as module
from predsurv.engine.account.groups import OrderGroup, OrderGroups
from tests.kit.trading_samples import NO, START, YES, V, fill, place, resolved, shares


def found() -> OrderGroups:
    groups = OrderGroups()
    groups.place(place("a", group="g"), START)
    groups.place(place("b", key=NO, group="g"), START + 1)
    return groups


def only(groups: OrderGroups) -> OrderGroup:
    (group,) = groups.all()
    return group


def test_orders_without_a_group_open_none() -> None:
    groups = OrderGroups()
    groups.place(place(), START)
    assert groups.all() == ()


def test_a_group_is_opened_filled_and_settled() -> None:
    groups = found()
    assert (only(groups).opened, only(groups).filled) == (START, False)
    groups.fill("g", fill(size=10, price=45, fee=Money(5)))
    assert only(groups).sets == 0
    groups.fill("g", fill(size=8, price=50, key=NO))
    assert only(groups).sets == shares(8)
    groups.settle(resolved())
    assert only(groups).settled
    assert only(groups).cash == 10 * MICROS - 4_500_000 - 4 * MICROS - 5
    groups.settle(resolved())
    assert only(groups).cash == 1_499_995


def test_selling_the_excess_settles_an_incomplete_group() -> None:
    groups = found()
    groups.fill("g", fill(size=10, price=45))
    groups.fill("g", fill(size=10, price=44, side="sell"))
    assert (only(groups).settled, only(groups).sets, only(groups).cash) == (True, 0, -100_000)


def test_a_fill_after_the_resolution_is_paid_too() -> None:
    groups = found()
    groups.settle(resolved())
    groups.fill("g", fill(size=10, price=45))
    assert only(groups).settled
    assert only(groups).cash == 5_500_000
    groups.forget_payouts()
    groups.fill("g", fill(size=10, price=45))
    assert not only(groups).settled


def test_an_outcome_without_a_payout_keeps_the_group_open() -> None:
    groups = found()
    groups.fill("g", fill(size=1))
    groups.fill("g", fill(size=1, key=NO))
    groups.settle(MarketResolved(V, YES.market_id, START, None, ((YES.instrument_id, Price(0)),)))
    assert (only(groups).settled, only(groups).held) == (False, {NO: shares(1)})


def test_a_group_of_sales_alone_is_held_negatively_and_harmless() -> None:
    groups = OrderGroups()
    groups.place(place("a", side="sell", group="g"), START)
    groups.fill("g", fill(size=1, side="sell"))
    assert only(groups).held == {YES: -shares(1)}


def test_the_oldest_groups_are_dropped_beyond_the_bound(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "GROUPS_KEPT_MAX", 1)
    groups = found()
    groups.place(place("c", group="h", strategy=StrategyName("x")), START)
    assert [group.name for group in groups.all()] == ["h"]
    groups.fill("g", fill())
    groups.settle(resolved())
    assert [group.cash for group in groups.all()] == [0]
