"""Telonex' daily files of Polymarket's books and trades: one Parquet file for each channel, outcome and day.

Layout, as seen in files and programs of others, not from a schema of its own: ``timestamp_us`` (the venue's),
``local_timestamp_us`` (of receipt; missing in some files, then the venue's stands for it), ``market_id``,
``asset_id``, ``outcome``, ``slug``.
Books: ``bids`` and ``asks`` as lists of price and size, or ``bid_price_0``, ``bid_size_0``, …: each row a whole book.
Trades: ``price``, ``size``, ``side``, and ``trade_id`` or ``id`` in some.

A row that differs from the one before becomes the levels that changed, so that a day is no larger than it was told;
the first of a day, and of what follows a silence, stays a whole book.
"""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Final

import polars as pl

from predsurv.core.errors import IntegrityError
from predsurv.core.events import BookDelta, BookSnapshot, CoverageReason, Level, MarketEvent, Trade
from predsurv.core.ids import InstrumentId, InstrumentKey, MarketId, Side, TradeId, VenueName
from predsurv.core.num import Price, Size
from predsurv.core.text import sanitise
from predsurv.interchange.foreign_recording import NONE_LEFT_OUT, ImportPart, MarketRows
from predsurv.interchange.rows import known_price, known_size, micros, read_schema, require_columns
from predsurv.store.layout import date_of

_VENUE: Final = VenueName("polymarket")
_NEEDED: Final = ("timestamp_us", "market_id", "asset_id")
_US: Final = 1_000
_LEVELS_MAX: Final = 1_000
_TAKER: Final[Mapping[str, Any]] = {"buy": "buy", "sell": "sell"}
_Book = tuple[Mapping[Price, Size], Mapping[Price, Size]]


class TelonexFiles:
    """The days in ``files``; ``only``: the condition ids to import, empty for all.

    ``silent_after`` (ns): a book that was not told for longer is told as a whole.
    """

    name = "telonex"
    venue = _VENUE
    books = True
    trades: CoverageReason = "live"
    left_out = NONE_LEFT_OUT

    def __init__(self, files: Iterable[Path], silent_after: int, only: Iterable[str] = ()) -> None:
        self.files: Sequence[Path] = sorted(files)
        self._silent_after, self._only = silent_after, frozenset(only)
        self._market_of: dict[Path, str] = {}

    def parts(self) -> list[ImportPart]:
        """Return the days, each with all of its files that have rows."""
        days: defaultdict[str, list[Path]] = defaultdict(list)
        for file in self.files:
            schema = read_schema(file)
            require_columns(file, schema, _NEEDED)
            if not _is_trades(schema) and not _is_books(schema):
                require_columns(file, schema, ("bids", "asks"))
            head = _timed(file, "market_id").head(1).collect()
            if head.height:
                self._market_of[file] = str(head["market_id"][0])
                days[date_of(head["time"][0])].append(file)
        return [ImportPart(day, tuple(days[day])) for day in sorted(days)]

    def times(self, part: ImportPart) -> pl.Series:
        """Return the times at which anything was received, of any market."""
        times = [_timed(file).select("time").collect(engine="streaming")["time"] for file in part.files]
        return pl.concat(times).unique().sort()

    def markets(self, part: ImportPart) -> Iterator[MarketRows]:
        """Yield one market after the other."""
        by_market: defaultdict[str, list[Path]] = defaultdict(list)
        for file in part.files:
            by_market[self._market_of[file]].append(file)
        for name, files in by_market.items():
            market = MarketId(name)
            if self._only and market not in self._only:
                continue
            labels: dict[InstrumentId, str] = {}
            events: list[MarketEvent] = []
            question = ""
            for file in files:
                key, label, slug = self._instrument(market, file)
                labels[key.instrument_id] = label
                question = question or slug
                events += self._events(key, file)
            events.sort(key=lambda event: event.ts_recv)
            yield MarketRows(market, tuple(labels), events, question, tuple(labels.values()))

    def _instrument(self, market: MarketId, file: Path) -> tuple[InstrumentKey, str, str]:
        have = pl.read_parquet_schema(file)
        names = [name for name in ("market_id", "asset_id", "outcome", "slug") if name in have]
        told = pl.scan_parquet(file, hive_partitioning=False).select(pl.col(names).cast(pl.String)).unique().collect()
        if told["market_id"].n_unique() > 1 or told["asset_id"].n_unique() > 1 or told["asset_id"].null_count():
            raise IntegrityError(f"{file}: a file of Telonex is of one outcome, this one of several")
        row = told.row(0, named=True)
        key = InstrumentKey(_VENUE, market, InstrumentId(row["asset_id"]))
        return key, row.get("outcome") or "", row.get("slug") or ""

    def _events(self, key: InstrumentKey, file: Path) -> list[MarketEvent]:
        try:
            if _is_trades(pl.read_parquet_schema(file)):
                return list(_trades(key, file))
            return list(_books(key, file, self._silent_after))
        except (ValueError, TypeError, KeyError) as error:
            raise IntegrityError(f"{file}: a row is not as it should be ({sanitise(str(error), 120)})") from None


def _is_trades(schema: Mapping[str, object]) -> bool:
    return {"price", "size", "side"} <= set(schema)


def _is_books(schema: Mapping[str, object]) -> bool:
    return {"bids", "asks"} <= set(schema) or {"bid_price_0", "ask_price_0"} <= set(schema)


def _timed(file: Path, *columns: str | pl.Expr) -> pl.LazyFrame:
    """Return ``columns`` with ``time``, of receipt where that was told, and ``told``, the venue's (ns UTC)."""
    rows = pl.scan_parquet(file, hive_partitioning=False)
    venue = pl.col("timestamp_us").cast(pl.Int64) * _US
    received = venue
    if "local_timestamp_us" in rows.collect_schema():
        received = (pl.col("local_timestamp_us").fill_nan(None).cast(pl.Int64) * _US).fill_null(venue)
    return rows.select(*columns, received.alias("time"), venue.alias("told")).filter(pl.col("time").is_not_null())


def _trades(key: InstrumentKey, file: Path) -> Iterator[MarketEvent]:
    have = pl.read_parquet_schema(file)
    named = next((name for name in ("trade_id", "id") if name in have), None)
    rows = _timed(file, "price", "size", "side", *([named] if named else []))
    values = rows.with_columns(micros(pl.col("price")), micros(pl.col("size")), pl.col("side").cast(pl.String))
    for row in values.sort("time", maintain_order=True).collect().iter_rows(named=True):
        taker = None if row["side"] is None else _TAKER[row["side"].lower()]
        trade_id = TradeId(str(row[named])) if named and row[named] is not None else None
        yield Trade(key, row["time"], row["told"], known_price(row["price"]), known_size(row["size"]), taker, trade_id)


def _books(key: InstrumentKey, file: Path, whole_after: int) -> Iterator[MarketEvent]:
    rows = _timed(file, *_levels(pl.read_parquet_schema(file))).sort("time", maintain_order=True)
    before: _Book | None = None
    last = 0
    for bids, bid_sizes, asks, ask_sizes, time, told in rows.collect().iter_rows():
        book = _side(bids, bid_sizes), _side(asks, ask_sizes)
        if before is None or time - last > whole_after:
            yield BookSnapshot(key, time, told, 1, None, _ordered(book[0], best_highest=True), _ordered(book[1]))
        else:
            yield from _changes(key, time, told, before, book)
        before, last = book, time


def _changes(key: InstrumentKey, time: int, told: int | None, before: _Book, book: _Book) -> Iterator[BookDelta]:
    """Yield what makes ``book`` of the one ``before``; what is taken away comes first, so that no state is crossed."""
    sides: tuple[tuple[Side, int], ...] = (("bid", 0), ("ask", 1))
    for side, at in sides:
        for price in sorted(before[at].keys() - book[at].keys()):
            yield BookDelta(key, time, told, 1, None, side, price, Size(0))
    for side, at in sides:
        for price, size in book[at].items():
            if before[at].get(price) != size:
                yield BookDelta(key, time, told, 1, None, side, price, size)


def _levels(schema: Mapping[str, pl.DataType]) -> Iterator[pl.Expr]:
    """Yield prices and sizes of bids and of asks as lists of micros, whichever way the file tells them."""
    if "bids" in schema:
        for side in ("bids", "asks"):
            inner = getattr(schema[side], "inner", None)
            for name in ("price", "size"):
                known = pl.col(side).list.eval(micros(pl.element().struct.field(name)))
                none = pl.lit([], pl.List(pl.Int64))  # a file whose books all lack this side says nothing of its type
                yield (known if isinstance(inner, pl.Struct) else none).alias(f"{side}_{name}")
        return
    for side in ("bid", "ask"):
        numbers = [n for n in range(_LEVELS_MAX) if f"{side}_price_{n}" in schema]
        for name in ("price", "size"):
            yield pl.concat_list(micros(pl.col(f"{side}_{name}_{n}")) for n in numbers).alias(f"{side}_{name}")


def _side(prices: Sequence[int | None] | None, sizes: Sequence[int | None] | None) -> dict[Price, Size]:
    levels = zip(prices or (), sizes or (), strict=True)
    return {known_price(price): known_size(size) for price, size in levels if price is not None and size}


def _ordered(side: Mapping[Price, Size], *, best_highest: bool = False) -> tuple[Level, ...]:
    return tuple(sorted(side.items(), reverse=best_highest))
