"""The rows of one data file as market events in order of reception."""

from collections.abc import Iterator, Mapping, Set
from operator import itemgetter
from types import MappingProxyType
from typing import Any, Final

import pyarrow as pa
import pyarrow.compute as pc
from msgspec import Struct
from msgspec.structs import replace

from predsurv.core.errors import IntegrityError
from predsurv.core.events import BookDelta, BookSnapshot, Gap, Level, MarketEvent, Trade
from predsurv.core.ids import InstrumentId, InstrumentKey, MarketId, VenueName
from predsurv.store.layout import Dataset, parse_file
from predsurv.store.lifecycle import WHOLE_VENUE, LifecycleRow, to_event
from predsurv.store.read.tables import ReplayFile, load, read_tables, replayed_schema
from predsurv.store.schema import dictionary_array, time_column, to_micros

STEP_ROWS: Final = 16_384
"""Rows of a file that are converted to Python objects at a time (plus those sharing the last one's time)."""

WINDOW_ROWS_MAX: Final = 4_000_000
"""Rows of a file that are held in memory; a merged file with more is read several times, window by window."""

_OF_MARKETS: Final[frozenset[Dataset]] = frozenset({"trades", "lifecycle"})
"""Of these a reader of an instrument gets all rows of its market."""
_MICROS: Final = frozenset({"price", "size"})
_FIRST: Final = pa.scalar(0, pa.int32())
_GAP_SEGMENT: Final = -1  # sorts gaps before all other events of the same nanosecond


OrderedEvent = tuple[int, int, int, MarketEvent]
"""Receive time (ns UTC), segment, arrival in the segment, and the event."""

RECEPTION_ORDER: Final = itemgetter(0, 1, 2)


class ReplayQuery(Struct, frozen=True):
    """Which rows to read: of ``venue``, in [``start``, ``end``) ns UTC.

    ``instruments``, ``collector``: None for all. Of the lifecycle dataset those of the instruments' markets and those
    about the whole venue. Of an instrument's market all trades are read: a venue whose outcomes are complements tells
    a trade on the taker's outcome only, which need not be the recorded one. ``life_of``: further markets whose
    lifecycle rows are read. ``without``: by collector those of ``instruments`` of which its rows do not count, because
    another one recorded them too.
    """

    venue: VenueName
    start: int
    end: int
    instruments: Set[InstrumentKey] | None = None
    collector: str | None = None
    datasets: tuple[Dataset, ...] = ("deltas", "trades", "coverage", "lifecycle")
    life_of: Set[MarketId] = frozenset()
    without: Mapping[str, Set[InstrumentKey]] = MappingProxyType({})

    def of_collector(self, name: str) -> "ReplayQuery":
        """Return what is to be read of the files of one collector."""
        if self.instruments is None or name not in self.without:
            return self
        return replace(self, instruments=self.instruments - self.without[name])


class FileCursor:
    """The selected rows of one file, loaded and sorted by reception, converted to events piece by piece."""

    def __init__(self, source: ReplayFile, wanted: ReplayQuery, keys: dict[tuple[str, str], InstrumentKey]) -> None:
        """Load the file; ``keys`` interns instrument keys across cursors."""
        if source.dataset != "lifecycle":
            wanted = wanted.of_collector(parse_file(source.path)[1].collector)
        self._dataset = source.dataset
        self._table = load(source, lambda file, segment: read_selected(file, wanted, segment))
        self._times = self._table[time_column(source.dataset)].cast(pa.int64()).combine_chunks()
        self._keys, self._key_of_row = _keys(self._table, wanted.venue, keys)
        self._position = 0

    @property
    def done(self) -> bool:
        """Whether all rows were taken."""
        return self._position >= len(self._times)

    @property
    def time(self) -> int:
        """Time of the next row, ns UTC."""
        return int(self._times[self._position].as_py())

    def horizon(self) -> int | None:
        """Return a time (ns UTC) before which about STEP_ROWS rows are left, None when no more are left in all."""
        position = self._position + STEP_ROWS
        if position >= len(self._times):
            return None
        return max(int(self._times[position].as_py()), self.time + 1)

    def take(self, before: int | None) -> list[OrderedEvent]:
        """Remove and return the events before the time ``before`` (ns UTC; None: all)."""
        start = self._position
        stop = len(self._times) if before is None else _bisect(self._times, before, start)
        self._position = stop
        if start == stop:
            return []
        rows = self._table.slice(start, stop - start)
        keys = [self._keys[code] for code in self._key_of_row.slice(start, stop - start).to_pylist()]
        times = self._times.slice(start, stop - start).to_pylist()
        return list(_EVENTS[self._dataset](rows, keys, times))


def read_selected(source: ReplayFile, wanted: ReplayQuery, segment: int | None) -> Any:
    """Return the rows that are ``wanted`` of a file, of one ``segment`` or all, in the order of reception."""
    table = select_rows(source, wanted, segment)
    keys = (time_column(source.dataset), "segment", "arrival")
    order = [(name, "ascending") for name in keys if name in table.column_names]
    return table.take(pc.sort_indices(table, sort_keys=order)).combine_chunks()


def select_rows(source: ReplayFile, wanted: ReplayQuery, segment: int | None) -> Any:
    """Return the rows that are ``wanted`` of a file, of one ``segment`` or all, in the order of the file."""
    pieces = [_wanted_of(rows, source, wanted) for rows in read_tables(source, segment)]
    pieces = [piece for piece in pieces if piece.num_rows]
    if not pieces:
        return replayed_schema(source.dataset).empty_table()
    table = pa.concat_tables(pieces).unify_dictionaries().combine_chunks()
    if source.dataset == "trades" and wanted.instruments is not None:
        table = _without_repeats(table, wanted.instruments)
    return table


def _wanted_of(table: Any, source: ReplayFile, wanted: ReplayQuery) -> Any:
    dataset = source.dataset
    ts = table[time_column(dataset)].cast(pa.int64())
    first, last = max(wanted.start, source.lo), min(wanted.end - 1, source.hi)
    mask = pc.and_(pc.greater_equal(ts, first), pc.less_equal(ts, last))
    if dataset == "coverage":
        mask = pc.and_(mask, pc.equal(table["state"].cast(pa.string()), "gap"))
    if wanted.instruments is not None:
        name = "market_id" if dataset in _OF_MARKETS else "instrument_id"
        values = pa.array(_wanted_ids(dataset, wanted.instruments, wanted.life_of), pa.string())
        mask = pc.and_(mask, pc.is_in(table[name].cast(pa.string()), value_set=values))
    return table.filter(mask)


def _wanted_ids(dataset: Dataset, instruments: Set[InstrumentKey], life_of: Set[MarketId]) -> list[str | None]:
    if dataset not in _OF_MARKETS:
        return [*sorted({key.instrument_id for key in instruments})]
    markets = {key.market_id for key in instruments}
    if dataset == "lifecycle":
        return [None, *sorted(markets | life_of)]  # null: rows about the whole venue
    return [*sorted(markets)]


def _without_repeats(trades: Any, instruments: Set[InstrumentKey]) -> Any:
    """Leave out what another outcome repeats of a trade of ``instruments``, under the same id.

    A feed that tells a trade as every wanted outcome sees it gives all of these the venue's id of the trade.
    """
    names = pa.array(sorted({key.instrument_id for key in instruments}), pa.string())
    own = pc.is_in(trades["instrument_id"].cast(pa.string()), value_set=names)
    ids = trades["trade_id"].cast(pa.string())
    known = pc.is_in(ids, value_set=pc.drop_null(ids.filter(own)).unique())
    return trades.filter(pc.or_(own, pc.invert(known)))


def _keys(table: Any, venue: VenueName, known: dict[tuple[str, str], InstrumentKey]) -> tuple[list[InstrumentKey], Any]:
    """Return the distinct keys of ``table`` and the index of each row's key."""
    markets, instruments = (dictionary_array(table[name]) for name in ("market_id", "instrument_id"))
    width = len(instruments.dictionary) + 1
    instrument = pc.fill_null(instruments.indices.cast(pa.int64()), width - 1)
    market = pc.fill_null(markets.indices.cast(pa.int64()), len(markets.dictionary))
    pairs = pc.add(pc.multiply(market, width), instrument).dictionary_encode()
    market_ids = [*markets.dictionary.to_pylist(), WHOLE_VENUE]
    instrument_ids = [*instruments.dictionary.to_pylist(), ""]
    keys = []
    for pair in pairs.dictionary.to_pylist():
        ids = market_ids[pair // width], instrument_ids[pair % width]
        keys.append(known.setdefault(ids, InstrumentKey(venue, MarketId(ids[0]), InstrumentId(ids[1]))))
    return keys, pairs.indices


def _bisect(times: Any, before: int, lo: int) -> int:
    hi = len(times)
    while lo < hi:
        middle = (lo + hi) // 2
        if times[middle].as_py() < before:
            lo = middle + 1
        else:
            hi = middle
    return lo


def _list(rows: Any, name: str) -> list[Any]:
    column = rows[name].combine_chunks()
    if name == "arrival":
        column = pc.fill_null(column, _FIRST)  # without it rows of one time are in the order of the file
    if name in _MICROS:
        return list(to_micros(column).to_pylist())
    if pa.types.is_dictionary(column.type):
        texts = [*column.dictionary.to_pylist(), None]
        return [texts[code] for code in pc.fill_null(column.indices, len(texts) - 1).to_pylist()]
    if pa.types.is_timestamp(column.type):
        column = column.cast(pa.int64())
    return list(column.to_pylist())


_DELTA_FIELDS: Final = ("segment", "arrival", "ts_venue", "epoch", "seq", "kind", "side", "price", "size")


def _book_events(rows: Any, keys: list[InstrumentKey], times: list[int]) -> Iterator[OrderedEvent]:
    columns = [_list(rows, name) for name in _DELTA_FIELDS]
    head: tuple[Any, ...] | None = None
    sides: dict[str, list[Level]] = {"bid": [], "ask": []}
    for key, ts, segment, arrival, ts_venue, epoch, seq, kind, side, price, size in zip(
        keys, times, *columns, strict=True
    ):
        if kind == "snapshot":
            sides[side].append((price, size))
            continue
        if head is not None:
            yield _snapshot(head, sides)
            head = None
        if kind == "change":
            yield (ts, segment, arrival, BookDelta(key, ts, ts_venue, epoch, seq, side, price, size))
        else:
            head, sides = (key, ts, segment, arrival, ts_venue, epoch, seq), {"bid": [], "ask": []}
    if head is not None:
        yield _snapshot(head, sides)


def _snapshot(head: tuple[Any, ...], sides: dict[str, list[Level]]) -> OrderedEvent:
    key, ts, segment, arrival, ts_venue, epoch, seq = head
    book = BookSnapshot(key, ts, ts_venue, epoch, seq, tuple(sides["bid"]), tuple(sides["ask"]))
    return ts, segment, arrival, book


def _trade_events(rows: Any, keys: list[InstrumentKey], times: list[int]) -> Iterator[OrderedEvent]:
    names = ("segment", "arrival", "ts_venue", "price", "size", "taker_side", "trade_id")
    columns = [_list(rows, name) for name in names]
    for key, ts, segment, arrival, ts_venue, price, size, side, trade_id in zip(keys, times, *columns, strict=True):
        yield (ts, segment, arrival, Trade(key, ts, ts_venue, price, size, side, trade_id))


def _gap_events(rows: Any, keys: list[InstrumentKey], times: list[int]) -> Iterator[OrderedEvent]:
    columns = [_list(rows, name) for name in ("reason", "epoch")]
    for key, ts, reason, epoch in zip(keys, times, *columns, strict=True):
        yield (ts, _GAP_SEGMENT, 0, Gap(key, ts, reason, epoch))


def _lifecycle_events(rows: Any, keys: list[InstrumentKey], times: list[int]) -> Iterator[OrderedEvent]:
    columns = [_list(rows, name) for name in ("segment", "arrival", "ts_venue", "kind", "value")]
    for key, ts, segment, arrival, ts_venue, kind, value in zip(keys, times, *columns, strict=True):
        try:
            event = to_event(LifecycleRow(key, ts, ts_venue, kind, value))
        except ValueError as error:
            raise IntegrityError(f"lifecycle row of {key.market_id[:64]!r}: {error}; run 'predsurv verify'") from error
        yield (ts, segment, arrival, event)


_EVENTS: Final = {
    "deltas": _book_events,
    "trades": _trade_events,
    "coverage": _gap_events,
    "lifecycle": _lifecycle_events,
}
