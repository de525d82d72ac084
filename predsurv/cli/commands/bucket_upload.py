"""Uploads of universe files to the configured bucket; apart from downloads, which need no Parquet library."""

import asyncio
from collections.abc import Iterable
from pathlib import Path

from predsurv.cli.commands.bucket import bucket_of
from predsurv.cli.output.render import say
from predsurv.collect.output.uploader import upload_universe
from predsurv.config import Config
from predsurv.core.errors import TransientError
from predsurv.store.layout import Layout


def upload_universes(config: Config, paths: Iterable[Path]) -> None:
    """Upload new universe files to the bucket, if one is configured; a failure is left to the next ``collect``."""
    bucket = bucket_of(config)
    if bucket is None:
        return
    layout = Layout(config.data_dir)

    async def upload() -> None:
        for path in paths:
            await upload_universe(bucket, layout, path)

    try:
        asyncio.run(upload())
    except TransientError as error:
        say(f"warning: {error}; the next collect uploads the universe")
