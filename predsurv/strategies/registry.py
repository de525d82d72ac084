"""Every strategy that comes along, by name: the one list for configuration, commands and documentation."""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

from predsurv.strategies.arbitrage import Arbitrage
from predsurv.strategies.simple import Simple

STRATEGIES: Final[Mapping[str, type[Arbitrage | Simple]]] = MappingProxyType(
    {str(Arbitrage.name): Arbitrage, str(Simple.name): Simple}
)
"""Their classes, in the order in which strategies are called: the safest first."""
