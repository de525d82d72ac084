"""Write a day's statistics atomically and durably."""

import os
from pathlib import Path
from typing import Final

import polars as pl
import pyarrow.parquet as pq

from predsurv.core.ids import VenueName
from predsurv.core.text import path_component
from predsurv.store.files import PRIVATE_DIR, make_dirs, replace, sync_dir, sync_file, write_whole
from predsurv.store.layout import Layout

SCHEMA_VERSION: Final = b"1"
COMPRESSION_LEVEL: Final = 3


def stats_folder(data_dir: Path, venue: VenueName, date: str) -> Path:
    """Return the folder that holds ``stats.parquet`` and ``report.html`` of a day."""
    return data_dir / "stats" / f"venue={path_component(venue)}" / f"date={date}"


def write_stats(stats: pl.DataFrame, data_dir: Path, venue: VenueName, date: str) -> Path:
    """Replace the day's ``stats.parquet`` and return its path; raises OSError and leaves the old one."""
    path = stats_folder(data_dir, venue, date) / "stats.parquet"
    write_table(stats, path, data_dir)
    return path


def write_table(rows: pl.DataFrame, path: Path, data_dir: Path) -> None:
    """Replace the Parquet file at ``path``, below ``data_dir``; raises OSError and leaves the old one."""
    layout = Layout(data_dir)
    staging = layout.staging("mine")
    make_dirs(path.parent)
    make_dirs(layout.state, PRIVATE_DIR)
    make_dirs(staging, PRIVATE_DIR)
    draft = staging / f"{os.getpid()}.parquet"
    table = rows.to_arrow().replace_schema_metadata({b"predsurv.schema": SCHEMA_VERSION})
    try:
        pq.write_table(table, draft, compression="zstd", compression_level=COMPRESSION_LEVEL, write_page_checksum=True)
        sync_file(draft)
        replace(draft, path)
    finally:
        draft.unlink(missing_ok=True)
    sync_dir(path.parent)


def write_report(html: str, data_dir: Path, venue: VenueName, date: str) -> Path:
    """Replace the day's ``report.html`` and return its path; raises OSError and leaves the old one."""
    path = stats_folder(data_dir, venue, date) / "report.html"
    make_dirs(path.parent)
    write_whole(path, html.encode("utf-8", "replace"))
    return path
