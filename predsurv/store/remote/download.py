"""Download of recorded files from a bucket into the local data folder.

Only complete segments are fetched: one without its manifest object is still being uploaded. Local files are never
overwritten.
"""

import asyncio
import os
import re
from collections import defaultdict
from collections.abc import AsyncIterator, Callable, Container, Iterable, Mapping, Sequence
from itertools import count
from pathlib import Path

from msgspec import Struct

from predsurv.core.errors import TransientError
from predsurv.store import manifest
from predsurv.store.files import PRIVATE_DIR, make_dirs, replace, sync_dir
from predsurv.store.layout import (
    FOLDERS,
    NS_SECOND,
    Dataset,
    FileStamp,
    Layout,
    date_of,
    end_of,
    has_recording,
    is_date,
    parse_file,
    universe_date,
)
from predsurv.store.locks import publish_lock
from predsurv.store.manifest import SealedFile
from predsurv.store.remote import upload_journal
from predsurv.store.remote.bounded import map_bounded
from predsurv.store.remote.object_store import Bucket, StoredObject, digest_of
from predsurv.store.remote.upload_journal import UploadRecord, manifest_name

_VENUE = re.compile(r"[a-z0-9_-]{1,64}\Z")


class UnansweredError(TransientError):
    """The store could not be asked what it has; what is here may be all there is."""


class DownloadRequest(Struct, frozen=True, kw_only=True):
    """What to download: ``venue`` and ``dates`` (YYYY-MM-DD; None for all), the datasets, and the universe files."""

    venue: str | None = None
    dates: Sequence[str] | None = None
    datasets: Sequence[Dataset] = tuple(FOLDERS)
    universe: bool = False


class DownloadReport(Struct, frozen=True):
    """How many ``files`` of how many ``bytes`` were fetched; ``incomplete``: files of segments still being uploaded.

    ``lost``: files that the manifest of their segment lists and the bucket does not have. They are in the manifest here
    too, so that their time counts as a gap.
    """

    files: int = 0
    bytes: int = 0
    incomplete: int = 0
    lost: int = 0


OnProgress = Callable[[int, int, int], None]
"""Called with files fetched, files to fetch, and bytes fetched."""


async def fetch_missing(
    bucket: Bucket, layout: Layout, wanted: DownloadRequest, on_progress: OnProgress = lambda *_: None
) -> DownloadReport:
    """Download what ``wanted`` names and this folder lacks; safe to interrupt and to repeat.

    Raises UnansweredError when the store does not tell what it has, TransientError when it fails after that,
    IntegrityError when an object differs from its manifest.
    """
    if wanted.venue is not None and not _VENUE.match(wanted.venue):
        return DownloadReport()
    try:
        missing = await _missing_files(bucket, layout, wanted)
    except TransientError as error:
        raise UnansweredError(str(error)) from error
    segments = sorted({(stamp.collector, stamp.segment) for stamp in missing.values()})
    texts = await map_bounded(segments, lambda segment: _read_manifest(bucket, *segment))
    sealed = {file.path: file for text in texts for file in manifest.parse_lines(text)}
    unlisted = await asyncio.to_thread(_unlisted, layout, sealed, missing, wanted)
    files = [sealed[name] for name in missing if name in sealed] + unlisted
    absent = [file for file in files if not (layout.data_dir / file.path).exists()]
    size, lost = await _fetch_files(bucket, layout, absent, on_progress)
    await asyncio.to_thread(_record_downloads, layout, files, lost, dict(zip(segments, texts, strict=True)))
    if wanted.universe:
        await _fetch_universes(bucket, layout, wanted)
    incomplete = sum(name not in sealed for name in missing)
    return DownloadReport(len(files) - len(lost), size, incomplete, len(lost))


def is_here(layout: Layout, wanted: DownloadRequest) -> bool:
    """Return whether this folder has anything of what ``wanted`` names."""
    if wanted.venue is not None and not _VENUE.match(wanted.venue):
        return False
    if wanted.venue is None and wanted.dates is None:
        return has_recording(layout)
    days = ["*"] if wanted.dates is None else [f"date={date}" for date in wanted.dates]
    venue = "*" if wanted.venue is None else f"venue={wanted.venue}"
    folders = [layout.data_dir / FOLDERS[dataset] for dataset in wanted.datasets]
    return any(any(folder.glob(f"{venue}/{day}/**/*.parquet")) for folder in folders for day in days)


def only_in_bucket(layout: Layout, wanted: DownloadRequest) -> list[str]:
    """Return the names of wanted files that were uploaded or fetched once, by the journals here, and are not here now.

    What the bucket has beyond that nobody here knows.
    """
    cutoff, replaced = manifest.read_cutoff(layout.manifest), upload_journal.replaced_files(layout)
    return [
        name
        for name in sorted(upload_journal.known_names(layout))
        if name not in replaced
        and _fetchable_stamp(layout, name, cutoff, wanted) is not None
        and _asked(name, wanted)
        and not (layout.data_dir / name).exists()
    ]


async def recorded_days(bucket: Bucket, venue: str | None = None) -> list[tuple[str, str]]:
    """Return the (date, venue) pairs that the bucket has coverage of, oldest date first; ``venue``: None for all."""
    folder = FOLDERS["coverage"]
    found: list[tuple[str, str]] = []
    for name in await bucket.folders(folder) if venue is None else [f"venue={venue}"]:
        dates = [each.removeprefix("date=") for each in await bucket.folders(f"{folder}/{name}")]
        found += ((date, name.removeprefix("venue=")) for date in dates if is_date(date))
    return sorted(found)


async def data_objects(bucket: Bucket) -> AsyncIterator[tuple[Dataset, str, StoredObject]]:
    """Yield dataset, venue and object of every data file in the bucket."""
    for dataset, folder in FOLDERS.items():
        async for each in bucket.list(folder):
            try:
                partition, _ = parse_file(Path(each.name))
            except ValueError:
                continue
            yield dataset, partition.venue, each


async def _missing_files(bucket: Bucket, layout: Layout, wanted: DownloadRequest) -> dict[str, FileStamp]:
    """Return the stamps of the data files to fetch, by name."""
    listed = await asyncio.to_thread(lambda: {file.path for file in manifest.read(layout.manifest)})
    replaced = await asyncio.to_thread(upload_journal.replaced_files, layout)
    cutoff = manifest.read_cutoff(layout.manifest)
    missing: dict[str, FileStamp] = {}
    for prefix in _prefixes(wanted):
        async for each in bucket.list(prefix):
            stamp = _fetchable_stamp(layout, each.name, cutoff, wanted)
            if stamp is None or each.name in replaced:
                continue
            if each.name not in listed or not (layout.data_dir / each.name).exists():
                missing[each.name] = stamp
    return missing


def _unlisted(
    layout: Layout, sealed: Mapping[str, SealedFile], missing: Container[str], wanted: DownloadRequest
) -> list[SealedFile]:
    """Return what is wanted of the segments with files to fetch, and neither here nor listed in the bucket."""
    cutoff = manifest.read_cutoff(layout.manifest)
    replaced = upload_journal.replaced_files(layout)
    found: list[SealedFile] = []
    for name, file in sealed.items():
        if name in missing or name in replaced or _fetchable_stamp(layout, name, cutoff, wanted) is None:
            continue
        if _asked(name, wanted) and not (layout.data_dir / name).exists():
            found.append(file)
    return found


def _asked(name: str, wanted: DownloadRequest) -> bool:
    partition, _ = parse_file(Path(name))
    return partition.dataset in wanted.datasets and wanted.venue in (None, partition.venue)


def _prefixes(wanted: DownloadRequest) -> Iterable[str]:
    for folder in (FOLDERS[dataset] for dataset in wanted.datasets):
        if wanted.venue is None:
            yield folder
        elif wanted.dates is None:
            yield f"{folder}/venue={wanted.venue}"
        else:
            yield from (f"{folder}/venue={wanted.venue}/date={date}" for date in wanted.dates)


def _fetchable_stamp(layout: Layout, name: str, cutoff: int, wanted: DownloadRequest) -> FileStamp | None:
    """Return the stamp of the object ``name``, None unless it is exactly the name of a data file to fetch.

    Files before ``cutoff``, which retention removed here, are fetched only for whole days requested by date: the
    coverage of a day that is partly here describes that part alone.
    """
    try:
        partition, stamp = parse_file(Path(name))
        same = layout.relative(layout.file(partition, stamp)) == name
        removed = end_of(partition) <= cutoff and (wanted.dates is None or partition.date == date_of(cutoff))
    except (ValueError, IndexError):
        return None
    asked = wanted.dates is None or partition.date in wanted.dates
    return stamp if same and asked and not removed and _VENUE.match(stamp.collector) else None


async def _read_manifest(bucket: Bucket, collector: str, segment: int) -> bytes:
    try:
        return await bucket.read(manifest_name(collector, segment))
    except FileNotFoundError:
        return b""  # the segment is still being uploaded


async def _fetch_files(
    bucket: Bucket, layout: Layout, files: Sequence[SealedFile], on_progress: OnProgress
) -> tuple[int, set[str]]:
    """Download ``files`` and return their size in bytes, and the names of those that the bucket does not have."""
    size = done = 0
    lost: set[str] = set()
    numbers = count()

    async def one(file: SealedFile) -> None:
        nonlocal size, done
        fetched = 0
        try:
            fetched = await _fetch_object(bucket, layout, next(numbers), file.path, file.blake2b)
        except FileNotFoundError:
            lost.add(file.path)
        size, done = size + fetched, done + 1  # after the await: other tasks change these meanwhile
        on_progress(done, len(files), size)

    on_progress(0, len(files), 0)
    await map_bounded(files, one)
    return size, lost


async def _fetch_object(bucket: Bucket, layout: Layout, number: int, name: str, digest: str | None) -> int:
    """Download an object through the staging folder, so that it appears atomically; return its size in bytes.

    ``number`` tells the drafts of one process apart.
    """
    staging = layout.staging("fetch")
    make_dirs(staging, PRIVATE_DIR)
    draft = staging / f"{os.getpid()}-{number}"
    draft.unlink(missing_ok=True)
    try:
        size = await bucket.get(name, draft, digest)
        await asyncio.to_thread(_publish, layout, draft, layout.data_dir / name)
    finally:
        draft.unlink(missing_ok=True)
    return size


def _publish(layout: Layout, draft: Path, target: Path) -> None:
    with publish_lock(layout.state):
        make_dirs(target.parent)
        replace(draft, target)
        sync_dir(target.parent)


def _record_downloads(
    layout: Layout, files: Iterable[SealedFile], lost: Container[str], texts: dict[tuple[str, int], bytes]
) -> None:
    """Add ``files`` to the manifests, and those that are not ``lost`` to the journals of what is in the bucket."""
    listed = {file.path for file in manifest.read(layout.manifest)}
    groups: defaultdict[tuple[str, int], list[SealedFile]] = defaultdict(list)
    for file in files:
        stamp = parse_file(Path(file.path))[1]
        groups[stamp.collector, stamp.segment].append(file)
    dated: defaultdict[tuple[str, str], list[UploadRecord]] = defaultdict(list)
    for (collector, segment), group in groups.items():
        text = texts[collector, segment]
        for file in (file for file in group if file.path not in lost):
            upload = UploadRecord(file.path, file.blake2b, file.bytes)
            dated[collector, upload_journal.date_of_file(file.path)].append(upload)
        latest = max(upload_journal.date_of_file(file.path) for file in group)
        dated[collector, latest].append(UploadRecord(manifest_name(collector, segment), digest_of(text), len(text)))
    for (collector, date), lines in dated.items():
        upload_journal.append(layout, collector, date, lines)
    for collector in {collector for collector, _ in groups}:
        own = [file for key, group in groups.items() if key[0] == collector for file in group]
        manifest.append(layout.manifest, collector, [file for file in own if file.path not in listed])


async def _fetch_universes(bucket: Bucket, layout: Layout, wanted: DownloadRequest) -> None:
    """Download the universe of each wanted day and the newest one, where the bucket has a later version."""
    found = {}
    async for each in bucket.list("metadata" if wanted.venue is None else f"metadata/venue={wanted.venue}"):
        date = universe_date(each.name)
        if date is not None:
            found[each.name] = (date, each)
    newest = max((date for date, _ in found.values()), default="")
    for number, (name, (date, each)) in enumerate(found.items()):
        if date == newest or wanted.dates is None or date in wanted.dates:
            path = layout.data_dir / name
            if not path.exists() or path.stat().st_mtime_ns < each.modified // NS_SECOND * NS_SECOND:
                await _fetch_object(bucket, layout, number, name, None)
