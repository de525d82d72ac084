"""The files of a recording as rows for the compiled replay, in the order and with the content of ``store.read.replay``.

Changes, books and trades become rows of native integers; everything else, and files in which anything is unusual, the
events that ``replay`` makes of them.
"""

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any, Final

import pyarrow as pa
from msgspec.structs import replace

from predsurv.core.ids import InstrumentKey
from predsurv.core.native import speedups
from predsurv.store import allocator
from predsurv.store.layout import Layout, parse_file
from predsurv.store.read.cursor import FileCursor, ReplayQuery, select_rows
from predsurv.store.read.replay import list_files
from predsurv.store.read.replay_cache import KeptRows, ReplayCache
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
_AS_ROWS: Final = frozenset({"deltas", "trades"})
_HAS_TO_BE_THERE: Final = frozenset({"ts_recv", "market_id", "instrument_id", "segment", "arrival", "kind", "epoch"})


class RowFiles:
    """The files of several queries, one after the other, each opened when the replay comes to its first row.

    ``next_at`` is the time (ns UTC) of the first row of the next file, None when all were opened.
    """

    def __init__(
        self, layout: Layout, queries: Sequence[ReplayQuery], number_of: NumberOf, cache: ReplayCache | None = None
    ) -> None:
        """``cache``: where rows of files are kept for the next run, None to decode every file."""
        self._number_of, self._cache = number_of, cache
        self._unchecked: set[Path] = set()  # files of which the cache had the part that is compared with the digest
        self._keys: dict[tuple[str, str], InstrumentKey] = {}
        self._files = ((file, query) for query in queries for file in list_files(layout, query, ROWS_MAX))
        self.next_at: int | None = None
        self._follow()

    def open_until(self, ts: int) -> Iterator[Rows]:
        """Yield the rows of the files that begin up to ``ts`` (ns UTC), in the order in which they are listed.

        Raises IntegrityError for a damaged file, TransientError for one that was removed meanwhile.
        """
        while self._following is not None and self._following[0].lo <= ts:
            source, query = self._following
            yield self._rows(source, query)
            self._follow()

    def _follow(self) -> None:
        self._following = next(self._files, None)
        self.next_at = None if self._following is None else self._following[0].lo

    def _rows(self, source: ReplayFile, query: ReplayQuery) -> Rows:
        rows = self._read(source, query)
        if len(rows) > WHOLE_ROWS_MAX:  # what a small file took is little, and the next one takes as much
            allocator.release_columns()
        return rows

    def _read(self, source: ReplayFile, query: ReplayQuery) -> Rows:
        query = query.of_collector(parse_file(source.path)[1].collector)
        if source.dataset not in _AS_ROWS:
            return FileCursor(source, query, self._keys).take(None)
        entry = None if self._cache is None else self._cache.entry(source, query)
        if self._cache is not None and entry is not None:
            known = self._cache.find(entry, self._number_of)
            if known is not None:
                self._unchecked.add(source.path)
                return known
        if source.path in self._unchecked:
            self._unchecked.discard(source.path)
            source = replace(source, digest=source.content)
        try:
            made = load(source, lambda file, segment: self._decode(file, query, segment))
        except ValueError:  # something that C does not take: Python says what it is
            return FileCursor(source, query, self._keys).take(None)
        if self._cache is not None and entry is not None:
            self._cache.keep(entry, made)
        return made.rows

    def _decode(self, source: ReplayFile, query: ReplayQuery, segment: int | None) -> KeptRows:
        ids: dict[int, tuple[str, str]] = {}

        def number_of(market_id: str, instrument_id: str) -> int:
            if wanted is not None and instrument_id not in wanted:
                return -1
            number = self._number_of(market_id, instrument_id)
            ids[number] = market_id, instrument_id
            return number

        rows, times = _new_rows(), (max(query.start, source.lo), min(query.end - 1, source.hi))
        wanted = None
        if source.dataset == "deltas":
            if query.instruments is not None:
                wanted = {str(key.instrument_id) for key in query.instruments}
            for table in read_tables(source, segment):
                _add(rows, table, _BOOKS, number_of, times)
            rows.sort()
            return KeptRows(rows, ids, None)
        trade_ids: list[str | None] = []
        everything = query.instruments is None  # else those of a market of which its instruments are
        for table in read_tables(source, segment) if everything else (select_rows(source, query, segment),):
            if table.num_rows:
                trade_ids += (found := table["trade_id"].to_pylist())
                _add(rows, table, _TRADES, number_of, times, ids=found)
        rows.sort()
        return KeptRows(rows, ids, trade_ids)


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
