"""Coverage of time whose records were lost, rewritten as gaps before it is sealed.

A coverage record can be in a later segment than the rows it describes: that of an instrument no longer
recorded is written last. So a lost segment affects coverage in segments that are themselves intact.
"""

from collections import deque
from collections.abc import Iterable, Mapping
from typing import Final

from predsurv.core.events import GapReason
from predsurv.core.ids import VenueName
from predsurv.core.records import Coverage
from predsurv.state.coverage import retracted

FOREVER: Final = 2**63 - 1

LOSSES_MAX: Final = 64
"""Lost intervals that are kept; coverage of older ones has been sealed by then."""


class CoverageRetraction:
    """The lost intervals of a collector; sealing passes every coverage record through ``apply``."""

    def __init__(self) -> None:
        self._lost: deque[tuple[Mapping[VenueName, int], int]] = deque(maxlen=LOSSES_MAX)

    def add(self, since: Mapping[VenueName, int], until: int = FOREVER) -> None:
        """Register a lost interval per venue, [``since``, ``until``) in ns UTC; venues not in ``since`` from 0 on."""
        self._lost.append((since, until))

    def close(self, until: int) -> None:
        """End every open lost interval at ``until`` (ns UTC, exclusive)."""
        for number, (since, end) in enumerate(self._lost):
            if end == FOREVER:
                self._lost[number] = since, until

    def apply(self, coverage: Coverage) -> list[Coverage]:
        """Return ``coverage`` split where needed, covered time in a lost interval replaced by ``crash`` gaps."""
        pieces = [coverage]
        for since, until in self._lost:
            pieces = retract(pieces, since.get(coverage.key.venue, 0), until=until)
        return pieces


def retract(
    coverage: Iterable[Coverage], since: int, reason: GapReason = "crash", until: int = FOREVER
) -> list[Coverage]:
    """Return ``coverage`` with covered time in [``since``, ``until``) (ns UTC) replaced by gaps of ``reason``.

    Gaps stay as they are; together the pieces span the same time as before.
    """
    return [piece for each in coverage for piece in retracted(each, since, until, reason)]
