"""What the compiled replay has to know to pass rows over: instruments, their markets, and who heeds which of them.

It says too much rather than too little: a row that is not passed over goes the ordinary way, to the same end.
"""

from collections.abc import Callable, Iterable
from typing import Any, Final, Literal

from predsurv.core.ids import EventId, InstrumentId, InstrumentKey, MarketId, VenueName
from predsurv.core.market import Market
from predsurv.core.native import speedups
from predsurv.engine.call_filter import is_whole, selects, summed_keys
from predsurv.engine.engine import Engine
from predsurv.engine.interest import EVERYTHING, BookFilter, EventFilter, Interest
from predsurv.engine.strategy_calls import CalledStrategy
from predsurv.trade.heeded_rows import LEAST, MOST, HeededRows, bounds_of
from predsurv.trade.pipeline import TICK, SkippingBroker

STRATEGIES_MAX: Final = 64

_BOOK_CALLS: Final = {"change": 0, "best": 1, "never": 2}
_ENGAGED_CALLS: Final = {"change": 0, "best": 1, "price": 2}

_GroupName = tuple[Literal["event", "exclusive", "outcomes"], EventId | MarketId]
"""What is summed up: the markets of an event, those that exclude one another, or the outcomes of one market."""


class RowInterest:
    """Instruments by number, and what has to be seen of them, told to ``replay``."""

    def __init__(self, engine: Engine, venue: VenueName, brokers: Iterable[SkippingBroker]) -> None:
        """Raises ValueError without compiled parts, or with more than ``STRATEGIES_MAX`` strategies."""
        if speedups is None or len(engine.heard()) > STRATEGIES_MAX:
            raise ValueError("no compiled replay of this run")
        self._engine, self._venue, self._brokers = engine, venue, tuple(brokers)
        self._heard = engine.heard()
        self._sums = any(_interest(each).where_event is not None for each in self._heard)
        self._numbers: dict[InstrumentKey, int] = {}
        self._fresh: list[InstrumentKey] = []
        self._by_ids: dict[tuple[str, str], int] = {}
        self._groups: dict[_GroupName, int] = {}
        books, states = engine.cache.tables
        filters = tuple(_filter_of(_interest(each)) for each in self._heard)
        remembered = tuple(each.told_trades for each in self._brokers)
        calls = tuple((each.strategy.on_event, each.view) if each.is_plain else None for each in self._heard)
        direct = (*engine.times, venue, calls)
        self.replay: Any = speedups.NativeReplay(books, states, filters, remembered, self._asks_before(), direct)
        self._heeded = HeededRows(engine, self._brokers, self._number)

    def _asks_before(self) -> bool:
        return any(each.filter is not None and each.filter.needs_before for each in self._heard)

    def number_of(self, market_id: str, instrument_id: str) -> int:
        """Return the number of an instrument, a new one where it has none; ``settle`` has to follow before rows do."""
        number = self._by_ids.get((market_id, instrument_id))
        if number is None:
            number = self._number(InstrumentKey(self._venue, MarketId(market_id), InstrumentId(instrument_id)))
        return number

    def market_changed(self, market_id: MarketId) -> None:
        """Look again at what is known of a market and of its event."""
        market = self._engine.cache.market(self._venue, market_id)
        changed = {key: None for key in self._numbers if key.market_id == market_id}
        if market is not None and self._sums:
            self._form_groups(market)
            siblings = self._engine.cache.siblings(self._venue, market.event_id)
            changed |= {key: None for each in siblings for key in each.keys()}  # noqa: SIM118 - a market is no mapping
        for key in changed:
            self._number(key)
            self._relate(key)

    def settle(self) -> None:
        """Look at the markets of instruments that are new."""
        while self._fresh:
            key = self._fresh.pop()
            market = self._engine.cache.market(key.venue, key.market_id)
            if self._sums and market is not None and ("event", market.event_id) not in self._groups:
                self._form_groups(market)
            self._relate(key)

    def gap_began(self, key: InstrumentKey) -> None:
        """Say that a book is not known any more; its next snapshot will be seen."""
        self.replay.gapped(self._number(key))

    def update(self) -> None:
        """Tell what orders, positions and consumed liquidity make worth seeing now."""
        entries, unheard = self._heeded.collect()
        self.settle()
        self.replay.heed(entries, unheard, self._engine.times.risk.blocked)
        if self._engine.control.loss.watched:
            self.replay.hold(self._engine.control.loss.worth, TICK, _holdings(self._engine, self._number))

    def _number(self, key: InstrumentKey) -> int:
        number = self._numbers.get(key)
        if number is None:
            number = self._numbers[key] = self.replay.add_instrument(key)
            self._by_ids[key.market_id, key.instrument_id] = number
            self._fresh.append(key)
        return number

    def _relate(self, key: InstrumentKey) -> None:
        cache = self._engine.cache
        market = cache.market(key.venue, key.market_id)
        selected = 0
        for index, called in enumerate(self._heard):
            choice = _interest(called).markets
            selected |= selects(choice, key.venue, key.market_id, market) << index
        mirror = cache.mirror_of(key)
        asked: tuple[int, ...] = (-1, -1, -1)
        if self._sums and market is not None:
            names: tuple[_GroupName, ...] = (
                ("event", market.event_id),
                ("exclusive", market.event_id),
                ("outcomes", market.market_id),
            )
            asked = tuple(self._groups.get(name, -1) for name in names)
        primary = self._number(cache.primary_of(key))
        mirrored = -1 if mirror is None else self._number(mirror)
        self.replay.relate(self._number(key), primary, mirrored, selected, *asked)

    def _form_groups(self, market: Market) -> None:
        """Sum up the books of a market's event, and of its own outcomes where there are other than two."""
        cache = self._engine.cache
        siblings = cache.siblings(market.venue, market.event_id)
        for exclusive in (False, True):
            keys = summed_keys(siblings, exclusive=exclusive)
            whole = is_whole(siblings, EventFilter(exclusive=exclusive))
            self._form(("exclusive" if exclusive else "event", market.event_id), keys, whole=whole)
        for each in siblings:
            if len(each.outcomes) != 2:
                self._form(("outcomes", each.market_id), each.keys(), whole=True)

    def _form(self, name: _GroupName, keys: Iterable[InstrumentKey], *, whole: bool) -> None:
        group = self._groups.setdefault(name, len(self._groups))
        primaries = dict.fromkeys(map(self._engine.cache.primary_of, keys))
        self.replay.group(group, [self._number(key) for key in primaries], whole)


def _holdings(engine: Engine, number: Callable[[InstrumentKey], int]) -> list[tuple[int, bool, int, int]]:
    """Return number of the book, whether that is the other outcome's, size and cost of each instrument held."""
    held = ((each, engine.cache.primary_of(each.key)) for each in engine.account.portfolio.positions.totals())
    return [(number(primary), primary != each.key, each.size, each.cost) for each, primary in held]


def _interest(called: CalledStrategy) -> Interest:
    return EVERYTHING if called.filter is None else called.filter.interest


def _filter_of(interest: Interest) -> tuple[object, ...]:
    where, event = interest.where or BookFilter(), interest.where_event or EventFilter()
    sums = (
        LEAST if event.ask_sum_max is None else event.ask_sum_max,
        MOST if event.bid_sum_min is None else event.bid_sum_min,
    )
    flags = (
        interest == EVERYTHING,
        _BOOK_CALLS[interest.books],
        interest.best_sizes,
        interest.trades,
        interest.coverage,
        interest.filter_engaged,
        interest.where is not None,
        interest.where_event is not None,
        event.exclusive,
        _ENGAGED_CALLS[interest.engaged],
    )
    return (*map(int, flags), bounds_of(where), sums)
