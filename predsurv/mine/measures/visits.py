"""Visits: the stretches of covered time of each instrument, and how much what was measured differs between them.

Where rotation visits an instrument now and then, a mean over its visits is an estimate; the spread between visits gives
its standard error. With x measured in s seconds of a visit, r = Σx / Σs has the variance n/(n−1) · Σ(x − r·s)² / (Σs)²
(Cochran, Sampling Techniques, ratio estimator): ``<name>_xx``, ``_xs``, ``_ss``, ``_n`` are the sums that it takes.
"""

from collections.abc import Mapping
from typing import Final

import polars as pl

from predsurv.mine.measures.moments import NS_PER_S, STRIDE
from predsurv.mine.measures.updates import STALE_SECONDS, bucket_of

_NO_UPDATES: Final = pl.DataFrame(
    schema={
        "visit": pl.UInt32,
        "updates": pl.Int64,
        "stale_s": pl.Float64,
        "aged": pl.Int64,
        "age_s": pl.Float64,
        "late": pl.Int64,
    }
)
_NO_SPREADS: Final = pl.DataFrame(schema={"visit": pl.UInt32, "two_sided_s": pl.Float64, "spread_s": pl.Float64})


def numbered(intervals: pl.DataFrame) -> pl.DataFrame:
    """Return the covered intervals (``code, start, end``) in order, each with its number ``visit``.

    ``quiet_from``: the last change in it so far, its beginning when there is none (``changed`` tells which).
    """
    ordered = intervals.sort("code", "start").with_row_index("visit")
    return ordered.with_columns(pl.col("start").alias("quiet_from"), pl.lit(value=False).alias("changed"))


def changed(visits: pl.DataFrame, sums: pl.DataFrame | None, begin: int) -> pl.DataFrame:
    """Return ``visits`` after the hour from ``begin`` on, whose changes ``sums`` has (``updates.update_sums``)."""
    if sums is None or sums.is_empty():
        return visits
    last = pl.col("changed_at") - pl.col("code").cast(pl.Int64) * STRIDE + begin
    joined = visits.join(sums.select("visit", "changed_at"), on="visit", how="left", maintain_order="left")
    return joined.with_columns(
        pl.coalesce(last, "quiet_from").alias("quiet_from"), pl.col("changed") | pl.col("changed_at").is_not_null()
    ).drop("changed_at")


def without_moments(measures: Mapping[str, pl.DataFrame]) -> dict[str, pl.DataFrame]:
    """Return ``measures`` without what cannot be added up, the moment of the last change."""
    return {name: frame.drop("changed_at", strict=False) for name, frame in measures.items()}


def by_instrument(
    visits: pl.DataFrame,
    updates: pl.DataFrame | None,
    spreads: pl.DataFrame | None,
    heard: pl.DataFrame,
    placed: pl.DataFrame,
) -> dict[str, pl.DataFrame]:
    """Return the measures ``updates``, ``cut_waits`` and ``ratios`` per instrument.

    ``updates``: sums, the quiet ends of visits included; ``judged_s``: the seconds after the first minute of each
    visit, of which alone it is known whether anything changed in the minute before. ``cut_waits``: the log histogram
    of the time from the last change of each visit to its end, ``code, bucket, count``: so long, at least, the next one
    took. ``visits``: as they are after the day. ``heard``: the intervals in which trades were observed, ``placed`` the
    trades.
    """
    quiet = ((pl.col("end") - pl.col("quiet_from")) / NS_PER_S - STALE_SECONDS).clip(lower_bound=0.0)
    joined = (
        visits.with_columns(((pl.col("end") - pl.col("start")) / NS_PER_S).alias("seconds"), quiet.alias("quiet_s"))
        .join(_NO_UPDATES if updates is None else updates, on="visit", how="left")
        .join(_NO_SPREADS if spreads is None else spreads, on="visit", how="left")
        .fill_null(0)
    )
    sums = joined.group_by("code", maintain_order=True).agg(
        pl.col("updates", "aged", "age_s", "late").sum(),
        (pl.col("stale_s") + pl.col("quiet_s")).sum().alias("stale_s"),
        (pl.col("seconds") - STALE_SECONDS).clip(lower_bound=0.0).sum().alias("judged_s"),
    )
    last = visits.filter(pl.col("changed") & (pl.col("end") > pl.col("quiet_from")))
    bucket = bucket_of((pl.col("end") - pl.col("quiet_from")) / NS_PER_S).alias("bucket")
    cut = last.group_by("code", bucket, maintain_order=True).agg(pl.len().cast(pl.Int64).alias("count"))
    dollars = placed.group_by("code", "start", maintain_order=True).agg(
        (pl.col("price") * pl.col("size")).sum().alias("notional")
    )
    trading = heard.join(dollars, on=["code", "start"], how="left").with_columns(
        pl.col("notional").fill_null(0.0), ((pl.col("end") - pl.col("start")) / NS_PER_S).alias("seconds")
    )
    ratios = [
        _ratio(joined, "updates", "seconds", "updates"),
        _ratio(joined.filter(pl.col("two_sided_s") > 0), "spread_s", "two_sided_s", "spread"),
        _ratio(trading, "notional", "seconds", "notional"),
    ]
    every = ratios[0]
    for each in ratios[1:]:
        every = every.join(each, on="code", how="full", coalesce=True)
    return {"updates": sums, "cut_waits": cut, "ratios": every.fill_null(0)}


def _ratio(rows: pl.DataFrame, x: str, s: str, name: str) -> pl.DataFrame:
    x_, s_ = pl.col(x).cast(pl.Float64), pl.col(s)
    return rows.group_by("code", maintain_order=True).agg(
        (x_ * x_).sum().alias(f"{name}_xx"),
        (x_ * s_).sum().alias(f"{name}_xs"),
        (s_ * s_).sum().alias(f"{name}_ss"),
        pl.len().cast(pl.Int64).alias(f"{name}_n"),
    )


def ratio_error(name: str, ratio: pl.Expr, seconds: pl.Expr) -> pl.Expr:
    """Return the standard error of ``ratio``, measured in ``seconds``; null with fewer than two visits."""
    n = pl.col(f"{name}_n")
    squares = pl.col(f"{name}_xx") - 2 * ratio * pl.col(f"{name}_xs") + ratio * ratio * pl.col(f"{name}_ss")
    variance = squares.clip(lower_bound=0.0) * n / (n - 1)
    return pl.when(n > 1).then(variance.sqrt() / seconds)
