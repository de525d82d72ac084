"""Shares by instrument and strategy with their average cost.

Kept apart from the portfolio because it knows nothing of cash: it moves shares and says what
they had cost.
"""

from collections.abc import Iterator
from typing import Final

from msgspec import Struct

from predsurv.core.ids import InstrumentKey, MarketId, StrategyName, VenueName
from predsurv.core.num import Money, Size
from predsurv.core.orders import Position


class _Position(Struct):
    size: int
    cost: int


_NONE: Final[dict[StrategyName, _Position]] = {}


class Positions:
    """Who holds how much of what; sizes and costs in micros, never negative."""

    def __init__(self) -> None:
        self._lots: dict[InstrumentKey, dict[StrategyName, _Position]] = {}

    def add(self, strategy: StrategyName, key: InstrumentKey, size: Size, cost: Money) -> None:
        """Put ``size`` shares that cost ``cost`` with what the strategy holds."""
        lot = self._lots.setdefault(key, {}).setdefault(strategy, _Position(0, 0))
        lot.size += size
        lot.cost += cost

    def take(self, strategy: StrategyName, key: InstrumentKey, size: Size) -> Money:
        """Remove ``size`` shares, which must be there; return their share of the cost."""
        lot = self._lots[key][strategy]
        cost = lot.cost * size // lot.size  # the last share takes what rounding left
        lot.size -= size
        lot.cost -= cost
        if lot.size == 0:
            del self._lots[key][strategy]
            if not self._lots[key]:
                del self._lots[key]
        return Money(cost)

    def held(self, strategy: StrategyName, key: InstrumentKey) -> Position | None:
        """Return what ``strategy`` holds of an instrument, None when nothing."""
        lot = self._lots.get(key, _NONE).get(strategy)
        return None if lot is None else Position(key, Size(lot.size), Money(lot.cost))

    def holders(self, key: InstrumentKey) -> tuple[tuple[StrategyName, Position], ...]:
        """Return everyone's position in one instrument, first buyer first."""
        lots = self._lots.get(key, _NONE)
        return tuple((name, Position(key, Size(lot.size), Money(lot.cost))) for name, lot in lots.items())

    def keys_of(self, venue: VenueName, market_id: MarketId) -> tuple[InstrumentKey, ...]:
        """Return the instruments of a market that somebody holds."""
        return tuple(key for key in self._lots if key.market_id == market_id and key.venue == venue)

    def holdings(self) -> Iterator[tuple[StrategyName, Position]]:
        """Yield every strategy's positions, instruments in the order they were first bought."""
        for key in self._lots:
            yield from self.holders(key)

    def positions(self) -> tuple[Position, ...]:
        """Return what all strategies hold together."""
        return tuple(
            Position(
                key,
                Size(sum(lot.size for lot in lots.values())),
                Money(sum(lot.cost for lot in lots.values())),
            )
            for key, lots in self._lots.items()
        )
