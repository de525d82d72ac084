"""The Parquet writer of sealing and merging: encodings, page checksums, schema version."""

from pathlib import Path
from types import TracebackType
from typing import Any, Final, Self

import pyarrow.parquet as pq

from predsurv.store.files import sync_file
from predsurv.store.schema import SCHEMA_VERSION, VERSION_KEY, encoding_of

ROW_GROUP_ROWS: Final = 1 << 20
"""Rows of one Parquet row group; large, because every group repeats the dictionaries of ids."""

PAGE_BYTES: Final = 1 << 16
"""Bytes of a column in one page: a reader of many files at once holds one page per column and file."""

FILE_MODE: Final = 0o644


class ParquetSink:
    """Context manager that writes tables of one schema to a file, durable on exit; invalid after an exception."""

    def __init__(self, path: Path, compression_level: int, *, merged: bool = False) -> None:
        """``compression_level``: zstd level. ``merged``: the file holds the rows of several."""
        self._path = path
        self._compression_level = compression_level
        self._merged = merged
        self._writer: Any = None

    def write(self, table: Any) -> None:
        """Append ``table`` in row groups of its own; raises OSError."""
        if self._writer is None:
            self._writer = self._open(table.schema)
        self._writer.write_table(table, ROW_GROUP_ROWS)

    def _open(self, schema: Any) -> Any:
        encoding = encoding_of(schema, merged=self._merged)
        writer = pq.ParquetWriter(
            self._path,
            schema,
            compression="zstd",
            compression_level=self._compression_level,
            use_dictionary=encoding.dictionary,
            column_encoding=encoding.column,
            write_statistics=encoding.statistics,
            write_page_checksum=True,
            data_page_size=PAGE_BYTES,
            store_schema=False,  # else readers would decode the id columns as dictionaries
        )
        writer.add_key_value_metadata({VERSION_KEY: SCHEMA_VERSION})
        return writer

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, tb: TracebackType | None) -> None:
        if self._writer is not None:
            self._writer.close()
        if kind is None:
            self._path.chmod(FILE_MODE)
            sync_file(self._path)
