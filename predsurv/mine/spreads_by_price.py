"""How wide spreads are by price: a pure frame over a day's statistics."""

import polars as pl

from predsurv.mine.price_ranges import in_ranges, named


def spreads_by_price(stats: pl.LazyFrame) -> pl.LazyFrame:
    """Return a row for each range of prices with observed books (``price_cents``), cheapest first, and one for ``all``.

    ``stats``: ``mid_usd, spread_usd, observed_s`` of instruments. Each book counts twice, as a claim at its mid and as
    the opposite one at 1 − mid, whose spread is the same and whose price is not. ``claims``; ``half_spread_bps``: what
    crossing half the spread costs of the price (1/10,000), weighted by observed time, and its median over claims.
    """
    known = stats.filter(pl.col("mid_usd").is_not_null() & pl.col("spread_usd").is_not_null())
    rows = known.select(pl.col("mid_usd").alias("price"), "spread_usd", "observed_s")
    both = pl.concat([rows, rows.with_columns((1 - pl.col("price")).alias("price"))]).filter(pl.col("price") > 0)
    half = (pl.col("spread_usd") / 2 / pl.col("price") * 10_000).alias("half")
    weight = pl.col("observed_s")
    return named(
        in_ranges(both.with_columns(half))
        .group_by("position")
        .agg(
            pl.len().alias("claims"),
            ((pl.col("half") * weight).sum() / weight.sum()).alias("half_spread_bps"),
            pl.col("half").median().alias("half_spread_median_bps"),
        )
    )
