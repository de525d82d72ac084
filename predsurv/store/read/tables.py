"""A data file as tables of the present schema: checked, decoded piece by piece, found again when it was merged."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, Final, TypeVar

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from msgspec import Struct

from predsurv.core.errors import IntegrityError, TransientError
from predsurv.store import allocator, manifest
from predsurv.store.conform import conformed, expect_columns, present_schema
from predsurv.store.layout import Dataset, FileStamp, parse_file, select_data_files
from predsurv.store.schema import SCHEMA_VERSION, TIME, VERSION_KEY, time_column

BATCH_ROWS: Final = 16_384
"""Rows of a larger file that are decoded at a time."""

BUFFER_BYTES: Final = 1 << 16
"""Bytes of a column of a file that are read at a time."""

RELEASED_BATCHES: Final = 16
"""Batches of a file after which Arrow gives back the memory that it keeps."""

WHOLE_ROWS_MAX: Final = 250_000
"""Rows up to which a file is decoded in one piece, which takes less time than in batches."""

_TEXTS: Final[dict[Dataset, list[str]]] = {
    "deltas": ["market_id", "instrument_id", "kind", "side"],
    "trades": ["market_id", "instrument_id", "taker_side"],
    "coverage": ["market_id", "instrument_id", "state", "reason"],
    "lifecycle": ["market_id", "instrument_id", "kind"],
    "rotations": ["market_id", "instrument_id", "reason"],
}
_NOT_REPLAYED: Final[dict[Dataset, frozenset[str]]] = {
    "coverage": frozenset({"end", "inclusion", "trades", "lifecycle"}),
}

T = TypeVar("T")


class ReplayFile(Struct, frozen=True):
    """A data file to read the rows from ``lo`` to ``hi`` (ns UTC, inclusive) of.

    ``digest``: BLAKE2b of its content by the manifest, None to skip the check. ``content``: the same, whether or not
    it is to be checked; None where no manifest lists the file.
    """

    path: Path
    dataset: Dataset
    lo: int
    hi: int
    digest: str | None = None
    content: str | None = None


def file_from_footer(path: Path, dataset: Dataset) -> tuple[ReplayFile, int]:
    """Return a file that no manifest lists, with the times in its footer, and its number of rows.

    Raises IntegrityError when it is damaged.
    """
    with _open(path, dataset) as file:
        time, rows = time_column(dataset), file.metadata.num_rows
        expect_columns(path, file.schema_arrow.names, [time])
        column = file.schema_arrow.get_field_index(time)
        groups = [file.metadata.row_group(i).column(column).statistics for i in range(file.num_row_groups)]
        if file.schema_arrow.field(time).type == TIME and all(stats and stats.has_min_max for stats in groups):
            bounds = [(int(stats.min_raw), int(stats.max_raw)) for stats in groups]
        else:  # another program wrote it: the footer tells nothing, or in another unit
            found = pc.min_max(file.read(columns=[time])[time].cast(TIME).cast(pa.int64())).as_py()
            bounds = [(found["min"], found["max"])] if rows else []
    lo, hi = min((lo for lo, _ in bounds), default=0), max((hi for _, hi in bounds), default=0)
    return ReplayFile(path, dataset, lo, hi), rows


def _verify(source: ReplayFile) -> None:
    """Compare the file with its digest before it is parsed; raises IntegrityError.

    Page checksums do not cover page headers and the footer, and a damaged footer can crash the process
    inside the Parquet library.
    """
    if source.digest is not None and manifest.digest(source.path) != source.digest:
        raise IntegrityError(f"{source.path} is damaged (not what was sealed): run 'predsurv verify'")


def _open(path: Path, dataset: Dataset) -> Any:
    try:
        file = pq.ParquetFile(
            path,
            page_checksum_verification=True,
            read_dictionary=_TEXTS[dataset],
            pre_buffer=False,  # which holds all columns of a row group, compressed
            buffer_size=BUFFER_BYTES,
        )
    except FileNotFoundError:
        raise
    except KeyError:
        expect_columns(path, pq.read_schema(path).names, _TEXTS[dataset])
        raise
    except (OSError, pa.ArrowException) as error:
        raise IntegrityError(f"{path} is damaged ({error}): run 'predsurv verify'") from error
    if (file.metadata.metadata or {}).get(VERSION_KEY.encode(), SCHEMA_VERSION.encode()) != SCHEMA_VERSION.encode():
        raise IntegrityError(f"{path} is not of schema version {SCHEMA_VERSION}: read it with another predsurv")
    return file


def split_by_time(source: ReplayFile, rows: int, rows_max: int) -> Iterator[ReplayFile]:
    """Yield ``source``, split by time where it has more than ``rows_max`` rows."""
    count = -(-rows // rows_max) or 1
    step = (source.hi - source.lo) // count + 1
    for lo in range(source.lo, source.hi + 1, step):
        digest = source.digest if lo == source.lo else None  # one comparison is enough
        yield ReplayFile(source.path, source.dataset, lo, min(source.hi, lo + step - 1), digest, source.content)


def load(source: ReplayFile, read: Callable[[ReplayFile, int | None], T]) -> T:
    """Return what ``read`` makes of a file and of the segment (None: of all) of which it is to read the rows.

    Raises TransientError when it was replaced or removed meanwhile.
    """
    try:
        return read(source, None)
    except FileNotFoundError:
        # It was compacted since it was listed: its rows are in the merged file, by segment number.
        _, stamp = parse_file(source.path)
        merged = [
            path for path in select_data_files(source.path.parent.glob("*.parquet")) if _is_merged_from(path, stamp)
        ]
        if stamp.merges or not merged:
            raise TransientError(f"{source.path} was replaced or removed while it was read: read again") from None
        merged_file = ReplayFile(merged[0], source.dataset, source.lo, source.hi)
        return read(merged_file, stamp.segment)


def _is_merged_from(path: Path, stamp: FileStamp) -> bool:
    other = parse_file(path)[1]
    return other.merges > 0 and other.collector == stamp.collector and other.segment >= stamp.segment


def read_tables(source: ReplayFile, segment: int | None) -> Iterator[Any]:
    """Yield the rows of a file, of one ``segment`` or all, as tables of the present schema; some may be empty.

    Raises IntegrityError when it is damaged.
    """
    stamp, schema = parse_file(source.path)[1], replayed_schema(source.dataset)
    _verify(source)
    with _open(source.path, source.dataset) as file:
        expect_columns(source.path, file.schema_arrow.names, schema.names)
        names = [name for name in schema.names if name in file.schema_arrow.names]
        try:
            if file.metadata.num_rows <= WHOLE_ROWS_MAX:
                yield _rows_of_segment(segment, conformed(file.read(names, use_threads=False), schema, stamp.segment))
                return
            for number, batch in enumerate(file.iter_batches(BATCH_ROWS, columns=names, use_threads=False)):
                if number % RELEASED_BATCHES == 0:
                    allocator.release_columns()
                yield _rows_of_segment(segment, conformed(pa.table(batch), schema, stamp.segment))
        except (OSError, pa.ArrowException) as error:
            raise IntegrityError(f"{source.path} is damaged ({error}): run 'predsurv verify'") from error


def replayed_schema(dataset: Dataset) -> Any:
    """Return the schema of what is read of a file."""
    schema = present_schema(dataset, _TEXTS[dataset])
    unread = _NOT_REPLAYED.get(dataset, frozenset())
    return pa.schema([field for field in schema if field.name not in unread])


def _rows_of_segment(segment: int | None, table: Any) -> Any:
    return table if segment is None else table.filter(pc.equal(table["segment"], pa.scalar(segment, pa.int64())))
