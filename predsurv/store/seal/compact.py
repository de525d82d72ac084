"""Closed hours and days become one sorted file per dataset and collector.

Kept apart from sealing because nothing is lost when this never runs: it only makes few files of many.

A reader lists files and then opens them, so there must be no instant in which a listing shows both
the parts and the merged file, or neither, and no name whose content changes. The merged file is
prepared in a folder of its own beside whatever else the partition holds, its rows are compared
with the parts', and then both folders change places in one step. A reader that listed before and opens
after does not find its file: an error, never a wrong count. All datasets of an hour change places
within a millisecond, so that it takes one unlucky scan to see that.

An intent is written down first. After a crash the next call finds either the merged file in its place,
and completes the manifest, or the parts, and forgets the draft.
"""

import shutil
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import AbstractContextManager, suppress
from pathlib import Path
from typing import Final

import msgspec
from msgspec import Struct

from predsurv.core.errors import IntegrityError, TransientError
from predsurv.core.ids import VenueName
from predsurv.core.text import sanitise
from predsurv.ports import Clock
from predsurv.store import manifest
from predsurv.store.files import PRIVATE_DIR, make_dirs, sync_dir, write_whole
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
from predsurv.store.locks import only_one, publishing
from predsurv.store.manifest import SealedFile
from predsurv.store.seal.atomic_swap import exchange
from predsurv.store.seal.merge import Clip, alike, digests, merge, whole
from predsurv.store.seal.parquet_writer import ParquetSink
from predsurv.store.wal.segment import opened_at

GRACE: Final = 60_000_000_000
"""How long (ns) after its end an hour counts as open: clocks step and coverage is written late."""


class CompactOptions(Struct, frozen=True):
    """How to merge. ``compression``: zstd level. ``venue``, ``date`` (YYYY-MM-DD): only these.

    ``stop``: asked between hours, True ends early. ``clip``: applied to the rows, see ``merge``.
    ``at``: called with the name of each step before it, for fault injection.
    """

    compression: int = 2
    venue: VenueName | None = None
    date: str | None = None
    stop: Callable[[], bool] = lambda: False
    clip: Clip = whole
    at: Callable[[str], None] = lambda _step: None


DEFAULTS: Final = CompactOptions()


class CompactReport(Struct, frozen=True):
    """What was merged. ``hours``: hours and days that changed; ``files`` before, one each ``merged`` now.

    ``damaged`` names files that are not what was sealed: their hour is left as it is.
    """

    hours: int = 0
    files: int = 0
    merged: tuple[SealedFile, ...] = ()
    rows: int = 0
    bytes_before: int = 0
    bytes_after: int = 0
    damaged: tuple[str, ...] = ()
    duration_ns: int = 0


class PendingSwap(Struct, frozen=True):
    """One folder that is to be replaced; paths relative to the data folder."""

    folder: str
    draft: str
    merged: SealedFile


def compact_closed(layout: Layout, collector: str, clock: Clock, options: CompactOptions = DEFAULTS) -> CompactReport:
    """Merge the files of ``collector`` in every hour and day that is closed, oldest first.

    An hour is closed when it is over and every log segment that may hold rows of it is sealed. Safe
    beside a running collector, also this one, and to call again: nothing happens to what is merged.
    Raises SafetyError when another compaction of this collector runs, TransientError when the disk
    refuses (nothing has changed then), ConfigError where folders cannot be exchanged.
    """
    began = clock.monotonic()
    report = CompactReport()
    try:
        with _alone(layout, collector):
            finish(layout, collector)
            for group in due(layout, collector, clock.now(), options):
                if options.stop():
                    break
                report = _add(report, _compact_group(layout, collector, group, options))
    except OSError as error:
        raise TransientError(f"cannot compact in {layout.data_dir} ({error}): free disk space") from error
    return msgspec.structs.replace(report, duration_ns=clock.monotonic() - began)


def collectors_of(layout: Layout) -> list[str]:
    """Return whose files there are."""
    found: set[str] = set()
    for dataset in FOLDERS:
        found.update(parse_file(path)[1].collector for path in data_files(layout, dataset))
    return sorted(found)


def rewrite(
    layout: Layout, collector: str, group: dict[Partition, list[Path]], options: CompactOptions, clip: Clip
) -> CompactReport:
    """Merge these files of ``collector`` as ``clip`` leaves their rows; raises as ``compact_closed``, and OSError."""
    with _alone(layout, collector):
        finish(layout, collector)
        return _compact_group(layout, collector, group, msgspec.structs.replace(options, clip=clip))


def _alone(layout: Layout, collector: str) -> AbstractContextManager[None]:
    return only_one(layout.merging(collector) / "lock", f"a compaction for collector {collector!r}")


def due(
    layout: Layout, collector: str, now: int, options: CompactOptions = DEFAULTS
) -> list[dict[Partition, list[Path]]]:
    """Return the closed hours and days with something to merge, oldest first, each as its partitions' files."""
    closed = min([now - GRACE, *filter(None, map(opened_at, segments_of(layout.wal, collector)))])
    unsealed = {path.name for path in segments_of(layout.wal, collector)}
    groups: defaultdict[tuple[int, str, bool], dict[Partition, list[Path]]] = defaultdict(dict)
    for dataset in FOLDERS:
        for partition, files in _own_files(layout, dataset, collector):
            if options.venue not in (None, partition.venue) or options.date not in (None, partition.date):
                continue
            end = end_of(partition)
            if end <= closed and len(files) > 1 and not _names(files, collector) & unsealed:
                groups[end, partition.venue, dataset in HOURLY][partition] = files
    return [groups[key] for key in sorted(groups)]


def in_flight(layout: Layout) -> set[str]:
    """Return the files, before and after, of every exchange that is under way or was interrupted."""
    found: set[str] = set()
    for intent in layout.merging("*").parent.glob("*/intent"):
        with suppress(FileNotFoundError):  # it was completed this very moment
            for swap in msgspec.json.decode(intent.read_bytes(), type=list[PendingSwap]):
                found.update((swap.merged.path, *swap.merged.replaces))
    return found


def finish(layout: Layout, collector: str) -> None:
    """Complete what an earlier call was interrupted in, or forget its draft; raises OSError."""
    home = layout.merging(collector)
    intent = home / "intent"
    if intent.exists():
        with publishing(layout.state, alone=True):
            swaps = msgspec.json.decode(intent.read_bytes(), type=list[PendingSwap])
            done = [swap for swap in swaps if (layout.data_dir / swap.merged.path).exists()]
            _conclude(layout, collector, done)
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


def _names(files: Iterable[Path], collector: str) -> set[str]:
    return {segment_name(collector, parse_file(path)[1].segment) for path in files}


def _compact_group(
    layout: Layout, collector: str, group: dict[Partition, list[Path]], options: CompactOptions
) -> CompactReport:
    """Merge the files of one hour or day: all drafts first, then all folders change places."""
    home = layout.merging(collector)
    swaps: list[PendingSwap] = []
    damaged: list[str] = []
    before = files = 0
    for number, (partition, parts) in enumerate(group.items()):
        options.at(f"merge {number}")
        try:
            _expect_mergeable(layout, partition, parts)
            if not alike(parts):
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
    options.at("done")
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
) -> PendingSwap:
    """Merge ``parts`` into a file in ``draft`` and prove that it holds their rows; raises IntegrityError."""
    make_dirs(draft, PRIVATE_DIR)
    draft.chmod(0o755)
    stamps = [parse_file(part)[1] for part in parts]
    merges = max(stamp.merges for stamp in stamps) + 1
    stamp = FileStamp(stamps[0].opened, stamps[0].collector, max(stamp.segment for stamp in stamps), merges)
    target = layout.file(partition, stamp)
    with ParquetSink(draft / target.name, options.compression, merged=True) as sink:
        held = merge(parts, sink, options.clip)
    options.at("compare")
    _compare(parts, draft / target.name, options.clip)
    size, digest = (draft / target.name).stat().st_size, manifest.digest(draft / target.name)
    replaced = tuple(_name(layout, part) for part in parts)
    merged = SealedFile(_name(layout, target), held.rows, held.lo, held.hi, size, digest, replaced)
    return PendingSwap(_name(layout, target.parent), draft.name, merged)


def _expect_mergeable(layout: Layout, partition: Partition, parts: Sequence[Path]) -> None:
    """Raise IntegrityError when one of ``parts`` is damaged, or when somebody made a folder beside them.

    A folder has no second name, so theirs could not be left in its place.
    """
    sealed = {file.path: file for file in manifest.read(layout.manifest, partition.date)}
    for part in parts:
        listed = sealed.get(_name(layout, part))
        if listed is not None and manifest.digest(part) != listed.blake2b:
            raise IntegrityError(f"{part.name} is not what was sealed: run `predsurv verify`")
    strange = next((each for each in sorted(parts[0].parent.iterdir()) if each.is_dir()), None)
    if strange is not None:
        raise IntegrityError(f"{sanitise(strange.name, 80)} in it is a folder: move it elsewhere")


def _name(layout: Layout, path: Path) -> str:
    return layout.relative(path)


def _compare(parts: Iterable[Path], merged: Path, clip: Clip) -> None:
    expected: dict[int, str] = {}
    for part in parts:
        expected |= digests(part, clip)
    if digests(merged) != expected:
        raise IntegrityError(f"{merged.name} would not hold the rows of its parts: this is a bug, report it")


def _swap(layout: Layout, collector: str, swaps: Sequence[PendingSwap], options: CompactOptions) -> None:
    home = layout.merging(collector)
    options.at("intend")
    write_whole(home / "intent", msgspec.json.encode(swaps))
    options.at("intended")
    with publishing(layout.state, alone=True):
        for swap in swaps:
            _fill_up(layout, home / swap.draft, swap)
        for number, swap in enumerate(swaps):
            options.at(f"exchange {number}")
            exchange(home / swap.draft, layout.data_dir / swap.folder)
        options.at("exchanged")
        _conclude(layout, collector, swaps)
    options.at("listed")
    (home / "intent").unlink()
    sync_dir(home)
    for swap in swaps:
        options.at(f"remove {swap.draft}")
        shutil.rmtree(home / swap.draft)


def _fill_up(layout: Layout, draft: Path, swap: PendingSwap) -> None:
    """Put whatever else is in the folder beside the merged file, as a second name of the same file."""
    for other in (layout.data_dir / swap.folder).iterdir():
        if _name(layout, other) not in swap.merged.replaces:
            (draft / other.name).hardlink_to(other)
    sync_dir(draft)


def _conclude(layout: Layout, collector: str, done: Sequence[PendingSwap]) -> None:
    """Make exchanged folders durable, then list their merged files."""
    for parent in {(layout.data_dir / swap.folder).parent for swap in done}:
        sync_dir(parent)
    if done:
        sync_dir(layout.merging(collector))
        manifest.record(layout.manifest, collector, [swap.merged for swap in done])


def _add(one: CompactReport, other: CompactReport) -> CompactReport:
    return CompactReport(
        **{
            name: getattr(one, name) + getattr(other, name)
            for name in ("hours", "files", "merged", "rows", "bytes_before", "bytes_after", "damaged")
        }
    )
