"""What an import reads: the parts of one foreign recording, market by market."""

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from types import MappingProxyType
from typing import Final, NamedTuple, Protocol

import polars as pl

from predsurv.core.events import CoverageReason, MarketEvent
from predsurv.core.ids import InstrumentId, MarketId, VenueName

END_OF_TIME: Final = 2**62
"""ns UTC."""

NONE_LEFT_OUT: Final[Mapping[str, int]] = MappingProxyType({})


class MarketRows(NamedTuple):
    """What one part tells of a market: its ``instruments`` there, and its events in the order of their receipt.

    ``question``, ``labels`` (by instrument) and ``event_id``: empty where the files have no names. Events are of
    epoch 1.
    """

    market_id: MarketId
    instruments: tuple[InstrumentId, ...]
    events: Sequence[MarketEvent]
    question: str = ""
    labels: tuple[str, ...] = ()
    event_id: str = ""


class ImportPart(NamedTuple):
    """Files that are read together, such as an hour's or a day's; of their rows those from ``since`` to ``until``."""

    name: str
    files: tuple[Path, ...]
    since: int = 0
    until: int = END_OF_TIME


class ForeignRecording(Protocol):
    """A foreign recording. ``files``: all that are read, none twice.

    ``books``: whether it has books; one without tells of trades only. ``trades``: how it observed them.
    """

    name: str
    venue: VenueName
    files: Sequence[Path]
    books: bool
    trades: CoverageReason

    @property
    def left_out(self) -> Mapping[str, int]:
        """The number of rows so far that were not taken, by the reason."""
        ...

    def parts(self) -> Sequence[ImportPart]:
        """Return the parts in the order of time; raises IntegrityError naming a file of another layout."""
        ...

    def times(self, part: ImportPart) -> pl.Series:
        """Return the times (ns UTC) at which anything was received, ascending, each once."""
        ...

    def markets(self, part: ImportPart) -> Iterator[MarketRows]:
        """Yield the markets of a part; raises IntegrityError naming the file when it is not of this layout."""
        ...


def part_of_each(files: Sequence[Path]) -> list[ImportPart]:
    """Return each file as a part of its own."""
    return [ImportPart(str(path), (path,)) for path in files]
