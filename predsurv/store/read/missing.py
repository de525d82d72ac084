"""Sealed files that are gone: time that was recorded and cannot be read, which is a gap like any other."""

from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator, Sequence
from pathlib import Path
from typing import Final, NamedTuple

from msgspec import Struct

from predsurv.core.ids import VenueName
from predsurv.store import manifest
from predsurv.store.layout import Dataset, Layout, parse_file
from predsurv.store.manifest import SealedFile
from predsurv.store.seal.compact import files_being_swapped

LOST: Final = "file_missing"
"""The reason of time whose rows were sealed and are gone."""

_ALL: Final[tuple[Dataset, ...]] = ("snapshots", "deltas", "trades", "coverage", "lifecycle")


class MissingFile(Struct, frozen=True):
    """A file that the manifest lists and that is not there; ``path`` is relative to the data folder.

    Its rows were of ``collector``, of the times from ``lo`` to ``hi`` (ns UTC, inclusive). Which instruments they were
    of is not known: all that the collector recorded then may be concerned.
    """

    path: str
    dataset: Dataset
    venue: VenueName
    collector: str
    lo: int
    hi: int


class LostWindow(NamedTuple):
    """The time from ``start`` to before ``end`` (ns UTC; None: without bound), and whether files of it are gone."""

    start: int | None
    end: int | None
    lost: bool


LostWindows = dict[tuple[VenueName, str], Sequence[LostWindow]]
"""All time, divided into lost time and the time between, by venue and collector; who lost nothing is not in it."""


def lost_windows(gone: Iterable[MissingFile], datasets: Collection[Dataset]) -> LostWindows:
    """Return which time is lost because of those of the ``gone`` files that are of ``datasets``."""
    times: defaultdict[tuple[VenueName, str], list[tuple[int, int]]] = defaultdict(list)  # of (start, end), merged
    for file in sorted((each for each in gone if each.dataset in datasets), key=lambda each: each.lo):
        spans, start, end = times[file.venue, file.collector], file.lo, file.hi + 1
        if spans and start <= spans[-1][1]:
            start, last = spans.pop()
            end = max(last, end)
        spans.append((start, end))
    return {owner: _windows(spans) for owner, spans in times.items()}


def missing_files(
    layout: Layout,
    venue: VenueName | None = None,
    dates: Iterable[str] | None = None,
    datasets: Collection[Dataset] = _ALL,
) -> list[MissingFile]:
    """Return the files of ``venue``, of ``dates`` (YYYY-MM-DD), None for all, that are gone, sorted by time.

    Safe beside a running collector: a file that is being merged or was removed by retention is not missing.
    """
    days = [None] if dates is None else list(dates)
    gone = [each for day in days for each in _gone(layout, day) if venue in (None, each.venue)]
    gone = [each for each in gone if each.dataset in datasets]
    if gone:  # unless it was merged or removed since the manifest was read
        swapped = files_being_swapped(layout)
        still = {each.path for day in days for each in _gone(layout, day)}
        gone = [each for each in gone if each.path in still and each.path not in swapped]
    return sorted(gone, key=lambda each: (each.lo, each.path))


def _windows(spans: Sequence[tuple[int, int]]) -> list[LostWindow]:
    """Return all time, divided where the ``spans`` of lost time (sorted, apart) begin and end."""
    ends = [None, *(end for _, end in spans)]
    starts = [*(start for start, _ in spans), None]
    between = [LostWindow(lo, hi, lost=False) for lo, hi in zip(ends, starts, strict=True)]
    return between + [LostWindow(lo, hi, lost=True) for lo, hi in spans]


def _gone(layout: Layout, date: str | None) -> Iterator[MissingFile]:
    for file in manifest.read(layout.manifest, date) if layout.manifest.is_dir() else ():
        if not (layout.data_dir / file.path).exists():
            yield _missing(file)


def _missing(file: SealedFile) -> MissingFile:
    partition, stamp = parse_file(Path(file.path))
    return MissingFile(file.path, partition.dataset, partition.venue, stamp.collector, file.lo, file.hi)
