"""``predsurv status`` and ``predsurv verify``: what was recorded, and whether it is whole."""

from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Annotated, Final, NamedTuple

import polars as pl
import typer
from msgspec import structs

from predsurv.cli.commands.bucket import bucket_table, fetch_first
from predsurv.cli.commands.verify_remote import verify_remote
from predsurv.cli.options import ConfigFile, Mock, OutputFormat, mock_flag
from predsurv.cli.output.columns import TEXT_CHARS_MAX
from predsurv.cli.output.render import Column, Table, Value, show
from predsurv.config import load
from predsurv.core.errors import ConfigError, IntegrityError
from predsurv.core.events import VenuePhase
from predsurv.core.ids import InstrumentId, InstrumentKey, MarketId, VenueName
from predsurv.mine.inputs import scan
from predsurv.mine.lost_time import PATH, LostTime, with_collector
from predsurv.store import manifest
from predsurv.store.layout import (
    FOLDERS,
    HOURLY,
    NS_DAY,
    Dataset,
    Layout,
    Partition,
    data_files,
    date_of,
    has_recording,
    parse_file,
    parse_segment,
    select_data_files,
    start_of,
)
from predsurv.store.lifecycle import WHOLE_VENUE, LifecycleRow, to_event
from predsurv.store.read.facts import FactsQuery, count_unlisted, listed_markets
from predsurv.store.read.missing import missing_files
from predsurv.store.read.verify import verify_recording
from predsurv.store.read.verify_digests import retry_if_replaced, split_damaged
from predsurv.store.remote.download import DownloadRequest

FINDINGS_SHOWN_MAX: Final = 50
HOURS_SHOWN_MAX: Final = 24 * 366

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
_LISTINGS: Final = (
    Column("venue", "Venue", keep=9),
    Column("date", "Day", keep=5),
    Column("recorded", "Instruments", "int", "recorded", keep=8),
    Column("unlisted", "Without listing", "int", keep=7),
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
_FINDINGS: Final = (
    Column("check", "Check", keep=9),
    Column("where", "Where", keep=8, width_max=TEXT_CHARS_MAX),
    Column("what", "What", keep=9),
)


_HOURS: Final = (
    Column("venue", "Venue", keep=9),
    Column("hour", "Hour", "time", "UTC", keep=9),
    Column("state", "State", keep=7),
    Column("reason", "Reason", keep=9),
    Column("instruments", "Instruments", "int", keep=5),
    Column("seconds", "Time", "duration", "sum", keep=8),
    Column("share", "Share", "bar", places=4, keep=9),
)
_PHASES: Final = (
    Column("venue", "Venue", keep=9),
    Column("phase", "Accepts", keep=9),
    Column("since", "Since", "time", "UTC", keep=8),
    Column("resumes", "Resumes", "time", "UTC", keep=7),
)
UNACCOUNTED: Final = "no coverage is there, so nothing tells which time was observed: see 'predsurv verify'"
PHASES_NOTE: Final = "as recorded last; 'predsurv doctor' asks the venue"
PHASE_DAYS_MAX: Final = 8
"""Recorded days that are searched for what a venue said last; the planned pauses are weekly."""
Hours = Annotated[
    int, typer.Option("--hours", min=0, max=HOURS_SHOWN_MAX, help="Also show the last so many hours, one by one.")
]
Deep = Annotated[
    bool, typer.Option("--deep", help="Also fold every hour's changes into books and compare them with the snapshots.")
]
Remote = Annotated[
    bool,
    typer.Option("--remote", help="Compare the bucket with what was uploaded to it instead; downloads no data."),
]


@dataclass(slots=True)
class _Stored:
    """Sums over files; ``rows`` and ``last`` (ns UTC) are None once a file is in no manifest, as ``unknown`` counts."""

    files: int = 0
    bytes: int = 0
    rows: int | None = 0
    last: int | None = 0
    unknown: int = 0

    def add(self, size: int, rows: int | None, last: int | None) -> None:
        """Count one file."""
        self.files, self.bytes = self.files + 1, self.bytes + size
        self.rows = None if rows is None or self.rows is None else self.rows + rows
        self.last = None if last is None or self.last is None else max(self.last, last)
        self.unknown += rows is None


class _RecordedDay(NamedTuple):
    venue: VenueName
    start: int
    keys: Sequence[InstrumentKey]


def status(*, hours: Hours = 0, config: ConfigFile = None, mock: Mock = False, format: OutputFormat = "table") -> None:
    """Show how much of the wanted time was recorded, and what is on disk."""
    settings = load(config, flags=mock_flag(mock)).config
    fetch_first(settings, DownloadRequest(datasets=("coverage", "lifecycle")))
    fetch_first(settings, DownloadRequest(dates=(), datasets=(), universe=True))  # the newest
    data_dir = settings.data_dir
    layout = Layout(data_dir)
    if not has_recording(layout):
        raise ConfigError(f"nothing was recorded in {data_dir}; run 'predsurv collect' first")
    tables = retry_if_replaced(partial(coverage_tables, data_dir, hours))
    tables += [stored_table(layout), log_table(layout)]
    if (phases := phase_table(layout)).rows:
        tables.append(phases)
    if (there := bucket_table(settings)) is not None:
        tables.append(there)
    show(tables, format)


def verify(
    *,
    deep: Deep = False,
    remote: Remote = False,
    config: ConfigFile = None,
    mock: Mock = False,
    format: OutputFormat = "table",
) -> None:
    """Check every recorded file against its checksums, its manifest, its order, and the promise that time is tiled."""
    settings = load(config, flags=mock_flag(mock)).config
    if remote:
        verify_remote(settings, format)
        return
    fetch_first(settings, DownloadRequest())
    data_dir = settings.data_dir
    layout = Layout(data_dir)
    if not has_recording(layout):
        raise ConfigError(f"nothing was recorded in {data_dir}; run 'predsurv collect' first")
    report = verify_recording(layout, deep=deep)
    findings, files = report.findings, report.files
    shown: list[Sequence[Value]] = [list(each) for each in findings[:FINDINGS_SHOWN_MAX]]
    note = f"{len(findings) - len(shown):,} more findings" if len(findings) > len(shown) else ""
    books = ", and their books add up" if deep else ""
    whole = f"all {files:,} files are whole, match the manifest, and tile the wanted time{books}"
    show(Table("findings", "Verification", _FINDINGS, shown, note, empty=whole), format)
    if findings:
        found = "1 finding" if len(findings) == 1 else f"{len(findings):,} findings"
        raise IntegrityError(f"{found} in {files:,} files; keep the data and look at each")


def coverage_tables(data_dir: Path, hours: int) -> list[Table]:
    """Return recorded time by venue and reason, and by hour for the last ``hours`` where that is not 0.

    The files are digested once, for both.
    """
    frame, damaged = coverage_of(data_dir)
    missing = missing_files(Layout(data_dir))
    if frame is not None:
        frame = LostTime(tuple(missing)).as_gaps(with_collector(frame))
    tables = [coverage_table(frame, damaged, len(missing)), listings_table(data_dir, frame)]
    if frame is None and any(data_files(Layout(data_dir), dataset) for dataset in HOURLY):
        tables = [structs.replace(table, empty=UNACCOUNTED) for table in tables]
    if hours:
        tables.append(hours_table(frame, hours))
    return tables


def listings_table(data_dir: Path, frame: pl.LazyFrame | None) -> Table:
    """Return for each venue how many of the instruments recorded on its latest day nothing ever stated."""
    rows: list[Sequence[Value]] = []
    notes: list[str] = []
    for venue, start, keys in () if frame is None else _recorded_on_latest_day(frame):
        query = FactsQuery(venue, start, start + NS_DAY, frozenset(key.market_id for key in keys))
        count = count_unlisted(keys, listed_markets(data_dir, query))
        rows.append((venue, date_of(start), count.recorded, count.unlisted))
        if count.unlisted:
            notes.append(f"{venue}: {count}, so that their names are not known")
    return Table("listings", "Latest day", _LISTINGS, rows, "; ".join(notes), empty="nothing was recorded yet")


def _recorded_on_latest_day(frame: pl.LazyFrame) -> Iterator[_RecordedDay]:
    """Yield what was recorded of each venue on its latest day with covered time; reads no more days than needed."""
    covered = frame.filter(pl.col("state").cast(pl.String) == "covered")
    days = frame.select("venue", pl.col("date").cast(pl.String)).unique().collect(engine="streaming")
    for (venue,), rows in sorted(days.group_by("venue"), key=lambda each: str(each[0])):
        for date in sorted(rows["date"], reverse=True):
            here = (pl.col("venue") == venue) & (pl.col("date").cast(pl.String) == date)
            found = covered.filter(here).select("market_id", "instrument_id").unique().collect(engine="streaming")
            if found.height:
                name = VenueName(str(venue))
                keys = [InstrumentKey(name, MarketId(market), InstrumentId(each)) for market, each in found.rows()]
                yield _RecordedDay(name, start_of(Partition("coverage", name, date, None)), sorted(keys))
                break


def coverage_table(frame: pl.LazyFrame | None, damaged: Sequence[Path], missing: int = 0) -> Table:
    """Return recorded time by venue and reason, observed time first, of what ``coverage_of`` found.

    ``missing``: the number of files that are gone.
    """
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
    notes: list[str] = []
    if rows:
        notes.append("time summed over instruments; rotated_out is time in which other instruments had the place")
    if damaged:
        files = "a damaged file" if len(damaged) == 1 else f"{len(damaged):,} damaged files"
        notes.append(f"without {files}: see 'predsurv verify'")
    if missing:
        files = "a sealed file is" if missing == 1 else f"{missing:,} sealed files are"
        notes.append(f"{files} gone, whose time counts as file_missing: see 'predsurv verify'")
    return Table("coverage", "Wanted time", _COVERAGE, rows, "; ".join(notes), empty="no time is accounted for yet")


def hours_table(frame: pl.LazyFrame | None, hours: int) -> Table:
    """Return the last ``hours`` hours by venue, state and reason: time summed over instruments, and its share."""
    rows: list[Sequence[Value]] = []
    if frame is not None:
        last = frame.select(pl.col("end").max()).collect().item()
        pieces = (
            frame.filter(pl.col("end") > last - pl.duration(hours=hours))
            .with_columns(
                pl.datetime_ranges(pl.col("start").dt.truncate("1h"), "end", "1h", closed="left").alias("hour")
            )
            .explode("hour")
            .filter(pl.col("hour") >= last - pl.duration(hours=hours))
        )
        begun = pl.max_horizontal("start", "hour")
        ended = pl.min_horizontal("end", pl.col("hour") + pl.duration(hours=1))
        owner = ["venue", "hour"]
        grouped = pieces.group_by(*owner, "state", "reason").agg(
            pl.col("instrument_id").n_unique().alias("instruments"),
            (ended - begun).dt.total_nanoseconds().sum().alias("ns"),
        )
        ordered = grouped.with_columns((pl.col("ns") / pl.col("ns").sum().over(owner)).alias("share")).sort(
            *owner, "state", "ns", descending=[False, True, False, True]
        )
        names = ("venue", "hour", "state", "reason", "instruments", "ns", "share")
        rows = list(ordered.with_columns(pl.col("hour").dt.epoch("ns")).select(names).collect().iter_rows())
    return Table("hours", "By hour", _HOURS, rows, empty="no time is accounted for yet")


def stored_table(layout: Layout) -> Table:
    """Return files, rows and bytes by dataset and venue.

    Rows and times are those of the manifests, unknown where a file is in none of them.
    """
    totals: dict[tuple[Dataset, str], _Stored] = {}
    known, gone = set[str](), {each.path for each in missing_files(layout)}
    for file in manifest.read(layout.manifest) if layout.manifest.is_dir() else ():
        known.add(file.path)
        if file.path not in gone:
            partition, _ = parse_file(Path(file.path))
            total = totals.setdefault((partition.dataset, partition.venue), _Stored())
            total.add(file.bytes, file.rows, file.hi)
    for dataset in FOLDERS:
        for path in data_files(layout, dataset):
            if layout.relative(path) not in known:
                with suppress(FileNotFoundError):  # merged into another meanwhile
                    total = totals.setdefault((dataset, parse_file(path)[0].venue), _Stored())
                    total.add(path.stat().st_size, None, None)
    order = list(FOLDERS)
    rows: list[Sequence[Value]] = [
        (FOLDERS[dataset], venue, total.files, total.rows, total.bytes, total.last)
        for (dataset, venue), total in sorted(totals.items(), key=lambda item: (item[0][1], order.index(item[0][0])))
    ]
    unknown = sum(total.unknown for total in totals.values())
    note = f"no manifest tells the rows of {unknown:,} files: see 'predsurv verify'" if unknown else ""
    return Table("stored", "On disk", _STORED, rows, note, empty="no file was sealed yet")


def phase_table(layout: Layout) -> Table:
    """Return what each venue said last about trading as a whole, of those that said anything of late."""
    rows: list[Sequence[Value]] = []
    for folder in sorted((layout.data_dir / FOLDERS["lifecycle"]).glob("venue=*")):
        for day in sorted(folder.glob("date=*"), reverse=True)[:PHASE_DAYS_MAX]:
            intact, _ = split_damaged(layout, select_data_files(day.glob("*.parquet")))
            found = [event for path in intact for event in _phases(path, VenueName(folder.name.partition("=")[2]))]
            if found:
                last = max(found, key=lambda event: event.ts_recv)
                rows.append((last.venue, last.phase, last.ts_recv, last.resumes))
                break
    return Table("phases", "Trading on the venue as a whole", _PHASES, rows, PHASES_NOTE)


def _phases(path: Path, venue: VenueName) -> list[VenuePhase]:
    whole = pl.scan_parquet(path, hive_partitioning=False).filter(
        pl.col("market_id").fill_null(WHOLE_VENUE) == WHOLE_VENUE
    )
    columns = whole.select(pl.col("ts_recv").dt.epoch("ns"), pl.col("ts_venue").dt.epoch("ns"), "kind", "value")
    key = InstrumentKey(venue, WHOLE_VENUE, InstrumentId(""))
    events = [to_event(LifecycleRow(key, *row)) for row in columns.collect().iter_rows()]
    return [event for event in events if isinstance(event, VenuePhase)]


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


def coverage_of(data_dir: Path) -> tuple[pl.LazyFrame | None, Sequence[Path]]:
    """Return the coverage rows of all intact files with their ``venue``, None without any, and the damaged files."""
    layout = Layout(data_dir)
    intact, damaged = split_damaged(layout, data_files(layout, "coverage"))
    return (scan(intact, partitions=True, paths_as=PATH) if intact else None), damaged
