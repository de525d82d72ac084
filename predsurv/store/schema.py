"""The Arrow schemas of the data files and their Parquet encodings; column names, types and units are public.

What each column means, its unit and when it is null: docs/data-files.md, which a test compares with this.

Prices and sizes are float64 on disk because every tool reads them; up to ``EXACT_MAX`` micros they
convert to micros and back exactly. ``segment`` is the number of the log segment that the row came
from and ``arrival`` its number among the records of the same time there: (ts_recv, segment, arrival)
is the order in which a collector received its records, across files.

Rows of ``trades`` stand as they were told: ``instrument_id`` is the outcome on which the venue told the trade, and
price and taker's side are that outcome's. Polymarket tells a trade once, on the taker's outcome, so the trades of a
binary market are the rows of both its outcomes, by ``market_id``; as one of the other outcome, a trade at p is one at
1 - p with the opposite side. Where only the first outcome's book is recorded its coverage holds for the trades of
both. Kalshi tells a trade once for its market; it stands on each outcome that is recorded, under the same ``trade_id``.
"""

from typing import Any, Final

import pyarrow as pa
import pyarrow.compute as pc
from msgspec import Struct

from predsurv.core.num import MICROS
from predsurv.store.layout import Dataset

SCHEMA_VERSION: Final = "1"
VERSION_KEY: Final = "predsurv.schema"
"""Key of the schema version in every file's metadata."""

EXACT_MAX: Final = 2**52
"""Largest micros that float64 holds exactly through division by 10**6: 4.5 thousand million shares."""

ADDED: Final = frozenset({"segment", "arrival", "inclusion", "trades", "lifecycle"})
"""Columns that a file may lack: readers take them for null, and ``segment`` from its name."""

TIME: Final = pa.timestamp("ns", tz="UTC")
_TEXT: Final = pa.string()
_SCALE: Final = pa.scalar(float(MICROS))  # a Python number would attempt a failing import in every call
_NUMBER: Final = pa.float64()


def time_column(dataset: Dataset) -> str:
    """Return the column by which the rows of ``dataset`` are partitioned and sorted."""
    return "start" if dataset == "coverage" else "ts_recv"


def dictionary_array(column: Any) -> Any:
    """Return a text column (chunked) as one Arrow dictionary array."""
    array = column.combine_chunks()
    return array if pa.types.is_dictionary(array.type) else array.dictionary_encode()


def level_columns(top_levels: int) -> list[str]:
    """Return the price and size columns of a snapshot row: bid px, bid sz, ask px, ask sz, best first."""
    return [f"{side}_{what}_{i:02d}" for side in ("bid", "ask") for what in ("px", "sz") for i in range(top_levels)]


def schema_of(dataset: Dataset, top_levels: int) -> Any:
    """Return the Arrow schema of ``dataset``."""
    return pa.schema(_FIELDS[dataset] + _level_fields(dataset, top_levels))


def _level_fields(dataset: Dataset, top_levels: int) -> list[tuple[str, Any]]:
    if dataset != "snapshots":
        return []
    return [*((name, _NUMBER) for name in level_columns(top_levels)), ("trusted", pa.bool_()), ("segment", pa.int64())]


_IDS: Final = [("market_id", _TEXT), ("instrument_id", _TEXT)]
_FIELDS: Final[dict[Dataset, list[tuple[str, Any]]]] = {
    "snapshots": [("ts_recv", TIME), ("ts_venue", TIME), *_IDS],
    "deltas": [
        ("ts_recv", TIME),
        ("ts_venue", TIME),
        *_IDS,
        ("kind", _TEXT),
        ("side", _TEXT),
        ("price", _NUMBER),
        ("size", _NUMBER),
        ("epoch", pa.int64()),
        ("seq", pa.int64()),
        ("segment", pa.int64()),
        ("arrival", pa.int32()),
    ],
    "trades": [
        ("ts_recv", TIME),
        ("ts_venue", TIME),
        *_IDS,
        ("price", _NUMBER),
        ("size", _NUMBER),
        ("taker_side", _TEXT),
        ("trade_id", _TEXT),
        ("segment", pa.int64()),
        ("arrival", pa.int32()),
    ],
    "coverage": [
        *_IDS,
        ("start", TIME),
        ("end", TIME),
        ("state", _TEXT),
        ("reason", _TEXT),
        ("epoch", pa.int64()),
        ("inclusion", _NUMBER),
        ("segment", pa.int64()),
        ("trades", _TEXT),
        ("lifecycle", _TEXT),
    ],
    "lifecycle": [
        ("ts_recv", TIME),
        ("ts_venue", TIME),
        *_IDS,
        ("kind", _TEXT),
        ("value", _TEXT),
        ("segment", pa.int64()),
        ("arrival", pa.int32()),
    ],
    "rotations": [
        ("ts_recv", TIME),
        *_IDS,
        ("period", pa.int64()),
        ("reason", _TEXT),
        ("inclusion", _NUMBER),
        ("interest", _NUMBER),
        ("seed", pa.int64()),
        ("pool", pa.int64()),
        ("drawn", pa.int64()),
        ("segment", pa.int64()),
        ("arrival", pa.int32()),
    ],
}

_DELTA_PACKED: Final = {"seq", "epoch", "segment"}
_BYTE_STREAM_SPLIT: Final = {"arrival"}
_PLAIN: Final = {"ts_recv", "ts_venue", "trade_id", "value", "size"}  # repeats within a frame compress best unpacked
_FILTER_TIMES: Final = {"ts_recv", "start", "end"}
_FILTER_IDS: Final = {"market_id", "instrument_id"}


class ColumnEncoding(Struct, frozen=True):
    """Parquet encodings: columns with a ``dictionary``, and the encoding by name of some other ``column``s.

    ``statistics``: columns with bounds in the footer, only those that readers filter by: bounds of all
    columns cost as much as all other writing. Ids only in merged files, which have several row groups.
    """

    dictionary: list[str]
    column: dict[str, str]
    statistics: list[str]


def encoding_of(schema: Any, *, merged: bool = False) -> ColumnEncoding:
    """Return the best encoding of each column of ``schema`` (measured by benchmarks/seal.py), ``merged`` or sealed."""
    filtered = _FILTER_TIMES | _FILTER_IDS if merged else _FILTER_TIMES
    column = {name: "DELTA_BINARY_PACKED" for name in schema.names if name in _DELTA_PACKED}
    column |= {name: "BYTE_STREAM_SPLIT" for name in schema.names if name in _BYTE_STREAM_SPLIT}
    dictionary = [name for name in schema.names if name not in column.keys() | _PLAIN]
    return ColumnEncoding(dictionary, column, [name for name in schema.names if name in filtered])


def to_float(micros: Any) -> Any:
    """Return an int64 column of micros as float64."""
    return pc.divide(pc.cast(micros, pa.float64(), safe=False), _SCALE)


def to_micros(numbers: Any) -> Any:
    """Return a float64 column as int64 micros, the inverse of ``to_float``."""
    return pc.cast(pc.round(pc.multiply(numbers, _SCALE)), pa.int64())
