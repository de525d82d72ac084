"""Shares by instrument and strategy with their average cost; knows no cash."""

from collections.abc import Iterator
from typing import Final

from msgspec import Struct

from predsurv.core.ids import InstrumentKey, MarketId, StrategyName, VenueName
from predsurv.core.num import Money, Size
from predsurv.core.orders import Position


class _Holding(Struct):
    size: int
    cost: int


_NONE: Final[dict[StrategyName, _Holding]] = {}


class Positions:
    """How much each strategy holds of each instrument; sizes and costs in micros, never negative."""

    def __init__(self) -> None:
        self._holdings: dict[InstrumentKey, dict[StrategyName, _Holding]] = {}

    def add(self, strategy: StrategyName, key: InstrumentKey, size: Size, cost: Money) -> None:
        """Add ``size`` shares that cost ``cost``."""
        holding = self._holdings.setdefault(key, {}).setdefault(strategy, _Holding(0, 0))
        holding.size += size
        holding.cost += cost

    def remove(self, strategy: StrategyName, key: InstrumentKey, size: Size) -> Money:
        """Remove ``size`` shares and return their part of the cost; raises KeyError when none are held."""
        holding = self._holdings[key][strategy]
        cost = holding.cost * size // holding.size  # removing the last share returns the whole rest
        holding.size -= size
        holding.cost -= cost
        if holding.size == 0:
            del self._holdings[key][strategy]
            if not self._holdings[key]:
                del self._holdings[key]
        return Money(cost)

    def get(self, strategy: StrategyName, key: InstrumentKey) -> Position | None:
        """Return the strategy's position in an instrument, None when it holds nothing."""
        holding = self._holdings.get(key, _NONE).get(strategy)
        return None if holding is None else Position(key, Size(holding.size), Money(holding.cost))

    def of(self, strategy: StrategyName) -> tuple[Position, ...]:
        """Return everything a strategy holds, instruments in the order they were first bought."""
        held = (self.get(strategy, key) for key in self._holdings)
        return tuple(position for position in held if position is not None)

    def size_of(self, strategy: StrategyName, key: InstrumentKey) -> Size:
        """Return how many shares of an instrument the strategy holds."""
        holding = self._holdings.get(key, _NONE).get(strategy)
        return Size(0 if holding is None else holding.size)

    def by_strategy(self, key: InstrumentKey) -> tuple[tuple[StrategyName, Position], ...]:
        """Return every strategy's position in one instrument, first buyer first."""
        holdings = self._holdings.get(key, _NONE)
        return tuple((name, Position(key, Size(each.size), Money(each.cost))) for name, each in holdings.items())

    def instruments(self, venue: VenueName, market_id: MarketId) -> tuple[InstrumentKey, ...]:
        """Return the instruments of a market that any strategy holds."""
        return tuple(key for key in self._holdings if key.market_id == market_id and key.venue == venue)

    def all(self) -> Iterator[tuple[StrategyName, Position]]:
        """Yield every strategy's positions, instruments in the order they were first bought."""
        for key in self._holdings:
            yield from self.by_strategy(key)

    def totals(self) -> tuple[Position, ...]:
        """Return one position per instrument: the shares of all strategies together."""
        return tuple(
            Position(
                key,
                Size(sum(each.size for each in holdings.values())),
                Money(sum(each.cost for each in holdings.values())),
            )
            for key, holdings in self._holdings.items()
        )
