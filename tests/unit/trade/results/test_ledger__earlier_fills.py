"""Fills of an earlier run that fail in this one are taken back, and are nobody's profit."""

from typing import Final

import pytest
from msgspec.structs import replace

from predsurv.core.events import Fill, FillConfirmed, FillFailed
from predsurv.core.ids import EventId, MarketId, TradeId, VenueName
from predsurv.core.num import Money, Size
from predsurv.engine.account.account import TradingAccount
from predsurv.state.book import Book
from predsurv.trade.journal import AccountUpdated, Entry
from predsurv.trade.results.ledger import Ledger, LineKey, fold, opening_of
from predsurv.trade.results.result import Books, Course, RunResult, result_of
from predsurv.trade.results.valuing import Mark, mark_of
from tests.kit.run_entries import CASH, filled, sent, started
from tests.kit.trading_samples import FEE, ME, START, YES, V, book, fill, market, place, shares

BOUGHT: Final = replace(fill("a", 10, 40), unconfirmed=True, fee=Money(70))
SOLD: Final = replace(fill("b", 10, 60, side="sell"), unconfirmed=True, fee=Money(90))


def event_of(_: VenueName, market_id: MarketId) -> EventId:
    return EventId(f"e-{market_id}")


def failed(fill: Fill) -> AccountUpdated:
    return AccountUpdated(FillFailed(fill.key, START, fill.client_order_id, fill.trade_id, "reverted"))


def account_with(*fills: Fill) -> TradingAccount:
    account = TradingAccount({V: CASH})
    for each in fills:
        account.place(place(each.client_order_id, size=20, side=each.side), START)
        account.apply(each)
    return account


def mark(account: TradingAccount) -> dict[object, Mark]:
    held = sum(each.size for each in account.portfolio.positions.totals())
    shown = Book(YES)
    shown.apply(book(key=YES))
    return {YES: mark_of(shown, Size(held), FEE)}


def judged(account: TradingAccount, *entries: Entry) -> tuple[Ledger, RunResult]:
    """The second run of an account: what it is booked as, beside what the account itself makes of it."""
    before = mark(account)
    opening = opening_of(account)
    for entry in entries:
        if isinstance(entry, AccountUpdated):
            account.apply(entry.event)
    ledger = fold(opening, (started(), *entries), event_of)
    return ledger, result_of(ledger, Books(before, mark(account), ((market(),),)), Course())  # type: ignore[arg-type]


@pytest.mark.parametrize("fills", [(BOUGHT,), (BOUGHT, SOLD)])
@pytest.mark.parametrize("count", [1, 2])
def test_the_account_is_the_same_and_what_came_back_is_no_profit(fills: tuple[Fill, ...], count: int) -> None:
    account = account_with(*fills)
    ledger, found = judged(account, *[failed(each) for each in reversed(fills)][:count])
    assert ledger.cash() == {V: account.portfolio.cash(V)}
    assert [each.position for each in ledger.positions()] == [each for _, each in account.portfolio.positions.all()]
    assert found.total.profit == found.equity - found.equity_start
    assert (found.total.fills, found.total.fees, found.total.rebates) == (0, 0, 0)
    assert found.settlement is None, "none of this run"


def test_shares_whose_sale_failed_are_held_in_a_trip_again() -> None:
    sold_before = account_with(replace(BOUGHT, unconfirmed=False), SOLD)
    ledger, _ = judged(sold_before, failed(SOLD))
    again = replace(fill("c", 10, 60, side="sell"), trade_id=TradeId("c.1"))
    for entry in (sent("c", side="sell", size=10), AccountUpdated(again)):
        ledger.apply(entry)
    assert ledger.trips.of(ME).ended == 1


def test_one_that_fails_beside_those_of_this_run_leaves_these_alone() -> None:
    account = account_with(BOUGHT)
    account.place(place("c", size=20), START)
    new = filled("c", 5, 50)
    ledger, found = judged(account, sent("c", size=20), new, failed(BOUGHT))
    line = ledger.lines[LineKey(ME, YES)]
    assert (line.fills, line.filled, line.bought) == (1, shares(5), 2_500_000)
    assert found.total.profit == found.equity - found.equity_start
    confirmed = AccountUpdated(FillConfirmed(YES, START, BOUGHT.client_order_id, BOUGHT.trade_id))
    ledger.apply(confirmed)
    assert line.fills == 1
