"""Totals of a whole venue from the instruments that rotation recorded, with confidence intervals. Pure polars.

In each period of the rotation an instrument was recorded for certain (probability 1), or drawn with the probability
π that its coverage states. With x counted of it in the period,

    X̂ₜ = Σ x (certain) + Σ x / π (drawn)                                                  Horvitz, Thompson 1952
    V̂ₜ = n/(n−1) · Σ (1 − π) (x/π − B)²,   B = Σ (1 − π) x/π / Σ (1 − π)   (n drawn)      Hájek 1964

and the totals are sums over the periods, whose errors are uncorrelated since each draw is made anew. With equal π, V̂ₜ
is N² (1 − n/N) s²/n of simple random sampling. An instrument is covered for less than its period: it is subscribed to
within it, and there are gaps. Both sums are multiplied by what should have been covered over what was, Σ planned/π over
Σ seconds/π. The sums divided by a day's mean probability instead are a product of averages, and biased.
"""

from collections.abc import Sequence
from typing import Final

import polars as pl

COUNTED: Final = ("updates", "trades", "volume_shares", "notional_usd")
"""What is totalled."""

Z_95: Final = 1.959963984540054
"""Standard errors on each side of an interval that holds the truth 95 times of a hundred."""


def period_totals(sampled: pl.LazyFrame, counted: Sequence[str] = COUNTED) -> pl.LazyFrame:
    """Return per ``period`` the estimate of each of ``counted`` and its variance (``<name>_var``).

    ``sampled``: a row per period and instrument that was chosen for it, with ``inclusion`` (above 0, at most 1),
    ``seconds`` that count, ``planned_s``, and what was counted in them (null where that channel was not observed).
    Also returned: ``instruments``, ``drawn`` of them, ``open``, the estimated number of those open in it.
    A period of which nothing was observed has no row.
    """
    chance = pl.col("inclusion")
    by_lot = chance < 1
    weighted = sampled.with_columns(by_lot.alias("by_lot"))
    filled = weighted.with_columns(
        (pl.col("planned_s") / chance).sum().over("period", "by_lot").alias("planned"),
        (pl.col("seconds") / chance).sum().over("period", "by_lot").alias("observed"),
    ).with_columns(pl.when(pl.col("observed") > 0).then(pl.col("planned") / pl.col("observed")).alias("filling"))
    scaled = filled.with_columns((pl.col(name) * pl.col("filling") / chance).alias(name) for name in counted)
    total = [pl.when(pl.col(name).count() > 0).then(pl.col(name).sum()).alias(name) for name in counted]
    variance = [_variance(name).alias(f"{name}_var") for name in counted]
    return (
        scaled.group_by("period")
        .agg(
            pl.len().cast(pl.Int64).alias("instruments"),
            by_lot.sum().cast(pl.Int64).alias("drawn"),
            (1 / chance).sum().alias("open"),
            pl.col("observed").filter(pl.col("observed") > 0).count().alias("observed_n"),
            *total,
            *variance,
        )
        .filter(pl.col("observed_n") > 0)
        .drop("observed_n")
        .sort("period")
    )


def _variance(name: str) -> pl.Expr:
    """Return Hájek's variance of a sum over those drawn, as an aggregation; of a single one (1 − π) (x/π)²."""
    lot = pl.col("by_lot") & pl.col(name).is_not_null()
    rest, value = (1 - pl.col("inclusion")).filter(lot), pl.col(name).filter(lot)
    n = lot.sum()
    middle = (rest * value).sum() / rest.sum()
    several = (rest * (value - middle).pow(2)).sum() * n / (n - 1)
    return pl.when(n > 1).then(several).otherwise((rest * value * value).sum())


def summed(periods: pl.LazyFrame, counted: Sequence[str] = COUNTED) -> pl.DataFrame:
    """Return a row per ``total`` of ``period_totals``: ``estimate``, ``standard_error``, ``low``, ``high``.

    All but the name are null for what was observed in no period.
    """
    sums = periods.select(
        pl.col(*counted).count().name.suffix("_n"), pl.col(*counted, *(f"{name}_var" for name in counted)).sum()
    ).collect()
    rows: list[tuple[str, float | None, float | None, float | None, float | None]] = []
    for name in counted:
        if not sums[f"{name}_n"].item():
            rows.append((name, None, None, None, None))
            continue
        estimate, error = sums[name].item(), max(0.0, sums[f"{name}_var"].item()) ** 0.5
        rows.append((name, estimate, error, max(0.0, estimate - Z_95 * error), estimate + Z_95 * error))
    kinds = dict.fromkeys(("estimate", "standard_error", "low", "high"), pl.Float64)
    return pl.DataFrame(rows, schema={"total": pl.String, **kinds}, orient="row")
