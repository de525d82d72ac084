"""What became of fills that can fail, and what the failure of more of them would cost."""

from itertools import combinations
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from predsurv.core.errors import BrokenInvariant
from predsurv.core.events import Fill, FillConfirmed, MarketResolved
from predsurv.core.ids import MarketId, TradeId, VenueName
from predsurv.core.market import NO_FEE
from predsurv.core.num import MICROS, Money, Price, Size
from predsurv.engine.account.portfolio import Portfolio
from predsurv.state.book import Book
from predsurv.trade.results import fill_outcomes as module
from predsurv.trade.results.fill_outcomes import FillOutcomes
from predsurv.trade.results.valuing import Mark, mark_of
from tests.kit.trading_samples import ME, START, book, fill, market, shares

CHAIN = VenueName("polymarket")
YES, NO = market("m", venue=CHAIN).keys()


def matched(name: str, size: float = 10, price: int = 50, **changes: Any) -> Fill:
    return replace(fill(name, size, price, key=YES), unconfirmed=True, **changes)


def marks(bid: int) -> dict[Any, Mark]:
    known = Book(YES)
    known.apply(book(((bid, 1_000),), ((bid + 1, 5),), key=YES))
    return {YES: mark_of(known, shares(10), NO_FEE)}


def test_a_run_without_fills_that_can_fail_says_nothing() -> None:
    outcomes = FillOutcomes()
    outcomes.on_fill(fill("a"))  # of a venue that settles at once
    assert outcomes.result(Money(0), {}) is None


def test_fills_are_counted_by_what_became_of_them() -> None:
    outcomes = FillOutcomes()
    lost = matched("b", 10, 50)
    for each in (matched("a", 10, 40), lost, matched("c", 10, 60)):
        outcomes.on_fill(each)
    outcomes.on_confirmed(FillConfirmed(YES, START, lost.client_order_id, TradeId("a.1")))
    outcomes.on_failed(lost)
    found = outcomes.result(Money(0), {})
    assert found is not None
    assert (found.final, found.failed, found.open) == (1, 1, 1)
    assert (found.failed_notional, found.open_notional) == (5 * MICROS, 6 * MICROS)


def test_the_worst_is_that_as_many_more_had_failed_those_that_brought_most() -> None:
    """At a bid of 0.55 buys at 0.40, 0.45 and 0.60 brought 1.5, 1.0 and a loss; the sale at 0.70 brought 1.5."""
    outcomes = FillOutcomes()
    lost = matched("x")
    for each in (
        matched("a", 10, 40),
        matched("b", 10, 45),
        matched("c", 10, 60),
        matched("d", 10, 70, side="sell"),
        lost,
    ):
        outcomes.on_fill(each)
    outcomes.on_failed(lost)
    found = outcomes.result(Money(3_500_000), marks(55))
    assert found is not None
    assert found.worst == 2_000_000
    assert found.worst_all == -500_000


def test_shares_count_what_their_market_paid_and_rebates_and_fees_with_the_fill() -> None:
    outcomes = FillOutcomes()
    outcomes.on_fill(matched("a", 10, 40, fee=Money(70), rebate=Money(20)))
    outcomes.on_settled(MarketResolved(CHAIN, MarketId("m"), START, None, ((YES.instrument_id, Price(MICROS)),)))
    found = outcomes.result(Money(6 * MICROS - 50), {})
    assert found is not None
    assert found.worst_all == 0
    assert found.worst == 6 * MICROS - 50  # nothing has failed


def test_too_many_fills_leave_the_worst_unknown(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "FILLS_KEPT_MAX", 1)
    outcomes = FillOutcomes()
    for name in ("a", "b"):
        outcomes.on_fill(matched(name))
    found = outcomes.result(Money(5), {})
    assert found is not None
    assert (found.worst, found.worst_all, found.open) == (None, None, 2)


drawn = st.lists(
    st.tuples(st.sampled_from(["buy", "buy", "sell"]), st.integers(1, 99), st.integers(1, 30), st.integers(0, 90_000)),
    min_size=1,
    max_size=7,
)


@given(drawn, st.integers(0, MICROS), st.integers(0, 3))
def test_no_set_of_failures_is_worse(moves: list[tuple[Any, int, int, int]], paid: int, count: int) -> None:
    """Of every set of fills that can fail together the result is no lower than what is stated."""
    outcomes, portfolio = FillOutcomes(), Portfolio({CHAIN: Money(0)})
    fills = []
    for number, (side, price, size, fee) in enumerate(moves):
        one = matched(f"o{number}", size, price, side=side, fee=Money(fee))
        if side == "buy" or portfolio.positions.size_of(ME, YES) >= one.size:
            portfolio.fill(ME, one)
            outcomes.on_fill(one)
            fills.append(one)
    outcomes.on_settled(MarketResolved(CHAIN, MarketId("m"), START, None, ((YES.instrument_id, Price(paid)),)))
    for number in range(count):
        lost = matched(f"x{number}", 1, 50)
        outcomes.on_fill(lost)
        outcomes.on_failed(lost)
    profit = result(fills, paid)
    if profit is None or not (fills or count):
        return
    found = outcomes.result(Money(profit), {})
    assert found is not None
    assert found.worst is not None
    assert found.worst_all is not None
    for number in range(len(fills) + 1):
        for gone in combinations(fills, number):
            there = result([each for each in fills if each not in gone], paid)
            if there is not None:
                assert there >= found.worst_all - len(fills)  # each fill is rounded for itself
                assert number > count or there >= found.worst - len(fills)


def result(fills: list[Fill], paid: int) -> int | None:
    """The profit of some fills, None where they sell what they do not hold."""
    portfolio = Portfolio({CHAIN: Money(0)})
    for each in fills:
        try:
            portfolio.fill(ME, replace(each, unconfirmed=False))
        except BrokenInvariant:
            return None
    held = portfolio.positions.size_of(ME, YES)
    return portfolio.cash(CHAIN) + Size(held) * paid // MICROS
