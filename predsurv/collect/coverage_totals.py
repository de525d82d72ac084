"""How much of the wanted time was seen, summed up while it passes.

Kept apart from coverage itself because a sum is all that a summary needs.
"""

from collections import Counter

from msgspec import Struct, field

from predsurv.core.events import GapReason
from predsurv.core.records import Coverage


class CoverageTotals(Struct):
    """Time accounted for, summed over instruments, in ns: with a known book, and without one by reason."""

    covered: int = 0
    gaps: Counter[GapReason] = field(default_factory=Counter)

    def add(self, tile: Coverage) -> None:
        """Count one interval."""
        if tile.reason == "live" or tile.reason == "polled":
            self.covered += tile.end - tile.start
        else:
            self.gaps[tile.reason] += tile.end - tile.start
