"""A sleeping maker leaves a basket that pays, on either side, and waking up ends it."""

import pytest

from predsurv.core.ids import Side
from predsurv.core.market import FeeSchedule
from predsurv.core.num import MICROS
from predsurv.exchange.mispricing import begin, edge_of, end
from predsurv.exchange.tape import Tape
from predsurv.exchange.units import CorrelatedUnit
from predsurv.exchange.world import Kind, build

FEE = FeeSchedule(model="polymarket", rate=50_000)


def unit_of(kind: Kind, count: int) -> CorrelatedUnit:
    spec = next(s for s in build(7, 300) if s.kind == kind and len(s.fairs) == count and s.basket is not None)
    unit = CorrelatedUnit(spec, Tape(0), 0, 1_000)
    unit.open()
    return unit


@pytest.mark.parametrize(("kind", "count", "side"), [("event", 4, "ask"), ("event", 3, "bid"), ("multi", 4, "ask")])
def test_mispricing_pays_after_fees_and_stays(kind: Kind, count: int, side: Side) -> None:
    unit = unit_of(kind, count)
    before = edge_of(unit, FEE, side)
    assert before is not None
    assert before[0] < 0
    sleeper = begin(unit, FEE, side, 15_000)
    assert sleeper is not None
    for now in range(300):
        unit.wake(now)
        found = edge_of(unit, FEE, side)
        assert found is not None
        assert found[0] >= 15_000
        assert found[1] >= 20 * MICROS
    end(unit, sleeper)
    after = edge_of(unit, FEE, side)
    assert after is not None
    assert after[0] < 0


def test_empty_side_has_no_edge() -> None:
    unit = unit_of("event", 3)
    unit.books[0].clear("test")
    assert edge_of(unit, FEE, "ask") is None


def test_impossible_edge_is_not_attempted() -> None:
    unit = unit_of("event", 3)
    assert begin(unit, FEE, "ask", MICROS) is None
    assert not unit.quiet
