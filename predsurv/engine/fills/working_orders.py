"""Our orders at the venue, resting or delayed, and what happens to all of a market's at once.

Trading ends, a game starts, a market or the whole venue pauses and trades again: none of this is told order by order.
"""

from collections.abc import Iterable, Iterator
from typing import Final

from predsurv.core.events import NO_ORDERS, MarketChange, MarketResolved, OrderCancelled, VenuePhase
from predsurv.core.ids import InstrumentKey, VenueName
from predsurv.core.market import Market
from predsurv.core.orders import PlaceOrder
from predsurv.engine.fills.delayed_orders import DelayedOrders
from predsurv.engine.fills.resting_orders import RestingOrders
from predsurv.engine.fills.timetable import MarketKey, Timetable
from predsurv.state.market_cache import MarketCache
from predsurv.state.market_facts import holds_from

ENDED: Final = frozenset({"closed", "resolved", "void"})
"""Statuses after which nothing trades any more."""


class WorkingOrders:
    """Resting and delayed orders, and the timetable of their markets.

    Orders keep resting in a pause, where nothing fills them. Once trading goes on they rejoin their queues at the
    end: what the pause did to the queue is not told, and this fills us less than any other reading.
    """

    def __init__(self, cache: MarketCache, resting: RestingOrders) -> None:
        self._cache, self.resting = cache, resting
        self.timetable = Timetable()
        self.delayed = DelayedOrders()
        self._paused_markets: set[MarketKey] = set()
        self._paused_venues: set[VenueName] = set()

    def watch(self, key: InstrumentKey, now: int) -> None:
        """Look at the market of an order when its timetable comes to something after ``now`` (ns UTC)."""
        market = self._cache.market(key.venue, key.market_id)
        if market is not None:
            self.timetable.enter(market, now)

    def review_next(self) -> Iterator[OrderCancelled]:
        """Look at the market of the timetable's first instant, at that instant."""
        at = self.timetable.next_at
        self._cache.advance(at)
        yield from self._review(self.timetable.pop(), at)

    def on_fact(self, event: MarketChange | MarketResolved) -> Iterator[OrderCancelled]:
        """Yield the cancels that a statement about a market, already in the cache, leads to."""
        key = MarketKey(event.venue, event.market_id)
        if isinstance(event, MarketChange) and (since := holds_from(event)) > event.ts_recv:
            if self._any_in(key):
                self.timetable.enter_at(since, key)
            return
        yield from self._review(key, event.ts_recv)

    def on_phase(self, event: VenuePhase) -> None:
        """Follow the phase of a whole venue, which is already in the cache."""
        if event.phase in NO_ORDERS:
            self._paused_venues.add(event.venue)
        elif event.venue in self._paused_venues:
            self._paused_venues.discard(event.venue)
            self._rejoin(order.key for order in self.resting.all() if order.key.venue == event.venue)

    def _review(self, key: MarketKey, ts: int) -> Iterator[OrderCancelled]:
        market = self._cache.market(key.venue, key.market_id)
        if market is None or not self._any_in(key):
            self._paused_markets.discard(key)
            return
        ends, cleared = market.trading_ends, market.orders_cleared_at
        if market.status in ENDED or (ends is not None and ends <= ts):
            self._paused_markets.discard(key)
            yield from self._end(key, ts)
            return
        if cleared is not None and cleared <= ts:
            yield from self._clear(key, ts, "game_start", before=cleared)
        yield from self._follow_status(market, key, ts)
        self.timetable.enter(market, ts)

    def _end(self, key: MarketKey, ts: int) -> Iterator[OrderCancelled]:
        for command in self.delayed.of_market(*key):
            self.delayed.end(command.client_order_id)
            yield cancelled(command, ts, "market_closed")
        yield from self._clear(key, ts, "market_closed")

    def _follow_status(self, market: Market, key: MarketKey, ts: int) -> Iterator[OrderCancelled]:
        if market.status != "active":
            self._paused_markets.add(key)
        elif key in self._paused_markets:
            self._paused_markets.discard(key)
            if market.reopening_clears:
                yield from self._clear(key, ts, "market_reopened")
            self._rejoin(order.key for order in self.resting.of_market(*key))

    def _clear(self, key: MarketKey, ts: int, reason: str, before: int | None = None) -> Iterator[OrderCancelled]:
        """Cancel what rests in a market: all of it, or what does since before ``before`` (ns UTC)."""
        for order in self.resting.of_market(*key):
            if before is None or order.since < before:
                self.resting.remove(order.command.client_order_id, ts)
                yield cancelled(order.command, ts, reason)

    def _rejoin(self, keys: Iterable[InstrumentKey]) -> None:
        for key in dict.fromkeys(keys):
            self.resting.rejoin(key, self._cache.trusted_book(key))

    def _any_in(self, key: MarketKey) -> bool:
        return bool(self.resting.of_market(*key) or self.delayed.of_market(*key))


def cancelled(command: PlaceOrder, ts: int, reason: str) -> OrderCancelled:
    """Return the cancel of an order's rest at ``ts`` (ns UTC)."""
    return OrderCancelled(command.key, ts, command.client_order_id, reason)
