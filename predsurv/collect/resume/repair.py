"""Make time whole again after part of the log was damaged.

Kept apart and pure: given what is sealed and what the notes say, it computes which time nobody
accounts for, and which would be accounted for twice. Both become one honest answer: ``crash``.
"""

from collections.abc import Iterable, Mapping
from itertools import pairwise

from msgspec import Struct
from msgspec.structs import replace

from predsurv.core.ids import InstrumentKey
from predsurv.core.records import Coverage

Tile = tuple[InstrumentKey, int, int]
Intervals = Iterable[tuple[InstrumentKey, int, int]]


class CoverageRepair(Struct, frozen=True):
    """``written``: intervals to write down now. ``gaps``: open from where they start."""

    written: list[Coverage]
    gaps: list[Coverage]


def mend(
    tiles: Iterable[Tile], written: Iterable[Coverage], gaps: Iterable[Coverage], ended: Mapping[InstrumentKey, int]
) -> CoverageRepair:
    """Return what is to be written and taken up so that sealed ``tiles`` and it leave no hole nor overlap.

    ``written`` and ``gaps`` are what the notes owe, ``ended`` where accounts ended that are not
    open. Somebody known from tiles only has had no sign of life since: a ``crash`` until now.
    """
    ends, out = _holes(tiles)
    opened = {gap.key: gap for gap in gaps}
    for interval in written:
        end = ends.get(interval.key, interval.start)
        if end < interval.start:
            out.append(_crash(interval.key, end, interval.start))
        if max(interval.start, end) < interval.end:
            out.append(replace(interval, start=max(interval.start, end)))
        ends[interval.key] = max(end, interval.end)
    for key, end in ends.items():
        resumed = opened.get(key)
        since = ended.get(key, end) if resumed is None else resumed.start
        if end < since:
            out.append(_crash(key, end, since))
        if resumed is not None and end > since:
            opened[key] = replace(resumed, start=end, end=end)
        elif resumed is None and (key not in ended or end > since):
            opened[key] = _crash(key, end, end)
    return CoverageRepair(out, list(opened.values()))


def _holes(tiles: Iterable[Tile]) -> tuple[dict[InstrumentKey, int], list[Coverage]]:
    """Return where each instrument's tiles end and what fills the holes between them."""
    spans: dict[InstrumentKey, list[tuple[int, int]]] = {}
    for key, start, end in tiles:
        spans.setdefault(key, []).append((start, end))
    ends: dict[InstrumentKey, int] = {}
    out: list[Coverage] = []
    for key, found in spans.items():
        found.sort()
        out += (_crash(key, before[1], after[0]) for before, after in pairwise(found) if before[1] < after[0])
        ends[key] = max(end for _, end in found)
    return ends, out


def _crash(key: InstrumentKey, start: int, end: int) -> Coverage:
    return Coverage(key, start, end, "gap", "crash", 0)
