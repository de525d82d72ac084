"""Coverage files from plain rows."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from predsurv.store.schema import schema_of

CoverageRow = tuple[str, str, int, int, str | None, str | None]
"""Market, instrument, start, end (ns UTC), state, reason."""


def coverage_table(rows: Sequence[CoverageRow]) -> Any:
    """Return rows as a table of the coverage dataset; columns that are not in them are null."""
    schema = schema_of("coverage", 0)
    names = ("market_id", "instrument_id", "start", "end", "state", "reason")
    columns = {name: [row[at] for row in rows] for at, name in enumerate(names)}
    arrays = [
        pa.array(columns[field.name], field.type) if field.name in columns else pa.nulls(len(rows), field.type)
        for field in schema
    ]
    return pa.Table.from_arrays(arrays, schema=schema)


def write_coverage(path: Path, rows: Sequence[CoverageRow]) -> None:
    """Write rows to a new coverage file; makes its folder."""
    path.parent.mkdir(parents=True, exist_ok=True)
    pq.write_table(coverage_table(rows), path)
