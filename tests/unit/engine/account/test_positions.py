"""Positions and their average cost."""

from predsurv.core.ids import StrategyName
from predsurv.core.num import Money, Size
from predsurv.core.orders import Position
from predsurv.engine.account.positions import Positions
from tests.kit.trading_samples import ME, NO, YES

OTHER = StrategyName("other")


def test_positions_are_kept_by_strategy_and_summed_by_instrument() -> None:
    positions = Positions()
    positions.put(ME, YES, Size(3), Money(30))
    positions.put(OTHER, YES, Size(2), Money(10))
    positions.put(ME, NO, Size(1), Money(1))
    assert [(p.size, p.cost) for p in positions.totals()] == [(5, 40), (1, 1)]
    assert [name for name, _ in positions.by_strategy(YES)] == [ME, OTHER]
    assert len(list(positions.all())) == 3
    assert (positions.cost, positions.cost_of(YES), positions.cost_of(NO)) == (41, 40, 1)
    positions.put(OTHER, YES, Size(0), Money(0))
    assert (positions.cost, positions.cost_of(YES)) == (31, 30)
    assert [name for name, _ in positions.by_strategy(YES)] == [ME]


def test_what_is_put_replaces_what_was_held() -> None:
    positions = Positions()
    positions.put(ME, YES, Size(3), Money(30))
    positions.put(ME, YES, Size(2), Money(21))
    assert positions.get(ME, YES) == Position(YES, Size(2), Money(21))
    assert positions.cost == positions.cost_of(YES) == 21
    for _ in range(2):
        positions.put(ME, YES, Size(0), Money(0))
    assert positions.get(ME, YES) is None
    assert positions.totals() == ()
    assert positions.cost == positions.cost_of(YES) == 0
