"""What differs between an account and its venue is found where it can be known, and made right in one direction."""

from typing import Any

from msgspec.structs import replace

from predsurv.core.events import OrderAccepted
from predsurv.core.ids import ClientOrderId, OrderId, StrategyName
from predsurv.core.num import MICROS, Money
from predsurv.core.reconciliation import CashCorrected, Correction, PositionCorrected
from predsurv.engine.account.account import TradingAccount
from predsurv.trade.live.differences import cash_beside_orders, differences, foreign
from predsurv.venues.account_reports import NOBODY, PositionReport
from predsurv.venues.execution.gateway import AccountState
from tests.kit.trading_samples import ME, NO, START, YES, V, fill, place, resolved, shares

YOU = StrategyName("you")


def account(cash: int = 1_000) -> TradingAccount:
    return TradingAccount({V: Money(cash * MICROS)})


def bought(made: TradingAccount, size: float, strategy: StrategyName = ME, **changes: Any) -> None:
    name = f"o{made.placed}"
    made.place(place(name, price=50, size=size, strategy=strategy), START)
    made.apply(replace(fill(name, size, 50), **changes))


def told(cash: int, **sizes: float) -> AccountState:
    keys = {"yes": YES, "no": NO}
    positions = tuple(PositionReport(keys[name], START, shares(size)) for name, size in sizes.items())
    return AccountState(START, Money(cash * MICROS), (), (), positions)


def corrections(made: TradingAccount, state: AccountState) -> list[Correction]:
    return [each for found in differences(V, made, state) for each in found.corrections]


def test_an_account_that_agrees_has_no_difference() -> None:
    made = account()
    bought(made, 10)
    assert not differences(V, made, told(995, yes=10, no=0))


def test_cash_is_what_the_venue_says() -> None:
    assert corrections(account(), told(900)) == [CashCorrected(V, START, Money(900 * MICROS), "the venue says so")]


def test_cash_is_not_compared_while_anything_may_trade_or_fail() -> None:
    resting = account()
    resting.place(place("rests"), START)
    assert not differences(V, resting, told(900))
    open_fill = account()
    bought(open_fill, 10, unconfirmed=True)
    assert not differences(V, open_fill, told(900, yes=0))


def test_missing_shares_are_taken_from_the_last_holder_first_and_more_go_to_the_first() -> None:
    made = account()
    bought(made, 10)
    bought(made, 4, YOU)
    fewer = corrections(made, told(993, yes=7))
    assert [(each.strategy, each.size) for each in fewer if isinstance(each, PositionCorrected)] == [
        (YOU, 0),
        (ME, shares(7)),
    ]
    (one,) = corrections(made, told(993, yes=13))
    assert isinstance(one, PositionCorrected)
    assert (one.strategy, one.size) == (YOU, shares(3))
    (more,) = corrections(made, told(993, yes=15))
    assert isinstance(more, PositionCorrected)
    assert (more.strategy, more.size, more.cost) == (ME, shares(11), Money(5 * MICROS))
    for each in fewer:
        made.credit(each)
    assert not differences(V, made, told(993, yes=7))


def test_shares_that_nobody_here_bought_are_left_alone_unless_we_ordered_there() -> None:
    made = account()
    assert not differences(V, made, told(1_000, yes=5))
    made.place(place("o"), START)
    made.orders.amend(place("o").client_order_id, lambda order: replace(order, state="cancelled"))
    (found,) = corrections(made, told(1_000, yes=5))
    assert isinstance(found, PositionCorrected)
    assert found.strategy == NOBODY
    made.settle(resolved())
    assert not differences(V, made, told(1_000, yes=5))  # they wait there to be redeemed


def test_orders_at_the_venue_that_are_not_ours_are_named() -> None:
    assert foreign(told(0), ()) == ()


def test_cash_beside_resting_orders_differs_where_they_leave_it_as_it_is() -> None:
    resting = account()
    resting.place(place("rests"), START)
    whole = replace(told(900), is_cash_whole=True)
    assert cash_beside_orders(V, resting, whole) is None  # it may be on its way
    resting.apply(OrderAccepted(YES, START, ClientOrderId("rests"), OrderId("v1")))
    found = cash_beside_orders(V, resting, whole)
    assert found is not None
    assert found.corrections == (CashCorrected(V, START, Money(900 * MICROS), "the venue says so"),)
    assert cash_beside_orders(V, resting, told(900)) is None  # there, what rests may be taken out of it
    assert cash_beside_orders(V, resting, replace(told(1_000), is_cash_whole=True)) is None
    assert cash_beside_orders(V, account(), whole) is None  # that is compared as it is
    bought(resting, 10, unconfirmed=True)
    assert cash_beside_orders(V, resting, whole) is None
