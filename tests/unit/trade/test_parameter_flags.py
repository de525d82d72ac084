"""Flags set the parameters of the strategies that have them; several values are every combination of them."""

import pytest
from msgspec import Struct

from predsurv.core.errors import ConfigError
from predsurv.strategies.parameters import read_parameters
from predsurv.trade import parameter_flags
from predsurv.trade.parameter_flags import SweptParameter, check_combinations, combinations, parse_flags
from predsurv.trade.strategy_loading import StrategyClass, load_strategies


class Listing(Struct, frozen=True):
    names: tuple[str, ...] = ()
    clip: int = 1


BOTH = load_strategies(["simple", "arbitrage"])
SIMPLE = load_strategies(["simple"])
LISTING = (StrategyClass("l", "listing", lambda _: load_strategies, Listing, "", "here"),)  # type: ignore[arg-type, return-value]


def test_a_flag_is_of_every_strategy_that_has_it() -> None:
    assert parse_flags(["clip=5"], BOTH) == (SweptParameter("simple", "clip", ("5",)),)
    assert parse_flags(["arbitrage.edge_min=0.01", "simple.clip=5"], BOTH) == (
        SweptParameter("arbitrage", "edge_min", ("0.01",)),
        SweptParameter("simple", "clip", ("5",)),
    )
    twice = (*SIMPLE, *LISTING)
    assert [each.strategy for each in parse_flags(["clip=5"], twice)] == ["simple", "listing"]


def test_commas_and_repetitions_are_several_values() -> None:
    assert parse_flags(["clip=5, 10,5", "clip=20"], SIMPLE) == (SweptParameter("simple", "clip", ("5", "10", "20")),)
    assert parse_flags(["names=a,b"], LISTING) == (SweptParameter("listing", "names", ("a,b",)),)


@pytest.mark.parametrize(
    ("flag", "told"),
    [
        ("clip", "expected name=value such as edge_min=0.01; got 'clip'"),
        ("=5", "expected name=value"),
        ("clp=5", "--param clp: no such parameter; did you mean clip?"),
        ("simple.clp=5", "--param clp: no such parameter; did you mean clip?"),
        ("simpel.clip=5", "no strategy simpel runs; did you mean simple?"),
    ],
)
def test_a_wrong_flag_is_told(flag: str, told: str) -> None:
    with pytest.raises(ConfigError) as caught:
        parse_flags([flag], SIMPLE)
    assert told in str(caught.value)


def test_every_combination_is_a_run_over_what_is_configured() -> None:
    swept = parse_flags(["clip=5,10", "stop=0.01,0.02", "spread_min=0.03"], SIMPLE)
    made = combinations({"simple": {"price_max": "0.5"}, "other": {"x": 1}}, swept)
    assert [each.label for each in made] == [
        (("clip", "5"), ("stop", "0.01")),
        (("clip", "5"), ("stop", "0.02")),
        (("clip", "10"), ("stop", "0.01")),
        (("clip", "10"), ("stop", "0.02")),
    ]
    assert made[3].parameters == {
        "simple": {"price_max": "0.5", "clip": "10", "stop": "0.02", "spread_min": "0.03"},
        "other": {"x": 1},
    }


def test_labels_name_the_strategy_where_there_are_several() -> None:
    made = combinations({}, parse_flags(["clip=5,10", "edge_min=0.01,0.02"], BOTH))
    assert [name for name, _ in made[0].label] == ["simple.clip", "arbitrage.edge_min"]


def test_without_flags_there_is_one_run() -> None:
    (only,) = combinations({"simple": {"clip": "5"}}, ())
    assert (only.label, only.parameters) == ((), {"simple": {"clip": "5"}})


def test_a_sweep_has_a_limit(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(parameter_flags, "COMBINATIONS_MAX", 3)
    with pytest.raises(ConfigError, match="4 combinations, 3 at most"):
        combinations({}, parse_flags(["clip=5,10", "stop=0.01,0.02"], SIMPLE))


def test_every_value_of_a_sweep_is_checked() -> None:
    made = combinations({}, parse_flags(["clip=5,x"], SIMPLE))
    with pytest.raises(ConfigError, match="strategy simple: clip: expected money"):
        check_combinations(made, SIMPLE)
    check_combinations(made[:1], SIMPLE)
    assert read_parameters(SIMPLE[0].params, made[0].parameters["simple"], "x").clip == 5_000_000  # type: ignore[attr-defined]
