"""The tick sizes that the venue stated: with every subscription, in changes on either token, and in REST's books."""

from typing import Any, Final, NamedTuple

from predsurv.core.ids import MarketId
from predsurv.core.num import Price, Size

TICKS_MAX: Final = 1 << 15
"""Markets whose tick is remembered, more than a feed carries at a time; what was not stated for longest is forgotten,
and may be told again."""


class StatedTick(NamedTuple):
    """A tick size (micros), when it was stated last (ns UTC), and since when it holds (``changed``, ms; 0: unknown)."""

    tick: Price
    ts_recv: int
    changed: int = 0


class StatedTicks:
    """The last stated tick size and smallest order of each market: for both of its tokens, and on all connections."""

    def __init__(self) -> None:
        self._ticks: dict[MarketId, StatedTick] = {}
        self._least: dict[MarketId, Size] = {}

    def get(self, market_id: MarketId) -> StatedTick | None:
        """Return what was stated last, None when nothing was."""
        return self._ticks.get(market_id)

    def state(self, market_id: MarketId, tick: Price, ts_recv: int, changed: int = 0) -> bool:
        """Remember a statement; return whether it is news. A change (at ``changed``, ms) before the last one is not."""
        known = self._ticks.get(market_id)
        if known is not None and changed and changed < known.changed:
            return False
        self._ticks.pop(market_id, None)
        _make_room(self._ticks)
        self._ticks[market_id] = StatedTick(tick, ts_recv, changed or (0 if known is None else known.changed))
        return known is None or known.tick != tick

    def state_least(self, market_id: MarketId, least: Size) -> bool:
        """Remember the smallest order that was stated; return whether it is news."""
        known = self._least.pop(market_id, None)
        _make_room(self._least)
        self._least[market_id] = least
        return known != least

    def forget(self, market_id: MarketId) -> None:
        """Forget a market that has settled."""
        self._ticks.pop(market_id, None)
        self._least.pop(market_id, None)


def _make_room(known: dict[MarketId, Any]) -> None:
    while len(known) >= TICKS_MAX:
        del known[next(iter(known))]
