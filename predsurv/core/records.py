"""Records derived by the recorder (book tops, coverage) and the union of all that the write-ahead log holds."""

from collections.abc import Sequence
from itertools import chain
from struct import pack
from typing import Literal

from msgspec import Struct

from predsurv.core.events import (
    BookDelta,
    BookSnapshot,
    CoverageReason,
    Level,
    MarketChange,
    MarketResolved,
    Trade,
    VenuePhase,
)
from predsurv.core.ids import InstrumentKey

CoverageState = Literal["covered", "gap"]

ChoiceReason = Literal["pinned", "everything", "exploited", "new", "swept", "drawn", "opened"]
"""Why an instrument has a place."""

LeaveReason = Literal["outranked", "turn_over", "untradable", "displaced"]
"""Why it has none any more."""


class BookTop(Struct, frozen=True, array_like=True, gc=False, tag="top"):
    """The best K levels of a book at ``ts_recv``, packed as by ``pack_levels``; ``trusted`` as the book was then.

    Packed because there is one for every other message and none is read before it is on disk: tuples of levels
    cost more than all other records together.
    """

    key: InstrumentKey
    ts_recv: int
    ts_venue: int | None
    bids: bytes
    asks: bytes
    trusted: bool


def pack_levels(levels: Sequence[Level]) -> bytes:
    """Return levels as native 64-bit integers: price and size in turn. Raises struct.error for a larger number."""
    return pack(f"{2 * len(levels)}q", *chain.from_iterable(levels))


class Coverage(Struct, frozen=True, array_like=True, gc=False, tag="coverage"):
    """Whether an instrument's book was recorded from ``start`` to ``end`` (ns UTC, end exclusive), and why (not).

    ``inclusion``: probability (micros) with which rotation chose the instrument for this time, 0 where it did not and
    the instrument is recorded until those that replace it are there. ``trades`` and
    ``lifecycle``: how these channels were observed in covered time, and in gaps of a feed without books
    (``not_offered``), or why not; None in other gaps and in records of versions that did not tell channels apart.
    """

    key: InstrumentKey
    start: int
    end: int
    state: CoverageState
    reason: CoverageReason
    epoch: int
    inclusion: int = 1_000_000
    trades: CoverageReason | None = None
    lifecycle: CoverageReason | None = None


class RotationChoice(Struct, frozen=True, array_like=True, gc=False, tag="rotation"):
    """What rotation decided of an instrument at ``ts_recv`` (ns UTC), in ``period`` of the run that ``seed`` names.

    ``inclusion``: the probability (micros) with which it was chosen for the period, 0 where it has no place any more.
    ``interest`` (micros) by which it was ranked, None where it was not. ``drawn`` of ``pool`` instruments were drawn in
    this period; 0 where nothing was.
    """

    key: InstrumentKey
    ts_recv: int
    period: int
    reason: ChoiceReason | LeaveReason
    inclusion: int
    interest: int | None
    seed: int
    pool: int
    drawn: int


Record = (
    BookSnapshot | BookDelta | Trade | MarketChange | MarketResolved | BookTop | Coverage | VenuePhase | RotationChoice
)
"""One entry of the write-ahead log."""
