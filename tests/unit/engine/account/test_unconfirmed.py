"""A fill that failed leaves no trace: the account is what it would be had nobody told of it."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from predsurv.core.errors import BrokenInvariant
from predsurv.core.events import Fill, FillFailed, MarketResolved
from predsurv.core.ids import StrategyName, TradeId
from predsurv.core.num import MICROS, Money, Price, Size
from predsurv.engine.account import unconfirmed as module
from predsurv.engine.account.failing import FailingFills
from predsurv.engine.account.portfolio import Portfolio
from tests.kit.trading_samples import ME, NO, START, YES, V, fill, resolved, shares

CASH = Money(1_000 * MICROS)
OTHER = StrategyName("other")


def matched(name: str = "o1", size: float = 10, price: int = 51, **changes: object) -> Fill:
    return replace(fill(name, size, price), unconfirmed=True, **changes)


def failed(one: Fill) -> FillFailed:
    return FillFailed(one.key, START, one.client_order_id, one.trade_id, "reverted")


def state(portfolio: Portfolio) -> tuple[object, ...]:
    pnl = {name: (each.realised, each.fees) for name, each in portfolio.pnl.items() if each.realised or each.fees}
    return portfolio.cash(V), {(name, each.key): each for name, each in portfolio.positions.all()}, pnl


def test_a_failed_purchase_gives_back_its_cost_and_fee_and_the_average_cost_of_the_rest() -> None:
    portfolio = Portfolio({V: CASH})
    portfolio.fill(ME, fill("a", 10, 40))
    portfolio.fill(ME, matched("b", 10, 60, fee=Money(7)))
    portfolio.fill(ME, fill("c", 5, 55, side="sell"))
    taken = portfolio.fail(YES, TradeId("b.1"))
    assert (taken.strategy, taken.fill.trade_id, taken.size, taken.paid) == (ME, "b.1", shares(10), 0)
    position = portfolio.positions.get(ME, YES)
    assert position is not None
    assert (position.size, position.cost) == (shares(5), 2 * MICROS)
    assert portfolio.pnl[ME].realised == 5 * 150_000  # sold at 0.55 what had cost 0.40
    assert portfolio.pnl[ME].fees == 0
    assert portfolio.cash(V) == CASH - 4 * MICROS + 5 * 550_000


def test_a_failed_sale_brings_the_shares_back() -> None:
    portfolio, without = Portfolio({V: CASH}), Portfolio({V: CASH})
    for each in (portfolio, without):
        each.fill(ME, fill("a", 10, 40))
    portfolio.fill(ME, matched("b", 10, 60, side="sell"))
    assert portfolio.positions.totals() == ()
    portfolio.fail(YES, TradeId("b.1"))
    assert state(portfolio) == state(without)


def test_what_its_market_paid_for_it_is_taken_back() -> None:
    portfolio = Portfolio({V: CASH})
    portfolio.fill(ME, matched("a", 10, 40))
    portfolio.settle(resolved())
    assert portfolio.cash(V) == CASH + 6 * MICROS
    assert portfolio.fail(YES, TradeId("a.1")).paid == 10 * MICROS
    assert portfolio.cash(V) == CASH


def test_a_failed_sale_is_paid_out_where_its_market_has_resolved_since() -> None:
    portfolio = Portfolio({V: CASH})
    portfolio.fill(ME, fill("a", 10, 40))
    portfolio.fill(ME, matched("b", 10, 60, side="sell"))
    portfolio.settle(resolved())
    portfolio.fail(YES, TradeId("b.1"))
    assert portfolio.cash(V) == CASH + 6 * MICROS
    assert portfolio.positions.totals() == ()


@pytest.mark.parametrize("confirmed", [True, False])
def test_only_what_is_open_can_fail(confirmed: bool) -> None:
    portfolio = Portfolio({V: CASH})
    portfolio.fill(ME, replace(matched("a"), unconfirmed=confirmed))
    if confirmed:
        portfolio.unconfirmed.confirm(YES, TradeId("a.1"))
    with pytest.raises(BrokenInvariant, match="reconcile"):
        portfolio.fail(YES, TradeId("a.1"))
    assert list(portfolio.unconfirmed.all()) == []
    assert FailingFills(portfolio).on_failure(failed(fill("a"))) == ()


def test_what_is_kept_of_a_holding_has_a_bound(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "UNCONFIRMED_MAX", 2)
    portfolio = Portfolio({V: CASH})
    for name in ("a", "b", "c"):
        portfolio.fill(ME, matched(name, 1))
    assert [each.trade_id for _, each in portfolio.unconfirmed.all()] == ["b.1", "c.1"]


moves = st.tuples(
    st.sampled_from([ME, OTHER]),
    st.sampled_from([YES, NO]),
    st.sampled_from(["buy", "buy", "sell"]),
    st.integers(1, 999_999),
    st.integers(1, 20 * MICROS),
    st.integers(-50, 5_000),
    st.sampled_from(["final", "confirmed", "failed", "failed", "open"]),
)
payouts = st.sampled_from([None, 0, 370_000, MICROS])


@given(st.lists(moves, max_size=12), st.integers(0, 12), payouts, st.randoms(use_true_random=False))
def test_failed_fills_leave_no_trace(drawn: list[tuple], resolves: int, paid: int | None, order: object) -> None:  # type: ignore[type-arg]
    """Whatever fails, in whatever order it is told: cash, shares, costs, profit and fees are those without it."""
    told, without = Portfolio({V: CASH}), Portfolio({V: CASH})
    fates: list[tuple[Fill, str]] = []
    for number, (strategy, key, side, price, size, fee, fate) in enumerate(drawn):
        if number == resolves and paid is not None:
            both(told, without, paid)
        one = Fill(
            key, START, None, fill().client_order_id, TradeId(str(number)), side, Price(price), Size(size), Money(fee),
            maker=False, unconfirmed=fate != "final",
        )  # fmt: skip
        if can(told, strategy, one) and (fate == "failed" or can(without, strategy, one)):
            told.fill(strategy, one)
            fates.append((one, fate))
            if fate != "failed":
                without.fill(strategy, one)
    ending = list(fates)
    order.shuffle(ending)  # type: ignore[attr-defined]
    failing = FailingFills(told)
    for one, fate in ending:
        if fate == "confirmed":
            told.unconfirmed.confirm(one.key, one.trade_id)
        elif fate == "failed":
            failing.on_failure(failed(one))
    assert state(told) == state(without)
    assert {each.trade_id for _, each in told.unconfirmed.all()} == {
        one.trade_id for one, fate in fates if fate == "open"
    }
    assert conserved(told)


def both(told: Portfolio, without: Portfolio, paid: int) -> None:
    prices = ((YES.instrument_id, Price(paid)), (NO.instrument_id, Price(MICROS - paid)))
    for each in (told, without):
        each.followed.add((V, YES.market_id))
        each.settle(MarketResolved(V, YES.market_id, START, None, prices))


def can(portfolio: Portfolio, strategy: StrategyName, one: Fill) -> bool:
    try:
        portfolio.check(strategy, one)
    except BrokenInvariant:
        return False
    return True


def conserved(portfolio: Portfolio) -> bool:
    cost = sum(position.cost for position in portfolio.positions.totals())
    pnl = portfolio.pnl.values()
    return portfolio.cash(V) + cost + sum(each.fees - each.realised - each.rebates for each in pnl) == CASH
