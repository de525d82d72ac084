"""A made-up day of merged files for the benchmark of mining: columns drawn by hashing, written as merging does."""

from pathlib import Path
from typing import Any, Final

import polars as pl
import pyarrow as pa

from predsurv.core.ids import EventId, InstrumentId, MarketId, VenueName
from predsurv.core.market import FeeSchedule, Market, Outcome
from predsurv.core.num import Price, Size
from predsurv.store import manifest
from predsurv.store.layout import NS_HOUR, Dataset, FileStamp, Layout, Partition
from predsurv.store.schema import schema_of
from predsurv.store.seal.parquet_writer import ParquetSink
from predsurv.store.universe import universe_files
from predsurv.store.universe_writer import UniverseWriter

VENUE: Final = VenueName("bench")
DATE: Final = "2026-11-20"
T0: Final = 1_795_132_800_000_000_000
"""Midnight of that date, ns UTC."""
INSTRUMENTS: Final = 2_000
LEVELS: Final = 10
EVENT_MARKETS: Final = 10
_ID_DIGITS: Final = 77  # as long as Polymarket's ids
_MARKET_DIGITS: Final = 65
_FEE: Final = FeeSchedule("polymarket", 40_000)


def uniform(rows: int, seed: int) -> pl.Series:
    """Return ``rows`` numbers in 0 … 1, the same for the same ``seed``."""
    return ((pl.int_range(rows, eager=True) + seed * 1_000_003_137).hash(seed) / 2.0**64).alias("u")


def _moments(rows: int, hour: int, seed: int) -> pl.DataFrame:
    """Return the sorted (instrument, time) of rows, their number by instrument falling as 1 / (rank + 10)."""
    weight = pl.select((1.0 / (pl.int_range(INSTRUMENTS) + 10)).alias("w"))["w"]
    bounds = (weight.cum_sum() / weight.sum()).to_frame("bound").with_row_index("rank").lazy()
    drawn = pl.LazyFrame({"bound": uniform(rows, seed)}).sort("bound")
    ranks = drawn.join_asof(bounds, on="bound", strategy="forward").select(pl.col("rank").fill_null(0))
    offset = (uniform(rows, seed + 10) * NS_HOUR).cast(pl.Int64).clip(0, NS_HOUR - 1)
    return ranks.collect().with_columns((T0 + hour * NS_HOUR + offset).alias("ts")).sort("rank", "ts")


def _named(moments: pl.DataFrame) -> pl.DataFrame:
    name = pl.col("rank").cast(pl.String).str.zfill(_ID_DIGITS)
    time = pl.col("ts").cast(pl.Datetime("ns", "UTC"))
    venue = (pl.col("ts") - 20_000_000).cast(pl.Datetime("ns", "UTC"))
    return moments.select(
        time.alias("ts_recv"),
        venue.alias("ts_venue"),
        ("m" + pl.col("rank").cast(pl.String).str.zfill(_MARKET_DIGITS)).alias("market_id"),
        name.alias("instrument_id"),
    )


def deltas(rows: int, hour: int) -> pl.DataFrame:
    """Return an hour of changes of single levels."""
    seed = 1_000 + hour
    named = _named(_moments(rows, hour, seed))
    price, size = uniform(rows, seed + 20), uniform(rows, seed + 30)
    return named.with_columns(
        pl.lit("change").alias("kind"),
        pl.when(pl.lit(uniform(rows, seed + 40)) < 0.5).then(pl.lit("bid")).otherwise(pl.lit("ask")).alias("side"),
        (1 + (price * 98).cast(pl.Int64)).cast(pl.Float64).alias("price") / 100,
        (size * 1_000).round(0).alias("size"),
        pl.lit(1, pl.Int64).alias("epoch"),
        pl.lit(None, pl.Int64).alias("seq"),
        pl.lit(hour, dtype=pl.Int64).alias("segment"),
        pl.int_range(rows, dtype=pl.Int32).alias("arrival"),
    )


def snapshots(rows: int, hour: int) -> pl.DataFrame:
    """Return an hour of best levels: mids walk between 10 and 90 cents, spreads are 1 to 3 cents."""
    seed = 2_000 + hour
    moments = _moments(rows, hour, seed)
    moved = moments.with_columns(((uniform(rows, seed + 20) * 3).cast(pl.Int64) - 1).alias("step"))
    walk = pl.col("step").cum_sum().over("rank") + 40 + pl.col("rank").cast(pl.Int64) % 7
    bid = 10 + (walk % 160 - 80).abs()
    spread = 1 + (pl.lit(uniform(rows, seed + 30)) * 3).floor().cast(pl.Int64)
    best = moved.with_columns(bid.alias("bid")).with_columns((pl.col("bid") + spread).alias("ask"))
    levels = [
        ((pl.col(side) + sign * level) / 100).alias(f"{side}_px_{level:02d}")
        if what == "px"
        else (pl.lit(uniform(rows, seed + 40 + level * 2 + sign)) * 900 + 10).round(0).alias(f"{side}_sz_{level:02d}")
        for side, sign in (("bid", -1), ("ask", 1))
        for what in ("px", "sz")
        for level in range(LEVELS)
    ]
    trusted = [pl.lit(value=True).alias("trusted"), pl.lit(hour, dtype=pl.Int64).alias("segment")]
    return pl.concat([_named(moments), best.select(*levels, *trusted)], how="horizontal")


def trades(rows: int, hour: int) -> pl.DataFrame:
    """Return an hour of trades between 10 and 90 cents."""
    seed = 3_000 + hour
    side = pl.when(pl.lit(uniform(rows, seed + 20)) < 0.5).then(pl.lit("buy")).otherwise(pl.lit("sell"))
    price = (10 + (uniform(rows, seed + 30) * 80).cast(pl.Int64)).cast(pl.Float64) / 100
    return _named(_moments(rows, hour, seed)).with_columns(
        price.alias("price"),
        (uniform(rows, seed + 40) * 200 + 1).round(0).alias("size"),
        side.alias("taker_side"),
        pl.format("t-{}-{}", pl.lit(hour), pl.int_range(rows)).alias("trade_id"),
        pl.lit(hour, dtype=pl.Int64).alias("segment"),
        pl.int_range(rows, dtype=pl.Int32).alias("arrival"),
    )


def coverage() -> pl.DataFrame:
    """Return the day's coverage: every instrument from midnight to midnight."""
    ranks = pl.DataFrame({"rank": range(INSTRUMENTS)}).with_columns(pl.lit(T0).alias("ts"))
    utc = pl.Datetime("ns", "UTC")
    return _named(ranks).select(
        "market_id",
        "instrument_id",
        pl.lit(T0).cast(utc).alias("start"),
        pl.lit(T0 + 24 * NS_HOUR).cast(utc).alias("end"),
        pl.lit("covered").alias("state"),
        pl.lit("live").alias("reason"),
        pl.lit(1, pl.Int64).alias("epoch"),
        pl.lit(1.0).alias("inclusion"),
        pl.lit(0, dtype=pl.Int64).alias("segment"),
        pl.lit("live").alias("trades"),
        pl.lit("live").alias("lifecycle"),
    )


def market(rank: int) -> Market:
    """Return the market of an instrument, its first outcome, in an exclusive event of ``EVENT_MARKETS``."""
    name = f"{rank:0{_ID_DIGITS}}"
    return Market(
        venue=VENUE, market_id=MarketId(f"m{rank:0{_MARKET_DIGITS}}"), event_id=EventId(f"e{rank // EVENT_MARKETS}"),
        question=f"Question {rank}?",
        outcomes=(Outcome(InstrumentId(name), "Yes"), Outcome(InstrumentId(f"n{name}"), "No")),
        status="active", tick_size=Price(10_000), min_order_size=Size(1_000_000), fetched_at=T0, tradable=True,
        mutually_exclusive=True, exhaustive=True, fee=_FEE,
    )  # fmt: skip


def list_markets(data: Path) -> None:
    """Write the venue's list of that day, which has the markets of all instruments."""
    with UniverseWriter(data, VENUE, T0) as universe:
        for rank in range(INSTRUMENTS):
            universe.write(market(rank))
        universe.commit()


def unlist_markets(data: Path) -> None:
    """Remove what ``list_markets`` wrote."""
    for path in universe_files(data, VENUE).values():
        path.unlink()


def _seal(data: Path, dataset: Dataset, hour: int | None, rows: pl.DataFrame) -> None:
    layout, stamp = Layout(data), FileStamp(f"20261120T{hour or 0:02d}0000Z", "bench", hour or 0, 1)
    path = layout.file(Partition(dataset, VENUE, DATE, hour), stamp)
    path.parent.mkdir(parents=True, exist_ok=True)
    schema = schema_of(dataset, LEVELS)
    table: Any = rows.select(schema.names).to_arrow().cast(schema)
    with ParquetSink(path, 2, merged=True) as sink:
        for batch in pa.Table.from_batches(table.to_batches()).combine_chunks().to_batches():
            sink.write(pa.Table.from_batches([batch]))
    lo = T0 + (hour or 0) * NS_HOUR
    entry = manifest.SealedFile(
        layout.relative(path), rows.height, lo, lo + NS_HOUR - 1, path.stat().st_size, manifest.digest(path)
    )
    manifest.append(layout.manifest, "bench", [entry])


def write_day(data: Path, rows: int) -> None:
    """Write a day with ``rows`` changes, a tenth as many snapshot rows and a hundredth as many trades."""
    _seal(data, "coverage", None, coverage())
    for hour in range(24):
        _seal(data, "deltas", hour, deltas(rows // 24, hour))
        _seal(data, "snapshots", hour, snapshots(rows // 240, hour))
        _seal(data, "trades", hour, trades(rows // 2_400, hour))
