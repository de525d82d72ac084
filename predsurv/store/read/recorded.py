"""What was recorded of a venue, by its coverage: which instruments, by whom, and from when to when."""

from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path
from types import MappingProxyType
from typing import Any, Final

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from msgspec import Struct

from predsurv.core.errors import IntegrityError
from predsurv.core.ids import InstrumentId, InstrumentKey, MarketId, VenueName
from predsurv.state.coverage import NO_BOOKS
from predsurv.store.conform import expect_columns
from predsurv.store.layout import NS_DAY, Layout, date_of, day_files, parse_file
from predsurv.store.read.verify_digests import check_intact, retry_if_replaced
from predsurv.store.schema import TIME

_OBSERVED: Final = pa.array(["live", "polled"])
_COLUMNS: Final = ["market_id", "instrument_id", "start", "end", "state", "reason"]


class RecordedSpan(Struct):
    """The time from the ``first`` observed moment of an instrument to its ``last`` (ns UTC), by one collector.

    ``books``: whether its book was observed in any of it; a feed without books tells of trades alone.

    ``trades``: whether its trades were observed in any of it, None when that was not recorded. ``polled``: whether its
    book was polled, and so seconds old, in any of it.
    """

    key: InstrumentKey
    collector: str
    first: int
    last: int
    trades: bool | None = None
    polled: bool = False
    books: bool = True


class RecordedTime(Struct, frozen=True):
    """What the coverage of some time says.

    ``spans``: of every instrument and collector with any time in which its book, or trades without it, were observed.
    ``dates``: the days (YYYY-MM-DD) that have coverage rows at all; on the others nothing was recorded, or what was
    cannot be trusted. ``repeated``: by day and collector the instruments of which another collector observed more that
    day, so that its rows count.
    """

    spans: tuple[RecordedSpan, ...]
    dates: frozenset[str]
    repeated: Mapping[str, Mapping[str, frozenset[InstrumentKey]]] = MappingProxyType({})

    def keys(self) -> frozenset[InstrumentKey]:
        """Return the instruments that were recorded."""
        return frozenset(each.key for each in self.spans)

    def without_trades(self) -> frozenset[InstrumentKey]:
        """Return the instruments of which no collector observed trades at any time."""
        heard = {each.key for each in self.spans if each.trades is not False}
        return self.keys() - heard

    def without_books(self) -> frozenset[InstrumentKey]:
        """Return the instruments of which no collector observed a book at any time."""
        return self.keys() - {each.key for each in self.spans if each.books}

    def several(self) -> frozenset[InstrumentKey]:
        """Return the instruments that several collectors observed on the same day."""
        return frozenset(key for day in self.repeated.values() for keys in day.values() for key in keys)

    def polled(self) -> frozenset[InstrumentKey]:
        """Return the instruments whose books a collector polled at any time."""
        return frozenset(each.key for each in self.spans if each.polled)


def recorded_time(data_dir: Path, venue: VenueName, start: int, end: int) -> RecordedTime:
    """Return what was recorded of ``venue`` from ``start`` to before ``end`` (ns UTC).

    Raises IntegrityError for a damaged file.
    """
    first = start // NS_DAY * NS_DAY
    days = range(first - NS_DAY, end, NS_DAY)  # a row that began the day before may reach into the first
    spans: dict[tuple[str, InstrumentKey], RecordedSpan] = {}
    dates: set[str] = set()
    repeated: dict[str, Mapping[str, frozenset[InstrumentKey]]] = {}
    for day in days:
        rows = retry_if_replaced(partial(_rows_of_day, data_dir, venue, date_of(day)))
        if found := _repeated(venue, rows):
            repeated[date_of(day)] = found
        for collector, table in rows:
            within = table.filter(pc.and_(pc.less(table["start"], end), pc.greater(table["end"], start)))
            if within.num_rows:
                dates.add(date_of(max(day, first)))
            _add(spans, venue, collector, within)
    for span in spans.values():
        span.first, span.last = max(span.first, start), min(span.last, end)
    return RecordedTime(tuple(spans.values()), frozenset(dates), repeated)


def _repeated(venue: VenueName, rows: Sequence[tuple[str, Any]]) -> Mapping[str, frozenset[InstrumentKey]]:
    """Return the instruments of each collector of which another one observed more, or as much and comes first."""
    if len({collector for collector, _ in rows}) < 2:
        return {}
    observed: defaultdict[InstrumentKey, Counter[str]] = defaultdict(Counter)
    for collector, table in rows:
        seen = table.filter(_observed(table))
        length = pc.if_else(seen["books"], pc.subtract(seen["end"], seen["start"]), 0)
        timed = seen.append_column("length", length)
        sums = timed.group_by(["market_id", "instrument_id"]).aggregate([("length", "sum")])
        names = ("market_id", "instrument_id", "length_sum")
        for market, instrument, length in zip(*(sums[name].to_pylist() for name in names), strict=True):
            observed[InstrumentKey(venue, MarketId(market), InstrumentId(instrument))][collector] += length
    found: defaultdict[str, set[InstrumentKey]] = defaultdict(set)
    for key, lengths in observed.items():
        for collector in sorted(lengths, key=lambda name: (-lengths[name], name))[1:]:
            found[collector].add(key)
    return {collector: frozenset(keys) for collector, keys in found.items()}


def _rows_of_day(data_dir: Path, venue: VenueName, date: str) -> list[tuple[str, Any]]:
    """Return the coverage rows of each file of one day with its collector."""
    paths = day_files(data_dir, "coverage", venue, date)
    check_intact(Layout(data_dir), paths, date)
    return [(parse_file(path)[1].collector, _read(path)) for path in paths]


def _add(spans: dict[tuple[str, InstrumentKey], RecordedSpan], venue: VenueName, collector: str, rows: Any) -> None:
    observed = rows.filter(_observed(rows))
    functions = [("start", "min"), ("end", "max"), ("heard", "max"), ("polled", "max"), ("books", "max")]
    grouped = observed.group_by(["market_id", "instrument_id"]).aggregate(functions)
    names = ("market_id", "instrument_id", *(f"{name}_{function}" for name, function in functions))
    for market, instrument, first, last, heard, polled, books in zip(
        *(grouped[name].to_pylist() for name in names), strict=True
    ):
        key = InstrumentKey(venue, MarketId(market), InstrumentId(instrument))
        span = spans.setdefault((collector, key), RecordedSpan(key, collector, first, last, books=False))
        span.first, span.last = min(span.first, first), max(span.last, last)
        span.trades = span.trades if heard is None else bool(heard) or bool(span.trades)
        span.polled = span.polled or bool(polled)
        span.books = span.books or books


def _observed(rows: Any) -> Any:
    """Return for each row whether the book was observed then, or trades of a feed without books."""
    alone = pc.and_(pc.equal(rows["reason"].cast(pa.string()), NO_BOOKS), pc.equal(rows["heard"], 1))
    return pc.or_(rows["books"], pc.fill_null(alone, False))  # noqa: FBT003


def _read(path: Path) -> Any:
    try:
        with pq.ParquetFile(path) as file:
            expect_columns(path, file.schema_arrow.names, _COLUMNS)
            known = [*_COLUMNS, *({"trades"} & set(file.schema_arrow.names))]
            table = file.read(known).select(known)
    except FileNotFoundError:
        raise
    except (OSError, KeyError, pa.ArrowException) as error:
        raise IntegrityError(f"{path} is damaged ({error}): run 'predsurv verify'") from error
    for name in ("start", "end"):
        at = table.schema.get_field_index(name)
        table = table.set_column(at, name, table[name].cast(TIME).cast(pa.int64()))
    polled = pc.equal(table["reason"].cast(pa.string()), "polled").cast(pa.int8())
    books = pc.equal(table["state"].cast(pa.string()), "covered")
    return table.append_column("heard", _heard(table)).append_column("polled", polled).append_column("books", books)


def _heard(table: Any) -> Any:
    """Return for each row whether trades were observed: 1 or 0, null where that was not recorded."""
    if "trades" not in table.column_names:
        return pa.nulls(table.num_rows, pa.int8())
    reasons = table["trades"].cast(pa.string())
    heard = pc.is_in(reasons, value_set=_OBSERVED).cast(pa.int8())
    return pc.if_else(pc.is_null(reasons), pa.scalar(None, pa.int8()), heard)
