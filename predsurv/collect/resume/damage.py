"""Repair of coverage after a log segment turned out to be damaged.

A damaged segment takes rows with it. The coverage that describes these rows may be in the segment
itself, in later segments that are intact, in the checkpoint, or still open in the running recorder. A
damaged segment goes through these states:

==========  ======================================  ==========================================================
state       kept in                                 meaning
==========  ======================================  ==========================================================
lost        marker ``state/{collector}.damaged``,   The segment is in quarantine. Covered time since the rows
            with the number of the segment          sealed before it is sealed as ``crash`` from now on
                                                    (``DamageTracker.retraction``).
retracted   memory; the marker still has it         The recorder's open intervals are ``crash`` gaps since then,
                                                    and it asked for new snapshots; intervals that begin later
                                                    are sealed as they are.
correcting  memory; the marker still has it         The segment with these gaps is closed and will be sealed.
corrected   marker, without the number              That segment is sealed: no file has covered time whose rows
                                                    were lost.
cleared     no marker                               A start compared checkpoint, index and sealed coverage, and
                                                    committed ``crash`` gaps for every hole.
==========  ======================================  ==========================================================

A run that ends in ``retracted`` or ``correcting`` leaves the segment ``lost``: the next start finds its
number in the marker and retracts covered time in the checkpoint as well. Every start that finds a
marker, empty or not, does the comparison. Only a start clears the marker, after its first commit.
"""

import asyncio
import logging
from collections.abc import Iterable, Mapping, Sequence
from itertools import pairwise
from typing import Final

from msgspec import Struct

from predsurv.collect.resume.checkpoint import OpenIntervals
from predsurv.collect.resume.coverage_index import CoverageIndex
from predsurv.core.ids import InstrumentKey, VenueName
from predsurv.core.records import Coverage
from predsurv.state.coverage import between, gap, open_gap
from predsurv.store.layout import NS_DAY, Layout
from predsurv.store.retraction import CoverageRetraction, retract
from predsurv.store.seal.coverage_tail import SealedInterval, last_sealed_times, sealed_coverage_ends, sealed_intervals
from predsurv.store.wal import quarantine

_LOG: Final = logging.getLogger(__name__)


class DamageTracker:
    """The segments found damaged during one run, by state. ``retraction`` applies to every interval that is sealed."""

    def __init__(self, layout: Layout, collector: str) -> None:
        self.retraction = CoverageRetraction()
        self._layout = layout
        self._collector = collector
        self._retracted: set[int] = set()  # or correcting
        self._correcting: dict[int, frozenset[int]] = {}  # by the number of the segment with the correction

    def retracted(self, segment: int, watermark: int) -> None:
        """Enter ``retracted``: the recorder made everything it knew up to ``watermark`` (ns UTC) a gap."""
        self._retracted.add(segment)
        self.retraction.close(watermark)

    def to_correct(self) -> frozenset[int]:
        """Return the segments whose correction is in the log by now, if everything recorded was committed."""
        return frozenset(self._retracted)

    def correction_closed(self, segment: int, damaged: frozenset[int]) -> None:
        """Enter ``correcting``: ``segment``, just closed, holds the correction of ``damaged``."""
        if damaged:
            self._correcting[segment] = damaged

    async def segment_sealed(self, segment: int) -> None:
        """Enter ``corrected`` for what was corrected in the segments up to ``segment``.

        When the marker cannot be written the correction counts as part of the segment that is closed next.
        """
        due = [each for each in self._correcting if each <= segment]
        corrected = frozenset[int]().union(*(self._correcting.pop(each) for each in due))
        if not corrected:
            return
        try:
            await asyncio.to_thread(quarantine.mark_retracted, self._layout, self._collector, corrected)
        except OSError as error:
            _LOG.debug("the mark of damage stays as it is: %s", error)
        else:
            self._retracted -= corrected


class StartupRepair:
    """The comparison that clears the marker, for a start that found one listing the segments ``lost``."""

    def __init__(self, layout: Layout, collector: str, lost: Sequence[int]) -> None:
        self._layout = layout
        self._collector = collector
        self._lost = lost
        self._intact_until = last_sealed_times(layout, collector, min(lost)) if lost else {}

    def repaired(self, venue: VenueName, left: OpenIntervals, index: CoverageIndex) -> OpenIntervals:
        """Return ``left``, what the checkpoint says is open, fitted to the sealed coverage of ``venue``.

        An instrument recorded within the last day may have been recorded before that long ago, and the time in
        between been lost: of those the end of earlier coverage is read as well.
        """
        retract_since = self._intact_until.get(venue, 0) if self._lost else left.watermark
        written = retract(left.written, retract_since)
        since = max(0, left.watermark - NS_DAY)
        sealed = list(sealed_intervals(self._layout, self._collector, venue, since))
        keys = {key for key, _, _ in sealed} | {each.key for each in (*written, *left.gaps)}
        keys |= {key for key, ended in index.all_of(venue).items() if ended >= since}
        earlier = sealed_coverage_ends(self._layout, self._collector, venue, since)
        sealed += [SealedInterval(key, end, end) for key, end in earlier.items() if key in keys]
        indexed = {key: end for key, end in index.lookup(keys).items() if end is not None}
        repair = fitted(sealed, written, left.gaps, indexed)
        latest = max((end for _, _, end in sealed), default=0)
        return OpenIntervals(repair.written, repair.gaps, max(left.watermark, latest))

    def clear(self) -> None:
        """Enter ``cleared``, after what ``repaired`` returned was committed; raises OSError."""
        quarantine.clear_marker(self._layout, self._collector)


def find_damage(layout: Layout, collector: str) -> StartupRepair | None:
    """Return the repair that is due after recovery sealed the log, None without a marker."""
    lost = quarantine.damaged_segments(layout, collector)
    return None if lost is None else StartupRepair(layout, collector, lost)


class CoverageRepair(Struct, frozen=True):
    """``written``: intervals to write now. ``gaps``: open from where they start."""

    written: list[Coverage]
    gaps: list[Coverage]


def fitted(
    sealed: Iterable[SealedInterval],
    written: Iterable[Coverage],
    gaps: Iterable[Coverage],
    indexed: Mapping[InstrumentKey, int],
) -> CoverageRepair:
    """Return what to write and to resume so that it tiles time together with the ``sealed`` intervals.

    ``written`` and ``gaps`` are what the checkpoint left open, ``indexed`` where coverage ended that is not
    open. Time that neither accounts for is a ``crash``; time accounted for twice counts as sealed. An
    instrument known from sealed intervals only is a ``crash`` from its last one on.
    """
    ends, out = _holes(sealed)
    opened = {interval.key: interval for interval in gaps}
    for interval in written:
        end = ends.get(interval.key, interval.start)
        if end < interval.start:
            out.append(gap(interval.key, end, interval.start, "crash"))
        if max(interval.start, end) < interval.end:
            out.append(between(interval, max(interval.start, end), interval.end))
        ends[interval.key] = max(end, interval.end)
    for key, end in ends.items():
        resumed = opened.get(key)
        since = indexed.get(key, end) if resumed is None else resumed.start
        if end < since:
            out.append(gap(key, end, since, "crash"))
        if resumed is not None and end > since:
            opened[key] = between(resumed, end, end)
        elif resumed is None and (key not in indexed or end > since):
            opened[key] = open_gap(key, end, "crash")
    return CoverageRepair(out, list(opened.values()))


def _holes(sealed: Iterable[SealedInterval]) -> tuple[dict[InstrumentKey, int], list[Coverage]]:
    """Return where each instrument's sealed intervals end and the gaps that fill the holes between them."""
    spans: dict[InstrumentKey, list[tuple[int, int]]] = {}
    for key, start, end in sealed:
        spans.setdefault(key, []).append((start, end))
    ends: dict[InstrumentKey, int] = {}
    out: list[Coverage] = []
    for key, found in spans.items():
        found.sort()
        out += (gap(key, before[1], after[0], "crash") for before, after in pairwise(found) if before[1] < after[0])
        ends[key] = max(end for _, end in found)
    return ends, out
