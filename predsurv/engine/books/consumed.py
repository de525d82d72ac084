"""Liquidity that our fills consumed, by level, for as long as the level exists.

Public data does not reflect simulated fills: without this record the same shares would be taken again at every update.

Consumption outlasts any change of a level's size: size that is added joins what is left, and of size that is removed
it cannot be known whether it was ours. Only a level that was removed, and comes back, is fresh.
"""

from collections.abc import Iterable, Iterator, Mapping
from typing import Final, NamedTuple

from msgspec import Struct

from predsurv.core.events import BookDelta, BrokerEvent, Level, LevelConsumed
from predsurv.core.ids import InstrumentKey, Side
from predsurv.core.num import Price, Size
from predsurv.state.book import BookView
from predsurv.state.ladder import LadderView

INSTRUMENTS_MAX: Final = 10_000
"""Instruments recorded at a time; beyond it the one first taken from is dropped."""

TOLD_AFTER_MAX: Final = 5_000_000_000
"""How long (ns) after a change of a level the trade that caused it may be told."""

_Place = tuple[Side, Price]


class ConsumptionBooked(Struct, frozen=True):
    """A simulated venue has booked what our orders consumed of a level, when it happened: for the journal alone.

    Whoever decides hears of it as ``LevelConsumed``, when word of it has arrived.
    """

    level: LevelConsumed


SimulatedEvent = BrokerEvent | ConsumptionBooked
"""What a simulated venue yields to whoever drives it."""


class _Released(NamedTuple):
    """What was consumed of a level when it shrank, the last time at ``ts`` (ns UTC)."""

    ts: int
    size: int


class HeededPlace(NamedTuple):
    """Changes of the level at ``price``; with ``through`` of every level of its side, while one is at or beyond it."""

    side: Side
    price: Price
    through: bool = False


class HeededBook(NamedTuple):
    """Of the book of ``key`` (a primary instrument) these places matter; ``trades``: these too.

    Besides them every snapshot does, and every change after which a crossed book is not crossed any more: what came
    while it was has not been looked at.
    """

    key: InstrumentKey
    places: tuple[HeededPlace, ...]
    trades: bool = False


class ReleasedLiquidity:
    """What was consumed of levels when they shrank: others may have traded it away, which is told up to 5 s later."""

    def __init__(self) -> None:
        self._released: dict[InstrumentKey, dict[_Place, _Released]] = {}

    def put(self, key: InstrumentKey, place: _Place, size: int, ts: int) -> None:
        """Record that a level shrank at ``ts`` (ns UTC) of which ``size`` was consumed, besides what did lately."""
        places = self._released.setdefault(key, {})
        before = places.get(place)
        if before is not None and before.ts + TOLD_AFTER_MAX >= ts:
            size += before.size
        places[place] = _Released(ts, size)
        if len(self._released) > INSTRUMENTS_MAX:
            del self._released[next(iter(self._released))]

    def take(self, key: InstrumentKey, place: _Place, ts: int) -> int:
        """Return what a trade of a level, told at ``ts`` (ns UTC), may have met of it, and forget it."""
        released = self._released.get(key, {}).pop(place, None)
        return released.size if released is not None and released.ts + TOLD_AFTER_MAX >= ts else 0

    def of(self, key: InstrumentKey, side: Side, ts: int) -> int:
        """Return what others may have traded away of a side by ``ts`` (ns UTC), told not yet."""
        places = self._released.get(key)
        if not places:
            return 0
        return sum(each.size for place, each in places.items() if place[0] == side and each.ts + TOLD_AFTER_MAX >= ts)

    def instruments(self) -> Iterable[InstrumentKey]:
        """Return the instruments of which anything was released, lately or not."""
        return self._released


class ConsumedLiquidity:
    """Sizes consumed by instrument, side and price; micros; never more than the level holds.

    ``released`` is what was consumed of levels when they shrank. ``touched``: the instruments of which anything else is
    recorded than before, until whoever follows them clears it.
    """

    def __init__(self) -> None:
        self.touched: dict[InstrumentKey, None] = {}
        self._consumed: dict[InstrumentKey, dict[_Place, int]] = {}
        self.released = ReleasedLiquidity()
        self._changed: dict[tuple[InstrumentKey, _Place], None] = {}

    def places(self) -> Mapping[InstrumentKey, Mapping[_Place, int]]:
        """Return what is recorded as consumed of each level, by instrument."""
        return self._consumed

    def affects(self, key: InstrumentKey) -> bool:
        """Return whether anything consumed of this instrument is recorded."""
        return key in self._consumed

    def remaining(self, book: BookView, side: Side) -> Iterator[Level]:
        """Yield the levels of one side, best first, less what was consumed; skips levels with nothing left."""
        places = self._consumed.get(book.key)
        for price, size in _ladder(book, side).levels():
            left = size - places.get((side, price), 0) if places else size
            if left > 0:
                yield price, Size(left)

    def consume(self, book: BookView, side: Side, price: Price, size: int) -> None:
        """Record that ``size`` was taken at ``price``; ignored where the book has no such level."""
        level_size = _ladder(book, side).size_at(price)
        if not level_size:
            return
        places = self._consumed.setdefault(book.key, {})
        places[side, price] = min(places.get((side, price), 0) + size, level_size)
        self._changed[book.key, (side, price)] = self.touched[book.key] = None
        if len(self._consumed) > INSTRUMENTS_MAX:
            dropped = next(iter(self._consumed))
            del self._consumed[dropped]
            self.touched[dropped] = None

    def set(self, told: LevelConsumed) -> None:
        """Record what was told of a level; it is limited to the level's size by the next change of that."""
        places = self._consumed.setdefault(told.key, {})
        self.touched[told.key] = None
        if told.size:
            places[told.side, told.price] = told.size
        else:
            places.pop((told.side, told.price), None)
        self._drop_if_empty(told.key)

    def take_changes(self, ts: int) -> tuple[LevelConsumed, ...]:
        """Return what is consumed at ``ts`` (ns UTC) of each level where that has changed since the last call."""
        if not self._changed:
            return ()
        changes = tuple(
            LevelConsumed(key, ts, place[0], place[1], Size(self._consumed.get(key, {}).get(place, 0)))
            for key, place in self._changed
        )
        self._changed.clear()
        return changes

    def on_delta(self, event: BookDelta) -> bool:
        """Limit the consumption of a level to its new size (a removed level has none); return whether it has less."""
        places = self._consumed.get(event.key)
        if places is None:
            return False
        limited = places.get((event.side, event.price), 0) > event.size
        if limited:
            self._limit(event.key, (event.side, event.price), event.size, event.ts_recv)
            self._drop_if_empty(event.key)
        return limited

    def on_snapshot(self, book: BookView) -> None:
        """Limit the consumption of every level to its size in ``book``."""
        places = self._consumed.get(book.key)
        if places is not None:
            for side, price in tuple(places):
                self._limit(book.key, (side, price), _ladder(book, side).size_at(price), book.ts_recv)
            self._drop_if_empty(book.key)

    def met_by(self, key: InstrumentKey, side: Side, price: Price, size: int, ts: int) -> int:
        """Return how much of a public trade at a level, told at ``ts`` (ns UTC), met at most what we had consumed."""
        late = self.released.take(key, (side, price), ts)
        met = min(size, self._consumed.get(key, {}).get((side, price), 0) + late)
        if late > met:
            self.released.put(key, (side, price), late - met, ts)
        return met

    def _limit(self, key: InstrumentKey, place: _Place, size: Size, ts: int) -> None:
        places = self._consumed[key]
        before = places.get(place, 0)
        if before > size:
            self._changed[key, place] = self.touched[key] = None
            self.released.put(key, place, before - size, ts)
        if min(before, size):
            places[place] = min(before, size)
        else:
            places.pop(place, None)

    def _drop_if_empty(self, key: InstrumentKey) -> None:
        if not self._consumed[key]:
            del self._consumed[key]


def _ladder(book: BookView, side: Side) -> LadderView:
    return book.bids if side == "bid" else book.asks


def consume_behind(consumed: ConsumedLiquidity, book: BookView, side: Side, price: Price, size: int) -> None:
    """Record that ``size`` was taken from the levels after the one at ``price``, best first."""
    for each, available in tuple(consumed.remaining(book, side)):
        if size > 0 and (each > price if side == "ask" else each < price):
            consumed.consume(book, side, each, min(available, size))
            size -= available


def consume_at_least(consumed: ConsumedLiquidity, book: BookView, side: Side, price: Price, size: int) -> int:
    """Record that ``size`` was taken at ``price`` in all, unless more was; return how much that adds."""
    more = max(size - consumed.places().get(book.key, {}).get((side, price), 0), 0)
    if more:
        consumed.consume(book, side, price, more)
    return more
