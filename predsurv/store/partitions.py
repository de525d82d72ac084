"""A segment's tables as the tables of its files: one per partition, sorted, in units of the disk.

Kept apart from sealing so that which row goes where can be tested without a file.
"""

from collections.abc import Iterator
from typing import Any, Final

import pyarrow as pa
import pyarrow.compute as pc
from msgspec import Struct

from predsurv.core.ids import InstrumentKey, VenueName
from predsurv.store.batches import SIDES
from predsurv.store.columns import KINDS, TAKER_SIDES, Contents
from predsurv.store.paths import HOURLY, NS_DAY, NS_HOUR, Dataset, Partition, partition_of
from predsurv.store.schema import TIME, schema_of, to_float

_WORDS: Final = {"kind": KINDS, "side": SIDES, "taker_side": TAKER_SIDES}


class FileTable(Struct, frozen=True):
    """The rows of one file, as they are written. ``lo``, ``hi``: the least and greatest time in ns."""

    partition: Partition
    table: Any
    lo: int
    hi: int


def file_tables(contents: Contents, levels: int) -> Iterator[FileTable]:
    """Yield a table for every partition that ``contents`` has rows for, in a fixed order."""
    if not contents.keys:
        return
    index = _Index(contents.keys)
    for dataset, table in contents.tables.items():
        yield from _split(dataset, table, index, levels)


class _Index:
    """The keys of a segment as Arrow columns: their order, venue and ids."""

    def __init__(self, keys: list[InstrumentKey]) -> None:
        order = sorted(range(len(keys)), key=lambda i: (keys[i].instrument_id, keys[i].market_id, keys[i].venue))
        ranks = dict(zip(order, range(len(order)), strict=True))
        self.rank = pa.array([ranks[i] for i in range(len(keys))], pa.int32())
        self.venues = sorted({key.venue for key in keys})
        self.venue = pa.array([self.venues.index(key.venue) for key in keys], pa.int8())
        self.markets = pa.array([key.market_id for key in keys], pa.string())
        self.instruments = pa.array([key.instrument_id for key in keys], pa.string())


def _split(dataset: Dataset, table: Any, index: _Index, levels: int) -> Iterator[FileTable]:
    if table.num_rows == 0:
        return
    time = table["start"] if dataset == "coverage" else table["ts_recv"]
    slots = pc.divide(time, NS_HOUR if dataset in HOURLY else NS_DAY)
    venues = index.venue.take(pc.fill_null(table["key"].combine_chunks(), 0))
    for slot in sorted(pc.unique(slots).to_pylist()):
        for code, venue in enumerate(index.venues):
            rows = table.filter(pc.and_(pc.equal(slots, slot), pc.equal(venues, code)))
            if rows.num_rows:
                yield _file_table(dataset, venue, rows, index, levels)


def _file_table(dataset: Dataset, venue: VenueName, rows: Any, index: _Index, levels: int) -> FileTable:
    time = "start" if dataset == "coverage" else "ts_recv"
    rows = rows.append_column("rank", index.rank.take(rows["key"].combine_chunks()))
    order = [("rank", "ascending"), (time, "ascending")]
    if "arrival" in rows.column_names:
        order.append(("arrival", "ascending"))
    rows = rows.take(pc.sort_indices(rows, sort_keys=order)).combine_chunks()
    bounds = pc.min_max(rows[time]).as_py()
    schema = schema_of(dataset, levels)
    columns = [
        _on_disk(name, field_type, rows, index) for name, field_type in zip(schema.names, schema.types, strict=True)
    ]
    fields = [pa.field(name, column.type) for name, column in zip(schema.names, columns, strict=True)]
    table = pa.Table.from_arrays(columns, schema=pa.schema(fields))
    return FileTable(partition_of(dataset, venue, bounds["min"]), table, bounds["min"], bounds["max"])


def _on_disk(name: str, kind: Any, rows: Any, index: _Index) -> Any:
    """Return one column as it is stored; repeated texts stay dictionaries, which Parquet stores as text."""
    if name in ("market_id", "instrument_id"):
        return _ids(rows["key"].combine_chunks(), index.markets if name == "market_id" else index.instruments)
    column = rows[name].combine_chunks()
    if name in _WORDS and pa.types.is_integer(column.type):
        return pa.DictionaryArray.from_arrays(column, pa.array(_WORDS[name]))
    if kind == TIME:
        return column.cast(TIME)
    if kind == pa.float64():
        return to_float(column)
    return column


def _ids(keys: Any, values: Any) -> Any:
    """Ids as a dictionary; as plain text where some are absent (lifecycle rows about a whole market)."""
    absent = pc.equal(values, "")
    if not pc.any(absent.take(keys)).as_py():
        return pa.DictionaryArray.from_arrays(keys, values)
    return pc.if_else(absent.take(keys), None, values.take(keys))
