"""Compaction: the sealed files of a closed hour or day become one sorted file per dataset and collector.

Optional for correctness: it only reduces the number of files.

A reader lists files and then opens them, so no listing may ever show both the parts and the merged
file, or neither, and the content of a name must not change. Therefore the merged file is written into
a draft folder together with links to all other files of the partition, its rows are compared with the
parts', and the two folders are swapped atomically. A reader that listed before and opens after gets a
FileNotFoundError, never a wrong count. All datasets of an hour are swapped within a millisecond, so that
few scans meet one.

An intent file is written before the swap. After a crash the next call finds either the merged file in
place, and completes the manifest, or the parts, and deletes the draft.
"""

import shutil
from collections import defaultdict
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from contextlib import AbstractContextManager, suppress
from pathlib import Path
from typing import Final

import msgspec
from msgspec import Struct

from predsurv.core.errors import IntegrityError, disk_refused
from predsurv.core.ids import VenueName
from predsurv.core.text import sanitise
from predsurv.ports import Clock
from predsurv.store import manifest
from predsurv.store.files import PRIVATE_DIR, exchange_dirs, make_dirs, sync_dir, write_whole
from predsurv.store.layout import (
    FOLDERS,
    HOURLY,
    Dataset,
    FileStamp,
    Layout,
    Partition,
    data_files,
    end_of,
    parse_file,
    segment_name,
    segments_of,
)
from predsurv.store.locks import exclusive_lock, publish_lock
from predsurv.store.manifest import SealedFile
from predsurv.store.seal.merge import RowTransform, in_schema, keep_all, merge, merged_schema, segment_digests
from predsurv.store.seal.parquet_writer import ParquetSink
from predsurv.store.wal.segment import opened_at

GRACE: Final = 60_000_000_000
"""How long (ns) after its end an hour still counts as open: clocks step and coverage is written late."""


class CompactOptions(Struct, frozen=True):
    """What to merge and how. ``compression_level``: zstd level. ``venue``, ``dates`` (YYYY-MM-DD): None for all.

    ``stop``: called between hours, True ends early. ``transform``: applied to the rows, see ``merge``.
    ``on_step``: called with the name of each step before it, for fault injection.
    """

    compression_level: int = 2
    venue: VenueName | None = None
    dates: Collection[str] | None = None
    stop: Callable[[], bool] = lambda: False
    transform: RowTransform = keep_all
    on_step: Callable[[str], None] = lambda _step: None

    def includes(self, partition: Partition) -> bool:
        """Return whether to merge ``partition``."""
        of_days = self.dates is None or partition.date in self.dates
        return of_days and self.venue in (None, partition.venue)


DEFAULTS: Final = CompactOptions()


class CompactReport(Struct, frozen=True):
    """What was merged. ``hours``: hours and days that changed. ``files``: how many became the ``merged`` ones.

    ``rows`` and ``bytes_after`` of the merged files, ``bytes_before`` of their parts. ``damaged`` names
    partitions that were left unchanged, with the reason.
    """

    hours: int = 0
    files: int = 0
    merged: tuple[SealedFile, ...] = ()
    rows: int = 0
    bytes_before: int = 0
    bytes_after: int = 0
    damaged: tuple[str, ...] = ()
    duration_ns: int = 0


class FolderSwap(Struct, frozen=True):
    """A partition folder to swap with its draft: ``folder`` relative to the data folder, ``draft`` by name."""

    folder: str
    draft: str
    merged: SealedFile


def compact_closed(layout: Layout, collector: str, clock: Clock, options: CompactOptions = DEFAULTS) -> CompactReport:
    """Merge the files of ``collector`` in every hour and day that is closed, oldest first.

    An hour is closed when it is over and every log segment that may hold rows of it is sealed. Safe
    while collectors run, also this one, and idempotent. Raises SafetyError when another compaction of
    this collector runs, TransientError when the disk refuses (nothing has changed then), ConfigError
    where folders cannot be swapped.
    """
    began = clock.monotonic()
    report = CompactReport()
    try:
        with _compaction_lock(layout, collector):
            complete_interrupted(layout, collector)
            for group in mergeable_groups(layout, collector, clock.now(), options):
                if options.stop():
                    break
                report = _sum_reports(report, _compact_group(layout, collector, group, options))
    except OSError as error:
        raise disk_refused(f"cannot compact in {layout.data_dir}", error) from error
    return msgspec.structs.replace(report, duration_ns=clock.monotonic() - began)


def collectors_of(layout: Layout) -> list[str]:
    """Return the ids of all collectors that data files are from, sorted."""
    found: set[str] = set()
    for dataset in FOLDERS:
        found.update(parse_file(path)[1].collector for path in data_files(layout, dataset))
    return sorted(found)


def rewrite(
    layout: Layout, collector: str, group: dict[Partition, list[Path]], options: CompactOptions, transform: RowTransform
) -> CompactReport:
    """Replace files of ``collector`` by their rows after ``transform``; raises as ``compact_closed``, and OSError."""
    with _compaction_lock(layout, collector):
        complete_interrupted(layout, collector)
        return _compact_group(layout, collector, group, msgspec.structs.replace(options, transform=transform))


def _compaction_lock(layout: Layout, collector: str) -> AbstractContextManager[None]:
    return exclusive_lock(layout.merging(collector) / "lock", f"a compaction for collector {collector!r}")


def mergeable_groups(
    layout: Layout, collector: str, now: int, options: CompactOptions = DEFAULTS
) -> list[dict[Partition, list[Path]]]:
    """Return the closed hours and days with something to merge, oldest first, each as its partitions' files.

    ``now``: ns UTC.
    """
    closed = min([now - GRACE, *filter(None, map(opened_at, segments_of(layout.wal, collector)))])
    unsealed = {path.name for path in segments_of(layout.wal, collector)}
    groups: defaultdict[tuple[int, str, bool], dict[Partition, list[Path]]] = defaultdict(dict)
    for dataset in FOLDERS:
        for partition, files in _own_files(layout, dataset, collector):
            if not options.includes(partition):
                continue
            end = end_of(partition)
            if end <= closed and len(files) > 1 and not _segment_names(files, collector) & unsealed:
                groups[end, partition.venue, dataset in HOURLY][partition] = files
    return [groups[key] for key in sorted(groups)]


def files_being_swapped(layout: Layout) -> set[str]:
    """Return the files, before and after, of every swap in progress or interrupted, relative to the data folder."""
    found: set[str] = set()
    for intent in layout.merging("*").parent.glob("*/intent"):
        with suppress(FileNotFoundError):  # it was completed just now
            for swap in msgspec.json.decode(intent.read_bytes(), type=list[FolderSwap]):
                found.update((swap.merged.path, *swap.merged.replaces))
    return found


def complete_interrupted(layout: Layout, collector: str) -> None:
    """Complete the swaps of an interrupted call that were made, delete the drafts of the others; raises OSError."""
    home = layout.merging(collector)
    intent = home / "intent"
    if intent.exists():
        with publish_lock(layout.state, exclusive=True):
            swaps = msgspec.json.decode(intent.read_bytes(), type=list[FolderSwap])
            done = [swap for swap in swaps if (layout.data_dir / swap.merged.path).exists()]
            _record_swaps(layout, collector, done)
        intent.unlink()
        sync_dir(home)
    for draft in home.glob("draft-*"):
        shutil.rmtree(draft)


def _own_files(layout: Layout, dataset: Dataset, collector: str) -> Iterator[tuple[Partition, list[Path]]]:
    found: defaultdict[Partition, list[tuple[FileStamp, Path]]] = defaultdict(list)
    for path in data_files(layout, dataset):
        partition, stamp = parse_file(path)
        if stamp.collector == collector:
            found[partition].append((stamp, path))
    for partition, files in found.items():
        yield partition, [path for _, path in sorted(files, key=lambda each: each[0].segment)]


def _segment_names(files: Iterable[Path], collector: str) -> set[str]:
    return {segment_name(collector, parse_file(path)[1].segment) for path in files}


def _compact_group(
    layout: Layout, collector: str, group: dict[Partition, list[Path]], options: CompactOptions
) -> CompactReport:
    """Merge the files of one hour or day: write all drafts, then swap all folders."""
    home = layout.merging(collector)
    swaps: list[FolderSwap] = []
    damaged: list[str] = []
    before = files = 0
    for number, (partition, parts) in enumerate(group.items()):
        options.on_step(f"merge {number}")
        try:
            _expect_mergeable(layout, partition, parts)
            if merged_schema(parts) is None:
                continue  # recorded with different top_levels: no table has the columns of both
            swap = _draft(layout, home / f"draft-{number}", partition, parts, options)
        except IntegrityError as error:
            damaged.append(f"{parts[0].parent.relative_to(layout.data_dir)}: {error}")
            shutil.rmtree(home / f"draft-{number}", ignore_errors=True)
            continue
        swaps.append(swap)
        files += len(parts)
        before += sum(part.stat().st_size for part in parts)
    if swaps:
        _swap(layout, collector, swaps, options)
    options.on_step("done")
    return CompactReport(
        hours=1 if swaps else 0,
        files=files,
        merged=tuple(swap.merged for swap in swaps),
        rows=sum(swap.merged.rows for swap in swaps),
        bytes_before=before,
        bytes_after=sum(swap.merged.bytes for swap in swaps),
        damaged=tuple(damaged),
    )


def _draft(
    layout: Layout, draft: Path, partition: Partition, parts: Sequence[Path], options: CompactOptions
) -> FolderSwap:
    """Merge ``parts`` into a file in the folder ``draft`` and compare their rows; raises IntegrityError."""
    make_dirs(draft, PRIVATE_DIR)
    draft.chmod(0o755)
    stamps = [parse_file(part)[1] for part in parts]
    merges = max(stamp.merges for stamp in stamps) + 1
    stamp = FileStamp(stamps[0].opened, stamps[0].collector, max(stamp.segment for stamp in stamps), merges)
    target = layout.file(partition, stamp)
    with ParquetSink(draft / target.name, options.compression_level, merged=True) as sink:
        summary = merge(parts, sink, options.transform)
    options.on_step("compare")
    _compare(parts, draft / target.name, options.transform)
    size, digest = (draft / target.name).stat().st_size, manifest.digest(draft / target.name)
    replaced = tuple(layout.relative(part) for part in parts)
    merged = SealedFile(layout.relative(target), summary.rows, summary.lo, summary.hi, size, digest, replaced)
    return FolderSwap(layout.relative(target.parent), draft.name, merged)


def _expect_mergeable(layout: Layout, partition: Partition, parts: Sequence[Path]) -> None:
    """Raise IntegrityError when one of ``parts`` is damaged, or when there is a folder beside them.

    Unlike a file, a folder cannot be linked into the draft, so a swap would remove it.
    """
    sealed = manifest.read_by_path(layout.manifest, partition.date)
    for part in parts:
        listed = sealed.get(layout.relative(part))
        if listed is not None and manifest.digest(part) != listed.blake2b:
            raise IntegrityError(f"{part.name} is not what was sealed: run 'predsurv verify'")
    subfolder = next((each for each in sorted(parts[0].parent.iterdir()) if each.is_dir()), None)
    if subfolder is not None:
        raise IntegrityError(f"{sanitise(subfolder.name, 80)} in it is a folder: move it elsewhere")


def _compare(parts: Sequence[Path], merged: Path, transform: RowTransform) -> None:
    expected: dict[int, str] = {}
    schema = merged_schema(parts)
    for part in parts:
        expected |= segment_digests(part, in_schema(part, schema, transform))
    if segment_digests(merged) != expected:
        raise IntegrityError(
            f"{merged.name} would not hold the rows of its parts in their order: 'predsurv verify' says whether these "
            "are sorted; if they are, this is a bug, report it"
        )


def _swap(layout: Layout, collector: str, swaps: Sequence[FolderSwap], options: CompactOptions) -> None:
    home = layout.merging(collector)
    options.on_step("intend")
    write_whole(home / "intent", msgspec.json.encode(swaps))
    options.on_step("intended")
    with publish_lock(layout.state, exclusive=True):
        for swap in swaps:
            _link_other_files(layout, home / swap.draft, swap)
        for number, swap in enumerate(swaps):
            options.on_step(f"exchange {number}")
            exchange_dirs(home / swap.draft, layout.data_dir / swap.folder)
        options.on_step("exchanged")
        _record_swaps(layout, collector, swaps)
    options.on_step("listed")
    (home / "intent").unlink()
    sync_dir(home)
    for swap in swaps:
        options.on_step(f"remove {swap.draft}")
        shutil.rmtree(home / swap.draft)


def _link_other_files(layout: Layout, draft: Path, swap: FolderSwap) -> None:
    """Hard-link every file of the folder that is not merged into the draft."""
    for other in (layout.data_dir / swap.folder).iterdir():
        if layout.relative(other) not in swap.merged.replaces:
            (draft / other.name).hardlink_to(other)
    sync_dir(draft)


def _record_swaps(layout: Layout, collector: str, done: Sequence[FolderSwap]) -> None:
    """Make swapped folders durable, then list their merged files in the manifest."""
    for parent in {(layout.data_dir / swap.folder).parent for swap in done}:
        sync_dir(parent)
    if done:
        sync_dir(layout.merging(collector))
        manifest.append(layout.manifest, collector, [swap.merged for swap in done])


def _sum_reports(one: CompactReport, other: CompactReport) -> CompactReport:
    return CompactReport(
        **{
            name: getattr(one, name) + getattr(other, name)
            for name in ("hours", "files", "merged", "rows", "bytes_before", "bytes_after", "damaged")
        }
    )
