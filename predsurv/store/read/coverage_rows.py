"""The rows of coverage files in pieces of numbers, with the time whose files are gone as gaps.

Arrow alone: ``status`` reads months of them beside a recorder, and has to be small rather than clever.
"""

from collections.abc import Collection, Iterator, Sequence
from pathlib import Path
from typing import Any, Final, NamedTuple

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from predsurv.store.conform import conformed, expect_columns, present_schema
from predsurv.store.layout import parse_file
from predsurv.store.read.missing import LOST, LostWindow, LostWindows
from predsurv.store.schema import dictionary_array, schema_of

PIECE_ROWS: Final = 1 << 16
"""Rows that are in memory at a time."""

_TEXTS: Final = ("market_id", "instrument_id", "state", "reason")
_COLUMNS: Final = ("instrument_id", "state", "reason", "start", "end")
_SCHEMA: Final = present_schema("coverage", _TEXTS)
_WANTED: Final = schema_of("coverage", 0).names
_CODE: Final = pa.int32()
_INT: Final = pa.int64()
_LOW: Final = pa.scalar(0xFFFFFFFF, _INT)


class CoverageKind(NamedTuple):
    """What a row says of its time."""

    state: str | None
    reason: str | None


class TextCodes:
    """Small numbers for texts, the same for every piece that is read; -1 stands for null."""

    def __init__(self) -> None:
        self._texts = pa.array([], pa.string())

    def encode(self, column: Any) -> Any:
        """Return the numbers (int32) of a column of texts (a dictionary, chunked)."""
        array = dictionary_array(column)
        words = array.dictionary
        new = words.filter(pc.invert(pc.is_in(words, value_set=self._texts)))
        if len(new):
            self._texts = pa.concat_arrays([self._texts, new.unique()])
        codes = pc.index_in(words, value_set=self._texts).take(array.indices)
        return pc.fill_null(codes, -1) if codes.null_count else codes

    def text(self, code: int) -> str | None:
        """Return the text of a number."""
        text: str | None = None if code < 0 else self._texts[code].as_py()
        return text


class CoverageRows:
    """Reads coverage files as numbers: ``instrument``, ``kind`` and ``market`` are codes, ``start`` and ``end`` ns UTC.

    ``lost``: covered time in it becomes a gap ``file_missing``; the rows of an instrument tile its time as before.
    """

    def __init__(self, lost: LostWindows) -> None:
        self.markets, self.instruments = TextCodes(), TextCodes()
        self._lost = lost
        self._states, self._reasons = TextCodes(), TextCodes()
        self._kinds: dict[CoverageKind, int] = {}

    def kind(self, code: int) -> CoverageKind:
        """Return what a number of the column ``kind`` stands for."""
        return list(self._kinds)[code]

    def covered(self) -> Collection[int]:
        """Return the numbers of the kinds of covered time seen so far."""
        return [code for kind, code in self._kinds.items() if kind.state == "covered"]

    def read(self, path: Path, *, markets: bool = False) -> Iterator[Any]:
        """Yield the rows of a file, at most PIECE_ROWS at a time, ``market`` only with ``markets``.

        Raises IntegrityError naming a column that is not there, FileNotFoundError when the file was merged or removed.
        """
        partition, stamp = parse_file(path)
        windows = self._lost.get((partition.venue, stamp.collector), ())
        columns = ["market_id", *_COLUMNS] if markets else list(_COLUMNS)
        schema = pa.schema([_SCHEMA.field(name) for name in columns])
        with _opened(path) as file:
            for batch in file.iter_batches(PIECE_ROWS, columns=columns, use_threads=False):
                yield self._with_lost_time(
                    self._encoded(conformed(pa.Table.from_batches([batch]).select(columns), schema, 0)), windows
                )

    def _encoded(self, table: Any) -> Any:
        columns = {
            "instrument": self.instruments.encode(table["instrument_id"]),
            "kind": self._kinds_of(self._states.encode(table["state"]), self._reasons.encode(table["reason"])),
            "start": table["start"].combine_chunks().cast(_INT),
            "end": table["end"].combine_chunks().cast(_INT),
        }
        if "market_id" in table.column_names:
            columns["market"] = self.markets.encode(table["market_id"])
        return pa.table(columns)

    def _kinds_of(self, states: Any, reasons: Any) -> Any:
        pairs = paired(states, reasons).dictionary_encode()
        found = zip(*(each.to_pylist() for each in unpaired(pairs.dictionary)), strict=True)
        kinds = [CoverageKind(self._states.text(state), self._reasons.text(reason)) for state, reason in found]
        return pa.array([self._code(kind) for kind in kinds], _CODE).take(pairs.indices)

    def _code(self, kind: CoverageKind) -> int:
        return self._kinds.setdefault(kind, len(self._kinds))

    def _with_lost_time(self, rows: Any, windows: Sequence[LostWindow]) -> Any:
        """Return ``rows`` with covered ones divided where ``windows`` begin and end."""
        if not self._lost:
            return rows
        covered = pc.is_in(rows["kind"], value_set=pa.array(self.covered(), _CODE))
        parts = [rows.filter(pc.invert(covered))]
        own = rows.filter(covered)
        lost = self._code(CoverageKind("gap", LOST))
        for window in windows or [LostWindow(None, None, lost=False)]:
            piece = clipped(own, window.start, window.end)
            parts.append(
                with_column(piece, "kind", pa.repeat(pa.scalar(lost, _CODE), len(piece))) if window.lost else piece
            )
        return pa.concat_tables(parts)


def paired(first: Any, second: Any) -> Any:
    """Return two columns of codes as one of int64."""
    return pc.bit_wise_or(pc.shift_left(first.cast(_INT), 32), pc.bit_wise_and(second.cast(_INT), _LOW))


def unpaired(pairs: Any) -> tuple[Any, Any]:
    """Return the two arrays of codes that ``paired`` made ``pairs`` of."""
    array = pairs.combine_chunks() if isinstance(pairs, pa.ChunkedArray) else pairs
    seconds = pc.bit_wise_and(array, _LOW).cast(pa.uint32()).view(_CODE)
    return pc.shift_right(array, 32).cast(_CODE), seconds


def clipped(rows: Any, start: int | None, end: int | None) -> Any:
    """Return the parts of ``rows`` that lie from ``start`` to before ``end`` (ns UTC, None: without bound)."""
    rows = rows.filter(pc.less(rows["start"], rows["end"]))
    if start is not None:
        rows = rows.filter(pc.greater(rows["end"], start))
        rows = with_column(rows, "start", pc.max_element_wise(rows["start"], start))
    if end is not None:
        rows = rows.filter(pc.less(rows["start"], end))
        rows = with_column(rows, "end", pc.min_element_wise(rows["end"], end))
    return rows


def with_column(rows: Any, name: str, values: Any) -> Any:
    """Return ``rows`` with other ``values`` in the column ``name``."""
    return rows.set_column(rows.column_names.index(name), name, values)


def _opened(path: Path) -> Any:
    try:
        file = pq.ParquetFile(path, read_dictionary=_TEXTS)
    except KeyError:
        expect_columns(path, pq.read_schema(path).names, _TEXTS)
        raise
    expect_columns(path, file.schema_arrow.names, _WANTED)
    return file
