"""How many rows of book changes say what changed, and how many repeat a whole book as it was when it was opened."""

from collections import Counter
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path
from typing import Any, NamedTuple

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq


class BookRows(NamedTuple):
    """Rows of files: ``changes`` of levels, and the rows of ``openings`` whole books, their ``clear`` included."""

    changes: int
    opening_rows: int
    openings: int


def book_rows(paths: Iterable[Path]) -> BookRows:
    """Return the rows of files of book changes, by what they are; files that cannot be read count as empty."""
    counts: Counter[str] = Counter()
    for path in paths:
        with suppress(OSError, pa.ArrowInvalid, KeyError):
            table: Any = pq.read_table(path, columns=["kind"], partitioning=None, read_dictionary=["kind"])
            for each in pc.value_counts(table["kind"]).to_pylist():
                counts[each["values"]] += each["counts"]
    return BookRows(counts["change"], counts["clear"] + counts["snapshot"], counts["clear"])
