"""Totals of a whole venue from the instruments that rotation recorded, with confidence intervals. Pure polars.

In each period of the rotation an instrument was recorded for certain (probability 1), or drawn with the probability
π that its coverage states. With x counted of it in the period,

    X̂ₜ = Σ x (certain) + Σ x / π (drawn)                                                  Horvitz, Thompson 1952
    V̂ₜ = n/(n−1) · Σ (1 − π) (x/π − B)²,   B = Σ (1 − π) x/π / Σ (1 − π)   (n drawn)      Hájek 1964

and the totals are sums over the periods, whose errors are uncorrelated since each draw is made anew. With equal π, V̂ₜ
is N² (1 − n/N) s²/n of simple random sampling. The sums divided by a day's mean probability instead are a product of
averages, and biased.

An instrument is covered for less than its period: it is subscribed to within it, and there are gaps. Its x is what was
counted times planned/seconds, its own: those that arrive are covered less than those that stay, and these are busier,
so that one factor for all would count the busy ones too often. Where less than a tenth of the planned time was covered
nothing is known; the others of its kind, certain or drawn, stand for it, Σ planned/π of all over that of those. What
was not covered is unknown even of a certain one: counts in it are taken for Poisson numbers of the same rate, which
adds Σ x² · missing · planned / seconds² / π over single counts x to V̂ₜ.

Few large parts decide the sum, so intervals are skewed, and their width is not known either (``measures.confidence``):
the third moment is Σ (1 − π)(1 − 2π)(x/π − B)³, and with q the parts of which the V̂ₜ are sums, the degrees of freedom
are 2 (Σ V̂ₜ)² / Σ q̃², q̃ = q less its period's mean, as the variance of Σ V̂ₜ is estimated by Σ q̃² (Pan and Wall
2002, after Satterthwaite), not more than (Σ V̂ₜ)² / Σ V̂ₜ²/(n−1). Nothing less than what was recorded is believed.
"""

from collections.abc import Iterator, Sequence
from math import inf
from typing import Final, NamedTuple

import polars as pl

from predsurv.mine.measures.confidence import skewed_95

COUNTED: Final = ("updates", "trades", "volume_shares", "notional_usd")
"""What is totalled."""

KNOWN_PART: Final = 0.1
"""Part of the planned time of an instrument that has to be covered for its own counts to stand for all of it."""


class _Moments(NamedTuple):
    var: float
    third: float
    spread: float
    scatter: float
    seen: float


_MOMENTS: Final = _Moments._fields
"""Sums per period beside the estimate: V̂, its third moment, Σ q̃², V̂²/(n−1), and what was counted itself."""


def period_totals(sampled: pl.LazyFrame, counted: Sequence[str] = COUNTED) -> pl.LazyFrame:
    """Return per ``period`` the estimate of each of ``counted`` and what its interval is made of (``_MOMENTS``).

    ``sampled``: a row per period and instrument that was chosen for it, with ``inclusion`` (above 0, at most 1),
    ``seconds`` that count, ``planned_s``, and what was counted in them (null where that channel was not observed), with
    ``<name>_squares`` where single counts are not 1: the sum of their squares.
    Also returned: ``instruments``, ``drawn`` of them, ``open``, the estimated number of those open in it.
    A period of which nothing was observed has no row.
    """
    names = sampled.collect_schema().names()
    lot = pl.col("by_lot") & pl.col("known")
    total = [pl.when(pl.col(name).count() > 0).then(pl.col(name).sum()).alias(name) for name in counted]
    moments = [each for name in counted for each in _moments(name, lot)]
    return (
        weighted(sampled)
        .with_columns(
            *(pl.col(name).alias(f"{name}_counted") for name in counted),
            *(pl.col(name) * pl.col("weight") for name in counted),
            *(_unknown(name if f"{name}_squares" not in names else f"{name}_squares", name) for name in counted),
        )
        .group_by("period")
        .agg(
            pl.len().cast(pl.Int64).alias("instruments"),
            pl.col("by_lot").sum().cast(pl.Int64).alias("drawn"),
            (1 / pl.col("inclusion")).sum().alias("open"),
            pl.col("known").any().alias("observed"),
            *total,
            *moments,
        )
        .filter("observed")
        .drop("observed")
        .sort("period")
    )


def weighted(sampled: pl.LazyFrame) -> pl.LazyFrame:
    """Return the rows with their ``weight``, by which what was counted in them counts, and whether that is ``known``.

    The weight is planned/seconds/π, times what the others of the kind (``by_lot``) stand for.
    """
    planned = pl.col("planned_s") / pl.col("inclusion")
    known = (pl.col("seconds") > 0) & (pl.col("seconds") >= KNOWN_PART * pl.col("planned_s"))
    group = ("period", "by_lot")
    return (
        sampled.with_columns((pl.col("inclusion") < 1).alias("by_lot"), known.alias("known"))
        .with_columns(planned.sum().over(group).alias("every"), planned.filter("known").sum().over(group).alias("told"))
        .with_columns(
            pl.when("known")
            .then(planned / pl.col("seconds") * pl.col("every") / pl.col("told"))
            .otherwise(0.0)
            .alias("weight")
        )
        .drop("every", "told")
    )


def _unknown(squares: str, name: str) -> pl.Expr:
    """Return the variance of what happened in the time of a row that was not covered."""
    missing = (pl.col("planned_s") - pl.col("seconds")).clip(lower_bound=0.0)
    each = pl.col(squares) * missing * pl.col("planned_s") / pl.col("seconds").pow(2) / pl.col("inclusion")
    return pl.when("known").then(each).otherwise(0.0).alias(f"{name}_unknown")


def _moments(name: str, by_lot: pl.Expr) -> Iterator[pl.Expr]:
    """Yield the sums of ``_MOMENTS``, as aggregations; V̂ is Hájek's, of a single one that was drawn (1 − π) (x/π)²."""
    lot = by_lot & pl.col(name).is_not_null()
    chance, value = pl.col("inclusion").filter(lot), pl.col(name).filter(lot)
    rest, n = 1 - chance, lot.sum()
    middle = pl.when(n > 1).then((rest * value).sum() / rest.sum()).otherwise(0.0)
    more = pl.when(n > 1).then(n / (n - 1)).otherwise(1.0)
    q = rest * (value - middle).pow(2) * more
    mean = pl.when(n > 1).then(q.mean()).otherwise(0.0)
    yield (q.sum() + pl.col(f"{name}_unknown").sum()).alias(f"{name}_var")
    yield (rest * (1 - 2 * chance) * (value - middle).pow(3)).sum().alias(f"{name}_third")
    yield ((q - mean).pow(2).sum() * more).alias(f"{name}_spread")
    yield (q.sum().pow(2) / (n - 1).clip(lower_bound=1)).alias(f"{name}_scatter")
    yield pl.col(f"{name}_counted").sum().alias(f"{name}_seen")


def summed(periods: pl.LazyFrame, counted: Sequence[str] = COUNTED) -> pl.DataFrame:
    """Return a row per ``total`` of ``period_totals``: ``estimate``, ``standard_error``, ``low``, ``high``.

    All but the name are null for what was observed in no period.
    """
    every = [name if not what else f"{name}_{what}" for name in counted for what in ("", *_MOMENTS)]
    found = periods.select(
        pl.col(*counted).count().name.suffix("_n"), pl.col(every).cast(pl.Float64).sum()
    ).collect().row(0, named=True)  # fmt: skip
    rows: list[tuple[str, float | None, float | None, float | None, float | None]] = []
    for name in counted:
        if not found[f"{name}_n"]:
            rows.append((name, None, None, None, None))
            continue
        rows.append(
            (name, found[name], *_interval(found[name], _Moments(*(found[f"{name}_{what}"] for what in _MOMENTS))))
        )
    kinds = dict.fromkeys(("estimate", "standard_error", "low", "high"), pl.Float64)
    return pl.DataFrame(rows, schema={"total": pl.String, **kinds}, orient="row")


def _interval(estimate: float, sums: _Moments) -> tuple[float, float, float]:
    """Return the standard error of an ``estimate``, and its interval."""
    error = max(0.0, sums.var) ** 0.5
    if error <= 0:
        return 0.0, estimate, estimate
    doubt = max(sums.spread / 2, sums.scatter)
    found = skewed_95(estimate, error, sums.third / error**3, sums.var**2 / doubt if doubt > 0 else inf)
    return error, min(estimate, max(found.low, sums.seen)), found.high
