"""Shares by instrument and strategy with their average cost; knows no cash."""

from collections.abc import Iterator
from typing import Final

from predsurv.core.ids import InstrumentKey, StrategyName
from predsurv.core.num import ZERO_MONEY, Money, Size
from predsurv.core.orders import Position

_NONE: Final[dict[StrategyName, Position]] = {}


class Positions:
    """How much each strategy holds of each instrument; sizes and costs in micros, never negative.

    ``cost``: of everything held, kept as it changes, since risk asks for it at every intent.
    """

    def __init__(self) -> None:
        self.cost = ZERO_MONEY
        self._holdings: dict[InstrumentKey, dict[StrategyName, Position]] = {}
        self._totals: tuple[Position, ...] | None = None  # until anything changes

    def put(self, strategy: StrategyName, key: InstrumentKey, size: Size, cost: Money) -> None:
        """Let a strategy hold ``size`` shares of an instrument that cost ``cost``, and nothing else of it."""
        self._totals = None
        holdings = self._holdings.get(key, _NONE)
        before = holdings.get(strategy)
        self.cost = Money(self.cost + (cost if size else 0) - (0 if before is None else before.cost))
        if size:
            self._holdings.setdefault(key, {})[strategy] = Position(key, size, cost)
            return
        if before is not None:
            del holdings[strategy]
            if not holdings:
                del self._holdings[key]

    def get(self, strategy: StrategyName, key: InstrumentKey) -> Position | None:
        """Return the strategy's position in an instrument, None when it holds nothing."""
        return self._holdings.get(key, _NONE).get(strategy)

    def of(self, strategy: StrategyName) -> tuple[Position, ...]:
        """Return everything a strategy holds, instruments in the order they were first bought."""
        held = (self.get(strategy, key) for key in self._holdings)
        return tuple(position for position in held if position is not None)

    def instruments_of(self, strategy: StrategyName) -> Iterator[InstrumentKey]:
        """Yield what a strategy holds, in the order in which it was first bought."""
        return (key for key, holdings in self._holdings.items() if strategy in holdings)

    def size_of(self, strategy: StrategyName, key: InstrumentKey) -> Size:
        """Return how many shares of an instrument the strategy holds."""
        holding = self._holdings.get(key, _NONE).get(strategy)
        return Size(0 if holding is None else holding.size)

    def cost_of(self, key: InstrumentKey) -> Money:
        """Return what all shares of an instrument cost, those of all strategies together."""
        return Money(sum(each.cost for each in self._holdings.get(key, _NONE).values()))

    def by_strategy(self, key: InstrumentKey) -> tuple[tuple[StrategyName, Position], ...]:
        """Return every strategy's position in one instrument, first buyer first."""
        return tuple(self._holdings.get(key, _NONE).items())

    def all(self) -> Iterator[tuple[StrategyName, Position]]:
        """Yield every strategy's positions, instruments in the order they were first bought."""
        for key in self._holdings:
            yield from self.by_strategy(key)

    def totals(self) -> tuple[Position, ...]:
        """Return one position per instrument: the shares of all strategies together."""
        if self._totals is None:
            self._totals = tuple(
                Position(
                    key,
                    Size(sum(each.size for each in holdings.values())),
                    Money(sum(each.cost for each in holdings.values())),
                )
                for key, holdings in self._holdings.items()
            )
        return self._totals
