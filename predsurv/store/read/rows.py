"""The files of a recording as rows for the compiled replay, in the order and with the content of ``store.read.replay``.

Changes, books and trades become rows of native integers; everything else, and files in which anything is unusual, the
events that ``replay`` makes of them.
"""

from collections.abc import Callable, Iterator, Sequence
from typing import Any, Final

import pyarrow as pa

from predsurv.core.ids import InstrumentKey
from predsurv.core.native import speedups
from predsurv.store import allocator
from predsurv.store.layout import Layout, parse_file
from predsurv.store.read.cursor import FileCursor, ReplayQuery, select_rows
from predsurv.store.read.replay import list_files
from predsurv.store.read.tables import WHOLE_ROWS_MAX, ReplayFile, load, read_tables
from predsurv.store.schema import dictionary_array

ROWS_MAX: Final = 1_500_000
"""Rows of a file that are held in memory; a merged file with more is read several times, window by window."""

Rows = Any
"""Rows of one file (``NativeRows``), or a list of ``OrderedEvent``."""

NumberOf = Callable[[str, str], int]
"""Returns the number of an instrument by market id and instrument id, adding those that are new."""

_BOOKS: Final = ("side", "price", "size", "segment", "arrival", "kind", "epoch", "seq")
_TRADES: Final = ("taker_side", "price", "size", "segment", "arrival")
_HAS_TO_BE_THERE: Final = frozenset({"ts_recv", "market_id", "instrument_id", "segment", "arrival", "kind", "epoch"})


class RowFiles:
    """The files of several queries, one after the other, each opened when the replay comes to its first row.

    ``next_at`` is the time (ns UTC) of the first row of the next file, None when all were opened.
    """

    def __init__(self, layout: Layout, queries: Sequence[ReplayQuery], number_of: NumberOf) -> None:
        self._number_of = number_of
        self._keys: dict[tuple[str, str], InstrumentKey] = {}
        self._files = ((file, query) for query in queries for file in list_files(layout, query, ROWS_MAX))
        self._following = next(self._files, None)

    @property
    def next_at(self) -> int | None:
        """Return when the next file begins."""
        return None if self._following is None else self._following[0].lo

    def open_until(self, ts: int) -> Iterator[Rows]:
        """Yield the rows of the files that begin up to ``ts`` (ns UTC), in the order in which they are listed.

        Raises IntegrityError for a damaged file, TransientError for one that was removed meanwhile.
        """
        while self._following is not None and self._following[0].lo <= ts:
            source, query = self._following
            yield self._rows(source, query)
            self._following = next(self._files, None)

    def _rows(self, source: ReplayFile, query: ReplayQuery) -> Rows:
        rows = self._read(source, query)
        if len(rows) > WHOLE_ROWS_MAX:  # what a small file took is little, and the next one takes as much
            allocator.release_columns()
        return rows

    def _read(self, source: ReplayFile, query: ReplayQuery) -> Rows:
        query = query.of_collector(parse_file(source.path)[1].collector)
        try:
            if source.dataset == "deltas":
                return load(source, lambda file, segment: self._book_rows(file, query, segment))
            if source.dataset == "trades":
                return load(source, lambda file, segment: self._trade_rows(file, query, segment))
        except ValueError:  # something that C does not take: Python says what it is
            pass
        return FileCursor(source, query, self._keys).take(None)

    def _book_rows(self, source: ReplayFile, query: ReplayQuery, segment: int | None) -> Rows:
        ids = None if query.instruments is None else {str(key.instrument_id) for key in query.instruments}
        rows = _new_rows()

        def number_of(market_id: str, instrument_id: str) -> int:
            return self._number_of(market_id, instrument_id) if ids is None or instrument_id in ids else -1

        for table in read_tables(source, segment):
            _add(rows, table, _BOOKS, number_of, (max(query.start, source.lo), min(query.end - 1, source.hi)))
        rows.sort()
        return rows

    def _trade_rows(self, source: ReplayFile, query: ReplayQuery, segment: int | None) -> Rows:
        everything = query.instruments is None  # else those of a market of which its instruments are
        rows, times = _new_rows(), (max(query.start, source.lo), min(query.end - 1, source.hi))
        for table in read_tables(source, segment) if everything else (select_rows(source, query, segment),):
            if table.num_rows:
                _add(rows, table, _TRADES, self._number_of, times, ids=table["trade_id"].to_pylist())
        rows.sort()
        return rows


def _new_rows() -> Any:
    if speedups is None:
        raise ValueError("rows are compiled")
    return speedups.NativeRows()


def _add(
    rows: Any, table: Any, names: tuple[str, ...], number_of: NumberOf, times: tuple[int, int], *, ids: Any = None
) -> None:
    """Add the rows of a table between two times (ns UTC, inclusive); raises ValueError for what C does not take."""
    columns, texts = [], {}
    for name in ("ts_recv", "ts_venue", "market_id", "instrument_id", *names):
        if pa.types.is_dictionary(table[name].type):
            array = dictionary_array(table[name])
            texts[name], column = array.dictionary.to_pylist(), array.indices
        else:
            column = table[name].combine_chunks()
        if column.null_count and name in _HAS_TO_BE_THERE:
            raise ValueError(f"{name} is null")
        valid, data = column.buffers()
        columns.append((valid if column.null_count else None, data, column.offset))
    kinds = texts.get("kind", [])
    dictionaries = (texts["market_id"], texts["instrument_id"], texts[names[0]], kinds)
    rows.add(table.num_rows, tuple(columns), dictionaries, number_of, *times, ids)
