"""Sealed files that are gone: time that was recorded and cannot be read, which is a gap like any other."""

from collections.abc import Collection, Iterable, Iterator
from pathlib import Path
from typing import Final

from msgspec import Struct

from predsurv.core.ids import VenueName
from predsurv.store import manifest
from predsurv.store.layout import Dataset, Layout, parse_file
from predsurv.store.manifest import SealedFile
from predsurv.store.seal.compact import files_being_swapped

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


def _gone(layout: Layout, date: str | None) -> Iterator[MissingFile]:
    for file in manifest.read(layout.manifest, date) if layout.manifest.is_dir() else ():
        if not (layout.data_dir / file.path).exists():
            yield _missing(file)


def _missing(file: SealedFile) -> MissingFile:
    partition, stamp = parse_file(Path(file.path))
    return MissingFile(file.path, partition.dataset, partition.venue, stamp.collector, file.lo, file.hi)
