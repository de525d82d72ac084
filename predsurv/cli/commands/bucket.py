"""The configured bucket, and downloads of what a command is about to read."""

import asyncio
from contextlib import suppress
from typing import Final

from predsurv.cli.output.columns import volume
from predsurv.cli.output.progress import progress_line
from predsurv.cli.output.render import Column, Table, Value, say
from predsurv.config import Config
from predsurv.core.errors import TransientError
from predsurv.ports import Clock
from predsurv.store.layout import FOLDERS, Dataset, Layout
from predsurv.store.remote import download, upload_journal
from predsurv.store.remote.download import DownloadReport, DownloadRequest, UnansweredError
from predsurv.store.remote.object_store import Bucket, BucketLocation, open_bucket
from predsurv.store.remote.probe import probe_store

PROBE_SECONDS_MAX: Final = 15.0
"""How long a probe of the store may take."""

_STORED: Final = (
    Column("dataset", "Dataset", keep=9),
    Column("venue", "Venue", keep=8),
    Column("files", "Files", "int", keep=7),
    Column("bytes", "Size", "bytes", keep=8),
    Column("last", "Latest upload", "time", "UTC", keep=6),
)


def bucket_of(config: Config) -> Bucket | None:
    """Return the bucket that ``data_dir`` names, None when it is a folder; raises ConfigError, connects to nothing."""
    if not config.bucket:
        return None
    return open_bucket(BucketLocation(config.bucket, config.object_store.endpoint, config.object_store.region))


async def expect_recordable(bucket: Bucket, clock: Clock) -> None:
    """Raise SafetyError when the store does not honour conditional puts; one that does not answer is asked later."""
    with suppress(TransientError, TimeoutError):
        async with asyncio.timeout(PROBE_SECONDS_MAX):
            await probe_store(bucket, f"start-{clock.now()}")


def fetch_first(config: Config, wanted: DownloadRequest) -> bool:
    """Do what ``fetch`` does, outside an event loop."""
    return asyncio.run(fetch(config, wanted))


async def fetch(config: Config, wanted: DownloadRequest) -> bool:
    """Download ``wanted`` from the bucket, if one is configured, into the local data folder.

    Returns whether there is a bucket that answers. Without an answer what is here is used, which one line says; raises
    TransientError when nothing of ``wanted`` is here, or some of it is known to be in the bucket alone.
    """
    bucket = bucket_of(config)
    if bucket is None:
        return False
    try:
        with progress_line() as update:
            update(("fetch", f"{bucket.url}: looking what there is"))

            def tell(done: int, files: int, size: int) -> None:
                update(("fetch", f"{bucket.url}: {done:,} of {files:,} files, {volume(size)}"))

            fetched = await download.fetch_missing(bucket, Layout(config.data_dir), wanted, tell)
    except UnansweredError as error:
        _go_on_without(config, wanted, error)
        return False
    _tell(config, fetched)
    return True


def fetch_day(config: Config, venue: str | None, date: str | None) -> None:
    """Download one day: ``date``, or the latest one in the bucket. Without an answer it is as with ``fetch``."""
    bucket = bucket_of(config)
    if bucket is None:
        return
    try:
        days = asyncio.run(download.recorded_days(bucket, venue)) if venue is None or date is None else [(date, venue)]
    except TransientError as error:
        _go_on_without(config, DownloadRequest(venue=venue, dates=None if date is None else (date,)), error)
        return
    found = [day for day in days if date in (None, day[0])]
    if found:
        chosen_date, chosen_venue = found[-1]
        fetch_first(config, DownloadRequest(venue=chosen_venue, dates=(chosen_date,), universe=True))


def _go_on_without(config: Config, wanted: DownloadRequest, error: TransientError) -> None:
    """Say that the bucket was not asked; raises TransientError when what is here cannot be enough."""
    layout = Layout(config.data_dir)
    if not download.is_here(layout, wanted):
        raise TransientError(f"{error}; nothing of what is asked for is in {config.data_dir}") from error
    if away := download.only_in_bucket(layout, wanted):
        files = "1 file" if len(away) == 1 else f"{len(away):,} files"
        raise TransientError(f"{error}; it alone has {files} of what is asked for, such as {away[0]}") from error
    say(f"warning: {error}; going on with what is in {config.data_dir}, which may not be all")


def bucket_table(config: Config) -> Table | None:
    """Return files and bytes in the bucket by dataset and venue, None without a bucket; raises TransientError."""
    bucket = bucket_of(config)
    if bucket is None:
        return None
    totals = asyncio.run(_totals(bucket))
    order = list(FOLDERS)
    rows: list[list[Value]] = [
        [FOLDERS[dataset], venue, *totals[dataset, venue]]
        for dataset, venue in sorted(totals, key=lambda key: (key[1], order.index(key[0])))
    ]
    waiting = sum(
        max(len(each.missing), 1)
        for each in upload_journal.pending_batches(Layout(config.data_dir), config.collector.id)
    )
    note = f"{waiting:,} files of {config.collector.id} wait in {config.data_dir}" if waiting else ""
    return Table("bucket", f"In {bucket.url}", _STORED, rows, note, empty="nothing was uploaded yet")


async def _totals(bucket: Bucket) -> dict[tuple[Dataset, str], list[int]]:
    totals: dict[tuple[Dataset, str], list[int]] = {}
    async for dataset, venue, each in download.data_objects(bucket):
        total = totals.setdefault((dataset, venue), [0, 0, 0])
        total[:] = total[0] + 1, total[1] + each.bytes, max(total[2], each.modified)
    return totals


def _tell(config: Config, fetched: DownloadReport) -> None:
    if fetched.files:
        say(f"fetched {fetched.files:,} files, {volume(fetched.bytes)}, from {config.bucket} into {config.data_dir}")
    if fetched.incomplete:
        say(f"{fetched.incomplete:,} files of {config.bucket} are left out: their segment is not uploaded whole yet")
    if fetched.lost:
        files = "1 file is" if fetched.lost == 1 else f"{fetched.lost:,} files are"
        say(
            f"warning: {files} gone from {config.bucket}: the time of these counts as a gap (file_missing); "
            "see 'predsurv verify --remote'"
        )
