"""The files of roll-ups, ``rollups`` of hours, ``day_rollups`` of days: derived, replaced whole, never trusted blindly.

An ``index.json`` of each day names the key and the digest of each file: one without an entry, of another key or of
another content is as if it were not there.
"""

from pathlib import Path

import msgspec
import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq
from msgspec import Struct

from predsurv.core.text import path_component
from predsurv.mine.recorded_days import MiningDay
from predsurv.mine.stats_writer import write_table
from predsurv.store import manifest
from predsurv.store.files import make_dirs, write_whole


class RollupEntry(Struct, frozen=True):
    """A file of the index: its ``key``, the ``blake2b`` of its content, and ``counts`` that belong to it."""

    key: str
    blake2b: str
    counts: dict[str, int] = {}


class RollupFiles:
    """The roll-ups of one day in the folder ``kind``; ``name`` is ``hour=07`` or empty (the day)."""

    def __init__(self, day: MiningDay, kind: str) -> None:
        self._data_dir = day.data_dir
        self._folder = day.data_dir / kind / f"venue={path_component(day.venue)}" / f"date={day.date}"
        self._entries = self._read_index()

    def entry(self, name: str) -> RollupEntry | None:
        """Return what the index says of ``name``."""
        return self._entries.get(name)

    def read(self, name: str) -> pl.DataFrame | None:
        """Return the table of ``name``, None when it is not there or not what was written."""
        entry, path = self.entry(name), self._path(name)
        try:
            if entry is None or manifest.digest(path) != entry.blake2b:
                return None
            table = pl.from_arrow(pq.read_table(path, partitioning=None))
        except (OSError, pa.ArrowException):
            return None
        return table if isinstance(table, pl.DataFrame) else None

    def write(self, name: str, key: str, table: pl.DataFrame, counts: dict[str, int] | None = None) -> None:
        """Replace the table of ``name``; raises OSError."""
        path = self._path(name)
        write_table(table, path, self._data_dir)
        self._entries[name] = RollupEntry(key, manifest.digest(path), counts or {})
        make_dirs(self._folder)
        write_whole(self._folder / "index.json", msgspec.json.encode(self._entries))

    def _path(self, name: str) -> Path:
        return self._folder / name / "rollups.parquet" if name else self._folder / "rollups.parquet"

    def _read_index(self) -> dict[str, RollupEntry]:
        try:
            return msgspec.json.decode((self._folder / "index.json").read_bytes(), type=dict[str, RollupEntry])
        except (OSError, msgspec.MsgspecError):
            return {}
