"""What we have already taken of each level on show, until the level changes.

Kept apart because public data does not know of paper trades: without this memory the same shares
would be bought again at every update.
"""

from collections.abc import Iterator

from predsurv.core.events import BookDelta, Level
from predsurv.core.ids import InstrumentKey, Side
from predsurv.core.num import Price, Size
from predsurv.state.book import Book

_Place = tuple[Side, Price]


class Liquidity:
    """Sizes taken by (instrument, side, price) with the size the level showed then; micros."""

    def __init__(self) -> None:
        self._taken: dict[InstrumentKey, dict[_Place, tuple[int, int]]] = {}

    def touches(self, key: InstrumentKey) -> bool:
        """Return whether anything taken of this instrument is still remembered."""
        return key in self._taken

    def left(self, book: Book, side: Side) -> Iterator[Level]:
        """Yield the levels of one side, best first, less what we took; skips what is used up."""
        taken = self._taken.get(book.key)
        for price, size in (book.bids if side == "bid" else book.asks).levels():
            free = size - taken.get((side, price), (0, 0))[0] if taken else size
            if free > 0:
                yield price, Size(free)

    def take(self, book: Book, side: Side, price: Price, size: int) -> None:
        """Remember that we took ``size`` at ``price``."""
        places = self._taken.setdefault(book.key, {})
        before = places.get((side, price), (0, 0))[0]
        places[side, price] = (before + size, (book.bids if side == "bid" else book.asks).size_at(price))

    def changed(self, event: BookDelta) -> None:
        """Forget what we took of a level whose size is another now."""
        places = self._taken.get(event.key)
        if places is None:
            return
        taken = places.get((event.side, event.price))
        if taken is not None and taken[1] != event.size:
            del places[event.side, event.price]
            if not places:
                del self._taken[event.key]

    def reset(self, book: Book) -> None:
        """Compare with a new snapshot: only levels of unchanged size stay taken."""
        places = self._taken.pop(book.key, None)
        if places is None:
            return
        kept = {
            (side, price): (size, seen)
            for (side, price), (size, seen) in places.items()
            if (book.bids if side == "bid" else book.asks).size_at(price) == seen
        }
        if kept:
            self._taken[book.key] = kept
