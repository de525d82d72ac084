"""What is known of markets now: the fold of ``market_facts`` in the order of arrival."""

from heapq import heappop, heappush
from typing import Final

from msgspec.structs import replace

from predsurv.core.events import MarketChange, MarketFact
from predsurv.core.ids import EventId, MarketId, VenueName
from predsurv.core.market import Market
from predsurv.state.market_facts import KnownMarket, apply_fact, holds_from

_NEVER: Final = 1 << 63


class KnownMarkets:
    """What is known now, and what was announced ahead; ``next_due`` (ns UTC): when the next of that holds.

    ``version`` grows whenever any record changes.
    """

    def __init__(self) -> None:
        self.next_due = _NEVER
        self.version = 0
        self._known: dict[tuple[VenueName, MarketId], KnownMarket] = {}
        self._groups: dict[tuple[VenueName, EventId], dict[MarketId, None]] = {}
        self._announced: list[tuple[int, int, MarketChange]] = []  # heap of (holds from, sequence, change)
        self._sequence = 0

    def add(self, known: KnownMarket) -> None:
        """Replace what is known of a market."""
        market = known.market
        self.version += 1
        self._known[market.venue, market.market_id] = known
        self._groups.setdefault((market.venue, market.event_id), {})[market.market_id] = None

    def fold(self, fact: MarketFact) -> Market | None:
        """Fold a statement in; return the record as it is now, None while the market is not known.

        One that was announced ahead waits for ``due``, and leaves the record as it is.
        """
        if isinstance(fact, MarketChange) and (since := holds_from(fact)) > fact.ts_recv:
            self._sequence += 1
            heappush(self._announced, (since, self._sequence, replace(fact, effective=None)))
            self.next_due = self._announced[0][0]
            return self.market(fact.venue, fact.market_id)
        known = apply_fact(self._known.get((fact.venue, fact.market_id)), fact)
        if known is None:
            return None
        self.add(known)
        return known.market

    def due(self, ts: int) -> MarketChange | None:
        """Return the next change that takes effect by ``ts`` (ns UTC), to be folded now; None when none is left."""
        if self.next_due > ts:
            return None
        change = heappop(self._announced)[2]
        self.next_due = self._announced[0][0] if self._announced else _NEVER
        return change

    def market(self, venue: VenueName, market_id: MarketId) -> Market | None:
        """Return the record of a market, None when it is not known."""
        known = self._known.get((venue, market_id))
        return None if known is None else known.market

    def siblings(self, venue: VenueName, event_id: EventId) -> tuple[Market, ...]:
        """Return every known market of an event, in the order they became known."""
        group = self._groups.get((venue, event_id), {})
        return tuple(self._known[venue, market_id].market for market_id in group)
