"""When to look at the markets in which orders of ours work: ends, game starts and changes announced ahead.

No message tells of these instants when they come, and asking every market at every event would be too slow.
"""

from heapq import heappop, heappush
from typing import Final, NamedTuple

from predsurv.core.ids import MarketId, VenueName
from predsurv.core.market import Market

_NEVER: Final = 1 << 63


class MarketKey(NamedTuple):
    """One market of one venue."""

    venue: VenueName
    market_id: MarketId


class _Instant(NamedTuple):
    at: int
    market: MarketKey


class Timetable:
    """Instants (ns UTC) by time; an instant that was moved since stays until it has passed, and is looked at in vain.

    ``next_at`` is the first of them.
    """

    def __init__(self) -> None:
        self.next_at = _NEVER
        self._instants: list[_Instant] = []  # a heap
        self._entered: set[_Instant] = set()

    def enter(self, market: Market, now: int) -> None:
        """Enter what is to come of a market's own timetable."""
        for at in (market.trading_ends, market.orders_cleared_at):
            if at is not None and at > now:
                self.enter_at(at, MarketKey(market.venue, market.market_id))

    def enter_at(self, at: int, market: MarketKey) -> None:
        """Enter an instant, once."""
        instant = _Instant(at, market)
        if instant not in self._entered:
            self._entered.add(instant)
            heappush(self._instants, instant)
            self.next_at = self._instants[0].at

    def pop(self) -> MarketKey:
        """Remove the first instant and return its market."""
        instant = heappop(self._instants)
        self._entered.discard(instant)
        self.next_at = self._instants[0].at if self._instants else _NEVER
        return instant.market
