"""Liquidity that our fills consumed, by level, for as long as the level exists.

Public data does not reflect simulated fills: without this record the same shares would be taken again at every update.

Consumption outlasts any change of a level's size: size that is added joins what is left, and of size that is removed
it cannot be known whether it was ours. Only a level that was removed, and comes back, is fresh.
"""

from collections.abc import Iterator
from typing import Final

from predsurv.core.events import BookDelta, Level
from predsurv.core.ids import InstrumentKey, Side
from predsurv.core.num import Price, Size
from predsurv.state.book import BookView
from predsurv.state.ladder import LadderView

INSTRUMENTS_MAX: Final = 10_000
"""Instruments recorded at a time; beyond it the one first taken from is dropped."""

_Place = tuple[Side, Price]


class ConsumedLiquidity:
    """Sizes consumed by instrument, side and price; micros; never more than the level holds."""

    def __init__(self) -> None:
        self._consumed: dict[InstrumentKey, dict[_Place, int]] = {}

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
        if len(self._consumed) > INSTRUMENTS_MAX:
            del self._consumed[next(iter(self._consumed))]

    def on_delta(self, event: BookDelta) -> None:
        """Limit the consumption of a level to its new size; a removed level has none."""
        places = self._consumed.get(event.key)
        if places is not None:
            _limit(places, (event.side, event.price), event.size)
            self._drop_if_empty(event.key)

    def on_snapshot(self, book: BookView) -> None:
        """Limit the consumption of every level to its size in ``book``."""
        places = self._consumed.get(book.key)
        if places is not None:
            for side, price in tuple(places):
                _limit(places, (side, price), _ladder(book, side).size_at(price))
            self._drop_if_empty(book.key)

    def _drop_if_empty(self, key: InstrumentKey) -> None:
        if not self._consumed[key]:
            del self._consumed[key]


def _ladder(book: BookView, side: Side) -> LadderView:
    return book.bids if side == "bid" else book.asks


def _limit(places: dict[_Place, int], place: _Place, size: Size) -> None:
    consumed = min(places.get(place, 0), size)
    if consumed:
        places[place] = consumed
    else:
        places.pop(place, None)
