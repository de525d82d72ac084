"""PMXT's archive of Polymarket's market channel: one Parquet file for each UTC hour.

Layout: the archive's own description of its second version (archive.pmxt.dev/docs/v2-data-overview): rows sorted by
``market, asset_id, timestamp_received``; a row is one event of the channel, columns that do not belong to it are null.
Times are milliseconds. Not told: labels of outcomes, questions, which time was observed.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from hashlib import blake2b
from pathlib import Path
from typing import Any, Final

import msgspec
import polars as pl
import pyarrow.parquet as pq

from predsurv.core.errors import IntegrityError
from predsurv.core.events import BookDelta, BookSnapshot, CoverageReason, MarketChange, MarketEvent, Trade
from predsurv.core.ids import InstrumentId, InstrumentKey, MarketId, TradeId, VenueName
from predsurv.core.num import Price
from predsurv.interchange.foreign_recording import NONE_LEFT_OUT, ImportPart, MarketRows, part_of_each
from predsurv.interchange.rows import known_price, known_size, levels, micros, read_schema, require_columns

_VENUE: Final = VenueName("polymarket")
_COLUMNS: Final = (
    "timestamp_received",
    "timestamp",
    "market",
    "event_type",
    "asset_id",
    "bids",
    "asks",
    "price",
    "size",
    "side",
    "transaction_hash",
    "old_tick_size",
    "new_tick_size",
)
_BATCH_ROWS: Final = 1 << 17
_MS: Final = 1_000_000
_BOOK_SIDE: Final[Mapping[str, Any]] = {"BUY": "bid", "SELL": "ask"}
_TAKER: Final[Mapping[str, Any]] = {"BUY": "buy", "SELL": "sell"}


class PmxtFiles:
    """The hours in ``files``; ``only``: the condition ids to import, empty for all."""

    name = "pmxt"
    venue = _VENUE
    books = True
    trades: CoverageReason = "live"
    left_out = NONE_LEFT_OUT

    def __init__(self, files: Iterable[Path], only: Iterable[str] = ()) -> None:
        self.files: Sequence[Path] = sorted(files, key=lambda path: path.name)
        self._only = frozenset(only)

    def parts(self) -> list[ImportPart]:
        """Return the hours."""
        return part_of_each(self.files)

    def times(self, part: ImportPart) -> pl.Series:
        """Return the times at which anything was received, of any market."""
        (file,) = part.files
        require_columns(file, read_schema(file), _COLUMNS)
        column = pl.col("timestamp_received").dt.epoch("ms").unique().sort()
        return (
            pl.scan_parquet(file, hive_partitioning=False).select(column * _MS).collect(engine="streaming").to_series()
        )

    def markets(self, part: ImportPart) -> Iterator[MarketRows]:
        """Yield one market after the other, in the order of the file."""
        (file,) = part.files
        rest: pl.DataFrame | None = None
        for batch in pq.ParquetFile(file).iter_batches(_BATCH_ROWS, columns=list(_COLUMNS)):
            rows = pl.DataFrame(pl.from_arrow(batch)).with_columns(pl.col("market").cast(pl.String))
            rows = rows if rest is None else pl.concat([rest, rows])
            last = rows["market"][-1]
            yield from self._whole(rows.filter(pl.col("market") != last), file)
            rest = rows.filter(pl.col("market") == last)
        if rest is not None:
            yield from self._whole(rest, file)

    def _whole(self, rows: pl.DataFrame, file: Path) -> Iterator[MarketRows]:
        for part in rows.partition_by("market", maintain_order=True):
            market = MarketId(part["market"][0])
            if self._only and market not in self._only:
                continue
            ordered = part.sort("timestamp_received", maintain_order=True).with_columns(
                pl.col("timestamp_received", "timestamp").dt.epoch("ms") * _MS,
                micros(pl.col("price")),
                micros(pl.col("size")),
            )
            instruments = tuple(InstrumentId(each) for each in part["asset_id"].unique(maintain_order=True))
            try:
                events = [event for row in ordered.iter_rows(named=True) if (event := _event(market, row)) is not None]
            except (ValueError, TypeError, KeyError, msgspec.DecodeError) as error:
                raise IntegrityError(f"{file}: market {market}: {error}") from None
            yield MarketRows(market, instruments, events)


def _event(market: MarketId, row: Mapping[str, Any]) -> MarketEvent | None:
    key = InstrumentKey(_VENUE, market, InstrumentId(row["asset_id"]))
    received, told = row["timestamp_received"], row["timestamp"]
    match row["event_type"]:
        case "book":
            bids, asks = (msgspec.json.decode(row[side] or "[]") for side in ("bids", "asks"))
            return BookSnapshot(
                key, received, told, 1, None, levels(bids, best_highest=True), levels(asks, best_highest=False)
            )
        case "price_change":
            return BookDelta(
                key,
                received,
                told,
                1,
                None,
                _BOOK_SIDE[row["side"]],
                known_price(row["price"]),
                known_size(row["size"]),
            )
        case "last_trade_price":
            return Trade(
                key,
                received,
                told,
                known_price(row["price"]),
                known_size(row["size"]),
                _TAKER.get(row["side"]),
                _trade_id(row),
            )
        case "tick_size_change":
            return _tick_change(key, row)
        case _:
            return None


def _trade_id(row: Mapping[str, Any]) -> TradeId:
    # One transaction may hold several trades: all that is told of one makes its id.
    fields = (row["asset_id"], row["side"], row["price"], row["size"], row["timestamp"], row["transaction_hash"])
    return TradeId(blake2b("|".join(map(str, fields)).encode(), digest_size=16).hexdigest())


def _tick_change(key: InstrumentKey, row: Mapping[str, Any]) -> MarketChange:
    old, new = row["old_tick_size"], row["new_tick_size"]
    value = msgspec.json.encode({"old": str(old), "new": str(new)}).decode()
    tick = Price(round(new * 1_000_000))
    return MarketChange(
        _VENUE,
        key.market_id,
        key.instrument_id,
        row["timestamp_received"],
        row["timestamp"],
        "tick_size",
        value,
        None,
        tick,
    )
