"""The tables of the dataset ``becker`` reads, by venue: which files they are, and their trades in our units.

Trades come as ``time`` (ns UTC), ``order`` (among those of one time), ``market``, ``instrument``, ``price`` and
``size`` (micros), ``side`` (the taker's, of the instrument) and ``trade_id``.
"""

from collections.abc import Callable, Mapping, Sequence
from functools import cached_property
from pathlib import Path
from typing import Final, NamedTuple, Protocol

import msgspec
import polars as pl

from predsurv.core.errors import IntegrityError
from predsurv.core.ids import VenueName
from predsurv.core.num import MICROS
from predsurv.interchange.rows import read_schema, require_columns
from predsurv.store.layout import NS_DAY
from predsurv.venues.kalshi.market_parser import NO_SUFFIX

_CENT: Final = 10_000
_GRID: Final = 100  # the finest price of Polymarket, 0.0001 dollars, in micros
_ZERO: Final = "0"  # the asset of an order that pays or receives dollars
EXCHANGES: Final = (
    "0x4bfb41d5b3570defd03c39a9a4d8de6bd8b8982e",
    "0xc5d563a36ae78145c45a50134d48a1215220f80a",
)
"""Polymarket's exchanges, which the row of a taker's whole order names as its taker (py-clob-client, config.py)."""

Days = list[tuple[int, int]]
"""Begin of each day with trades (ns UTC), and how many of them."""

INEXACT: Final = "prices that do not add up to a dollar"
NOTHING: Final = "nothing traded"
AGAIN: Final = "told before"
NO_BLOCK_TIME: Final = "of a block without a time"
UNLISTED: Final = "of an asset that no market lists"
WHOLE_ORDER: Final = "a taker's whole order, whose trades the makers' rows tell"


class DatasetTables(Protocol):
    """The tables of one venue."""

    files: Sequence[Path]
    trades: Sequence[Path]

    def days(self, since: int, until: int) -> Days:
        """Return the days with trades between two times (ns UTC), in order."""
        ...

    def trades_in(self, since: int, until: int) -> tuple[pl.DataFrame, Mapping[str, int]]:
        """Return the trades from ``since`` to before ``until``, and how many rows were left out, by the reason."""
        ...

    def names_of(self, market: str) -> "MarketNames":
        """Return what is listed of a market with trades."""
        ...


class MarketNames(NamedTuple):
    """What the dataset lists of a market; of one that it lists several times what was fetched last."""

    instruments: tuple[str, ...]
    labels: tuple[str, ...]
    question: str = ""
    event_id: str = ""


def find_tables(venue: VenueName, files: Sequence[Path]) -> DatasetTables:
    """Return the tables of ``venue`` among ``files``, which are told apart by their columns; others are ignored."""
    schemas = {path: _columns(path) for path in files if not path.name.startswith(".")}
    of: Callable[..., list[Path]] = lambda needed: [path for path, have in schemas.items() if needed <= have]  # noqa: E731
    if venue == "kalshi":
        return KalshiTables(of(_KALSHI_TRADES), of(_KALSHI_MARKETS))
    return PolymarketTables(of(_POLYMARKET_TRADES), of(_POLYMARKET_MARKETS), of(_BLOCKS))


def _columns(path: Path) -> frozenset[str]:
    return frozenset(read_schema(path))


_KALSHI_TRADES: Final = {"trade_id", "ticker", "count", "yes_price", "no_price", "taker_side", "created_time"}
_KALSHI_MARKETS: Final = {"ticker", "event_ticker", "title", "_fetched_at"}
_POLYMARKET_TRADES: Final = {
    *("block_number", "transaction_hash", "log_index", "taker"),
    *("maker_asset_id", "taker_asset_id", "maker_amount", "taker_amount"),
}
_POLYMARKET_MARKETS: Final = {"condition_id", "question", "outcomes", "clob_token_ids", "_fetched_at"}
_BLOCKS: Final = {"block_number", "timestamp"}


class KalshiTables:
    """Kalshi's: a market has one book, of YES; the trade of a NO share at p is one of YES at 1 - p."""

    def __init__(self, trades: Sequence[Path], markets: Sequence[Path]) -> None:
        self.trades, self._markets = trades, markets
        self.files: Sequence[Path] = [*trades, *markets]

    def days(self, since: int, until: int) -> Days:
        """Return the days with trades between two times (ns UTC), in order."""
        rows = self._within(since, until).group_by(pl.col("time") // NS_DAY).agg(pl.len()).sort("time")
        return [(day * NS_DAY, count) for day, count in rows.collect(engine="streaming").rows()]

    def trades_in(self, since: int, until: int) -> tuple[pl.DataFrame, Mapping[str, int]]:
        """Return the trades from ``since`` to before ``until``, and how many rows were left out, by the reason."""
        rows = self._within(since, until).select(*_KALSHI_TRADES - {"created_time"}, "time").collect(engine="streaming")
        told = rows.unique("trade_id", keep="first", maintain_order=True)
        exact = told.filter(pl.col("yes_price") + pl.col("no_price") == MICROS // _CENT)
        kept = exact.filter((pl.col("count") > 0) & pl.col("yes_price").is_between(1, 99))
        side = pl.when(pl.col("taker_side") == "yes").then(pl.lit("buy"))
        trades = kept.select(
            "time",
            pl.lit(0).alias("order"),
            pl.col("ticker").alias("market"),
            pl.col("ticker").alias("instrument"),
            (pl.col("yes_price") * _CENT).cast(pl.Int64).alias("price"),
            (pl.col("count").cast(pl.Int64) * MICROS).alias("size"),
            side.when(pl.col("taker_side") == "no").then(pl.lit("sell")).alias("side"),
            "trade_id",
        )
        left = {AGAIN: rows.height - told.height, INEXACT: told.height - exact.height}
        return trades, left | {NOTHING: exact.height - kept.height}

    def names_of(self, market: str) -> MarketNames:
        """Return what is listed of a market with trades."""
        question, event = self._listed.get(market, ("", ""))
        return MarketNames((market, market + NO_SUFFIX), ("Yes", "No"), question, event)

    @cached_property
    def _listed(self) -> dict[str, tuple[str, str]]:
        if not self._markets:
            return {}
        rows = pl.scan_parquet(list(self._markets), hive_partitioning=False)
        last = rows.select("ticker", "title", "event_ticker", "_fetched_at").sort("_fetched_at").group_by("ticker")
        found = last.last().collect(engine="streaming")
        return {ticker: (title or "", event or "") for ticker, title, event, _ in found.rows()}

    def _within(self, since: int, until: int) -> pl.LazyFrame:
        rows = pl.scan_parquet(list(self.trades), hive_partitioning=False)
        require_columns(self.trades[0], dict(rows.collect_schema()), _KALSHI_TRADES)
        time = pl.col("created_time")
        if rows.collect_schema()["created_time"] == pl.String:
            time = time.str.to_datetime(time_unit="ns", time_zone="UTC")
        timed = rows.with_columns(time.dt.epoch("ns").alias("time"))
        return timed.filter(pl.col("time").is_between(since, until, closed="left"))


class PolymarketTables:
    """Polymarket's; without the markets' tables no trade has a market, without those of blocks none has a time."""

    def __init__(self, trades: Sequence[Path], markets: Sequence[Path], blocks: Sequence[Path]) -> None:
        self.trades, self._listed = trades, markets
        self._blocks = [path for path in blocks if path not in set(trades)]
        self.files: Sequence[Path] = [*trades, *markets, *self._blocks]
        for what, found in (("blocks", self._blocks), ("markets", markets)):
            if trades and not found:
                raise IntegrityError(f"no file of {what} of polymarket beside {trades[0]}: name the whole folder")

    def days(self, since: int, until: int) -> Days:
        """Return the days with trades between two times (ns UTC), in order."""
        numbers = self._scan(self.trades).select(pl.col("block_number").cast(pl.Int64)).group_by("block_number").len()
        timed = numbers.join(self._timed_blocks(since, until), on="block_number")
        rows = timed.group_by(pl.col("time") // NS_DAY).agg(pl.col("len").sum()).sort("time")
        return [(day * NS_DAY, count) for day, count in rows.collect(engine="streaming").rows()]

    def trades_in(self, since: int, until: int) -> tuple[pl.DataFrame, Mapping[str, int]]:
        """Return the trades from ``since`` to before ``until``, and how many rows were left out, by the reason."""
        blocks = self._timed_blocks(since, until).collect(engine="streaming")
        span = pl.col("block_number").is_between(blocks["block_number"].min(), blocks["block_number"].max())
        rows = self._scan(self.trades).filter(span).select(*_POLYMARKET_TRADES).collect(engine="streaming")
        rows = rows.with_columns(pl.col("block_number").cast(pl.Int64))
        once = rows.unique(["transaction_hash", "log_index"], keep="first", maintain_order=True)
        timed = once.join(blocks, on="block_number", maintain_order="left")
        of_makers = timed.filter(~pl.col("taker").str.to_lowercase().is_in(list(EXCHANGES)))
        listed = _filled(of_makers).join(self._assets, on="instrument", maintain_order="left")
        kept = listed.filter((pl.col("size") > 0) & (pl.col("dollars") > 0) & (pl.col("dollars") <= pl.col("size")))
        left = {AGAIN: rows.height - once.height, NO_BLOCK_TIME: once.height - timed.height}
        left |= {WHOLE_ORDER: timed.height - of_makers.height, UNLISTED: of_makers.height - listed.height}
        left[NOTHING] = listed.height - kept.height
        return kept.with_columns(price_told()).select(*_TRADE_COLUMNS), left

    def names_of(self, market: str) -> MarketNames:
        """Return what is listed of a market with trades: trades of others are left out."""
        return self._markets[market]

    @cached_property
    def _markets(self) -> dict[str, MarketNames]:
        columns = ("condition_id", "question", "outcomes", "clob_token_ids", "_fetched_at")
        rows = self._scan(self._listed).select(columns).sort("_fetched_at").group_by("condition_id").last()
        found: dict[str, MarketNames] = {}
        for market, question, labels, tokens, _ in rows.collect(engine="streaming").rows():
            instruments, names = _texts(tokens), _texts(labels)
            if market and instruments:
                own = names if len(names) == len(instruments) else ("",) * len(instruments)
                found[market] = MarketNames(instruments, own, question or "")
        return found

    @cached_property
    def _assets(self) -> pl.DataFrame:
        pairs = [(token, market) for market, names in self._markets.items() for token in names.instruments]
        return pl.DataFrame(pairs, {"instrument": pl.String, "market": pl.String}, orient="row").unique("instrument")

    def _timed_blocks(self, since: int, until: int) -> pl.LazyFrame:
        rows = self._scan(self._blocks)
        time, kind = pl.col("timestamp"), rows.collect_schema()["timestamp"]
        if kind == pl.String:
            time = time.str.to_datetime(time_unit="ns", time_zone="UTC").dt.epoch("ns")
        elif kind.is_integer():
            time = time.cast(pl.Int64) * 10**9
        else:
            time = time.dt.epoch("ns")
        timed = rows.select(pl.col("block_number").cast(pl.Int64), time.alias("time")).unique("block_number")
        return timed.filter(pl.col("time").is_between(since, until, closed="left"))

    @staticmethod
    def _scan(paths: Sequence[Path]) -> pl.LazyFrame:
        return pl.scan_parquet(list(paths), hive_partitioning=False, missing_columns="insert", extra_columns="ignore")


_TRADE_COLUMNS: Final = ("time", "order", "market", "instrument", "price", "size", "side", "trade_id")


def _filled(rows: pl.DataFrame) -> pl.DataFrame:
    """Return makers' rows as what they gave and got: shares of an ``instrument`` for ``dollars`` (micros both)."""
    pays = pl.col("maker_asset_id").cast(pl.String) == _ZERO
    amounts = {name: pl.col(name).cast(pl.Int64) for name in ("maker_amount", "taker_amount")}
    return rows.select(
        "time",
        pl.col("log_index").cast(pl.Int64).alias("order"),
        pl.when(pays).then("taker_asset_id").otherwise("maker_asset_id").cast(pl.String).alias("instrument"),
        pl.when(pays).then(amounts["taker_amount"]).otherwise(amounts["maker_amount"]).alias("size"),
        pl.when(pays).then(amounts["maker_amount"]).otherwise(amounts["taker_amount"]).alias("dollars"),
        pl.when(pays).then(pl.lit("sell")).otherwise(pl.lit("buy")).alias("side"),
        pl.concat_str("transaction_hash", pl.col("log_index").cast(pl.String), separator=":").alias("trade_id"),
    )


def price_told() -> pl.Expr:
    """Return the price that gives the dollars of a trade to the millionth: one of the grid, else the ratio itself."""
    ratio = (pl.col("dollars").cast(pl.Int128) * MICROS * 2 + pl.col("size")) // (pl.col("size") * 2)
    nearest = (ratio + _GRID // 2) // _GRID * _GRID
    told = (nearest * pl.col("size") - pl.col("dollars").cast(pl.Int128) * MICROS).abs() < MICROS
    return pl.when(told).then(nearest).otherwise(ratio).cast(pl.Int64).alias("price")


def _texts(value: str | None) -> tuple[str, ...]:
    try:
        return tuple(map(str, msgspec.json.decode(value or "[]", type=list)))
    except msgspec.DecodeError:
        return ()
