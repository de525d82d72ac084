"""Strategies by name, ``module:Class`` or ``file.py:Class``, with their parameters: built-in, installed and own ones.

The only place that imports code of users; whatever that code does wrong is told in one line.
"""

import importlib
import importlib.util
import inspect
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from importlib.metadata import EntryPoint, entry_points
from pathlib import Path
from types import ModuleType, TracebackType
from typing import Any, Final

from msgspec import Struct

from predsurv.core.errors import ConfigError, PredsurvError, StrategyError
from predsurv.core.text import path_component, sanitise
from predsurv.engine.strategy import Strategy
from predsurv.strategies.own import NoParams, OwnStrategy
from predsurv.strategies.parameters import nearest, parameters_of, read_parameters
from predsurv.strategies.registry import STRATEGIES

ENTRY_POINTS: Final = "predsurv.strategies"
"""The entry point group of installed packages that bring strategies."""

_PARTS: Final = ("name", "signals", "interest", "on_event")

Parameters = Mapping[str, Mapping[str, Any]]
"""Values by strategy and parameter, as they were written."""


class StrategyClass(Struct, frozen=True):
    """A strategy that can be made; ``spec`` is what it was asked for by, ``origin`` says where it is from."""

    spec: str
    name: str
    make: Callable[[Struct | None], Strategy]
    params: type[Struct]
    doc: str
    origin: str


def load_strategy(spec: str) -> StrategyClass:
    """Return the strategy that ``spec`` names.

    Raises ConfigError when there is none, and StrategyError when its code cannot be imported.
    """
    if spec in STRATEGIES:
        return _described(spec, STRATEGIES[spec], "built-in")
    if ":" in spec or spec.endswith(".py"):
        where, _, attribute = spec.rpartition(":") if ":" in spec else (spec, "", "")
        module = _module_of_file(Path(where)) if _is_file(where) else _module(where)
        return _described(spec, _class_in(module, attribute, spec), where)
    installed = _installed()
    if spec in installed:
        point = installed[spec]
        with _users_code(f"entry point {spec} ({point.value})"):
            found = point.load()
        return _described(spec, found, f"package {point.dist.name}" if point.dist else "an entry point")
    hint = nearest(spec, [*STRATEGIES, *installed])
    raise ConfigError(f"unknown strategy {sanitise(spec, 40)!r} (own ones are ./file.py:Class or module:Class); {hint}")


def absolute_spec(spec: str) -> str:
    """Return ``spec`` with the whole path where it names a file."""
    where, colon, attribute = spec.rpartition(":") if ":" in spec else (spec, "", "")
    return f"{Path(where).resolve()}{colon}{attribute}" if _is_file(where) else spec


def load_strategies(specs: Sequence[str]) -> tuple[StrategyClass, ...]:
    """Return the strategies of ``specs``, built-in ones first; raises as ``load_strategy``, and for two of one name."""
    if not specs:
        raise ConfigError(f"no strategy chosen; set trading.strategies to any of {', '.join(STRATEGIES)}")
    order = {name: number for number, name in enumerate(STRATEGIES)}
    loaded = [load_strategy(spec) for spec in dict.fromkeys(specs)]
    names = [each.name for each in loaded]
    twice = next((each for each in loaded if names.count(each.name) > 1), None)
    if twice is not None:
        both = " and ".join(each.spec for each in loaded if each.name == twice.name)
        raise ConfigError(f"{sanitise(both, 200)} are both called {twice.name}; give one of them another name")
    return tuple(sorted(loaded, key=lambda each: order.get(each.spec, len(order))))


def known_strategies(specs: Sequence[str] = ()) -> tuple[StrategyClass, ...]:
    """Return every strategy that comes along or is installed, and those of ``specs``; raises as ``load_strategy``."""
    return tuple(load_strategy(spec) for spec in dict.fromkeys((*STRATEGIES, *_installed(), *specs)))


def build(specs: Sequence[str], parameters: Parameters | None = None) -> tuple[Strategy, ...]:
    """Return new strategies with their ``parameters``; raises as ``load_strategy``, ConfigError for a wrong value."""
    return tuple(make_strategy(each, (parameters or {}).get(each.name, {})) for each in load_strategies(specs))


def make_strategy(loaded: StrategyClass, given: Mapping[str, Any]) -> Strategy:
    """Return a new strategy with the values ``given``; raises ConfigError and StrategyError."""
    params = read_parameters(loaded.params, given, f"strategy {loaded.name}")
    with _users_code(f"strategy {loaded.name}"):
        made = loaded.make(params)
        missing = [each for each in _PARTS if not hasattr(made, each)]
    if missing:
        raise ConfigError(f"strategy {loaded.name} has no {missing[0]}; make it a subclass of predsurv.Strategy")
    return made


def without_effect(parameters: Parameters, strategies: Sequence[Strategy]) -> list[str]:
    """Return the names in ``parameters`` that no strategy has: of those that run, come along or are installed."""
    known = {*STRATEGIES, *_installed(), *(str(each.name) for each in strategies)}
    return [name for name in parameters if name not in known]


def _is_file(where: str) -> bool:
    return where.endswith(".py") or "/" in where


def _installed() -> dict[str, EntryPoint]:
    return {point.name: point for point in entry_points(group=ENTRY_POINTS)}


def _described(spec: str, found: Any, origin: str) -> StrategyClass:
    if not isinstance(found, type) or not hasattr(found, "on_event"):
        raise ConfigError(f"{sanitise(spec, 200)} is no strategy; it needs a class with on_event")
    params = getattr(found, "Params", NoParams)
    if not isinstance(params, type) or not issubclass(params, Struct):
        raise ConfigError(f"{sanitise(spec, 200)}: Params has to be a frozen msgspec.Struct")
    name = getattr(found, "name", None)
    takes_params = params is not NoParams or issubclass(found, OwnStrategy)
    with _users_code(f"strategy {sanitise(spec, 200)}"):
        parameters_of(params)  # a wrong annotation is told before anything is opened
    return StrategyClass(
        spec,
        name if isinstance(name, str) else found.__name__.lower(),
        found if takes_params else lambda _: found(),
        params,
        inspect.cleandoc(vars(found).get("__doc__") or sys.modules[found.__module__].__doc__ or ""),
        origin,
    )


def _module(name: str) -> ModuleType:
    """Import ``name`` from the current folder or what is installed."""
    here = str(Path.cwd())
    added = here not in sys.path
    if added:
        sys.path.insert(0, here)
    try:
        with _users_code(f"module {sanitise(name, 100)}", absent=name):
            return importlib.import_module(name)
    finally:
        if added:
            sys.path.remove(here)


def _module_of_file(path: Path) -> ModuleType:
    if not path.is_file():
        raise ConfigError(f"{sanitise(str(path), 200)}: no such file; a strategy of your own is ./file.py:Class")
    path = path.resolve()
    name = f"predsurv_own_{path_component(str(path))}"
    known = sys.modules.get(name)
    if known is not None:
        return known
    spec = importlib.util.spec_from_file_location(name, path)
    if spec is None or spec.loader is None:
        raise ConfigError(f"{sanitise(str(path), 200)}: not a Python file")
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module  # annotations of its structs are looked up there
    sys.path.insert(0, str(path.parent))  # for what it imports from beside it
    try:
        with _users_code(sanitise(str(path), 200)):
            spec.loader.exec_module(module)
    except PredsurvError:
        del sys.modules[name]
        raise
    finally:
        sys.path.remove(str(path.parent))
    return module


def _class_in(module: ModuleType, attribute: str, spec: str) -> Any:
    """Return the class called ``attribute``; without a name the only strategy that the module defines."""
    own = [
        name
        for name, value in vars(module).items()
        if isinstance(value, type) and hasattr(value, "on_event") and value.__module__ == module.__name__
    ]
    if attribute and hasattr(module, attribute):
        return getattr(module, attribute)
    if not attribute and len(own) == 1:
        return getattr(module, own[0])
    what = f"no {sanitise(attribute, 60)}" if attribute else "more than one strategy, or none"
    hint = nearest(attribute, own) if attribute else f"name one: {', '.join(own) or 'it defines none'}"
    raise ConfigError(f"{sanitise(spec, 200)}: {what} in {module.__file__}; {hint}")


@contextmanager
def _users_code(what: str, absent: str = "") -> Iterator[None]:
    """Turn whatever the code of a user raises into one line with file and line; ``absent``: the module asked for."""
    try:
        yield
    except PredsurvError:
        raise
    except ModuleNotFoundError as error:
        if error.name is not None and absent and f"{absent}.".startswith(f"{error.name}."):
            hint = "it is neither in this folder nor installed; a file is given as ./file.py:Class"
            raise ConfigError(f"no module {sanitise(absent, 100)}: {hint}") from error
        raise StrategyError(_line(what, error)) from error
    except Exception as error:
        raise StrategyError(_line(what, error)) from error


def _line(what: str, error: Exception) -> str:
    where = f"{error.filename}:{error.lineno}" if isinstance(error, SyntaxError) else _innermost(error.__traceback__)
    reason = sanitise(" ".join(str(error).split()), 200)
    return f"{what} failed at {sanitise(where, 200)}: {type(error).__name__}: {reason}; rerun with --debug to see more"


def _innermost(trace: TracebackType | None) -> str:
    """Return ``file:line`` of the innermost frame that is neither ours nor of the import system."""
    found = "its import"
    while trace is not None:
        file = trace.tb_frame.f_code.co_filename
        if file != __file__ and not file.startswith("<frozen"):
            found = f"{file}:{trace.tb_lineno}"
        trace = trace.tb_next
    return found
