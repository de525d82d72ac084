"""The book of the second outcome of a binary market, derived from the first outcome's without copying it.

A bid for one outcome at p is an ask of the other at 1 − p.
"""

from predsurv.core.events import Level
from predsurv.core.ids import InstrumentKey
from predsurv.core.num import Price, Size, complement
from predsurv.state.book import BookView
from predsurv.state.ladder import LadderView


class ComplementLadder:
    """``LadderView`` of one side of ``source`` with every price p as 1 − p; follows it as it changes."""

    __slots__ = ("_complemented", "_source", "_source_top")

    def __init__(self, source: LadderView) -> None:
        self._source = source
        self._source_top: tuple[Level, ...] = ()
        self._complemented: tuple[Level, ...] = ()

    def best(self) -> Level | None:
        """Return the best level, or None when the side is empty."""
        best = self._source.best()
        return None if best is None else (complement(best[0]), best[1])

    def top(self, count: int) -> tuple[Level, ...]:
        """Return up to ``count`` levels best first; the same object while none of them changed."""
        levels = self._source.top(count)
        if self._source_top is not levels:
            self._source_top, self._complemented = levels, _complement_all(levels)
        return self._complemented

    def levels(self) -> tuple[Level, ...]:
        """Return every level, best first."""
        return _complement_all(self._source.levels())

    def size_at(self, price: Price) -> Size:
        """Return the size at ``price``, 0 when there is no level."""
        return self._source.size_at(complement(price))

    def depth_until(self, price: Price) -> Size:
        """Return the total size from the best level to ``price``, inclusive."""
        return self._source.depth_until(complement(price))


class ComplementBook:
    """``BookView`` of the other outcome of ``source``: its bids are the source's asks; follows it as it changes."""

    __slots__ = ("asks", "bids", "key", "source")

    def __init__(self, key: InstrumentKey, source: BookView) -> None:
        self.key = key
        self.source = source
        self.bids = ComplementLadder(source.asks)
        self.asks = ComplementLadder(source.bids)

    @property
    def trusted(self) -> bool:
        """Whether the source is trusted."""
        return self.source.trusted

    @property
    def ts_recv(self) -> int:
        """Receive time of the source's last event in ns UTC."""
        return self.source.ts_recv

    @property
    def ts_venue(self) -> int | None:
        """The venue's time of the source's last event in ns UTC, None when it gave none."""
        return self.source.ts_venue

    def best_bid(self) -> Level | None:
        """Return the highest bid as (price, size), None when there is no bid."""
        return self.bids.best()

    def best_ask(self) -> Level | None:
        """Return the lowest ask as (price, size), None when there is no ask."""
        return self.asks.best()

    def crossed(self) -> bool:
        """Return whether the best bid is at or above the best ask."""
        return self.source.crossed()

    def top(self, count: int) -> tuple[tuple[Level, ...], tuple[Level, ...]]:
        """Return the best ``count`` bids and asks, best first."""
        return self.bids.top(count), self.asks.top(count)


def _complement_all(levels: tuple[Level, ...]) -> tuple[Level, ...]:
    return tuple((complement(price), size) for price, size in levels)
