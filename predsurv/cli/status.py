"""``predsurv status`` and ``predsurv verify``: what was recorded, and whether it is whole.

Kept apart from the collector because both only read, also while it runs.
"""

from collections.abc import Callable, Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import Any, Final

import polars as pl
import pyarrow.parquet as pq

from predsurv.cli.options import ConfigFile, Mock, OutputFormat, mock_flag
from predsurv.cli.render import Column, Table, Value, show
from predsurv.config import load
from predsurv.core.errors import ConfigError, IntegrityError
from predsurv.core.ids import VenueName
from predsurv.core.text import path_component
from predsurv.store import manifest
from predsurv.store.paths import FOLDERS, Dataset, Layout, parse_file, parse_segment

FINDINGS_SHOWN_MAX: Final = 50
BATCH_ROWS: Final = 65_536

_COVERAGE: Final = (
    Column("venue", "Venue", keep=9),
    Column("state", "State", keep=6),
    Column("reason", "Reason", keep=9),
    Column("instruments", "Instruments", "int", keep=5),
    Column("seconds", "Time", "duration", "sum", keep=8),
    Column("share", "Share", "bar", places=4, keep=9),
    Column("first", "From", "time", "UTC", keep=3),
    Column("last", "To", "time", "UTC", keep=4),
)
_STORED: Final = (
    Column("dataset", "Dataset", keep=9),
    Column("venue", "Venue", keep=8),
    Column("files", "Files", "int", keep=6),
    Column("rows", "Rows", "int", keep=8),
    Column("bytes", "Size", "bytes", keep=8),
    Column("last", "Latest row", "time", "UTC", keep=7),
)
_LOGS: Final = (
    Column("collector", "Collector", keep=9),
    Column("segments", "Log segments", "int", keep=8),
    Column("bytes", "Size", "bytes", keep=7),
    Column("last_seal", "Last seal", "time", "UTC", keep=9),
    Column("quarantined", "In quarantine", "int", "files", keep=6),
)
_FINDINGS: Final = (Column("check", "Check", keep=9), Column("where", "Where", keep=8), Column("what", "What", keep=9))


def status(*, config: ConfigFile = None, mock: Mock = False, format: OutputFormat = "table") -> None:
    """Show how much of the wanted time was recorded, and what is on disk."""
    data_dir = load(config, flags=mock_flag(mock)).config.data_dir
    layout = Layout(data_dir)
    if not layout.state.is_dir():
        raise ConfigError(f"nothing was recorded in {data_dir}; run 'predsurv collect' first")
    show([coverage_table(data_dir), stored_table(layout), log_table(layout)], format)


def verify(*, config: ConfigFile = None, mock: Mock = False, format: OutputFormat = "table") -> None:
    """Check every recorded file against its checksums, its manifest, and the promise that time is tiled."""
    data_dir = load(config, flags=mock_flag(mock)).config.data_dir
    layout = Layout(data_dir)
    if not layout.state.is_dir():
        raise ConfigError(f"nothing was recorded in {data_dir}; run 'predsurv collect' first")
    findings = [*check_files(layout), *check_tiling(data_dir)]
    files = sum(1 for _ in _data_files(layout))
    shown: list[Sequence[Value]] = [list(each) for each in findings[:FINDINGS_SHOWN_MAX]]
    note = f"{len(findings) - len(shown):,} more findings" if len(findings) > len(shown) else ""
    whole = f"all {files:,} files are whole, match the manifest, and tile the wanted time"
    show(Table("findings", "Verification", _FINDINGS, shown, note, empty=whole), format)
    if findings:
        raise IntegrityError(f"{len(findings):,} findings in {files:,} files; keep the data and look at each")


def coverage_table(data_dir: Path) -> Table:
    """Return recorded time by venue and reason, observed time first."""
    frame = coverage_of(data_dir)
    rows: list[Sequence[Value]] = []
    if frame is not None:
        length = (pl.col("end") - pl.col("start")).dt.total_nanoseconds()
        grouped = frame.group_by("venue", "state", "reason").agg(
            pl.col("instrument_id").n_unique().alias("instruments"),
            length.sum().alias("ns"),
            pl.col("start").min().dt.epoch("ns").alias("first"),
            pl.col("end").max().dt.epoch("ns").alias("last"),
        )
        total = pl.col("ns").sum().over("venue")
        ordered = grouped.with_columns((pl.col("ns") / total).alias("share")).sort(
            "venue", "state", "ns", descending=[False, False, True]
        )
        rows = [
            (
                row["venue"],
                row["state"],
                row["reason"],
                row["instruments"],
                row["ns"],
                row["share"],
                row["first"],
                row["last"],
            )
            for row in ordered.collect().iter_rows(named=True)
        ]
    note = "time summed over instruments; rotated_out is time in which other instruments had the place"
    return Table("coverage", "Wanted time", _COVERAGE, rows, note if rows else "", empty="no time is accounted for yet")


def stored_table(layout: Layout) -> Table:
    """Return files, rows and bytes by dataset and venue, as the manifests say."""
    totals: dict[tuple[Dataset, str], list[int]] = {}
    for file in manifest.read(layout.manifest) if layout.manifest.is_dir() else ():
        partition, _ = parse_file(Path(file.path))
        total = totals.setdefault((partition.dataset, partition.venue), [0, 0, 0, 0])
        total[:] = total[0] + 1, total[1] + file.rows, total[2] + file.bytes, max(total[3], file.hi)
    order = list(FOLDERS)
    rows: list[Sequence[Value]] = [
        (FOLDERS[dataset], venue, *totals[dataset, venue])
        for dataset, venue in sorted(totals, key=lambda key: (key[1], order.index(key[0])))
    ]
    return Table("stored", "On disk", _STORED, rows, empty="no file was sealed yet")


def log_table(layout: Layout) -> Table:
    """Return one row per collector: what waits in its log and when it last sealed."""
    collectors = {path.name.removesuffix(".lock") for path in layout.state.glob("*.lock")}
    segments = [(parse_segment(path)[0], path) for path in layout.wal.glob("*.db")]
    quarantined = sum(1 for _ in layout.quarantine.glob("*")) if layout.quarantine.is_dir() else 0
    rows: list[Sequence[Value]] = []
    for name in sorted(collectors):
        own = [path for collector, path in segments if collector == name]
        size = sum(file.stat().st_size for path in own for file in layout.wal.glob(path.name + "*"))
        seals = [path.stat().st_mtime_ns for path in layout.manifest.glob(f"{name}-*.jsonl")]
        rows.append((name, len(own), size, max(seals, default=None), quarantined))
    return Table("log", "Log", _LOGS, rows, empty="no collector ran here")


def covered_seconds(data_dir: Path, venue: VenueName, date: str) -> float:
    """Return the observed time of ``venue`` on ``date``, summed over instruments, in seconds."""
    frame = coverage_of(data_dir, f"venue={path_component(venue)}/date={date}")
    if frame is None:
        return 0.0
    covered = frame.filter(pl.col("state") == "covered")
    length = (pl.col("end") - pl.col("start")).dt.total_nanoseconds().sum()
    return float(covered.select(length).collect().item() or 0) / 1e9


def coverage_of(data_dir: Path, partition: str = "*/*") -> pl.LazyFrame | None:
    """Return all coverage rows with ``venue`` and ``path``, None when there are none."""
    root = data_dir / FOLDERS["coverage"]
    if next(root.glob(f"{partition}/*.parquet"), None) is None:
        return None
    return pl.scan_parquet(
        f"{root}/{partition}/*.parquet", hive_partitioning=True, include_file_paths="path", glob=True
    )


def check_files(layout: Layout) -> Iterator[tuple[str, str, str]]:
    """Yield (check, where, what) for each file that is missing, strange, changed or unreadable."""
    listed = {file.path: file for file in manifest.read(layout.manifest)} if layout.manifest.is_dir() else {}
    for name, sealed in listed.items():
        path = layout.data_dir / name
        if not path.is_file():
            yield "manifest", name, "the file is gone"
        elif path.stat().st_size != sealed.bytes or manifest.digest(path) != sealed.blake2b:
            yield "digest", name, "the content is not what was sealed"
        else:
            yield from _finding("pages", name, partial(_read_through, path, sealed.rows))
    unsealed = {parse_segment(path) for path in layout.wal.glob("*.db")}
    for path in _data_files(layout):
        name = path.relative_to(layout.data_dir).as_posix()
        if name not in listed:
            yield from _finding("manifest", name, partial(_expect_listed, path, unsealed))


def check_tiling(data_dir: Path) -> Iterator[tuple[str, str, str]]:
    """Yield (check, where, what) for each instrument whose coverage has a hole or an overlap.

    Each collector accounts for its own time: two of them may record the same instrument.
    """
    frame = coverage_of(data_dir)
    if frame is None:
        return
    owner = ["venue", "collector", "instrument_id"]
    ordered = frame.with_columns(pl.col("path").str.extract(r"Z-(.+)-[0-9]{12}\.parquet$").alias("collector"))
    broken = (
        ordered.sort(*owner, "start", "end")
        .with_columns(pl.col("end").shift(1).over(owner).alias("before"))
        .filter(pl.col("before").is_not_null() & (pl.col("before") != pl.col("start")))
    )
    for row in broken.select(*owner, "before", "start").collect().iter_rows(named=True):
        kind = "hole" if row["before"] < row["start"] else "overlap"
        yield "tiling", f"{row['venue']}:{row['instrument_id']}", f"{kind} from {row['before']} to {row['start']}"


def _finding(check: str, where: str, test: Callable[[], None]) -> Iterator[tuple[str, str, str]]:
    try:
        test()
    except (OSError, ValueError, IntegrityError) as error:  # pyarrow's own errors are among these
        yield check, where, str(error)


def _read_through(path: Path, rows: int) -> None:
    file: Any = pq.ParquetFile(path, page_checksum_verification=True)
    count = sum(batch.num_rows for batch in file.iter_batches(batch_size=BATCH_ROWS))
    if count != rows:
        raise ValueError(f"{count} rows, {rows} were sealed")


def _expect_listed(path: Path, unsealed: set[tuple[str, int]]) -> None:
    _, stamp = parse_file(path)
    if (stamp.collector, stamp.segment) not in unsealed:  # else its manifest line is about to be written
        raise ValueError("no manifest knows this file")


def _data_files(layout: Layout) -> Iterator[Path]:
    for folder in FOLDERS.values():
        yield from sorted((layout.data_dir / folder).rglob("*.parquet"))
