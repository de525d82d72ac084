"""The order book of one instrument, and whether it can be trusted.

A book is untrusted until its first snapshot and after every gap. What it holds is the compiled implementation of
``PythonBookCore`` (``csrc/``) where there was a C compiler at installation.
"""

from typing import TYPE_CHECKING, Protocol

from predsurv.core.events import BookDelta, BookSnapshot, Gap, Level
from predsurv.core.ids import InstrumentKey
from predsurv.core.native import speedups
from predsurv.core.packed_book import PackedBook
from predsurv.state.ladder import LadderView, PythonLadder


class BookView(Protocol):
    """A book for reading: one received from the venue, or one derived from it. Prices and sizes in micros."""

    @property
    def key(self) -> InstrumentKey:
        """The instrument."""
        ...

    @property
    def bids(self) -> LadderView:
        """The bid side, highest price first."""
        ...

    @property
    def asks(self) -> LadderView:
        """The ask side, lowest price first."""
        ...

    @property
    def trusted(self) -> bool:
        """Whether a snapshot was received and no gap since."""
        ...

    @property
    def ts_recv(self) -> int:
        """Receive time of the last event in ns UTC."""
        ...

    @property
    def ts_venue(self) -> int | None:
        """The venue's time of the last event in ns UTC, None when it gave none."""
        ...

    def best_bid(self) -> Level | None:
        """Return the highest bid as (price, size), None when there is no bid."""
        ...

    def best_ask(self) -> Level | None:
        """Return the lowest ask as (price, size), None when there is no ask."""
        ...

    def crossed(self) -> bool:
        """Return whether the best bid is at or above the best ask."""
        ...

    def top(self, count: int) -> tuple[tuple[Level, ...], tuple[Level, ...]]:
        """Return the best ``count`` bids and asks, best first."""
        ...


class PythonBookCore:
    """The contents of a book and how a delta changes them: specification and fallback of the compiled one (``csrc/``).

    ``trusted`` and the ladders are public; the stamps of the last event are read through ``Book``. They are
    copied from the event instead of keeping a reference to it, which would hold every book's last snapshot in memory.
    """

    __slots__ = ("_epoch", "_seq", "_ts_recv", "_ts_venue", "asks", "bids", "key", "trusted")

    def __init__(self, key: InstrumentKey) -> None:
        self.key = key
        self.bids = PythonLadder(descending=True)
        self.asks = PythonLadder(descending=False)
        self.trusted = False
        self._ts_recv = 0
        self._ts_venue: int | None = None
        self._epoch = 0
        self._seq: int | None = None

    def change(self, event: BookDelta) -> bool:
        """Apply a delta; return False, changing nothing, when the book is untrusted."""
        if not self.trusted:
            return False
        ladder = self.bids if event.side == "bid" else self.asks
        ladder.set(event.price, event.size)
        self._ts_recv, self._ts_venue = event.ts_recv, event.ts_venue
        self._epoch, self._seq = event.epoch, event.seq
        return True

    def load(self, packed: PackedBook) -> None:
        """Trust the book, which is what ``packed`` says from here on."""
        for event in packed:
            self.bids.replace(event.bids)
            self.asks.replace(event.asks)
            self.trusted = True
            self._ts_recv, self._ts_venue = event.ts_recv, event.ts_venue
            self._epoch, self._seq = event.epoch, event.seq

    def best_bid(self) -> Level | None:
        """Return the highest bid as (price, size), None when there is no bid."""
        return self.bids.best()

    def best_ask(self) -> Level | None:
        """Return the lowest ask as (price, size), None when there is no ask."""
        return self.asks.best()

    def crossed(self) -> bool:
        """Return whether the best bid is at or above the best ask: a lasting one means a wrong book."""
        bid, ask = self.bids.best(), self.asks.best()
        return bid is not None and ask is not None and bid[0] >= ask[0]

    def known(self) -> bool:
        """Return whether it is what the venue has, as far as can be told: trusted, and not crossed."""
        return self.trusted and not self.crossed()


if TYPE_CHECKING:
    BookCore = PythonBookCore
else:
    BookCore = PythonBookCore if speedups is None else speedups.NativeBookCore


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

    def apply(self, event: BookSnapshot | BookDelta | Gap | PackedBook) -> None:
        """Fold one event in; a delta on an untrusted book is ignored."""
        if type(event) is BookDelta:
            self.change(event)
        elif type(event) is PackedBook:
            self.load(event)
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

    def take_stamps(self, other: "Book") -> None:
        """Take times, epoch and seq of the last event of ``other`` for those of this book."""
        self._ts_recv, self._ts_venue = other.ts_recv, other.ts_venue
        self._epoch, self._seq = other.epoch, other.seq

    def top(self, count: int) -> tuple[tuple[Level, ...], tuple[Level, ...]]:
        """Return the best ``count`` bids and asks, best first."""
        return self.bids.top(count), self.asks.top(count)

    def as_snapshot(self, ts_recv: int) -> BookSnapshot:
        """Return the whole book as a snapshot received at ``ts_recv``; venue time, epoch and seq are the book's."""
        return BookSnapshot(
            self.key,
            ts_recv,
            self.ts_venue,
            self.epoch,
            self.seq,
            self.bids.levels(),
            self.asks.levels(),
        )
