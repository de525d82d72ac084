"""Which instrument a trade counts for: its own where that was observed, else the one whose book it works in.

A venue whose outcomes are complements tells a trade on the taker's outcome. Where only the first outcome's book is
recorded, a trade of the second one at p is one of the first at 1 − p, the other way round, of the same size. Each
counts once: for its own outcome in time in which that was observed, for the first one otherwise, and there not at all
when that has a trade of the same id. Without a listing two instruments of a market may be two of many: such trades
count nowhere, and are said to.
"""

from typing import Final

import polars as pl

_DIGITS: Final = 6  # prices are stored as float64: 1 − 0.48 is slightly more than 0.52
_COLUMNS: Final = ("instrument_id", "ts", "price", "size", "sign", "start")


def placed_trades(trades: pl.LazyFrame, intervals: pl.LazyFrame, mirrors: pl.DataFrame) -> pl.LazyFrame:
    """Return the trades in observed time, each for the instrument it counts for.

    ``instrument_id, ts, price, size``, ``sign`` (+1: the taker bought this instrument, −1: sold, null: not told),
    ``start`` of the interval of observed time. ``mirrors``: columns ``instrument_id, primary``. The ids of all three
    are of one type.
    """
    side = pl.col("taker_side").cast(pl.String)
    sign = pl.when(side == "buy").then(pl.lit(1, pl.Int8)).when(side == "sell").then(pl.lit(-1, pl.Int8))
    rows = trades.select(
        "instrument_id",
        pl.col("ts_recv").cast(pl.Int64).alias("ts"),
        "price",
        "size",
        sign.alias("sign"),
        pl.col("trade_id").cast(pl.String),
    )
    own = _located(rows, intervals).filter("observed").select(_COLUMNS)
    if mirrors.is_empty():
        return own
    mirrored = rows.join(mirrors.lazy(), on="instrument_id")
    firsts = mirrored.select(pl.col("primary").alias("instrument_id")).unique()
    known = (
        rows.filter(pl.col("trade_id").is_not_null())
        .select("instrument_id", "trade_id")
        .join(firsts, on="instrument_id", how="semi")
    )
    others = (
        _located(mirrored, intervals)
        .filter(~pl.col("observed"))
        .select(
            pl.col("primary").alias("instrument_id"),
            "ts",
            (1 - pl.col("price")).round(_DIGITS).alias("price"),
            "size",
            -pl.col("sign"),
            "trade_id",
        )
        .join(known, on=["instrument_id", "trade_id"], how="anti")
    )
    return pl.concat([own, _located(others, intervals).filter("observed").select(_COLUMNS)])


def _located(rows: pl.LazyFrame, intervals: pl.LazyFrame) -> pl.LazyFrame:
    """Return ``rows`` with the ``start`` of the last interval of their instrument, and whether they lie in it."""
    inside = (pl.col("ts") < pl.col("end")).fill_null(value=False).alias("observed")
    located = rows.sort("instrument_id", "ts").join_asof(
        intervals, left_on="ts", right_on="start", by="instrument_id", coalesce=False, check_sortedness=False
    )
    return located.with_columns(inside).drop("end")
