"""Bring what is recorded in a bucket into the folder on this machine, so that everything that reads files can.

Kept apart from reading because readers know files only. Only whole segments come: one whose manifest is not there yet
is still on its way up. What is here already stays as it is.
"""

import asyncio
import os
import re
from collections import defaultdict
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Sequence
from pathlib import Path
from typing import Final, TypeVar

from msgspec import Struct

from predsurv.store import manifest
from predsurv.store.files import PRIVATE_DIR, make_dirs, replace, sync_dir
from predsurv.store.layout import FOLDERS, NS_SECOND, Dataset, FileStamp, Layout, date_of, end_of, is_date, parse_file
from predsurv.store.locks import publish_lock
from predsurv.store.manifest import SealedFile
from predsurv.store.remote import upload_journal
from predsurv.store.remote.object_store import Bucket, StoredObject, digest_of
from predsurv.store.remote.upload_journal import UploadRecord, manifest_name

AT_ONCE: Final = 8
"""Requests under way at the same time."""

_UNIVERSE = re.compile(r"metadata/venue=[a-z0-9_-]{1,64}/date=(?P<date>[0-9]{4}-[0-9]{2}-[0-9]{2})/universe\.jsonl\Z")
_VENUE = re.compile(r"[a-z0-9_-]{1,64}\Z")
_Item = TypeVar("_Item")
_Result = TypeVar("_Result")


class DownloadRequest(Struct, frozen=True, kw_only=True):
    """What to fetch: of ``venue`` or of all, the ``dates`` (YYYY-MM-DD) or all, these datasets."""

    venue: str | None = None
    dates: Sequence[str] | None = None
    datasets: Sequence[Dataset] = tuple(FOLDERS)
    universe: bool = False


class DownloadReport(Struct, frozen=True):
    """What came: ``files`` of ``bytes`` together; ``incomplete`` are there and not to be read yet."""

    files: int = 0
    bytes: int = 0
    incomplete: int = 0


Tell = Callable[[int, int, int], None]
"""Takes files fetched, files to fetch, and bytes fetched."""


async def fetch_missing(
    bucket: Bucket, layout: Layout, wanted: DownloadRequest, tell: Tell = lambda *_: None
) -> DownloadReport:
    """Fetch what ``wanted`` names and this folder lacks; safe to interrupt and to call again.

    Raises TransientError when the store cannot be reached, IntegrityError when an object is not what its manifest says.
    """
    if wanted.venue is not None and not _VENUE.match(wanted.venue):
        return DownloadReport()
    lacking = await _lacking(bucket, layout, wanted)
    segments = sorted({(stamp.collector, stamp.segment) for stamp in lacking.values()})
    texts = await _each(segments, lambda segment: _manifest(bucket, *segment))
    sealed = {file.path: file for text in texts for file in manifest.parse_lines(text)}
    files = [sealed[name] for name in lacking if name in sealed]
    size = await _bring(bucket, layout, [file for file in files if not (layout.data_dir / file.path).exists()], tell)
    await asyncio.to_thread(_remember, layout, files, dict(zip(segments, texts, strict=True)))
    if wanted.universe:
        await _universes(bucket, layout, wanted)
    return DownloadReport(len(files), size, len(lacking) - len(files))


async def recorded_days(bucket: Bucket, venue: str | None = None) -> list[tuple[str, str]]:
    """Return the (date, venue) pairs of which the bucket has anything, oldest date first."""
    folder = FOLDERS["coverage"]
    found: list[tuple[str, str]] = []
    for name in await bucket.folders(folder) if venue is None else [f"venue={venue}"]:
        dates = [each.removeprefix("date=") for each in await bucket.folders(f"{folder}/{name}")]
        found += ((date, name.removeprefix("venue=")) for date in dates if is_date(date))
    return sorted(found)


async def data_objects(bucket: Bucket) -> AsyncIterator[tuple[Dataset, str, StoredObject]]:
    """Yield the dataset, the venue and the object of every data file in the bucket."""
    for dataset, folder in FOLDERS.items():
        async for each in bucket.list(folder):
            try:
                partition, _ = parse_file(Path(each.name))
            except ValueError:
                continue
            yield dataset, partition.venue, each


async def _lacking(bucket: Bucket, layout: Layout, wanted: DownloadRequest) -> dict[str, FileStamp]:
    here = await asyncio.to_thread(lambda: {file.path for file in manifest.read(layout.manifest)})
    replaced = await asyncio.to_thread(upload_journal.replaced_files, layout)
    cutoff = manifest.read_cutoff(layout.manifest)
    lacking: dict[str, FileStamp] = {}
    for prefix in _prefixes(wanted):
        async for each in bucket.list(prefix):
            stamp = _ours(layout, each.name, cutoff, wanted)
            if stamp is None or each.name in replaced:
                continue
            if each.name not in here or not (layout.data_dir / each.name).exists():
                lacking[each.name] = stamp
    return lacking


def _prefixes(wanted: DownloadRequest) -> Iterable[str]:
    for folder in (FOLDERS[dataset] for dataset in wanted.datasets):
        if wanted.venue is None:
            yield folder
        elif wanted.dates is None:
            yield f"{folder}/venue={wanted.venue}"
        else:
            yield from (f"{folder}/venue={wanted.venue}/date={date}" for date in wanted.dates)


def _ours(layout: Layout, name: str, cutoff: int, wanted: DownloadRequest) -> FileStamp | None:
    """Return the stamp of a data file that may be fetched: its name is exactly as ours are, whoever stored it.

    What retention removed here comes back only by a whole day that was asked for: of a day that is here in part,
    coverage speaks of that part alone.
    """
    try:
        partition, stamp = parse_file(Path(name))
        same = layout.relative(layout.file(partition, stamp)) == name
        removed = end_of(partition) <= cutoff and (wanted.dates is None or partition.date == date_of(cutoff))
    except (ValueError, IndexError):
        return None
    asked = wanted.dates is None or partition.date in wanted.dates
    return stamp if same and asked and not removed and _VENUE.match(stamp.collector) else None


async def _manifest(bucket: Bucket, collector: str, segment: int) -> bytes:
    try:
        return await bucket.read(manifest_name(collector, segment))
    except FileNotFoundError:
        return b""  # the segment is still on its way up


async def _bring(bucket: Bucket, layout: Layout, files: Sequence[SealedFile], tell: Tell) -> int:
    size = done = 0

    async def one(numbered: tuple[int, SealedFile]) -> None:
        nonlocal size, done
        number, file = numbered
        got = await _place(bucket, layout, (number, file.path), file.blake2b)
        size, done = size + got, done + 1  # after the await: the others add to these meanwhile
        tell(done, len(files), size)

    tell(0, len(files), 0)
    await _each(list(enumerate(files)), one)
    return size


async def _place(bucket: Bucket, layout: Layout, numbered: tuple[int, str], digest: str | None) -> int:
    """Fetch an object by way of staging, so that readers find it whole or not at all; return its bytes."""
    number, name = numbered
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


def _remember(layout: Layout, files: Iterable[SealedFile], texts: dict[tuple[str, int], bytes]) -> None:
    """List what came in the manifests, and in the journals as what the bucket has."""
    listed = {file.path for file in manifest.read(layout.manifest)}
    groups: defaultdict[tuple[str, int], list[SealedFile]] = defaultdict(list)
    for file in files:
        stamp = parse_file(Path(file.path))[1]
        groups[stamp.collector, stamp.segment].append(file)
    dated: defaultdict[tuple[str, str], list[UploadRecord]] = defaultdict(list)
    for (collector, segment), group in groups.items():
        text = texts[collector, segment]
        for file in group:
            upload = UploadRecord(file.path, file.blake2b, file.bytes)
            dated[collector, upload_journal.date_of_file(file.path)].append(upload)
        latest = max(upload_journal.date_of_file(file.path) for file in group)
        dated[collector, latest].append(UploadRecord(manifest_name(collector, segment), digest_of(text), len(text)))
    for (collector, date), lines in dated.items():
        upload_journal.append(layout, collector, date, lines)
    for collector in {collector for collector, _ in groups}:
        own = [file for key, group in groups.items() if key[0] == collector for file in group]
        manifest.append(layout.manifest, collector, [file for file in own if file.path not in listed])


async def _universes(bucket: Bucket, layout: Layout, wanted: DownloadRequest) -> None:
    """Fetch the universe of each wanted day and the newest one, where the bucket has another than this folder."""
    found = {}
    async for each in bucket.list("metadata" if wanted.venue is None else f"metadata/venue={wanted.venue}"):
        match = _UNIVERSE.match(each.name)
        if match is not None:
            found[each.name] = (match["date"], each)
    newest = max((date for date, _ in found.values()), default="")
    for number, (name, (date, each)) in enumerate(found.items()):
        if date == newest or wanted.dates is None or date in wanted.dates:
            path = layout.data_dir / name
            if not path.exists() or path.stat().st_mtime_ns < each.modified // NS_SECOND * NS_SECOND:
                await _place(bucket, layout, (number, name), None)


async def _each(items: Sequence[_Item], work: Callable[[_Item], Awaitable[_Result]]) -> list[_Result]:
    """Return what ``work`` makes of each item, a few at a time; the first failure ends it."""
    turnstile = asyncio.Semaphore(AT_ONCE)

    async def turn(item: _Item) -> _Result:
        async with turnstile:
            return await work(item)

    try:
        async with asyncio.TaskGroup() as group:
            tasks = [group.create_task(turn(item)) for item in items]
    except BaseExceptionGroup as failures:
        raise failures.exceptions[0] from None
    return [task.result() for task in tasks]
