"""A step lists its commands in the order of its decisions."""

from predsurv.engine.risk.gate import GateDecision
from predsurv.engine.step import EMPTY_STEP, Step
from tests.kit.trading_samples import approved, place


def test_the_commands_of_a_step_are_those_of_its_decisions() -> None:
    first, second = approved(place("a")), approved(place("b"))
    assert Step(decisions=(GateDecision(first, None), GateDecision(second, None))).commands == (first, second)
    assert EMPTY_STEP.commands == ()
