"""What a venue can settle where some of what it matched has failed."""

from predsurv.core.ids import VenueName
from predsurv.core.num import MICROS, Money
from predsurv.engine.account.portfolio import Portfolio
from predsurv.engine.account.unconfirmed import Owner
from predsurv.engine.fills.settled_ledger import SettledLedger
from tests.kit.trading_samples import ME, NO, YES, V, fill, resolved

OF_YES, OF_NO = Owner(ME, YES), Owner(ME, NO)
BOUGHT = fill("a", 10, 50, unconfirmed=True)
SOLD = fill("b", 10, 90, side="sell", unconfirmed=True)
OTHER = fill("c", 20, 40, key=NO, unconfirmed=True)


def portfolio(cash: int, *fills: object) -> Portfolio:
    made = Portfolio({V: Money(cash * MICROS)})
    for each in fills:
        made.fill(ME, each)  # type: ignore[arg-type]
    return made


def test_everything_that_was_matched_can_be_settled_in_order() -> None:
    ledger = SettledLedger(portfolio(5, BOUGHT, SOLD, OTHER), V)
    assert [ledger.settle(OF_YES, BOUGHT), ledger.settle(OF_YES, SOLD), ledger.settle(OF_NO, OTHER)] == [True] * 3


def test_without_shares_or_money_nothing_is_settled() -> None:
    held = portfolio(5, BOUGHT, SOLD, OTHER)
    ledger = SettledLedger(held, V)
    assert not ledger.settle(OF_YES, SOLD), "what it sold has failed"
    assert not ledger.settle(OF_NO, OTHER), "it costs 8 of 5"
    assert held.cash(V) == MICROS, "it is left as it is"


def test_what_was_settled_before_counts() -> None:
    assert SettledLedger(portfolio(10, fill("x", 10, 50), BOUGHT, SOLD), V).settle(OF_YES, SOLD)


def test_shares_that_were_paid_out_can_be_sold_by_a_fill_told_later() -> None:
    held = portfolio(10, fill("x", 10, 50), BOUGHT)
    held.followed.add((V, YES.market_id))
    held.settle(resolved(YES))
    held.fill(ME, SOLD)
    ledger = SettledLedger(held, V)
    assert ledger.settle(OF_YES, SOLD), "10 of the 20 that were paid out are settled"
    assert not SettledLedger(held, VenueName("other")).settle(Owner(ME, NO), SOLD)
