"""A book seen from the other outcome, without copying it.

Kept apart from finding books because it is a lens: every question is asked of the real book and
only the answer is turned around.
"""

from predsurv.core.events import Level
from predsurv.core.ids import InstrumentKey
from predsurv.core.num import Price, Size, complement
from predsurv.core.records import pack_levels
from predsurv.state.book import Book
from predsurv.state.ladder import Ladder


class ComplementLadder(Ladder):
    """One side of ``source`` at 1 − price: its bids are the other outcome's asks. Not to be written to."""

    __slots__ = ("_source", "_turned")

    def __init__(self, source: Ladder, *, descending: bool) -> None:
        super().__init__(descending=descending)
        self._source = source
        self._turned: tuple[tuple[Level, ...], tuple[Level, ...]] = ((), ())

    def __len__(self) -> int:
        return len(self._source)

    def best(self) -> Level | None:
        """Return the best level, or None when the side is empty."""
        best = self._source.best()
        return None if best is None else (complement(best[0]), best[1])

    def top(self, count: int) -> tuple[Level, ...]:
        """Return up to ``count`` levels best first; the same object while none of them changed."""
        levels = self._source.top(count)
        if self._turned[0] is not levels:
            self._turned = (levels, _turn(levels))
        return self._turned[1]

    def packed(self, count: int) -> bytes:
        """Return ``top`` as ``core.records.pack_levels`` does."""
        return pack_levels(self.top(count))

    def levels(self) -> tuple[Level, ...]:
        """Return every level, best first."""
        return _turn(self._source.levels())

    def size_at(self, price: Price) -> Size:
        """Return the size at ``price``, 0 when there is no level."""
        return self._source.size_at(complement(price))

    def depth_until(self, price: Price) -> Size:
        """Return the total size from the best level to ``price``, inclusive."""
        return self._source.depth_until(complement(price))


class ComplementBook(Book):
    """``source`` seen from the other outcome; follows it as it changes. Not to be written to."""

    __slots__ = ("source",)

    def __init__(self, key: InstrumentKey, source: Book) -> None:
        super().__init__(key)
        self.source = source
        self.trusted = True
        self.bids = ComplementLadder(source.asks, descending=True)
        self.asks = ComplementLadder(source.bids, descending=False)

    @property
    def ts_recv(self) -> int:
        """Receive time of the last event in ns UTC."""
        return self.source.ts_recv

    @property
    def ts_venue(self) -> int | None:
        """The venue's time of the last event in ns UTC, None when it gave none."""
        return self.source.ts_venue

    @property
    def epoch(self) -> int:
        """Connection generation of the last event."""
        return self.source.epoch

    @property
    def seq(self) -> int | None:
        """The venue's sequence number of the last event, None when it gave none."""
        return self.source.seq


def _turn(levels: tuple[Level, ...]) -> tuple[Level, ...]:
    return tuple((complement(price), size) for price, size in levels)
