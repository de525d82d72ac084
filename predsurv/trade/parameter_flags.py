"""``--param name=value``: whose parameter it is, and every combination of the values of a sweep."""

from collections.abc import Iterator, Mapping, Sequence
from itertools import product
from math import prod
from typing import Any, Final, get_args

from msgspec import Struct
from msgspec.structs import replace

from predsurv.config import Config
from predsurv.core.errors import ConfigError
from predsurv.core.text import sanitise
from predsurv.engine.fills.queue_position import QueueModel
from predsurv.strategies.parameters import is_list, nearest, read_parameters
from predsurv.trade.strategy_loading import Parameters, StrategyClass

COMBINATIONS_MAX: Final = 10_000
"""Most runs of one sweep."""


class SweptParameter(Struct, frozen=True):
    """The values given for one parameter of one strategy, as text; more than one make a sweep."""

    strategy: str
    name: str
    values: tuple[str, ...]


_QUEUE_MODEL: Final = "queue_model="


class Combination(Struct, frozen=True):
    """One run of a sweep: ``label`` holds what differs between the runs, ``parameters`` everything that is set.

    ``queue_model`` None: that of the configuration.
    """

    label: tuple[tuple[str, str], ...]
    parameters: Parameters
    queue_model: QueueModel | None = None

    def configured(self, config: Config) -> Config:
        """Return the configuration of this run: what the run keeps says which one it was."""
        model = self.queue_model or config.trading.queue_model
        return replace(config, strategies=self.parameters, trading=replace(config.trading, queue_model=model))


def queue_models(flags: Sequence[str]) -> tuple[tuple[QueueModel, ...], tuple[str, ...]]:
    """Return the queue models that ``queue_model=a,b`` asks for, and the other flags; raises ConfigError for others."""
    known: tuple[QueueModel, ...] = get_args(QueueModel)
    models: list[QueueModel] = []
    for name in ",".join(flag.partition("=")[2] for flag in flags if flag.startswith(_QUEUE_MODEL)).split(","):
        found = next((each for each in known if each == name.strip()), None)
        if found is not None:
            models.append(found)
        elif name:
            raise ConfigError(f"queue_model: {sanitise(name, 40)!r} is no queue model; there are {', '.join(known)}")
    return tuple(models), tuple(flag for flag in flags if not flag.startswith(_QUEUE_MODEL))


def bracketed(combinations: Sequence[Combination], models: Sequence[QueueModel]) -> tuple[Combination, ...]:
    """Return each combination with each queue model: profits when resting orders fill late, as usual, and early."""
    return tuple(
        Combination((*each.label, ("queue_model", model)), each.parameters, model)
        for each in combinations
        for model in models
    )


def parse_flags(flags: Sequence[str], strategies: Sequence[StrategyClass]) -> tuple[SweptParameter, ...]:
    """Return the parameters that ``name=value`` texts set, of one name together in the order of the first.

    ``strategy.name=value`` says whose it is; without, it is of every strategy that has one of that name. Raises
    ConfigError, with the nearest name where there is none.
    """
    found: dict[tuple[str, str], tuple[str, ...]] = {}
    for flag in flags:
        name, equals, text = flag.partition("=")
        if not equals or not name:
            raise ConfigError(f"--param: expected name=value such as edge_min=0.01; got {sanitise(flag, 60)!r}")
        for strategy, parameter in _owners(name.strip(), strategies):
            values = (text,) if is_list(strategy.params, parameter) else tuple(each.strip() for each in text.split(","))
            where = (strategy.name, parameter)
            found[where] = tuple(dict.fromkeys((*found.get(where, ()), *values)))
    return tuple(SweptParameter(*where, values) for where, values in found.items())


def combinations(given: Parameters, swept: Sequence[SweptParameter]) -> tuple[Combination, ...]:
    """Return every combination of the values in ``swept`` over what is ``given`` besides; the last varies fastest.

    Raises ConfigError for more than COMBINATIONS_MAX.
    """
    count = prod(len(each.values) for each in swept)
    if count > COMBINATIONS_MAX:
        raise ConfigError(f"--param: {count:,} combinations, {COMBINATIONS_MAX:,} at most; leave out some values")
    strategies = {each.strategy for each in swept}
    made = []
    for values in product(*(each.values for each in swept)):
        parameters: dict[str, Mapping[str, Any]] = dict(given)
        label = []
        for parameter, value in zip(swept, values, strict=True):
            of_strategy = {**parameters.get(parameter.strategy, {}), parameter.name: value}
            parameters[parameter.strategy] = of_strategy
            if len(parameter.values) > 1:
                shown = parameter.name if len(strategies) == 1 else f"{parameter.strategy}.{parameter.name}"
                label.append((shown, value))
        made.append(Combination(tuple(label), parameters))
    return tuple(made)


def check_combinations(made: Sequence[Combination], strategies: Sequence[StrategyClass]) -> None:
    """Raise ConfigError where any run of a sweep would have a wrong value."""
    for combination in made:
        for strategy in strategies:
            given = combination.parameters.get(strategy.name, {})
            read_parameters(strategy.params, given, f"strategy {strategy.name}")


def _owners(name: str, strategies: Sequence[StrategyClass]) -> Iterator[tuple[StrategyClass, str]]:
    owner, dot, parameter = name.partition(".")
    if dot:
        named = [each for each in strategies if each.name == owner]
        if not named:
            hint = nearest(owner, [each.name for each in strategies])
            raise ConfigError(f"--param {sanitise(name, 60)}: no strategy {sanitise(owner, 40)} runs; {hint}")
        strategies, name = named, parameter
    having = [each for each in strategies if name in each.params.__struct_fields__]
    if not having:
        known = dict.fromkeys(field for each in strategies for field in each.params.__struct_fields__)
        raise ConfigError(f"--param {sanitise(name, 60)}: no such parameter; {nearest(name, list(known))}")
    return ((each, name) for each in having)
