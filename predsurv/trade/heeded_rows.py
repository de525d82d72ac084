"""Which rows orders, consumed liquidity and strategies make worth seeing just now, as the compiled replay takes it.

Separate from ``trade.row_interest``, which tells what the rows are about: that changes seldom, this with every order.
"""

from collections.abc import Callable, Iterable, Sequence

from predsurv.core.ids import InstrumentKey, Side
from predsurv.core.num import Price
from predsurv.engine.books.consumed import HeededPlace
from predsurv.engine.engine import Engine
from predsurv.engine.interest import BookFilter
from predsurv.engine.strategy_calls import CalledStrategy
from predsurv.trade.pipeline import SkippingBroker

LEAST, MOST = -(2**63), 2**63 - 1
"""Where there is no bound."""
_ALL_TRADES, _WHOLE_BOOKS = 2, 4


class _Heeded:
    """Of one instrument: its number, which rows are seen, which strategies are engaged, places, what is consumed.

    ``awaited``: of each strategy that says what it waits for there its number, and bounds of the book or nothing.
    """

    __slots__ = ("awaited", "engaged", "heeded", "number", "places", "taken")

    def __init__(self, number: int) -> None:
        self.number, self.heeded, self.engaged = number, 0, 0
        self.places: list[HeededPlace] = []
        self.taken: list[tuple[Side, Price, int]] = []
        self.awaited: list[tuple[int, tuple[object, ...] | None]] = []

    def entry(self) -> tuple[object, ...]:
        """Return what ``NativeReplay.heed`` takes."""
        return self.number, self.heeded, self.engaged, self.places, self.taken, self.awaited


class HeededRows:
    """Collects them for ``engine`` and ``brokers``; ``number_of`` numbers the instruments."""

    def __init__(
        self, engine: Engine, brokers: Sequence[SkippingBroker], number_of: Callable[[InstrumentKey], int]
    ) -> None:
        self._engine, self._brokers, self._number_of = engine, brokers, number_of
        self._heard = engine.heard()

    def collect(self) -> tuple[list[tuple[object, ...]], int]:
        """Return what ``NativeReplay.heed`` takes: an entry of each instrument, and a bit of each strategy."""
        found: dict[InstrumentKey, _Heeded] = {}
        self._observe(found)
        for index, called in enumerate(self._heard):
            if called.filter is not None and not called.filter.interest.filter_engaged:
                for key in self._engaged(called):
                    self._of(found, self._engine.cache.primary_of(key)).engaged |= 1 << index
        unheard = self._attend(found)
        return [each.entry() for each in found.values()], unheard

    def _observe(self, found: dict[InstrumentKey, _Heeded]) -> None:
        """Add what brokers observe, and what is consumed of books."""
        for broker in self._brokers:
            for book in broker.heeded():
                of = self._of(found, book.key)
                of.heeded |= _WHOLE_BOOKS | _ALL_TRADES if book.trades else _WHOLE_BOOKS
                of.places += book.places
        for key, consumed in self._engine.books.consumed_places().items():
            of = self._of(found, key)
            of.heeded |= _WHOLE_BOOKS
            for (side, price), size in consumed.items():
                of.places.append(HeededPlace(side, price))
                of.taken.append((side, price, size))

    def _attend(self, found: dict[InstrumentKey, _Heeded]) -> int:
        """Add what strategies wait for in which books; return those that wait for nothing else, a bit for each."""
        unheard = 0
        for index, called in enumerate(self._heard):
            if called.filter is not None and called.filter.selective is not None:
                attention = called.filter.selective.attention
                unheard |= (not attention.others) << index
                for key, bounds in attention.books.items():
                    self._of(found, key).awaited.append((index, None if bounds is None else bounds_of(bounds)))
        return unheard

    def _engaged(self, called: CalledStrategy) -> Iterable[InstrumentKey]:
        name, account = called.strategy.name, self._engine.account
        yield from account.portfolio.positions.instruments_of(name)
        yield from (order.key for order in account.orders.live_of(name))

    def _of(self, found: dict[InstrumentKey, _Heeded], key: InstrumentKey) -> _Heeded:
        of = found.get(key)
        if of is None:
            of = found[key] = _Heeded(self._number_of(key))
        return of


def bounds_of(where: BookFilter) -> tuple[int, ...]:
    """Return the bounds of a filter as the compiled replay takes them."""
    return (
        *_bounds(where.spread_min, where.spread_max),
        *_bounds(where.bid_min, where.bid_max),
        *_bounds(where.ask_min, where.ask_max),
        *_bounds(where.imbalance_min, where.imbalance_max),
        where.imbalance_levels,
    )


def _bounds(low: int | None, high: int | None) -> tuple[int, int]:
    return (LEAST if low is None else low, MOST if high is None else high)
