"""``predsurv status``: what was recorded."""

from collections import Counter
from collections.abc import Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Annotated, Final

import typer
from msgspec import structs

from predsurv.cli.commands.bucket import bucket_table, fetch_first
from predsurv.cli.commands.status_running import log_table, running_table, trading_table
from predsurv.cli.options import ConfigFile, Mock, OutputFormat, mock_flag
from predsurv.cli.output.render import Column, Table, Value, show
from predsurv.collect.running import running_collectors
from predsurv.config import load
from predsurv.core.errors import ConfigError
from predsurv.core.ids import VenueName
from predsurv.store import manifest
from predsurv.store.layout import (
    FOLDERS,
    HOURLY,
    NS_DAY,
    Dataset,
    Layout,
    data_files,
    date_of,
    has_recording,
    how_to_record,
    parse_file,
)
from predsurv.store.read.coverage_sums import CoverageFiles, CoverageSum, HourSum, ObservedDay
from predsurv.store.read.facts import FactsQuery, count_unlisted, listed_markets
from predsurv.store.read.missing import MissingFile, missing_files
from predsurv.store.read.venue_phases import last_phases
from predsurv.store.read.verify_digests import retry_if_replaced, split_damaged
from predsurv.store.remote.download import DownloadRequest

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
NOT_COUNTED: Final = "no time is counted yet of what is being recorded: see below"
UNACCOUNTED: Final = "no coverage is there, so nothing tells which time was observed: see 'predsurv verify'"
PHASES_NOTE: Final = "as recorded last; 'predsurv doctor' asks the venue"
Hours = Annotated[
    int, typer.Option("--hours", min=0, max=HOURS_SHOWN_MAX, help="Also show the last so many hours, one by one.")
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


def status(*, hours: Hours = 0, config: ConfigFile = None, mock: Mock = False, format: OutputFormat = "table") -> None:
    """Show how much of the wanted time was recorded, and what is on disk."""
    settings = load(config, flags=mock_flag(mock)).config
    answered = fetch_first(settings, DownloadRequest(datasets=("coverage", "lifecycle")))
    if answered:
        fetch_first(settings, DownloadRequest(dates=(), datasets=(), universe=True))  # the newest
    data_dir = settings.data_dir
    layout = Layout(data_dir)
    if not has_recording(layout):
        raise ConfigError(f"nothing was recorded in {data_dir}; {how_to_record()}")
    missing = missing_files(layout)
    tables = retry_if_replaced(partial(coverage_tables, data_dir, hours, missing))
    tables.insert(1, trading_table(data_dir))
    tables += [stored_table(layout, missing), log_table(layout)]
    if (phases := retry_if_replaced(partial(phase_table, layout))).rows:
        tables.append(phases)
    if answered and (there := bucket_table(settings)) is not None:
        tables.append(there)
    show(tables, format)


def coverage_tables(data_dir: Path, hours: int, missing: Sequence[MissingFile]) -> list[Table]:
    """Return recorded time by venue and reason, and by hour for the last ``hours`` where that is not 0; what runs now.

    The files are digested once, for all.
    """
    layout = Layout(data_dir)
    intact, damaged = split_damaged(layout, data_files(layout, "coverage"))
    files = CoverageFiles(intact, missing)
    running = running_collectors(layout)
    tables = [
        coverage_table(files.sums(), len(damaged), len(missing)),
        listings_table(data_dir, files.latest_days()),
    ]
    if not intact and any(data_files(layout, dataset) for dataset in HOURLY):
        tables = [structs.replace(table, empty=UNACCOUNTED) for table in tables]
    elif running:
        tables = [structs.replace(table, empty=NOT_COUNTED) for table in tables]
    if hours:
        tables.append(hours_table(files.hours(hours)))
    return [running_table(running, files.covered_until()), *tables]


def listings_table(data_dir: Path, days: Iterable[ObservedDay]) -> Table:
    """Return for each venue how many of the instruments recorded on its latest day nothing ever stated."""
    rows: list[Sequence[Value]] = []
    notes: list[str] = []
    for venue, start, keys in days:
        query = FactsQuery(venue, start, start + NS_DAY, frozenset(key.market_id for key in keys))
        count = count_unlisted(keys, listed_markets(data_dir, query))
        rows.append((venue, date_of(start), count.recorded, count.unlisted))
        if count.unlisted:
            notes.append(f"{venue}: {count}, so that their names are not known")
    return Table("listings", "Latest day", _LISTINGS, rows, "; ".join(notes), empty="nothing was recorded yet")


def coverage_table(sums: Sequence[CoverageSum], damaged: int = 0, missing: int = 0) -> Table:
    """Return recorded time by venue and reason, observed time first.

    ``damaged``, ``missing``: the number of files that are left out, and of those that are gone.
    """
    venues = Counter[VenueName]()
    for each in sums:
        venues[each.venue] += each.ns
    rows = [
        (
            each.venue,
            each.kind.state,
            each.kind.reason,
            each.instruments,
            each.ns,
            _share(each.ns, venues[each.venue]),
            each.first,
            each.last,
        )
        for each in sums
    ]
    notes: list[str] = []
    if rows:
        notes.append("time summed over instruments; rotated_out is time in which other instruments had the place")
    if damaged:
        files = "a damaged file" if damaged == 1 else f"{damaged:,} damaged files"
        notes.append(f"without {files}: see 'predsurv verify'")
    if missing:
        files = "a sealed file is" if missing == 1 else f"{missing:,} sealed files are"
        notes.append(f"{files} gone, whose time counts as file_missing: see 'predsurv verify'")
    return Table("coverage", "Wanted time", _COVERAGE, rows, "; ".join(notes), empty="no time is accounted for yet")


def hours_table(sums: Sequence[HourSum]) -> Table:
    """Return hours by venue, state and reason: time summed over instruments, and its share."""
    hours = Counter[tuple[VenueName, int]]()
    for each in sums:
        hours[each.venue, each.hour] += each.ns
    rows = [
        (
            each.venue,
            each.hour,
            each.kind.state,
            each.kind.reason,
            each.instruments,
            each.ns,
            _share(each.ns, hours[each.venue, each.hour]),
        )
        for each in sums
    ]
    return Table("hours", "By hour", _HOURS, rows, empty="no time is accounted for yet")


def _share(part: int, whole: int) -> float | None:
    return float(part) / float(whole) if whole else None


def stored_table(layout: Layout, missing: Iterable[MissingFile]) -> Table:
    """Return files, rows and bytes by dataset and venue.

    Rows and times are those of the manifests, unknown where a file is in none of them; ``missing`` ones do not count.
    """
    totals: dict[tuple[Dataset, str], _Stored] = {}
    known, gone = set[str](), {each.path for each in missing}
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
    rows = [(each.venue, each.phase, each.ts_recv, each.resumes) for each in last_phases(layout)]
    return Table("phases", "Trading on the venue as a whole", _PHASES, rows, PHASES_NOTE)
