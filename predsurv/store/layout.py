"""The paths of all files below the data folder, built and parsed; the layout of the datasets is public."""

import re
from collections.abc import Iterable, Iterator, Sequence
from contextlib import suppress
from datetime import UTC, date, datetime, timedelta
from functools import lru_cache
from itertools import pairwise
from pathlib import Path
from typing import Final, Literal, NamedTuple

from msgspec import Struct

from predsurv.core.errors import ConfigError
from predsurv.core.ids import VenueName
from predsurv.core.text import path_component

Dataset = Literal["snapshots", "deltas", "trades", "coverage", "lifecycle", "rotations"]

FOLDERS: Final[dict[Dataset, str]] = {
    "snapshots": "orderbook_snapshots",
    "deltas": "book_deltas",
    "trades": "trades",
    "coverage": "coverage",
    "lifecycle": "lifecycle",
    "rotations": "rotations",
}
"""Folder of each dataset under the data folder; the dataset's name starts its files' names."""

HOURLY: Final = frozenset[Dataset]({"snapshots", "deltas", "trades"})
"""Datasets partitioned by hour too; the others by date only."""

HOUR_ROLLUPS: Final = "rollups"
"""Folder of what was measured of compacted hours (by ``mine``); derived, so that no manifest lists its files."""

DAY_ROLLUPS: Final = "day_rollups"
"""The same of whole days."""

RUNS: Final = "runs"
"""Folder under the data folder with one folder for each trading run and backtest."""

NS_SECOND: Final = 1_000_000_000
NS_HOUR: Final = 3_600 * NS_SECOND
NS_DAY: Final = 24 * NS_HOUR

_STAMP = re.compile(
    r"(?P<opened>[0-9]{8}T[0-9]{6}Z)-(?P<collector>.+)-(?P<segment>[0-9]{12})(?:m(?P<merges>[0-9]{1,6}))?\Z"
)
_SEGMENT = re.compile(r"(?P<collector>.+)-(?P<segment>[0-9]{12})\.db\Z")
_DAILY_LOG = re.compile(r"(?P<collector>.+)-(?P<date>[0-9]{4}-[0-9]{2}-[0-9]{2})\.jsonl\Z")
_UNIVERSE = re.compile(
    r"metadata/venue=(?P<venue>[a-z0-9_-]{1,64})/date=(?P<date>[0-9]{4}-[0-9]{2}-[0-9]{2})/universe\.jsonl\Z"
)
_DATASET_OF: Final = {folder: dataset for dataset, folder in FOLDERS.items()}


class Partition(Struct, frozen=True, order=True):
    """One Hive partition: ``date`` is YYYY-MM-DD, ``hour`` 0 … 23 or None where there is none."""

    dataset: Dataset
    venue: VenueName
    date: str
    hour: int | None


class FileStamp(Struct, frozen=True):
    """The unique part of a data file's name: when its segment was ``opened``, by which collector, its number.

    A file merged from several has the earliest ``opened`` and the greatest ``segment``; ``merges`` counts
    how often, 0 for a sealed file.
    """

    opened: str
    collector: str
    segment: int
    merges: int = 0

    def __str__(self) -> str:
        suffix = f"m{self.merges}" if self.merges else ""
        return f"{self.opened}-{self.collector}-{self.segment:012d}{suffix}"


class Layout(Struct, frozen=True):
    """The folders and files below one data folder."""

    data_dir: Path

    @property
    def state(self) -> Path:
        """Folder of everything that is not a dataset."""
        return self.data_dir / "state"

    @property
    def wal(self) -> Path:
        """Segments of the write-ahead log."""
        return self.state / "wal"

    @property
    def quarantine(self) -> Path:
        """Damaged segments and torn tails, for manual inspection."""
        return self.state / "quarantine"

    @property
    def manifest(self) -> Path:
        """One line per sealed file: rows, times, digest."""
        return self.state / "manifest"

    @property
    def uploads(self) -> Path:
        """One line per object that the bucket is known to have."""
        return self.state / "uploads"

    def staging(self, collector: str) -> Path:
        """Files that ``collector`` is writing; emptied at start."""
        return self.state / "staging" / collector

    def merging(self, collector: str) -> Path:
        """Drafts of merged partitions of ``collector``, its compaction lock and the intent file of a swap."""
        return self.state / "merging" / collector

    @property
    def expired(self) -> Path:
        """Folders that retention moved out of the datasets, to be deleted."""
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
    """Return whether ``text`` is a valid date of the form YYYY-MM-DD."""
    try:
        return datetime.strptime(text, "%Y-%m-%d").replace(tzinfo=UTC).strftime("%Y-%m-%d") == text
    except ValueError:
        return False


def date_of(ts: int) -> str:
    """Return the UTC date of ``ts`` (ns) as YYYY-MM-DD."""
    return _utc(ts).date().isoformat()  # strftime leaves out the zeros of years before 1000


def day_ranges(days: Sequence[str]) -> str:
    """Return days (YYYY-MM-DD, in order) as people read them, neighbours as ranges: ``2026-11-01..2026-11-07, …``."""
    ranges: list[list[str]] = []
    for before, day in pairwise(["", *days]):
        if before and date.fromisoformat(before) + timedelta(days=1) == date.fromisoformat(day):
            ranges[-1][1:] = [day]
        else:
            ranges.append([day])
    return ", ".join("..".join(each) for each in ranges)


def stamp_time(ts: int) -> str:
    """Return ``ts`` (ns UTC) in the form of file names: YYYYMMDDTHHMMSSZ."""
    return _utc(ts).strftime("%Y%m%dT%H%M%SZ")


def partition_of(dataset: Dataset, venue: VenueName, ts: int) -> Partition:
    """Return the partition that a row of ``dataset`` received at ``ts`` (ns UTC) belongs to."""
    hour = ts // NS_HOUR % 24 if dataset in HOURLY else None
    return Partition(dataset, venue, date_of(ts), hour)


def parse_file(path: Path) -> tuple[Partition, FileStamp]:
    """Return the partition and stamp in the path of a data file; raises ValueError for any other path."""
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


def has_recording(layout: Layout) -> bool:
    """Return whether a collector ran here, or another program left data files."""
    return layout.state.is_dir() or any((layout.data_dir / folder).is_dir() for folder in FOLDERS.values())


def data_files(layout: Layout, dataset: Dataset) -> list[Path]:
    """Return every data file of ``dataset``, of all venues and collectors, in the order of their paths."""
    depth = "*/*/*" if dataset in HOURLY else "*/*"
    return select_data_files((layout.data_dir / FOLDERS[dataset]).glob(f"{depth}/*.parquet"))


def select_data_files(paths: Iterable[Path]) -> list[Path]:
    """Return ``paths`` that match the data-file naming scheme, sorted; all others are ignored."""
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
    """Return when ``partition`` ends, ns UTC, exclusive."""
    return start_of(partition) + (NS_HOUR if partition.dataset in HOURLY else NS_DAY)


def how_to_record(venue: str | None = None) -> str:
    """Return what people do where nothing was recorded, of ``venue`` or at all."""
    made_up = " --mock" if venue == "mock" else ""
    return f"run 'predsurv collect{made_up}' first, or name its configuration with --config"


def day_files(data_dir: Path, dataset: Dataset, venue: VenueName, date: str) -> list[Path]:
    """Return the data files of ``dataset`` for ``venue`` on ``date``, oldest stamp first.

    Empty when nothing was recorded. Every file is complete: pass the list to any Parquet reader.
    """
    folder = Layout(data_dir).folder(Partition(dataset, venue, date, None))
    return select_data_files(folder.glob("hour=*/*.parquet" if dataset in HOURLY else "*.parquet"))


class DailyLog(NamedTuple):
    """A file with one JSON line per object of a day, ``{collector}-{date}.jsonl``: manifests and upload journals."""

    path: Path
    collector: str
    date: str


def daily_log_path(folder: Path, collector: str, date: str) -> Path:
    """Return the path of the daily log of ``collector`` for ``date`` (YYYY-MM-DD) in ``folder``."""
    return folder / f"{collector}-{date}.jsonl"


def daily_logs(folder: Path, collector: str | None = None, date: str | None = None) -> Iterator[DailyLog]:
    """Yield the daily logs in ``folder`` of ``collector`` and ``date``, None for all, sorted by path."""
    for path in sorted(folder.glob("*.jsonl")):
        match = _DAILY_LOG.match(path.name)
        if match is not None and collector in (None, match["collector"]) and date in (None, match["date"]):
            yield DailyLog(path, match["collector"], match["date"])


def universe_date(name: str) -> str | None:
    """Return the date (YYYY-MM-DD) in the path of a universe file relative to the data folder, None for any other."""
    match = _UNIVERSE.match(name)
    return None if match is None else match["date"]


def segment_name(collector: str, segment: int) -> str:
    """Return the file name of a log segment; raises ConfigError when ``collector`` is not a safe file name."""
    if path_component(collector) != collector:
        raise ConfigError(f"collector.id {collector!r} must be 1-64 of a-z, 0-9, '_' or '-': choose another")
    return f"{collector}-{segment:012d}.db"


def parse_segment(path: Path) -> tuple[str, int]:
    """Return the collector and number in the path of a log segment; raises ValueError for any other path."""
    match = _SEGMENT.match(path.name)
    if match is None:
        raise ValueError(f"not a log segment: {path.name[:100]!r}")
    return match["collector"], int(match["segment"])


def segments_of(wal: Path, collector: str) -> Iterator[Path]:
    """Yield the paths of the log segments of ``collector`` in the folder ``wal``, oldest first."""
    for path in sorted(wal.glob("*.db")):
        match = _SEGMENT.match(path.name)
        if match is not None and match["collector"] == collector:
            yield path


def utc_text(ts: int) -> str:
    """Return a time (ns UTC) to the microsecond, such as ``2027-01-15 12:00:00.000001+00:00``."""
    return str(_utc(ts) + timedelta(microseconds=ts % NS_SECOND // 1_000))


def _utc(ts: int) -> datetime:
    return datetime.fromtimestamp(ts // NS_SECOND, UTC)
