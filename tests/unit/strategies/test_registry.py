"""Strategies by name."""

import pytest

from predsurv.core.errors import ConfigError
from predsurv.strategies.registry import STRATEGIES, build


def test_every_name_builds_a_fresh_strategy() -> None:
    first, second = build(["simple", "arbitrage"]), build(["arbitrage", "simple"])
    assert [each.name for each in first] == [each.name for each in second] == list(STRATEGIES)
    assert first[0] is not second[0]


def test_a_wrong_name_is_told_the_nearest() -> None:
    with pytest.raises(ConfigError, match="did you mean arbitrage"):
        build(["arbitrag"])
    with pytest.raises(ConfigError, match="there are arbitrage, simple"):
        build(["zzz"])
    with pytest.raises(ConfigError, match="no strategy chosen"):
        build([])
