"""Not a micro-dollar appears or disappears."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from predsurv.core.errors import BrokenInvariant
from predsurv.core.events import Fill, MarketResolved, RebatePaid
from predsurv.core.ids import ClientOrderId, StrategyName, TradeId, VenueName
from predsurv.core.num import MICROS, Money, Price, Size
from predsurv.core.reconciliation import CashCorrected
from predsurv.engine.account.portfolio import Portfolio
from tests.kit.trading_samples import ME, NO, START, YES, V, fill, market, resolved, shares

CASH = Money(1_000 * MICROS)
OTHER = StrategyName("other")


def test_buying_costs_price_and_fee() -> None:
    portfolio = Portfolio({V: CASH})
    portfolio.fill(ME, fill(size=10, price=50, fee=Money(7)))
    assert portfolio.cash(V) == CASH - 5 * MICROS - 7
    position = portfolio.positions.get(ME, YES)
    assert position is not None
    assert (position.size, position.cost) == (shares(10), 5 * MICROS)


def test_selling_realises_against_average_cost() -> None:
    portfolio = Portfolio({V: CASH})
    portfolio.fill(ME, fill(size=10, price=40))
    portfolio.fill(ME, fill(size=10, price=60))
    portfolio.fill(ME, fill(size=5, price=70, side="sell"))
    assert portfolio.pnl[ME].realised == 1 * MICROS
    assert portfolio.positions.totals()[0].cost == 7_500_000


def test_more_cannot_be_sold_than_is_held() -> None:
    portfolio = Portfolio({V: CASH})
    portfolio.fill(ME, fill(size=10))
    with pytest.raises(BrokenInvariant, match="more than is held"):
        portfolio.fill(ME, fill(size=11, side="sell"))
    with pytest.raises(BrokenInvariant):
        portfolio.fill(OTHER, fill(size=1, side="sell"))
    assert portfolio.positions.totals()[0].size == shares(10)


@pytest.mark.parametrize(("payout", "realised"), [(MICROS, 5), (0, -5), (MICROS // 2, 0), (700_000, 2)])
def test_settlement_pays_win_loss_void_and_scalar(payout: int, realised: int) -> None:
    portfolio = Portfolio({V: CASH})
    portfolio.fill(ME, fill(size=10, price=50))
    event = MarketResolved(V, YES.market_id, START, None, ((YES.instrument_id, Price(payout)),), payout == MICROS // 2)
    (done,) = portfolio.settle(event)
    assert done.paid == payout * 10
    assert portfolio.pnl[ME].realised == realised * MICROS
    assert portfolio.settle(event) == ()
    assert portfolio.positions.totals() == ()


def test_an_outcome_without_a_payout_stays_held() -> None:
    portfolio = Portfolio({V: CASH})
    portfolio.fill(ME, fill(key=NO))
    assert portfolio.settle(MarketResolved(V, YES.market_id, START, None, ((YES.instrument_id, Price(0)),))) == ()
    assert portfolio.positions.get(ME, NO) is not None


def test_a_fill_announced_after_settlement_is_paid_at_once() -> None:
    portfolio = Portfolio({V: CASH})
    portfolio.fill(ME, fill(size=10, price=50))
    portfolio.settle(resolved())
    (done,) = portfolio.fill(ME, fill(size=2, price=50))
    assert done.paid == 2 * MICROS
    portfolio.forget_payouts()
    assert portfolio.fill(ME, fill(size=2, price=50)) == ()


@pytest.mark.parametrize("payout", [0, 370_000, MICROS])
@pytest.mark.parametrize("sold", [3, 10])
def test_a_sale_announced_after_settlement_takes_back_what_its_shares_were_paid(payout: int, sold: int) -> None:
    event = MarketResolved(V, YES.market_id, START, None, ((YES.instrument_id, Price(payout)),))
    sale = fill(size=sold, price=60, side="sell", fee=Money(9))
    late, early = (Portfolio({V: CASH}) for _ in range(2))
    for portfolio in (late, early):
        portfolio.fill(ME, fill(size=10, price=50))
    late.settle(event)
    late.fill(ME, sale)
    early.fill(ME, sale)
    early.settle(event)
    assert (late.cash(V), late.pnl[ME]) == (early.cash(V), early.pnl[ME])
    assert late.positions.totals() == ()
    with pytest.raises(BrokenInvariant):
        late.fill(ME, fill(size=10 - sold + 1, price=60, side="sell"))


def test_funding_gives_the_starting_cash_once() -> None:
    portfolio = Portfolio({})
    portfolio.fund(V, CASH)
    portfolio.fund(V, Money(1))
    assert portfolio.cash(V) == CASH
    assert portfolio.venues() == (V,)


def test_all_cash_together_is_the_sum_of_that_of_each_venue() -> None:
    other = VenueName("other")
    portfolio = Portfolio({V: CASH})
    seen = [portfolio.cash()]
    for change in (
        lambda: portfolio.fund(other, Money(5)),
        lambda: portfolio.fund(other, Money(7)),
        lambda: portfolio.fill(ME, fill(size=10, price=40, fee=Money(3))),
        lambda: portfolio.credit(RebatePaid(V, YES.market_id, START, ME, START, Money(2))),
        lambda: portfolio.credit(CashCorrected(other, START, Money(11), "told")),
    ):
        change()
        assert portfolio.cash() == sum(portfolio.cash(venue) for venue in (V, other))
        seen.append(portfolio.cash())
    assert seen == [CASH, CASH + 5, CASH + 5, CASH + 2 - 4 * MICROS, CASH + 4 - 4 * MICROS, CASH + 10 - 4 * MICROS]


KEYS = (*market("m").keys(), *market("n").keys())
fills = st.builds(
    Fill,
    st.sampled_from(KEYS),
    st.just(START),
    st.none(),
    st.just(ClientOrderId("x")),
    st.just(TradeId("t")),
    st.sampled_from(["buy", "sell"]),
    st.integers(1, MICROS - 1).map(Price),
    st.integers(1, 10**9).map(Size),
    st.integers(0, 10**6).map(Money),
    st.booleans(),
)
resolutions = st.builds(
    lambda key, paid: MarketResolved(
        V,
        key.market_id,
        START,
        None,
        ((key.instrument_id, Price(paid)),),
    ),
    st.sampled_from(KEYS),
    st.integers(0, MICROS),
)


@given(st.lists(st.tuples(st.sampled_from([ME, OTHER]), st.one_of(fills, fills, resolutions)), max_size=40))
def test_money_is_conserved_to_the_last_unit(steps: list[tuple[StrategyName, Fill | MarketResolved]]) -> None:
    portfolio = Portfolio({V: CASH})
    for strategy, event in steps:
        if isinstance(event, MarketResolved):
            portfolio.settle(event)
            continue
        try:
            portfolio.fill(strategy, event)
        except BrokenInvariant:
            held = portfolio.positions.get(strategy, event.key)
            assert event.side == "sell"
            assert held is None or held.size < event.size
    cost = sum(position.cost for position in portfolio.positions.totals())
    earned = portfolio.pnl.values()
    assert portfolio.cash(V) + cost + sum(each.fees for each in earned) - sum(each.realised for each in earned) == CASH
    assert all(position.size > 0 and position.cost >= 0 for position in portfolio.positions.totals())
