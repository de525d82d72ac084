"""Positions and their average cost."""

from hypothesis import given
from hypothesis import strategies as st

from predsurv.core.ids import StrategyName
from predsurv.core.num import Money, Size
from predsurv.engine.account.positions import Positions
from tests.kit.trading_samples import ME, NO, YES, V

OTHER = StrategyName("other")


def test_positions_are_kept_by_strategy_and_summed_by_instrument() -> None:
    positions = Positions()
    positions.add(ME, YES, Size(3), Money(30))
    positions.add(OTHER, YES, Size(2), Money(10))
    positions.add(ME, NO, Size(1), Money(1))
    assert [(p.size, p.cost) for p in positions.totals()] == [(5, 40), (1, 1)]
    assert [name for name, _ in positions.by_strategy(YES)] == [ME, OTHER]
    assert len(list(positions.all())) == 3
    assert positions.remove(OTHER, YES, Size(2)) == 10
    assert [name for name, _ in positions.by_strategy(YES)] == [ME]
    assert positions.instruments(V, YES.market_id) == (YES, NO)


def test_the_last_share_takes_the_rest_of_the_cost() -> None:
    positions = Positions()
    positions.add(ME, YES, Size(3), Money(10))
    assert [positions.remove(ME, YES, Size(1)) for _ in range(3)] == [3, 3, 4]
    assert positions.get(ME, YES) is None
    assert positions.totals() == ()


@given(st.integers(1, 10**12), st.integers(0, 10**12), st.data())
def test_costs_never_go_negative_or_get_lost(size: int, cost: int, data: st.DataObject) -> None:
    positions = Positions()
    positions.add(ME, YES, Size(size), Money(cost))
    taken = data.draw(st.integers(1, size))
    removed = positions.remove(ME, YES, Size(taken))
    left = positions.get(ME, YES)
    assert 0 <= removed <= cost
    assert removed + (0 if left is None else left.cost) == cost
