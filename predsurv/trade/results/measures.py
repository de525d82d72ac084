"""What is measured while a run goes on: its ledger, samples of its equity, and the depth its orders found."""

from collections.abc import Iterable, Mapping
from itertools import chain

from predsurv.core.ids import EventId, InstrumentKey, MarketId, VenueName
from predsurv.core.market import NO_FEE, FeeSchedule, Market
from predsurv.core.num import Size
from predsurv.core.orders import PlaceOrder
from predsurv.engine.engine import Engine
from predsurv.state.features import mid
from predsurv.state.market_cache import MarketCache
from predsurv.trade.journal import CommandSent, Entry, MarketSettled
from predsurv.trade.results.capacity import CapacityCurve
from predsurv.trade.results.ledger import Ledger, Opening, OwnedPosition
from predsurv.trade.results.result import Books, Course, RunResult, result_of
from predsurv.trade.results.sampling import EquitySampler
from predsurv.trade.results.trips import EventOf
from predsurv.trade.results.valuing import Mark, mark_of


class RunMeasures:
    """Measures a run around ``engine``; it changes nothing. ``marks``: those of what was owned ``before``."""

    def __init__(self, engine: Engine, before: Opening, marks: Mapping[InstrumentKey, Mark]) -> None:
        self._engine, self._marks = engine, marks
        self._ledger = Ledger(before, events_of(engine.cache))
        self._sampler = EquitySampler(engine.valuation.equity())
        self._capacity = CapacityCurve()

    def on_entry(self, entry: Entry) -> None:
        """Fold a journal entry in, before anything that follows from it."""
        self._ledger.apply(entry)
        if isinstance(entry, MarketSettled):
            self._sampler.settle(entry.event)
        command = entry.decision.approved.command if isinstance(entry, CommandSent) else None
        if isinstance(command, PlaceOrder):
            self._sampler.follow(command.key)
            self._capacity.add(command, self._engine.books.book(command.key), self._fee(command.key))

    @property
    def next_at(self) -> int:
        """When the next sample is due, ns UTC."""
        return self._sampler.next_at

    def on_tick(self, ts: int) -> None:
        """Take a sample when one is due at ``ts`` (ns UTC)."""
        if ts >= self._sampler.next_at:
            self.sample(ts)

    def sample(self, ts: int) -> None:
        """Take a sample at ``ts`` (ns UTC), such as the last one; none at or before the time of another."""
        if ts > self._sampler.last_at:
            books = {key: self._engine.books.book(key) for key in self._sampler.paths()}
            mids = {key: None if book is None else mid(book) for key, book in books.items()}
            self._sampler.add(ts, self._engine.valuation.equity(), self._engine.exposure(), mids)

    def result(self, requested: int | None, loaded: int) -> RunResult:
        """Return the result so far; ``requested`` and ``loaded`` time in ns."""
        books = Books(self._marks, dict(self._closing()), tuple(self._events()))
        return result_of(self._ledger, books, Course(self._sampler.curve(), self._capacity, requested, loaded))

    def _closing(self) -> Iterable[tuple[InstrumentKey, Mark]]:
        for key, size in shares(self._ledger.positions()).items():
            book = self._engine.books.last_known(key)
            if book is not None:
                yield key, mark_of(book, size, self._fee(key))
            elif key in self._marks:
                yield key, self._marks[key]  # not heard of yet in this run

    def _events(self) -> Iterable[tuple[Market, ...]]:
        cache = self._engine.cache
        traded = (where.key for where in self._ledger.lines)
        held = (owned.position.key for owned in self._ledger.positions())
        markets = (cache.market(key.venue, key.market_id) for key in chain(traded, held))
        events = dict.fromkeys((market.venue, market.event_id) for market in markets if market is not None)
        return (cache.siblings(*event) for event in events)

    def _fee(self, key: InstrumentKey) -> FeeSchedule:
        market = self._engine.cache.market(key.venue, key.market_id)
        return NO_FEE if market is None else market.fee


def events_of(cache: MarketCache) -> EventOf:
    """Return what names the event of a market that ``cache`` knows."""

    def event_of(venue: VenueName, market_id: MarketId) -> EventId | None:
        market = cache.market(venue, market_id)
        return None if market is None else market.event_id

    return event_of


def shares(positions: Iterable[OwnedPosition]) -> dict[InstrumentKey, Size]:
    """Return the shares of all strategies together by instrument."""
    found: dict[InstrumentKey, Size] = {}
    for owned in positions:
        key = owned.position.key
        found[key] = Size(found.get(key, 0) + owned.position.size)
    return found
