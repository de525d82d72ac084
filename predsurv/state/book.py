"""The order book of one instrument, and whether it can be believed.

Kept apart because trust is part of the book: a gap makes it untrusted, only a snapshot heals it. Its core is
the compiled twin (``csrc/``) where there was a C compiler at installation.
"""

from typing import TYPE_CHECKING

from predsurv.core.events import BookDelta, BookSnapshot, Gap, Level
from predsurv.core.ids import InstrumentKey
from predsurv.state.compiled import native
from predsurv.state.ladder import PythonLadder


class PythonBookCore:
    """What a book holds, and how a delta is folded in. The compiled twin does the same."""

    __slots__ = ("_epoch", "_seq", "_ts_recv", "_ts_venue", "asks", "bids", "key", "trusted")

    def __init__(self, key: InstrumentKey) -> None:
        self.key = key
        self.bids = PythonLadder(descending=True)
        self.asks = PythonLadder(descending=False)
        self.trusted = False
        # Copied, though a reference to the event would be one store instead of four: it would keep
        # every book's last snapshot in memory, and let go of cold objects at every change.
        self._ts_recv = 0
        self._ts_venue: int | None = None
        self._epoch = 0
        self._seq: int | None = None

    def change(self, event: BookDelta) -> bool:
        """Apply a delta; return False when the book is untrusted and nothing was done."""
        if not self.trusted:
            return False
        price, size = event.price, event.size
        if event.side == "bid":
            ladder = self.bids
            touched = price >= ladder.edge
        else:
            ladder = self.asks
            touched = price <= ladder.edge
        if size:
            ladder[price] = size
        else:
            ladder.pop(price, None)
        if touched:
            ladder.touch(price)
        self._ts_recv = event.ts_recv
        self._ts_venue = event.ts_venue
        self._epoch = event.epoch
        self._seq = event.seq
        return True


if TYPE_CHECKING:
    BookCore = PythonBookCore
else:
    BookCore = PythonBookCore if native is None else native.NativeBookCore


class Book(BookCore):
    """Bids and asks of one instrument, folded from its book events.

    ``trusted`` is False until the first snapshot and after every Gap. Times are those of the last
    event applied; ``epoch`` and ``seq`` its connection generation and venue sequence number.
    """

    __slots__ = ()

    @property
    def ts_recv(self) -> int:
        """Receive time of the last event in ns UTC, 0 before any."""
        return self._ts_recv

    @property
    def ts_venue(self) -> int | None:
        """The venue's time of the last event in ns UTC, None when it gave none."""
        return self._ts_venue

    @property
    def epoch(self) -> int:
        """Connection generation of the last event, 0 before any."""
        return self._epoch

    @property
    def seq(self) -> int | None:
        """The venue's sequence number of the last event, None when it gave none."""
        return self._seq

    def apply(self, event: BookSnapshot | BookDelta | Gap) -> None:
        """Fold one event in; a delta on an untrusted book is ignored."""
        if type(event) is BookDelta:
            self.change(event)
        elif type(event) is BookSnapshot:
            self.bids.replace(event.bids)
            self.asks.replace(event.asks)
            self.trusted = True
            self._ts_recv, self._ts_venue = event.ts_recv, event.ts_venue
            self._epoch, self._seq = event.epoch, event.seq
        else:
            self.trusted = False
            self._ts_recv, self._ts_venue = event.ts_recv, None
            self._epoch, self._seq = event.epoch, None

    def best_bid(self) -> Level | None:
        """Return the highest bid as (price, size), None when nobody bids."""
        return self.bids.best()

    def best_ask(self) -> Level | None:
        """Return the lowest ask as (price, size), None when nobody offers."""
        return self.asks.best()

    def crossed(self) -> bool:
        """Return whether the best bid is at or above the best ask: no venue's book stays so."""
        bid, ask = self.bids.best(), self.asks.best()
        return bid is not None and ask is not None and bid[0] >= ask[0]

    def top(self, count: int) -> tuple[tuple[Level, ...], tuple[Level, ...]]:
        """Return the best ``count`` bids and asks, best first."""
        return self.bids.top(count), self.asks.top(count)

    def as_snapshot(self, ts_recv: int) -> BookSnapshot:
        """Return the whole book as a snapshot received at ``ts_recv``; venue stamps are kept."""
        return BookSnapshot(
            self.key,
            ts_recv,
            self.ts_venue,
            self.epoch,
            self.seq,
            self.bids.levels(),
            self.asks.levels(),
        )
