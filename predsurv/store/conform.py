"""Rows of a data file with the columns of the present schema, whichever version or program wrote the file.

A file may lack the columns of ``schema.ADDED`` and may hold texts, times and numbers in other Arrow types.
"""

from collections.abc import Collection, Sequence
from pathlib import Path
from typing import Any, Final

import pyarrow as pa

from predsurv.core.errors import IntegrityError
from predsurv.store.layout import Dataset, parse_file
from predsurv.store.schema import ADDED, schema_of

DICTIONARY: Final = pa.dictionary(pa.int32(), pa.string())
"""Type of a text column that repeats."""


def expect_columns(path: Path, found: Collection[str], wanted: Collection[str]) -> None:
    """Raise IntegrityError naming the first of the ``wanted`` columns that ``path`` lacks and has to have."""
    for name in wanted:
        if name not in found and name not in ADDED:
            raise IntegrityError(f"{path} has no column {name!r}: it is no file of this dataset; move it elsewhere")


def common_schema(paths: Sequence[Path], schemas: Sequence[Any], repeated: Collection[str]) -> Any:
    """Return the schema of a table with the rows of all ``paths``, None when no table has the columns of all.

    That is so of snapshots with different numbers of levels, and of columns that only some have and nobody knows.
    ``schemas``: of each file. ``repeated``: text columns to hold as dictionaries. Raises IntegrityError when a file
    lacks a column.
    """
    dataset = parse_file(paths[0])[0].dataset
    levels = {sum(name.startswith("bid_px_") for name in schema.names) for schema in schemas}
    if len(levels) > 1:
        return None
    known = present_schema(dataset, repeated, levels.pop())
    for path, schema in zip(paths, schemas, strict=True):
        expect_columns(path, schema.names, known.names)
    others = [[field for field in schema if field.name not in known.names] for schema in schemas]
    if any(fields != others[0] for fields in others):
        return None
    return pa.schema([*known, *others[0]])


def present_schema(dataset: Dataset, repeated: Collection[str], top_levels: int = 0) -> Any:
    """Return the schema of ``dataset`` with its ``repeated`` text columns as dictionaries."""
    schema = schema_of(dataset, top_levels)
    return pa.schema([field.with_type(DICTIONARY) if field.name in repeated else field for field in schema])


def conformed(table: Any, schema: Any, segment: int) -> Any:
    """Return ``table`` with the columns of ``schema``.

    Those it lacks are null, but for ``segment``: the number in the file's name. Raises IntegrityError when a column
    holds something else.
    """
    if table.schema.equals(schema):
        return table
    columns = [_column(table, field, segment) for field in schema]
    return pa.Table.from_arrays(columns, schema=schema)


def _column(table: Any, field: Any, segment: int) -> Any:
    if field.name not in table.column_names:
        if field.name == "segment":
            return pa.repeat(pa.scalar(segment, field.type), table.num_rows)
        return pa.nulls(table.num_rows, field.type)
    column = table[field.name]
    if column.type == field.type:
        return column
    try:
        if field.type == DICTIONARY:
            return column.cast(pa.string()).dictionary_encode()
        return column.cast(field.type)
    except (pa.ArrowInvalid, pa.ArrowNotImplementedError) as error:
        raise IntegrityError(f"column {field.name!r} holds {column.type}, not {field.type}: {error}") from error
