"""Orders, positions and groups change together or not at all."""

import pytest

from predsurv.core.errors import BrokenInvariant
from predsurv.core.events import OrderAccepted
from predsurv.core.ids import ClientOrderId, OrderId
from predsurv.core.num import MICROS, Money
from predsurv.engine.account.account import TradingAccount
from tests.kit.trading_samples import ME, START, YES, V, fill, place, resolved


def account() -> TradingAccount:
    made = TradingAccount({V: Money(100 * MICROS)})
    made.place(place(group="g"), START)
    return made


def test_a_fill_changes_order_position_and_group() -> None:
    made = account()
    assert made.apply(OrderAccepted(YES, START, ClientOrderId("o1"), OrderId("v"))) == "applied"
    assert made.apply(fill(size=4, price=50)) == "applied"
    assert made.apply(fill(size=4, price=50)) == "duplicate"
    assert made.portfolio.cash(V) == 98 * MICROS
    assert made.groups.all()[0].cash == -2 * MICROS
    assert made.placed == 1


def test_settlement_pays_position_and_group() -> None:
    made = account()
    made.apply(fill(size=4, price=50))
    (done,) = made.settle(resolved())
    assert (done.paid, made.groups.all()[0].cash) == (4 * MICROS, 2 * MICROS)
    made.apply(fill(size=1, price=50, trade_id="late"))
    assert made.portfolio.positions.get(ME, YES) is None
    made.forget_payouts()
    made.apply(fill(size=1, price=50, trade_id="later"))
    assert made.portfolio.positions.get(ME, YES) is not None


def test_a_first_fill_told_after_the_market_resolved_is_paid_at_once() -> None:
    made = account()
    assert made.settle(resolved()) == ()
    assert made.apply(fill(size=10, price=40)) == "applied"
    assert made.portfolio.cash(V) == 106 * MICROS
    assert made.portfolio.positions.totals() == ()
    assert (made.groups.all()[0].cash, made.groups.all()[0].settled) == (6 * MICROS, True)


def test_a_sale_of_what_is_not_held_changes_nothing() -> None:
    made = account()
    made.place(place("s", side="sell"), START)
    before = made.orders.get(ClientOrderId("s"))
    with pytest.raises(BrokenInvariant):
        made.apply(fill("s", size=4, side="sell"))
    assert made.orders.get(ClientOrderId("s")) == before


def test_fills_of_orders_that_are_not_ours_are_foreign() -> None:
    assert account().apply(fill("who")) == "foreign"


def test_an_order_without_a_group_opens_none() -> None:
    made = TradingAccount({V: Money(100 * MICROS)})
    made.place(place(), START)
    assert made.apply(fill()) == "applied"
    assert made.groups.all() == ()
