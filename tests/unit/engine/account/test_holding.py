"""The arithmetic of one holding: average costs, and what is paid out and taken back."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from predsurv.core.errors import BrokenInvariant
from predsurv.core.num import MICROS, Money, Price, Size
from predsurv.engine.account.holding import InstrumentHolding
from tests.kit.trading_samples import fill

HALF = Price(500_000)


def test_the_last_share_takes_the_rest_of_the_cost() -> None:
    holding = InstrumentHolding(3, 10)
    costs = []
    for _ in range(3):
        before = holding.cost
        holding.fill(replace(fill(side="sell"), size=Size(1), fee=Money(0)))
        costs.append(before - holding.cost)
    assert costs == [3, 3, 4]
    assert (holding.size, holding.cost) == (0, 0)


@given(st.integers(1, 10**12), st.integers(0, 10**12), st.data())
def test_costs_never_go_negative_or_get_lost(size: int, cost: int, data: st.DataObject) -> None:
    holding, taken = InstrumentHolding(size, cost), data.draw(st.integers(1, size))
    holding.fill(replace(fill(side="sell"), size=Size(taken)))
    assert 0 <= holding.cost <= cost
    assert holding.cash + holding.cost + holding.fees - holding.realised == cost


def test_a_sale_told_after_the_payout_takes_it_back() -> None:
    holding = InstrumentHolding(10 * MICROS, 4 * MICROS)
    holding.pay(HALF)
    assert (holding.size, holding.cash, holding.paid, holding.realised) == (0, 5 * MICROS, 5 * MICROS, MICROS)
    holding.fill(replace(fill(side="sell"), size=Size(10 * MICROS), price=Price(900_000), fee=Money(7)))
    assert (holding.size, holding.paid, holding.fees) == (0, 0, 7)
    assert (holding.cash, holding.realised) == (9 * MICROS - 7, 5 * MICROS)


def test_more_than_was_held_or_paid_out_is_not_sold() -> None:
    holding = InstrumentHolding(10 * MICROS, 4 * MICROS)
    holding.pay(HALF)
    before = holding.copy()
    with pytest.raises(BrokenInvariant, match="reconcile"):
        holding.fill(replace(fill(side="sell"), size=Size(10 * MICROS + 1)))
    assert holding == before
