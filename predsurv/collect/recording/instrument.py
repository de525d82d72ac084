"""What the recorder holds of each instrument.

Kept apart because folding changes it, showing reads it, and the compiled twin of both does either.
"""

from predsurv.core.ids import InstrumentKey
from predsurv.state.book import Book


class RecordedInstrument:
    """One recorded instrument: its book, what was last written of it, and when it is due again.

    ``changed_at`` and ``epoch`` are those of the last event applied to the book.
    """

    __slots__ = (
        "alive",
        "asks",
        "beating",
        "bids",
        "book",
        "changed_at",
        "due",
        "epoch",
        "inclusion",
        "pending",
        "shown_at",
    )

    def __init__(self, key: InstrumentKey, inclusion: int) -> None:
        self.book = Book(key)
        self.inclusion = inclusion
        self.alive = True
        self.bids: bytes | None = None  # packed levels; None: unknown to whoever reads the rows
        self.asks: bytes | None = None
        self.changed_at = 0
        self.epoch = 0
        self.shown_at = 0
        self.due = 0
        self.pending = False  # changed since it was shown
        self.beating = False  # has an entry among the heartbeats
