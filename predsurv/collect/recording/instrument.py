"""State of one recorded instrument, as reducer and sampler share it (in Python and in C, by slot)."""

from predsurv.core.ids import InstrumentKey
from predsurv.state.book import Book


class RecordedInstrument:
    """A book, the snapshot row last written of it, and when the next is due; times in ns UTC.

    ``changed_at`` and ``epoch`` are those of the last event applied to the book. ``shown_at`` is the time
    of the last row, ``bids`` and ``asks`` its packed levels (None: no row, or one of an untrusted book).
    ``told_at``: the time of the last record of the whole book.
    ``due``: when the next row may be written, while ``pending``: the book changed since the last one.
    """

    __slots__ = (
        "asks",
        "bids",
        "book",
        "changed_at",
        "due",
        "epoch",
        "heartbeat_queued",
        "inclusion",
        "pending",
        "recorded",
        "shown_at",
        "told_at",
    )

    def __init__(self, key: InstrumentKey, inclusion: int) -> None:
        self.book = Book(key)
        self.inclusion = inclusion  # probability of having been chosen, micros
        self.recorded = True  # False once it was dropped
        self.bids: bytes | None = None
        self.asks: bytes | None = None
        self.changed_at = 0
        self.epoch = 0
        self.shown_at = 0
        self.told_at = 0
        self.due = 0
        self.pending = False
        self.heartbeat_queued = False
