"""``predsurv strategies``: every strategy with its parameters, their types, defaults and meaning."""

from collections.abc import Mapping, Sequence
from typing import Annotated, Any, Final

import typer

from predsurv.cli.options import ConfigFile, OutputFormat
from predsurv.cli.output.render import Column, Table, show
from predsurv.config import load
from predsurv.core.text import sanitise
from predsurv.strategies.parameters import Parameter, parameters_of, read_parameters, render_parameters
from predsurv.trade.strategy_loading import StrategyClass, known_strategies

_STRATEGIES: Final = (
    Column("strategy", "Strategy", keep=9, fit="whole"),
    Column("origin", "From", keep=5),
    Column("about", "About", keep=9, fit="wrap", width_max=120),
)
_PARAMETERS: Final = (
    Column("strategy", "Strategy", keep=9, fit="whole"),
    Column("parameter", "Parameter", keep=9, fit="whole"),
    Column("type", "Type", keep=5, fit="whole"),
    Column("default", "Default", keep=9),
    Column("configured", "Set to", keep=9, if_any=True),
    Column("bounds", "Bounds", keep=4, fit="whole"),
    Column("about", "About", keep=9, fit="wrap", width_max=120),
)


def strategies(
    names: Annotated[
        list[str] | None,
        typer.Argument(metavar="NAME|module:Class|file.py:Class", help="Which; default: all that there are."),
    ] = None,
    *,
    config: ConfigFile = None,
    format: OutputFormat = "table",
) -> None:
    """List the strategies that come along, are installed or configured, with their parameters."""
    loaded = load(config).config
    found = known_strategies(names or loaded.trading.strategies)
    if names:
        found = tuple(each for each in found if each.spec in names)
    rows = [row for each in found for row in _rows(each, loaded.strategies.get(each.name, {}))]
    note = "--param NAME=VALUE sets one for a run, [strategies.NAME] in the configuration for all"
    show([_table(found), Table("parameters", "Parameters", _PARAMETERS, rows, note)], format)


def _table(found: Sequence[StrategyClass]) -> Table:
    rows = [(each.name, sanitise(each.origin, 120), _about(each.doc)) for each in found]
    return Table("strategies", "Strategies", _STRATEGIES, rows)


def _about(doc: str) -> str:
    """Return the first paragraph of a docstring in one line."""
    return sanitise(" ".join(doc.partition("\n\n")[0].split()), 300)


def _rows(strategy: StrategyClass, given: Mapping[str, Any]) -> list[tuple[str, ...]]:
    known = {name: value for name, value in given.items() if name in strategy.params.__struct_fields__}
    return [_row(strategy, each, known) for each in parameters_of(strategy.params)]


def _row(strategy: StrategyClass, parameter: Parameter, given: Mapping[str, Any]) -> tuple[str, ...]:
    default = "(has to be set)" if parameter.default is None else parameter.default
    configured = ""
    if parameter.name in given:
        read = read_parameters(strategy.params, given, f"[strategies.{strategy.name}]")
        configured = render_parameters(read)[parameter.name]
    about = sanitise(parameter.doc, 300)
    return (strategy.name, parameter.name, parameter.kind, default, configured, parameter.bounds, about)
