"""Which rows orders, consumed liquidity and strategies make worth seeing just now, as the compiled replay takes it.

Separate from ``trade.row_interest``, which tells what the rows are about: that changes seldom, this with every order.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Final

from predsurv.core.ids import InstrumentKey, Side
from predsurv.core.num import Price
from predsurv.engine.books.consumed import HeededPlace
from predsurv.engine.engine import Engine
from predsurv.engine.interest import Attention, BookFilter
from predsurv.engine.strategy_calls import CalledStrategy
from predsurv.trade.pipeline import SkippingBroker

LEAST, MOST = -(2**63), 2**63 - 1
"""Where there is no bound."""
_ALL_TRADES, _WHOLE_BOOKS = 2, 4
_NOT: Final = object()
_NONE: Final[Mapping[tuple[Side, Price], int]] = {}


class HeededRows:
    """Collects them for ``engine`` and ``brokers``; ``number_of`` numbers the instruments.

    What brokers heed and what is consumed of a book is the same until that is ``touched``; what strategies are engaged
    in and wait for is compared with what it was.
    """

    def __init__(
        self, engine: Engine, brokers: Sequence[SkippingBroker], number_of: Callable[[InstrumentKey], int]
    ) -> None:
        self._engine, self._brokers, self._number_of = engine, brokers, number_of
        filters = [(index, each, each.filter) for index, each in enumerate(engine.heard()) if each.filter is not None]
        self._engaging = [(index, each) for index, each, rule in filters if not rule.interest.filter_engaged]
        self._selective = [(index, rule.selective) for index, _, rule in filters if rule.selective is not None]
        self._touched = [engine.books.touched, *(each for broker in brokers for each in broker.touched)]
        self._engaged: dict[InstrumentKey, int] = {}
        self._attended = {index: Attention() for index, _ in self._selective}

    def collect(self) -> tuple[list[tuple[object, ...]], int]:
        """Return what ``NativeReplay.heed`` takes: entries of instruments, and a bit of each strategy.

        An entry for each instrument of which anything may be another than at the last call, and the strategies that
        wait for nothing but what entries say.
        """
        changed: dict[InstrumentKey, None] = {}
        for touched in self._touched:
            changed.update(touched)
            touched.clear()
        self._engage(changed)
        unheard = self._attend(changed)
        return [self._entry(key) for key in changed], unheard

    def _engage(self, changed: dict[InstrumentKey, None]) -> None:
        """Look at which strategies are engaged in which books, and add the books where that is another than before."""
        before, self._engaged = self._engaged, {}
        for index, called in self._engaging:
            for key in self._engaged_in(called):
                primary = self._engine.cache.primary_of(key)
                self._engaged[primary] = self._engaged.get(primary, 0) | 1 << index
        if before != self._engaged:
            changed.update((key, None) for key in before | self._engaged if before.get(key) != self._engaged.get(key))

    def _attend(self, changed: dict[InstrumentKey, None]) -> int:
        """Add the books in which strategies wait for something else; return those that wait for nothing in others."""
        unheard = 0
        for index, selective in self._selective:
            attention, before = selective.attention, self._attended[index]
            unheard |= (not attention.others) << index
            if attention is not before:
                old, new = before.books, attention.books
                changed.update((key, None) for key in {**old, **new} if old.get(key, _NOT) != new.get(key, _NOT))
                self._attended[index] = attention
        return unheard

    def _entry(self, key: InstrumentKey) -> tuple[object, ...]:
        """Return number, which rows are seen, engaged strategies, places, what is consumed, what strategies await."""
        heeded, places = 0, list[HeededPlace]()
        for broker in self._brokers:
            for book in broker.heeded(key):
                heeded |= _WHOLE_BOOKS | _ALL_TRADES if book.trades else _WHOLE_BOOKS
                places += book.places
        taken: list[tuple[Side, Price, int]] = []
        for (side, price), size in self._engine.books.consumed_places().get(key, _NONE).items():
            heeded |= _WHOLE_BOOKS
            places.append(HeededPlace(side, price))
            taken.append((side, price, size))
        awaited: list[tuple[int, tuple[int, ...] | None]] = []
        for index, attention in self._attended.items():
            if key in attention.books:
                bounds = attention.books[key]
                awaited.append((index, None if bounds is None else bounds_of(bounds)))
        return self._number_of(key), heeded, self._engaged.get(key, 0), places, taken, awaited

    def _engaged_in(self, called: CalledStrategy) -> Iterable[InstrumentKey]:
        name, account = called.strategy.name, self._engine.account
        yield from account.portfolio.positions.instruments_of(name)
        yield from (order.key for order in account.orders.live_of(name))


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
