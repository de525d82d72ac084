"""What an import reads: the files of one foreign recording, market by market."""

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple, Protocol

import polars as pl

from predsurv.core.events import MarketEvent
from predsurv.core.ids import InstrumentId, MarketId, VenueName


class MarketRows(NamedTuple):
    """What one file tells of a market: its ``instruments`` there, and its events in the order of their receipt.

    ``question`` and ``labels`` (by instrument): empty where the file has no names. Events are of epoch 1.
    """

    market_id: MarketId
    instruments: tuple[InstrumentId, ...]
    events: Sequence[MarketEvent]
    question: str = ""
    labels: tuple[str, ...] = ()


class ForeignRecording(Protocol):
    """A foreign recording: its ``files`` in the order of time, each read by itself."""

    name: str
    venue: VenueName
    files: Sequence[Path]

    def times(self, file: Path) -> pl.Series:
        """Return the times (ns UTC) at which anything was received, ascending, each once."""
        ...

    def markets(self, file: Path) -> Iterator[MarketRows]:
        """Yield the markets of a file; raises IntegrityError naming the file when it is not of this layout."""
        ...
