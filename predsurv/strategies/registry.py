"""Every strategy by name: the one list for configuration, commands and documentation."""

from collections.abc import Callable, Mapping, Sequence
from difflib import get_close_matches
from types import MappingProxyType
from typing import Final

from predsurv.core.errors import ConfigError
from predsurv.core.text import sanitise
from predsurv.strategies.arbitrage import Arbitrage
from predsurv.strategies.simple import Simple

AnyStrategy = Arbitrage | Simple

STRATEGIES: Final[Mapping[str, Callable[[], AnyStrategy]]] = MappingProxyType(
    {str(Arbitrage.name): Arbitrage, str(Simple.name): Simple}
)
"""Constructors with default parameters, in the order in which strategies are called: the safest first."""


def build(names: Sequence[str]) -> tuple[AnyStrategy, ...]:
    """Return new strategies in the order of ``STRATEGIES``; raises ConfigError for an unknown name or none at all."""
    for name in names:
        if name not in STRATEGIES:
            near = get_close_matches(name, STRATEGIES, n=1)
            hint = f"did you mean {near[0]}?" if near else f"there are {', '.join(STRATEGIES)}"
            raise ConfigError(f"unknown strategy {sanitise(name, 40)!r}; {hint}")
    if not names:
        raise ConfigError(f"no strategy chosen; set trading.strategies to any of {', '.join(STRATEGIES)}")
    return tuple(make() for name, make in STRATEGIES.items() if name in names)
