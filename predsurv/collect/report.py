"""What a recording came to, as one record.

Kept apart from the job so that commands, tests and later runs read the same figures.
"""

from collections import Counter
from collections.abc import Mapping

from msgspec import Struct, field

from predsurv.core.events import GapReason
from predsurv.core.ids import VenueName
from predsurv.core.records import Coverage
from predsurv.store.paths import Dataset


class Balance(Struct):
    """Time accounted for, summed over instruments, in ns: with a known book, and without one by reason."""

    covered: int = 0
    gaps: Counter[GapReason] = field(default_factory=Counter)

    def add(self, tile: Coverage) -> None:
        """Count one interval."""
        if tile.reason == "live" or tile.reason == "polled":
            self.covered += tile.end - tile.start
        else:
            self.gaps[tile.reason] += tile.end - tile.start


class VenueReport(Struct, frozen=True, kw_only=True):
    """One venue's share. Times in ns, summed over instruments where named ``*_ns``.

    ``covered_ns``: time in which books were known; ``gap_ns``: wanted time in which they were not,
    by reason. ``failure``: the last thing that went wrong with the feed, None when nothing did.
    """

    venue: VenueName
    instruments: int
    events: int
    orphans: int
    malformed: int
    unknown: int
    dropped: int
    gaps: Mapping[GapReason, int]
    covered_ns: int
    gap_ns: Mapping[GapReason, int]
    lag_p50: int | None
    lag_p99: int | None
    lag_peak: int
    failure: str | None


class CollectReport(Struct, frozen=True, kw_only=True):
    """The whole recording. ``rows`` and ``bytes`` by dataset are of the files sealed; ``duration`` in ns.

    ``recovered``: segments of an earlier run that were sealed at start. ``damaged``: what could not
    be read and was put aside.
    """

    venues: tuple[VenueReport, ...]
    rows: Mapping[Dataset, int]
    bytes: Mapping[Dataset, int]
    seals: int
    recovered: int
    damaged: tuple[str, ...]
    duration: int
