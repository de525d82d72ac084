"""Every strategy there is has the shape the engine asks for."""

import pytest

from predsurv.engine.strategy import Strategy
from predsurv.strategies.registry import STRATEGIES


@pytest.mark.parametrize("name", list(STRATEGIES))
def test_the_shape_fits(name: str) -> None:
    strategy: Strategy = STRATEGIES[name]()
    assert strategy.name == name
    assert strategy.signals
