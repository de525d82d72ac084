"""How many rows of the last recorded hour say nothing in a column."""

from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import NamedTuple

import pyarrow as pa
import pyarrow.parquet as pq

from predsurv.core.ids import VenueName
from predsurv.store.layout import Dataset, day_files


class FilledColumn(NamedTuple):
    """Of ``rows`` rows of a dataset, how many are ``empty`` in ``column``."""

    dataset: Dataset
    column: str
    rows: int
    empty: int


def filled_columns(
    data_dir: Path, venue: VenueName, date: str, dataset: Dataset, columns: Sequence[str]
) -> list[FilledColumn]:
    """Return how full ``columns`` are in the last hour of a day (or the day, of datasets that have no hours).

    A file that cannot be read is left out.
    """
    paths = day_files(data_dir, dataset, venue, date)
    last = max((path.parent for path in paths), default=None)
    rows, empty = 0, dict.fromkeys(columns, 0)
    for path in paths:
        with suppress(OSError, pa.ArrowException):
            if path.parent == last:
                with pq.ParquetFile(path) as file:
                    for group in range(file.num_row_groups):
                        table = file.read_row_group(group, columns=list(columns))
                        rows += table.num_rows
                        for column in columns:
                            empty[column] += table.column(column).null_count
    return [FilledColumn(dataset, column, rows, missing) for column, missing in empty.items()]
