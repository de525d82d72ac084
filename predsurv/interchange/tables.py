"""Rows of books, changes and trades as anyone may write them, as JSON lines or Parquet: docs/importing.md."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Final

import msgspec
import polars as pl

from predsurv.core.errors import IntegrityError
from predsurv.core.events import BookDelta, BookSnapshot, CoverageReason, MarketEvent, Trade
from predsurv.core.ids import InstrumentId, InstrumentKey, MarketId, TradeId, VenueName
from predsurv.core.text import sanitise
from predsurv.interchange.foreign_recording import NONE_LEFT_OUT, ImportPart, MarketRows, part_of_each
from predsurv.interchange.rows import known_price, known_size, levels, micros, require_columns, time_ns

COLUMNS: Final = ("time", "market", "instrument", "kind")
OPTIONAL: Final = ("bids", "asks", "side", "price", "size", "trade_id", "time_venue", "question", "outcome")
_SIDES: Final[Mapping[str, Any]] = {"bid": "bid", "buy": "bid", "ask": "ask", "sell": "ask"}
_TAKER: Final[Mapping[str, Any]] = {"buy": "buy", "sell": "sell", "bid": "buy", "ask": "sell"}


class TableFiles:
    """Files of rows of ``venue``; ``renamed``: their name of each of our columns where it is another.

    ``only``: the markets to import, empty for all. A file is read whole, so its size is bounded by memory.
    """

    books = True
    trades: CoverageReason = "live"
    left_out = NONE_LEFT_OUT

    def __init__(
        self,
        name: str,
        venue: VenueName,
        files: Iterable[Path],
        renamed: Mapping[str, str] = {},
        only: Iterable[str] = (),
    ) -> None:
        self.name, self.venue = name, venue
        self.files: Sequence[Path] = sorted(files, key=lambda path: path.name)
        self._renamed, self._only = dict(renamed), frozenset(only)
        self._read: tuple[Path, pl.DataFrame] | None = None

    def parts(self) -> list[ImportPart]:
        """Return the files."""
        return part_of_each(self.files)

    def times(self, part: ImportPart) -> pl.Series:
        """Return the times at which anything was received, of any market."""
        (file,) = part.files
        return self._rows(file)["time"].unique().sort()

    def markets(self, part: ImportPart) -> Iterator[MarketRows]:
        """Yield one market after the other."""
        (file,) = part.files
        rows = self._rows(file)
        self._read = None
        for own in rows.partition_by("market", maintain_order=True):
            market = MarketId(own["market"][0])
            if self._only and market not in self._only:
                continue
            names = own.group_by("instrument", maintain_order=True).agg(pl.col("outcome").drop_nulls().first())
            events = [self._event(market, row, file) for row in own.iter_rows(named=True)]
            yield MarketRows(
                market,
                tuple(InstrumentId(each) for each in names["instrument"]),
                events,
                str(own["question"].drop_nulls().first() or ""),
                tuple(each or "" for each in names["outcome"]),
            )

    def _rows(self, file: Path) -> pl.DataFrame:
        if self._read is not None and self._read[0] == file:
            return self._read[1]
        found = _read(file)
        found = found.rename({theirs: ours for ours, theirs in self._renamed.items() if theirs in found.columns})
        require_columns(file, dict(found.schema), COLUMNS)
        kinds = dict(found.schema)
        lacking = [pl.lit(None, pl.String).alias(name) for name in OPTIONAL if name not in kinds]
        found = found.with_columns(lacking)
        times = [_time(found, "time", file).alias("time"), _time(found, "time_venue", file).alias("time_venue")]
        rows = found.with_columns(
            *times,
            pl.col("market", "instrument", "kind", "side", "trade_id", "question", "outcome").cast(pl.String),
            micros(pl.col("price")),
            micros(pl.col("size")),
        )
        if rows["time"].null_count() or rows["market"].null_count() or rows["instrument"].null_count():
            raise IntegrityError(f"{file}: a row has no time, market or instrument")
        ordered = rows.sort("market", "time", maintain_order=True)
        self._read = file, ordered
        return ordered

    def _event(self, market: MarketId, row: Mapping[str, Any], file: Path) -> MarketEvent:
        try:
            return _event(InstrumentKey(self.venue, market, InstrumentId(row["instrument"])), row)
        except (ValueError, TypeError, KeyError, msgspec.DecodeError) as error:
            what = f"{file}: {sanitise(market, 80)} at {row['time']} ns: a {sanitise(str(row['kind']), 20)!r} row"
            raise IntegrityError(f"{what} is not as it should be ({sanitise(str(error), 120)})") from None


def _read(file: Path) -> pl.DataFrame:
    if file.suffix == ".parquet":
        return pl.read_parquet(file, hive_partitioning=False)
    return pl.read_ndjson(file, infer_schema_length=None)


def _time(rows: pl.DataFrame, name: str, file: Path) -> pl.Expr:
    if rows[name].null_count() == rows.height:
        return pl.lit(None, pl.Int64)
    if rows.schema[name] == pl.String:
        return pl.col(name).str.to_datetime(time_unit="ns", time_zone="UTC").dt.epoch("ns")
    sample = rows[name].drop_nulls()[0] if rows.schema[name].is_integer() else None
    return time_ns(pl.col(name), rows.schema[name], file, sample)


def _event(key: InstrumentKey, row: Mapping[str, Any]) -> MarketEvent:
    time, told = row["time"], row["time_venue"]
    match row["kind"]:
        case "book":
            bids, asks = (_side(row[name]) for name in ("bids", "asks"))
            return BookSnapshot(
                key, time, told, 1, None, levels(bids, best_highest=True), levels(asks, best_highest=False)
            )
        case "change":
            side = _SIDES[row["side"].lower()]
            return BookDelta(key, time, told, 1, None, side, known_price(row["price"]), known_size(row["size"]))
        case "trade":
            taker = None if row["side"] is None else _TAKER[row["side"].lower()]
            trade_id = None if row["trade_id"] is None else TradeId(row["trade_id"])
            return Trade(key, time, told, known_price(row["price"]), known_size(row["size"]), taker, trade_id)
        case _:
            raise ValueError("kind is book, change or trade")


def _side(value: Any) -> Sequence[Any]:
    if value is None:
        return ()
    return msgspec.json.decode(value, type=list) if isinstance(value, str) else value
