"""Data files without the columns added to their datasets: those of earlier versions and of other programs."""

from collections.abc import Callable, Collection
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
from msgspec.structs import replace

from predsurv.store import manifest
from predsurv.store.layout import FOLDERS, Layout, data_files, parse_file
from predsurv.store.schema import ADDED

BEFORE_CHANNELS = frozenset({"trades", "lifecycle"})
"""The columns that tell channels apart."""


def rewrite_files(
    layout: Layout, change: Callable[[Any], Any], chosen: Callable[[Path], bool] = lambda _: True
) -> None:
    """Write the ``chosen`` files anew with what ``change`` makes of their rows, by plain pyarrow."""
    for dataset in FOLDERS:
        for path in filter(chosen, data_files(layout, dataset)):
            table = pq.read_table(path, partitioning=None)
            pq.write_table(change(table.replace_schema_metadata(None)), path)


def without(columns: Collection[str]) -> Callable[[Any], Any]:
    """Return the change that drops those of ``columns`` that a table has."""
    return lambda table: table.select([name for name in table.column_names if name not in columns])


def make_older(layout: Layout, chosen: Callable[[Path], bool] = lambda _: True) -> None:
    """Turn the ``chosen`` files into those of a version that did not tell channels apart, listed as these are."""
    rewrite_files(layout, without(BEFORE_CHANNELS), chosen)
    for file in list(manifest.read(layout.manifest)):
        path = layout.data_dir / file.path
        if chosen(path):
            listed = replace(file, bytes=path.stat().st_size, blake2b=manifest.digest(path))
            manifest.append(layout.manifest, parse_file(path)[1].collector, [listed])


def make_foreign(layout: Layout) -> None:
    """Turn every file into one of another program: only the columns of the contract, listed nowhere."""
    rewrite_files(layout, without(ADDED))
    for path in layout.manifest.iterdir():
        path.unlink()
