"""The strategies that come along, by the names that configuration and journals know them by."""

from pathlib import Path

from predsurv.strategies.parameters import parameters_of
from predsurv.strategies.registry import STRATEGIES


def test_every_strategy_is_listed_by_its_own_name_and_says_what_it_does() -> None:
    for name, strategy in STRATEGIES.items():
        assert strategy.name == name
        assert strategy().name == name
        for word in ("Edge", "Exit", "Risk"):
            assert word in (strategy.__doc__ or "")


def test_the_document_of_the_strategies_states_every_parameter_with_its_default() -> None:
    text = (Path(__file__).resolve().parents[3] / "docs" / "strategies.md").read_text()
    sections = {part.split("\n", 1)[0]: part for part in text.split("\n## ")}
    for name, strategy in STRATEGIES.items():
        for parameter in parameters_of(strategy.Params):
            assert f"| `{parameter.name}` | {parameter.default} | {parameter.doc} |" in sections[name]
        for word in ("Edge", "Exit", "Risk"):
            assert f"**{word}.**" in sections[name]
