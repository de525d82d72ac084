"""Verification of a recording: every check of ``predsurv verify``.

manifest  every listed file exists, every data file is listed
digest    a file's content is what was sealed
rows      its rows are sorted, within the hour of its folder, and as many as were sealed
gap       no row of a book lies in a gap of its instrument's coverage in which nothing is received
coverage  no row lies outside of all coverage of its instrument; see ``verify_placement``
tiling    the coverage of an instrument by one collector has no hole and no overlap
rotation  coverage states the probabilities with which rotation chose; see ``verify_rotations``
fold, sequence, snapshot   (deep) the changes of an hour add up to its snapshots; see ``verify_books``
"""

from collections import defaultdict
from collections.abc import Callable, Iterator
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import Any, Final

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from msgspec import Struct

from predsurv.core.errors import IntegrityError
from predsurv.core.ids import VenueName
from predsurv.store import manifest
from predsurv.store.layout import (
    FOLDERS,
    Layout,
    Partition,
    data_files,
    end_of,
    parse_file,
    segment_name,
    start_of,
    utc_text,
)
from predsurv.store.manifest import SealedFile
from predsurv.store.read.verify_books import RecordedHour, VerifyFinding, check_hour, recorded_hours
from predsurv.store.read.verify_digests import retry_if_replaced, split_damaged
from predsurv.store.read.verify_foreign import LackingPart, lacking_parts
from predsurv.store.read.verify_placement import Coverages, RowPlacement
from predsurv.store.read.verify_rotations import check_rotations
from predsurv.store.schema import time_column
from predsurv.store.seal.compact import files_being_swapped

STEP_ROWS: Final = 65_536
"""Rows of a file that are compared with their neighbours at a time."""


QUICK_CHECKS: Final = ("manifest", "digest", "rows", "gap", "coverage", "tiling", "rotation")
DEEP_CHECKS: Final = ("fold", "sequence", "snapshot")


class VerifiedFiles(Struct, frozen=True):
    """The Parquet files below one folder of a dataset that were checked; ``venue`` is None for those of another layout.

    ``rows``: those that were sealed in them, None where a file is in no manifest.
    """

    folder: str
    venue: VenueName | None
    files: int
    rows: int | None
    bytes: int


class VerifyReport(Struct, frozen=True):
    """Which Parquet files were checked, and everything that is wrong.

    ``lacks``: what the folder lacks to be a recording, where another program wrote files in it.
    """

    verified: tuple[VerifiedFiles, ...]
    findings: tuple[VerifyFinding, ...]
    lacks: tuple[LackingPart, ...] = ()

    @property
    def files(self) -> int:
        """How many files were checked."""
        return sum(each.files for each in self.verified)


def verify_recording(layout: Layout, *, deep: bool = False) -> VerifyReport:
    """Check every file under ``layout``, and with ``deep`` the books of every hour; safe beside a running collector.

    Damage is reported as findings, not raised. Raises FileNotFoundError when files keep being replaced meanwhile.
    """
    findings = [*check_files(layout), *retry_if_replaced(lambda: list(check_tiling(layout)))]
    findings += retry_if_replaced(lambda: list(check_rotations(layout)))
    if deep:
        findings += check_books(layout)
    listed = manifest.read_by_path(layout.manifest)
    unlisted = [path for path in _parquet_files(layout) if layout.relative(path) not in listed]
    known = {finding.where for finding in findings if finding.check == "manifest"}
    foreign = [path for path in unlisted if layout.relative(path) in known]
    return VerifyReport(_verified(layout), tuple(findings), lacking_parts(layout, foreign))


def _verified(layout: Layout) -> tuple[VerifiedFiles, ...]:
    listed = manifest.read_by_path(layout.manifest)
    found: dict[tuple[str, VenueName | None], VerifiedFiles] = {}
    for path in _parquet_files(layout):
        name, size, venue = layout.relative(path), 0, None
        with suppress(ValueError):
            venue = parse_file(path)[0].venue
        with suppress(FileNotFoundError):  # merged into another meanwhile
            size = path.stat().st_size
        folder, sealed = name.partition("/")[0], listed.get(name)
        so_far = found.get((folder, venue), VerifiedFiles(folder, venue, 0, 0, 0))
        rows = None if sealed is None or so_far.rows is None else so_far.rows + sealed.rows
        found[folder, venue] = VerifiedFiles(folder, venue, so_far.files + 1, rows, so_far.bytes + size)
    return tuple(found.values())


def check_files(layout: Layout) -> Iterator[VerifyFinding]:
    """Yield a finding for each file that is missing, not listed, changed, unreadable or out of order."""
    listed, coverages = manifest.read_by_path(layout.manifest), Coverages(layout)
    for name in sorted(listed, key=_by_day):
        sealed = listed[name]
        try:
            yield from _check_file(layout.data_dir / name, sealed, coverages)
        except FileNotFoundError:
            if _is_expected(layout, name):  # else it was compacted or removed just now
                yield VerifyFinding("manifest", name, "the file is gone")
    for path in _parquet_files(layout):
        name = layout.relative(path)
        if name not in listed:
            yield from _run("manifest", name, partial(_expect_listed, layout, path))


def _by_day(name: str) -> list[str]:
    """Sort files so that those of one venue, day and collector, which one coverage is read for, follow each other."""
    try:
        partition, stamp = parse_file(Path(name))
    except ValueError:
        return []
    return [partition.date, partition.venue, stamp.collector]


def _check_file(path: Path, sealed: SealedFile, coverages: Coverages) -> Iterator[VerifyFinding]:
    if path.stat().st_size != sealed.bytes or manifest.digest(path) != sealed.blake2b:
        yield VerifyFinding("digest", sealed.path, "the content is not what was sealed")
    else:
        placement = coverages.placement(path)
        yield from _run("rows", sealed.path, partial(check_order, path, sealed.rows, placement))
        if placement is not None:
            yield from placement.findings(sealed.path)


def _run(check: str, where: str, test: Callable[[], None]) -> Iterator[VerifyFinding]:
    """Yield a finding when ``test`` raises; a FileNotFoundError passes through."""
    try:
        test()
    except FileNotFoundError:
        raise
    except (OSError, ValueError, IntegrityError) as error:  # pyarrow's own errors are among these
        yield VerifyFinding(check, where, str(error))


def _expect_listed(layout: Layout, path: Path) -> None:
    """Raise ValueError when ``path`` is in no manifest for another reason than a write in progress."""
    partition, stamp = parse_file(path)
    if (layout.wal / segment_name(stamp.collector, stamp.segment)).exists() or not path.exists():
        return  # its manifest line is about to be written, or it was compacted just now
    if end_of(partition) <= manifest.read_cutoff(layout.manifest):
        return  # before the cutoff: an interrupted retention run deletes it the next time
    name = layout.relative(path)
    if name not in manifest.read_by_path(layout.manifest) and name not in files_being_swapped(layout):
        raise ValueError("no manifest knows this file")


def _is_expected(layout: Layout, name: str) -> bool:
    """Return whether the file ``name`` is listed and is not being replaced by compaction."""
    return name in manifest.read_by_path(layout.manifest) and name not in files_being_swapped(layout)


def _parquet_files(layout: Layout) -> Iterator[Path]:
    """Yield every Parquet file in the dataset folders, whatever its name."""
    for folder in FOLDERS.values():
        yield from sorted((layout.data_dir / folder).rglob("*.parquet"))


def check_order(path: Path, rows: int, placement: RowPlacement | None = None) -> None:
    """Read the data file ``path`` completely and check the order, hour and number of its rows.

    Order: instrument, market, time, segment, arrival. ``placement`` is given each batch. Raises ValueError when a row
    is out of order or outside the partition's time, or when there are not ``rows`` of them; OSError or ValueError when
    the file is damaged.
    """
    partition, _ = parse_file(path)
    file: Any = pq.ParquetFile(path, page_checksum_verification=True)
    time = time_column(partition.dataset)
    names = ["instrument_id", "market_id", time, "segment", "arrival"]
    names = [name for name in names if name in file.schema_arrow.names]
    count, last = 0, None
    for batch in file.iter_batches(batch_size=STEP_ROWS):
        count += batch.num_rows
        table = pa.table(batch).select(names)
        _check_hour_of(partition, table[time].cast(pa.int64()))
        joined = table if last is None else pa.concat_tables([last, table])
        if joined.num_rows > 1 and not _is_ascending(joined.combine_chunks(), names):
            raise ValueError("rows are not sorted by instrument and time")
        last = table.slice(table.num_rows - 1)
        if placement is not None:
            placement.add(pa.table(batch))
    if count != rows:
        raise ValueError(f"{count} rows, {rows} were sealed")


def _check_hour_of(partition: Partition, times: Any) -> None:
    bounds = pc.min_max(times).as_py()
    if not start_of(partition) <= bounds["min"] <= bounds["max"] < end_of(partition):
        raise ValueError("rows are of another hour than the folder says")


def _is_ascending(table: Any, names: list[str]) -> bool:
    """Return whether no row is less than the one above it, comparing ``names`` lexicographically."""
    less = pa.array([False] * (table.num_rows - 1))
    equal = pa.array([True] * (table.num_rows - 1))
    for name in names:
        column = table[name].combine_chunks()
        if name in ("instrument_id", "market_id"):
            column = pc.fill_null(column, pa.scalar(""))
        elif name == "arrival":
            column = pc.fill_null(column, pa.scalar(0, column.type))
        above, below = column[:-1], column[1:]
        less = pc.or_(less, pc.and_(equal, pc.less(above, below)))
        equal = pc.and_(equal, pc.equal(above, below))
    return bool(pc.all(pc.or_(less, equal)).as_py())


def check_tiling(layout: Layout) -> Iterator[VerifyFinding]:
    """Yield a finding for each hole and each overlap in the coverage of an instrument.

    Collectors are checked one by one: two of them may record the same instrument. Damaged files are left
    out, ``check_files`` reports them. Raises FileNotFoundError when a file was replaced meanwhile.
    """
    intact, _ = split_damaged(layout, data_files(layout, "coverage"))
    owners: defaultdict[tuple[str, str], list[Path]] = defaultdict(list)
    for path in intact:
        partition, stamp = parse_file(path)
        owners[partition.venue, stamp.collector].append(path)
    for (venue, _), paths in sorted(owners.items()):
        for instrument, before, start in _discontinuities(paths):
            kind = "hole" if before < start else "overlap"
            what = f"{kind} from {utc_text(before)} to {utc_text(start)}"
            yield VerifyFinding("tiling", f"{venue}:{instrument}", what)


def _discontinuities(paths: list[Path]) -> list[tuple[str, int, int]]:
    """Return (instrument, end of a coverage row, start of the next) in ns UTC wherever the two differ, sorted."""
    columns = ["instrument_id", "start", "end"]
    tables = [
        pq.read_table(
            path, columns=columns, partitioning=None, page_checksum_verification=True, read_dictionary=columns[:1]
        )
        for path in paths
    ]
    table = pa.concat_tables(tables).unify_dictionaries().combine_chunks()
    ids = table["instrument_id"].combine_chunks()
    start, end = (table[name].cast(pa.int64()) for name in columns[1:])
    rows = pa.table({"id": ids.indices, "start": start, "end": end}).sort_by(
        [("id", "ascending"), ("start", "ascending"), ("end", "ascending")]
    )
    above, below = rows.slice(0, max(0, rows.num_rows - 1)), rows.slice(1)
    same = pc.equal(above["id"], below["id"])
    broken = pc.and_(same, pc.not_equal(above["end"], below["start"]))
    found = (below["id"].filter(broken), above["end"].filter(broken), below["start"].filter(broken))
    names = ids.dictionary
    return sorted(
        (names[code].as_py(), ended, begun)
        for code, ended, begun in zip(*(column.to_pylist() for column in found), strict=True)
    )


def check_books(layout: Layout) -> Iterator[VerifyFinding]:
    """Yield a finding for each book that contradicts its own changes, hour by hour; see ``verify_books.check_hour``."""
    for hour in recorded_hours(layout):
        try:
            yield from retry_if_replaced(partial(_check_hour_fully, layout, hour))
        except IntegrityError as error:
            yield VerifyFinding("fold", f"{hour.venue} by {hour.collector}", str(error))


def _check_hour_fully(layout: Layout, hour: RecordedHour) -> list[VerifyFinding]:
    return list(check_hour(layout, hour))
