"""The options that say which strategies run with which parameters, and what they come to together."""

from collections.abc import Sequence
from typing import Annotated

import typer
from msgspec import Struct
from msgspec.structs import replace

from predsurv.cli.options import mock_flag
from predsurv.cli.output.render import say
from predsurv.config import Config, load
from predsurv.core.errors import ConfigError
from predsurv.trade.parameter_flags import (
    Combination,
    bracketed,
    check_combinations,
    combinations,
    parse_flags,
    queue_models,
)
from predsurv.trade.strategy_loading import absolute_spec, build, load_strategies, without_effect

Strategies = Annotated[
    list[str] | None,
    typer.Option(
        "--strategy",
        metavar="NAME|module:Class|file.py:Class",
        help="Strategy to run, one that comes along or your own; may be repeated.",
    ),
]
Params = Annotated[
    list[str] | None,
    typer.Option(
        "--param",
        metavar="NAME=VALUE",
        help="Set a parameter, as STRATEGY.NAME where several have it; 'predsurv strategies' lists them. "
        "queue_model=pessimistic, proportional or optimistic: who is ahead of resting orders.",
    ),
]


Rebates = Annotated[
    bool | None,
    typer.Option("--rebates/--no-rebates", help="Pay makers the venues' rebates; default: trading.rebates."),
]


class RunChoice(Struct, frozen=True):
    """What the command line says: the configuration's path, --mock, --strategy, --param and --rebates."""

    path: str | None
    mock: bool
    strategies: Sequence[str] | None
    params: Sequence[str] | None
    rebates: bool | None = None


class ChosenRun(Struct, frozen=True):
    """The configuration with everything in it that was chosen, and the runs of a sweep: one without a sweep."""

    config: Config
    combinations: tuple[Combination, ...]

    @property
    def is_sweep(self) -> bool:
        """Whether a parameter has several values."""
        return len(self.combinations) > 1


def load_run(choice: RunChoice) -> ChosenRun:
    """Return what was chosen, checked before anything is opened; raises ConfigError and StrategyError."""
    flags: dict[str, object] = dict(mock_flag(choice.mock))
    if choice.strategies:
        flags["trading.strategies"] = list(choice.strategies)
    if choice.rebates is not None:
        flags["trading.rebates"] = choice.rebates
    config = load(choice.path, flags=flags).config
    # What a run keeps of its strategies names their files wherever it is run again from.
    specs = tuple(dict.fromkeys(absolute_spec(each) for each in config.trading.strategies))
    config = replace(config, trading=replace(config.trading, strategies=specs))
    loaded = load_strategies(specs)
    models, parameters = queue_models(choice.params or ())
    made = combinations(config.strategies, parse_flags(parameters, loaded))
    check_combinations(made, loaded)
    strategies = build(config.trading.strategies, made[0].parameters)
    for name in without_effect(config.strategies, strategies):
        say(f"warning: no strategy is called {name}: [strategies.{name}] has no effect")
    return ChosenRun(replace(config, strategies=made[0].parameters), bracketed(made, models) if models else made)


def one_run(chosen: ChosenRun) -> Config:
    """Return the configuration of the only run; raises ConfigError for a sweep."""
    if chosen.is_sweep:
        name, _ = chosen.combinations[0].label[0]
        raise ConfigError(f"--param {name}: several values are a sweep, which only 'predsurv backtest' runs; give one")
    return chosen.combinations[0].configured(chosen.config)
