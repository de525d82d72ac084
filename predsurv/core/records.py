"""What the recorder writes that no venue sent: book tops and coverage.

Kept apart from events because these are derived by us; with the market events they form the one
union that the write-ahead log holds and sealing turns into datasets.
"""

from typing import Literal

from msgspec import Struct

from predsurv.core.events import (
    BookDelta,
    BookSnapshot,
    GapReason,
    Level,
    MarketChange,
    MarketResolved,
    Trade,
)
from predsurv.core.ids import InstrumentKey

CoverageState = Literal["covered", "gap"]
CoverageReason = Literal["live", "polled"] | GapReason


class BookTop(Struct, frozen=True, array_like=True, gc=False, tag="top"):
    """The best K levels of a book at ``ts_recv``; ``trusted`` as the book was then."""

    key: InstrumentKey
    ts_recv: int
    ts_venue: int | None
    bids: tuple[Level, ...]
    asks: tuple[Level, ...]
    trusted: bool


class Coverage(Struct, frozen=True, array_like=True, gc=False, tag="coverage"):
    """What is known of an instrument from ``start`` to ``end`` (ns UTC, end exclusive).

    ``inclusion``: probability (micros) with which rotation chose the instrument for this time.
    """

    key: InstrumentKey
    start: int
    end: int
    state: CoverageState
    reason: CoverageReason
    epoch: int
    inclusion: int = 1_000_000


Record = BookSnapshot | BookDelta | Trade | MarketChange | MarketResolved | BookTop | Coverage
"""One entry of the write-ahead log."""
