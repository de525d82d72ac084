"""A purchase and the sale of its shares fail together, whichever is told first."""

from typing import Any

import pytest
from msgspec.structs import replace

from predsurv.core.errors import BrokenInvariant
from predsurv.core.events import Fill, FillFailed
from predsurv.core.num import MICROS, Money
from predsurv.engine.account.failing import FailingFills
from predsurv.engine.account.portfolio import Portfolio
from tests.kit.trading_samples import ME, START, YES, V, fill

CASH = Money(1_000 * MICROS)


def matched(name: str, size: float, price: int, **changes: Any) -> Fill:
    return replace(fill(name, size, price), unconfirmed=True, **changes)


def failed(one: Fill) -> FillFailed:
    return FillFailed(one.key, START, one.client_order_id, one.trade_id, "reverted")


def state(portfolio: Portfolio) -> tuple[Any, ...]:
    return portfolio.cash(V), list(portfolio.positions.all()), portfolio.pnl[ME].realised, portfolio.pnl[ME].fees


def test_a_purchase_does_not_fail_before_the_sale_of_its_shares_has() -> None:
    portfolio = Portfolio({V: CASH})
    bought, sold = matched("a", 10, 40), matched("b", 10, 60, side="sell")
    portfolio.fill(ME, bought)
    portfolio.fill(ME, sold)
    before = state(portfolio)
    with pytest.raises(BrokenInvariant, match="more than is held"):
        portfolio.fail(YES, bought.trade_id)
    assert state(portfolio) == before
    failing = FailingFills(portfolio)
    assert failing.on_failure(failed(bought)) == ()
    assert [each.fill.trade_id for each in failing.on_failure(failed(sold))] == ["b.1", "a.1"]
    assert state(portfolio) == state(Portfolio({V: CASH}))


def test_a_sale_that_something_else_covers_by_now_stands() -> None:
    portfolio = Portfolio({V: CASH})
    for each in (matched("a", 10, 40), matched("b", 10, 60, side="sell"), matched("c", 10, 30)):
        portfolio.fill(ME, each)
    FailingFills(portfolio).on_failure(failed(matched("a", 10, 40)))
    assert state(portfolio) == (CASH + 3 * MICROS, [], 3 * MICROS, 0)
    portfolio.unconfirmed.confirm(YES, fill("b").trade_id)
    FailingFills(portfolio).on_failure(failed(matched("c", 10, 30)))
    assert portfolio.cash(V) == CASH + 3 * MICROS  # it waits: the sale is final, which no venue can do
