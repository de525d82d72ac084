"""Files of a bucket, fetched as they are needed, also where an event loop runs already."""

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

from predsurv.config import Config
from predsurv.core.ids import VenueName
from predsurv.store.layout import Layout
from predsurv.store.read.facts import LISTS_BEFORE
from predsurv.store.read.recording import ReplaySpan
from predsurv.store.remote import download
from predsurv.store.remote.download import DownloadRequest
from predsurv.store.remote.object_store import BucketLocation, open_bucket
from predsurv.venues.registry import check_venue

_T = TypeVar("_T")


def fetch_span(config: Config, venue: str, span: ReplaySpan) -> None:
    """Fetch what a span needs and the data folder lacks from the bucket, if one is configured.

    Raises ConfigError for a venue that does not exist.
    """
    check_venue(venue)
    if config.bucket:
        call_apart(lambda: asyncio.run(_fetch(config, VenueName(venue), span)))


def call_apart(function: Callable[[], _T]) -> _T:
    """Call ``function`` where no event loop runs: in a thread of its own if one runs in this thread."""
    try:
        asyncio.get_running_loop()
    except RuntimeError:
        return function()
    with ThreadPoolExecutor(1) as pool:
        return pool.submit(function).result()


async def _fetch(config: Config, venue: VenueName, span: ReplaySpan) -> None:
    bucket = open_bucket(BucketLocation(config.bucket, config.object_store.endpoint, config.object_store.region))
    before = ReplaySpan(span.start - LISTS_BEFORE, span.start).dates()
    for wanted in (
        DownloadRequest(venue=venue, dates=before, datasets=("coverage", "lifecycle"), universe=True),
        DownloadRequest(venue=venue, dates=span.dates(), universe=True),
    ):
        await download.fetch_missing(bucket, Layout(config.data_dir), wanted, lambda *_: None)
