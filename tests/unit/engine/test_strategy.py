"""Every registered strategy fits the Strategy protocol."""

import pytest

from predsurv.engine.strategy import Strategy
from predsurv.strategies.registry import STRATEGIES


@pytest.mark.parametrize("name", list(STRATEGIES))
def test_every_registered_strategy_fits_the_protocol(name: str) -> None:
    strategy: Strategy = STRATEGIES[name]()
    assert strategy.name == name
    assert strategy.signals
