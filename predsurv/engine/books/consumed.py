"""What we have already taken of each level on show, for as long as there is the level.

Kept apart because public data does not know of paper trades: without this memory the same shares
would be bought again at every update.

Whatever is added to a level or taken from it, what we took stays taken: shares that come join what
is left, and of shares that go it cannot be told whether they were those that we took. Only a level
that is gone, and comes back, is fresh.
"""

from collections.abc import Iterator
from typing import Final

from predsurv.core.events import BookDelta, Level
from predsurv.core.ids import InstrumentKey, Side
from predsurv.core.num import Price, Size
from predsurv.state.book import Book
from predsurv.state.ladder import Ladder

INSTRUMENTS_MAX: Final = 10_000
"""Instruments remembered at a time; beyond it the one first taken from is forgotten."""

_Place = tuple[Side, Price]


class ConsumedLiquidity:
    """Sizes taken by instrument, side and price; micros; never more than the level shows."""

    def __init__(self) -> None:
        self._taken: dict[InstrumentKey, dict[_Place, int]] = {}

    def touches(self, key: InstrumentKey) -> bool:
        """Return whether anything taken of this instrument is still remembered."""
        return key in self._taken

    def left(self, book: Book, side: Side) -> Iterator[Level]:
        """Yield the levels of one side, best first, less what we took; skips what is used up."""
        taken = self._taken.get(book.key)
        for price, size in _ladder(book, side).levels():
            free = size - taken.get((side, price), 0) if taken else size
            if free > 0:
                yield price, Size(free)

    def take(self, book: Book, side: Side, price: Price, size: int) -> None:
        """Remember that we took ``size`` at ``price``."""
        shown = _ladder(book, side).size_at(price)
        if not shown:
            return
        places = self._taken.setdefault(book.key, {})
        places[side, price] = min(places.get((side, price), 0) + size, shown)
        if len(self._taken) > INSTRUMENTS_MAX:
            del self._taken[next(iter(self._taken))]

    def changed(self, event: BookDelta) -> None:
        """Follow a level: one that shrank cannot have more taken than it shows, one that is gone nothing."""
        places = self._taken.get(event.key)
        if places is not None:
            _shrink(places, (event.side, event.price), event.size)
            self._tidy(event.key)

    def reset(self, book: Book) -> None:
        """Follow every level to a new snapshot."""
        places = self._taken.get(book.key)
        if places is not None:
            for side, price in tuple(places):
                _shrink(places, (side, price), _ladder(book, side).size_at(price))
            self._tidy(book.key)

    def _tidy(self, key: InstrumentKey) -> None:
        if not self._taken[key]:
            del self._taken[key]


def _ladder(book: Book, side: Side) -> Ladder:
    return book.bids if side == "bid" else book.asks


def _shrink(places: dict[_Place, int], place: _Place, size: Size) -> None:
    taken = min(places.get(place, 0), size)
    if taken:
        places[place] = taken
    else:
        places.pop(place, None)
