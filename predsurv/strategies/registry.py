"""Every strategy that comes along, by name: the one list for configuration, commands and documentation."""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

from predsurv.strategies.arbitrage import Arbitrage
from predsurv.strategies.market_maker import MarketMaking
from predsurv.strategies.momentum import Momentum
from predsurv.strategies.simple import Simple

STRATEGIES: Final[Mapping[str, type[Arbitrage | MarketMaking | Momentum | Simple]]] = MappingProxyType(
    {str(each.name): each for each in (Arbitrage, MarketMaking, Simple, Momentum)}
)
"""Their classes, in the order in which strategies are called: the safest first."""
