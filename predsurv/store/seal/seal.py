"""Sealing: turn a closed log segment into Parquet files, exactly once whatever interrupts it.

File names come from the segment's number, so sealing again after a crash rewrites the same files; the
segment is deleted only when all of them are durably in place. Recovery at start is sealing what is found.
"""

from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import closing
from pathlib import Path
from typing import Final

import msgspec
from msgspec import Struct

from predsurv.core.errors import IntegrityError, disk_refused
from predsurv.core.records import Coverage, Record
from predsurv.ports import Clock
from predsurv.store import allocator, disk_reserve, manifest
from predsurv.store.files import PRIVATE_DIR, clear_dir, make_dirs, replace, sync_dir
from predsurv.store.layout import Dataset, FileStamp, Layout, parse_file, parse_segment, segment_name, stamp_time
from predsurv.store.locks import publish_lock
from predsurv.store.manifest import SealedFile
from predsurv.store.retraction import retract
from predsurv.store.seal.coverage_tail import last_sealed_times
from predsurv.store.seal.parquet_writer import ParquetSink
from predsurv.store.seal.partitions import FileTable, file_tables
from predsurv.store.seal.tables import SegmentContents, SegmentTables
from predsurv.store.wal import quarantine
from predsurv.store.wal.segment import IncompleteSegment, SegmentInfo, SegmentReader, predecessor_limit, remove_segment


class SealOptions(Struct, frozen=True):
    """How to seal.

    ``top_levels``: levels per side of a snapshot row. ``compression_level``: of zstd. ``reserve_bytes``: size of the
    disk reserve, which is released when a seal finds the disk full. ``epilogue``: called with the segment's
    header and contents, returns records to add. ``rewrite_coverage``: maps each coverage record to those to
    store. ``on_step``: called with the name of each step before it, for fault injection.
    """

    top_levels: int = 10
    compression_level: int = 2
    reserve_bytes: int = 0
    epilogue: Callable[[SegmentInfo, SegmentContents], Sequence[Record]] | None = None
    rewrite_coverage: Callable[[Coverage], Sequence[Coverage]] = lambda coverage: (coverage,)
    on_step: Callable[[str], None] = lambda _step: None


DEFAULTS: Final = SealOptions()
_QUARANTINED: Final = "it was put into quarantine before"


class SealReport(Struct, frozen=True):
    """Result of sealing one segment.

    ``rows`` and ``bytes`` by dataset; ``records`` read from the log. ``damaged`` names what could not be
    read, ``torn`` counts bytes after the last complete commit: both are in quarantine. ``opened`` and
    ``latest``: when the segment was opened and the time of its latest record, ns UTC, 0 when unknown.
    """

    segment: str
    files: tuple[SealedFile, ...] = ()
    rows: Mapping[Dataset, int] = {}
    bytes: Mapping[Dataset, int] = {}
    records: int = 0
    damaged: tuple[str, ...] = ()
    torn: int = 0
    opened: int = 0
    latest: int = 0
    duration_ns: int = 0


def seal_segment(path: Path, layout: Layout, clock: Clock, options: SealOptions = DEFAULTS) -> SealReport:
    """Turn the closed segment at ``path`` into data files and delete it.

    Segments of a collector must be sealed in the order of their numbers, one at a time. What cannot be
    read is reported and moved to quarantine. Raises TransientError when the disk refuses (full): nothing
    is lost and nothing partial is visible, seal it again later.
    """
    started = clock.monotonic()
    try:
        report = _seal_or_quarantine(path, layout, options)
    except OSError as error:
        if not disk_reserve.release(layout):
            raise disk_refused(f"cannot seal {path.name}, which the log keeps", error) from error
        return seal_segment(path, layout, clock, options)
    allocator.release_memory()
    if options.reserve_bytes:
        disk_reserve.allocate(layout, options.reserve_bytes)
    return msgspec.structs.replace(report, duration_ns=clock.monotonic() - started)


def _seal_or_quarantine(path: Path, layout: Layout, options: SealOptions) -> SealReport:
    if not path.exists():  # removed by an earlier call, which then could not make that durable
        remove_segment(path)
        return SealReport(path.name, damaged=(_QUARANTINED,) if quarantine.holds_segment(path, layout) else ())
    try:
        return _seal(path, layout, options)
    except IncompleteSegment:
        remove_segment(path)
        return SealReport(path.name)
    except IntegrityError as error:
        quarantine.move_segment(path, layout)
        return SealReport(path.name, damaged=(str(error),))


def _seal(path: Path, layout: Layout, options: SealOptions) -> SealReport:
    options.on_step("read")
    segment, contents, damaged = _read(path, options)
    if damaged:
        segment, contents, damaged = _read(path, _retracting(path, layout, options))
    stamp = FileStamp(stamp_time(segment.header.opened), segment.header.collector, segment.header.segment)
    files = _write_files(file_tables(contents, options.top_levels, stamp.segment), layout, stamp, options)
    options.on_step("forget")
    if segment.torn:
        quarantine.copy_torn_tail(path, segment.torn, layout.quarantine)
    if damaged:
        quarantine.move_segment(path, layout)
    else:
        remove_segment(path)
    options.on_step("forgotten")
    rows, size = _totals(files)
    return SealReport(
        segment=path.name,
        files=files,
        rows=rows,
        bytes=size,
        records=contents.records,
        damaged=damaged,
        torn=segment.torn,
        opened=segment.header.opened,
        latest=contents.latest,
    )


def _retracting(path: Path, layout: Layout, options: SealOptions) -> SealOptions:
    """Return ``options`` for a damaged segment: its own coverage is retracted too, since its rows may be lost."""
    since = last_sealed_times(layout, *parse_segment(path))

    def retracted(coverage: Coverage) -> Sequence[Coverage]:
        return retract(options.rewrite_coverage(coverage), since.get(coverage.key.venue, 0))

    return msgspec.structs.replace(options, rewrite_coverage=retracted)


def _read(path: Path, options: SealOptions) -> tuple[SegmentInfo, SegmentContents, tuple[str, ...]]:
    collector, number = parse_segment(path)
    successor = path.with_name(segment_name(collector, number + 1))
    limit = predecessor_limit(successor)
    tables = SegmentTables(options.top_levels, options.rewrite_coverage)
    with closing(SegmentReader(path)) as reader:
        for batch in reader.batches(limit):
            tables.add(batch)
        segment, damaged = reader.segment, reader.damaged
    if segment.torn and limit is None and successor.exists():
        damaged.append(f"{segment.torn} bytes at its end, and another segment follows")
    if options.epilogue is not None:
        tables.add_records(options.epilogue(segment, tables.contents()))
    contents = tables.contents()
    if contents.lost:
        damaged.append(f"{contents.lost} records whose instrument was named in a damaged batch")
    return segment, contents, tuple(damaged)


def _write_files(
    tables: Iterable[FileTable], layout: Layout, stamp: FileStamp, options: SealOptions
) -> tuple[SealedFile, ...]:
    staging = layout.staging(stamp.collector)
    make_dirs(staging, PRIVATE_DIR)
    staged: list[tuple[Path, Path, SealedFile]] = []
    try:
        for number, each in enumerate(tables):
            options.on_step(f"stage {number}")
            target = layout.file(each.partition, stamp)
            draft = staging / f"{number:04d}-{target.name}"
            staged.append((draft, target, _stage(draft, target.relative_to(layout.data_dir), each, options)))
        files = tuple(file for _, _, file in staged)
        with publish_lock(layout.state):
            _publish(staged, options)
            options.on_step("manifest")
            manifest.append(layout.manifest, stamp.collector, files)
    except OSError:
        clear_dir(staging)
        raise
    return files


def _stage(draft: Path, target: Path, each: FileTable, options: SealOptions) -> SealedFile:
    with ParquetSink(draft, options.compression_level) as sink:
        sink.write(each.table)
    return SealedFile(str(target), each.table.num_rows, each.lo, each.hi, draft.stat().st_size, manifest.digest(draft))


def _publish(staged: Sequence[tuple[Path, Path, SealedFile]], options: SealOptions) -> None:
    for number, (draft, target, _) in enumerate(staged):
        options.on_step(f"publish {number}")
        make_dirs(target.parent)
        replace(draft, target)
    options.on_step("published")
    for folder in sorted({target.parent for _, target, _ in staged}):
        sync_dir(folder)


def _totals(files: Iterable[SealedFile]) -> tuple[dict[Dataset, int], dict[Dataset, int]]:
    rows: Counter[Dataset] = Counter()
    size: Counter[Dataset] = Counter()
    for file in files:
        dataset = parse_file(Path(file.path))[0].dataset
        rows[dataset] += file.rows
        size[dataset] += file.bytes
    return dict(rows), dict(size)
