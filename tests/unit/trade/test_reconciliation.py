"""Unexplained differences stop a run before it sends anything."""

import pytest
from msgspec.structs import replace

from predsurv.core.errors import SafetyError
from predsurv.core.events import OrderCancelled
from predsurv.core.ids import VenueName
from predsurv.core.num import MICROS, Money
from predsurv.core.orders import AccountSnapshot, Position
from predsurv.trade.reconciliation import reconcile
from tests.kit.trading_samples import START, YES, V, World, place, shares


def world() -> World:
    return World(cash=100 * MICROS).hold(10, price=50)


SAME = AccountSnapshot(START, Money(95 * MICROS), (Position(YES, shares(10), Money(0)),))


def test_equal_accounts_need_no_event() -> None:
    assert reconcile(V, world().account, SAME) == ()


def test_orders_missing_at_the_venue_are_cancelled_and_those_found_stay() -> None:
    made = world()
    made.account.place(place("gone"), START)
    made.account.place(place("there"), START)
    there = made.account.orders.live()[1]
    (event,) = reconcile(V, made.account, replace(SAME, open_orders=(there,)))
    assert isinstance(event, OrderCancelled)
    assert event.client_order_id == "gone"
    assert reconcile(VenueName("other"), made.account, AccountSnapshot(START, Money(0))) == ()


@pytest.mark.parametrize(
    ("snapshot", "what"),
    [
        (replace(SAME, cash=Money(94 * MICROS)), "cash 95 here, 94 there"),
        (replace(SAME, positions=()), "10 shares of mock:m-yes here, 0 there"),
        (replace(SAME, positions=(Position(YES, shares(11), Money(0)),)), "11 there"),
    ],
)
def test_differences_are_refused_by_name(snapshot: AccountSnapshot, what: str) -> None:
    with pytest.raises(SafetyError, match=what):
        reconcile(V, world().account, snapshot)


def test_an_unknown_order_at_the_venue_is_refused() -> None:
    other = world()
    other.account.place(place("theirs"), START)
    with pytest.raises(SafetyError, match="order theirs is not in the journal"):
        reconcile(V, world().account, replace(SAME, open_orders=other.account.orders.live()))
