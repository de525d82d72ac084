"""How often what takers bought came true, by its price, and what takers and makers earned by it: pure frames.

A taker who buys at p holds a claim that costs p; one who sells at p holds the opposite claim, which costs 1 − p. The
maker of the trade holds the other of the two. Before fees; only trades whose market has settled.
"""

import polars as pl

from predsurv.mine.price_ranges import in_ranges, named


def claims_taken(trades: pl.LazyFrame, payouts: pl.LazyFrame) -> pl.LazyFrame:
    """Return a row for each trade with a taker of an instrument that settled.

    ``trades``: ``market_id, instrument_id, price, size, taker_side``; ``payouts``: ``instrument_id, payout`` (dollars a
    share). Result: ``market_id, price`` and ``pays`` of what the taker bought (dollars), ``size`` (shares).
    """
    sold = pl.col("taker_side") == "sell"
    known = trades.filter(pl.col("taker_side").is_not_null()).join(payouts, on="instrument_id")
    return known.select(
        "market_id",
        pl.when(sold).then(1 - pl.col("price")).otherwise(pl.col("price")).round(6).alias("price"),
        pl.when(sold).then(1 - pl.col("payout")).otherwise(pl.col("payout")).alias("pays"),
        "size",
    )


def outcomes_by_price(claims: pl.LazyFrame) -> pl.LazyFrame:
    """Return a row for each range of prices with trades (``price_cents``), cheapest first, and one for ``all``.

    ``trades, markets``; ``shares``; ``mean_price_usd`` and ``win_rate`` (what a share paid on average), over
    shares, with the standard error of the latter by market (``win_rate_error``: trades of one market settle together;
    null for one market); ``taker_return`` and ``maker_return``: profit by cost of each side.
    """
    size, price, pays = pl.col("size"), pl.col("price"), pl.col("pays")
    markets = (
        in_ranges(claims)
        .group_by("position", "market_id")
        .agg(
            pl.len().alias("trades"),
            size.sum().alias("shares"),
            (price * size).sum().alias("cost"),
            (pays * size).sum().alias("paid"),
        )
    )
    rate = pl.col("paid").sum() / pl.col("shares").sum()
    several = pl.len() > 1
    residual = (pl.col("paid") - rate * pl.col("shares")).pow(2).sum().sqrt() / pl.col("shares").sum()
    small = (pl.len() / (pl.len() - 1)).sqrt()
    cost, paid, shares = (pl.col(name).sum() for name in ("cost", "paid", "shares"))
    summed = markets.group_by("position").agg(
        pl.col("trades").sum(),
        pl.len().alias("markets"),
        shares.alias("shares"),
        (cost / shares).alias("mean_price_usd"),
        rate.alias("win_rate"),
        pl.when(several).then(residual * small).alias("win_rate_error"),
        ((paid - cost) / cost).alias("taker_return"),
        ((cost - paid) / (shares - cost)).alias("maker_return"),
    )
    return named(summed)
