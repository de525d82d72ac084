"""The strategies that come along, by the names that configuration and journals know them by."""

from predsurv.strategies.registry import STRATEGIES


def test_every_strategy_is_listed_by_its_own_name_and_says_what_it_does() -> None:
    for name, strategy in STRATEGIES.items():
        assert strategy.name == name
        assert strategy().name == name
        for word in ("Edge", "Exit", "Risk"):
            assert word in (strategy.__doc__ or "")
