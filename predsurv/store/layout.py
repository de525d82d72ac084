"""Where every file lives, and what a file's path says about it.

Kept apart because the layout is a promise to every other program that reads the data folder.
"""

import re
from collections.abc import Iterable, Iterator
from contextlib import suppress
from datetime import UTC, datetime
from functools import lru_cache
from pathlib import Path
from typing import Final, Literal

from msgspec import Struct

from predsurv.core.errors import ConfigError
from predsurv.core.ids import VenueName
from predsurv.core.text import path_component

Dataset = Literal["snapshots", "deltas", "trades", "coverage", "lifecycle"]

FOLDERS: Final[dict[Dataset, str]] = {
    "snapshots": "orderbook_snapshots",
    "deltas": "book_deltas",
    "trades": "trades",
    "coverage": "coverage",
    "lifecycle": "lifecycle",
}
"""Folder of each dataset under the data folder; the dataset's name starts its files' names."""

HOURLY: Final = frozenset[Dataset]({"snapshots", "deltas", "trades"})
"""Datasets partitioned by hour too; the others by date only."""

NS_SECOND: Final = 1_000_000_000
NS_HOUR: Final = 3_600 * NS_SECOND
NS_DAY: Final = 24 * NS_HOUR

_STAMP = re.compile(
    r"(?P<opened>[0-9]{8}T[0-9]{6}Z)-(?P<collector>.+)-(?P<segment>[0-9]{12})(?:m(?P<merges>[0-9]{1,6}))?\Z"
)
_SEGMENT = re.compile(r"(?P<collector>.+)-(?P<segment>[0-9]{12})\.db\Z")
_DATASET_OF: Final = {folder: dataset for dataset, folder in FOLDERS.items()}


class Partition(Struct, frozen=True, order=True):
    """One Hive partition: ``date`` is YYYY-MM-DD, ``hour`` 0 … 23 or None where there is none."""

    dataset: Dataset
    venue: VenueName
    date: str
    hour: int | None


class FileStamp(Struct, frozen=True):
    """What makes a data file's name unique: when its segment was opened, by whom, its number.

    A file merged of several has the first opening, the last number, and how often it was ``merged``.
    """

    opened: str
    collector: str
    segment: int
    merges: int = 0

    def __str__(self) -> str:
        suffix = f"m{self.merges}" if self.merges else ""
        return f"{self.opened}-{self.collector}-{self.segment:012d}{suffix}"


class Layout(Struct, frozen=True):
    """The folders under one data folder."""

    data_dir: Path

    @property
    def state(self) -> Path:
        """Everything that is not a dataset."""
        return self.data_dir / "state"

    @property
    def wal(self) -> Path:
        """Segments of the write-ahead log."""
        return self.state / "wal"

    @property
    def quarantine(self) -> Path:
        """Damaged segments and torn tails, kept for people to look at."""
        return self.state / "quarantine"

    @property
    def manifest(self) -> Path:
        """One line per sealed file: rows, times, digest."""
        return self.state / "manifest"

    @property
    def uploads(self) -> Path:
        """One line per object that a bucket is known to have."""
        return self.state / "uploads"

    def staging(self, collector: str) -> Path:
        """Files being written by ``collector``; emptied at start."""
        return self.state / "staging" / collector

    def merging(self, collector: str) -> Path:
        """Folders that ``collector`` is about to exchange for those of closed hours, and what it intends."""
        return self.state / "merging" / collector

    @property
    def expired(self) -> Path:
        """Folders taken out of the datasets by retention, on their way out."""
        return self.state / "expired"

    def folder(self, partition: Partition) -> Path:
        """Return the folder of ``partition``."""
        day = self.data_dir / FOLDERS[partition.dataset] / f"venue={path_component(partition.venue)}"
        day /= f"date={partition.date}"
        return day if partition.hour is None else day / f"hour={partition.hour:02d}"

    def file(self, partition: Partition, stamp: FileStamp) -> Path:
        """Return the path of the file that ``stamp`` contributes to ``partition``."""
        return self.folder(partition) / f"{partition.dataset}_{stamp}.parquet"

    def relative(self, path: Path) -> str:
        """Return ``path`` relative to the data folder, as manifests and buckets name a file."""
        return path.relative_to(self.data_dir).as_posix()

    def universe(self, venue: VenueName, date: str) -> Path:
        """Return the path of the universe file of ``venue`` on ``date`` (YYYY-MM-DD)."""
        return self.data_dir / "metadata" / f"venue={path_component(venue)}" / f"date={date}" / "universe.jsonl"


@lru_cache(1 << 10)
def is_date(text: str) -> bool:
    """Return whether ``text`` is a date as partitions are named, YYYY-MM-DD."""
    try:
        return datetime.strptime(text, "%Y-%m-%d").replace(tzinfo=UTC).strftime("%Y-%m-%d") == text
    except ValueError:
        return False


def date_of(ts: int) -> str:
    """Return the UTC date of ``ts`` (ns) as YYYY-MM-DD."""
    return _utc(ts).strftime("%Y-%m-%d")


def stamp_time(ts: int) -> str:
    """Return ``ts`` (ns UTC) as file names show it: YYYYMMDDTHHMMSSZ."""
    return _utc(ts).strftime("%Y%m%dT%H%M%SZ")


def partition_of(dataset: Dataset, venue: VenueName, ts: int) -> Partition:
    """Return the partition that a row of ``dataset`` received at ``ts`` (ns UTC) belongs to."""
    hour = ts // NS_HOUR % 24 if dataset in HOURLY else None
    return Partition(dataset, venue, date_of(ts), hour)


def parse_file(path: Path) -> tuple[Partition, FileStamp]:
    """Return what the path of a data file says; raises ValueError when it is not one of ours."""
    parts = [part.partition("=") for part in path.parts]
    keys = {name: value for name, equals, value in parts if equals}
    folder = next(iter(path.parts[-5 if "hour" in keys else -4 :]), "")
    dataset = _DATASET_OF.get(folder)
    stem = path.name.removesuffix(".parquet")
    match = _STAMP.match(stem.removeprefix(f"{dataset}_"))
    if dataset is None or match is None or {"venue", "date"} - keys.keys():
        raise ValueError(f"not a data file of ours: {path.name[:100]!r}")
    hour = int(keys["hour"]) if "hour" in keys else None
    if not is_date(keys["date"]) or hour not in (None, *range(24)):
        raise ValueError(f"not a day or hour: {path.parent.name[:100]!r}")
    stamp = FileStamp(match["opened"], match["collector"], int(match["segment"]), int(match["merges"] or 0))
    return Partition(dataset, VenueName(keys["venue"]), keys["date"], hour), stamp


def data_files(layout: Layout, dataset: Dataset) -> list[Path]:
    """Return every data file of ``dataset``, of all venues and collectors, in the order of their paths."""
    depth = "*/*/*" if dataset in HOURLY else "*/*"
    return ours((layout.data_dir / FOLDERS[dataset]).glob(f"{depth}/*.parquet"))


def ours(paths: Iterable[Path]) -> list[Path]:
    """Return the data files among ``paths``, sorted; what somebody else put beside them is none of anybody's rows."""
    found = []
    for path in sorted(paths):
        with suppress(ValueError):
            parse_file(path)
            found.append(path)
    return found


def start_of(partition: Partition) -> int:
    """Return when ``partition`` begins, ns UTC."""
    moment = datetime.strptime(partition.date, "%Y-%m-%d").replace(hour=partition.hour or 0, tzinfo=UTC)
    return int(moment.timestamp()) * NS_SECOND


def end_of(partition: Partition) -> int:
    """Return when ``partition`` is over, ns UTC."""
    return start_of(partition) + (NS_HOUR if partition.dataset in HOURLY else NS_DAY)


def day_files(data_dir: Path, dataset: Dataset, venue: VenueName, date: str) -> list[Path]:
    """Return the data files of ``dataset`` for ``venue`` on ``date``, oldest stamp first.

    Empty when nothing was recorded. Each is a whole file: pass the list to any Parquet reader.
    """
    folder = Layout(data_dir).folder(Partition(dataset, venue, date, None))
    return ours(folder.glob("hour=*/*.parquet" if dataset in HOURLY else "*.parquet"))


def segment_name(collector: str, segment: int) -> str:
    """Return the file name of a log segment; raises ConfigError when the collector's id is unsafe."""
    if path_component(collector) != collector:
        raise ConfigError(f"collector.id {collector!r} must be 1-64 of a-z, 0-9, '_' or '-': choose another")
    return f"{collector}-{segment:012d}.db"


def parse_segment(path: Path) -> tuple[str, int]:
    """Return (collector, segment) of a log segment's path; raises ValueError when it is not one."""
    match = _SEGMENT.match(path.name)
    if match is None:
        raise ValueError(f"not a log segment: {path.name[:100]!r}")
    return match["collector"], int(match["segment"])


def segments_of(wal: Path, collector: str) -> Iterator[Path]:
    """Yield the log segments of ``collector`` found in ``wal``, oldest first."""
    for path in sorted(wal.glob("*.db")):
        match = _SEGMENT.match(path.name)
        if match is not None and match["collector"] == collector:
            yield path


def _utc(ts: int) -> datetime:
    return datetime.fromtimestamp(ts // NS_SECOND, UTC)
