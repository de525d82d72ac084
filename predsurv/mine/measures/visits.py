"""Visits: the stretches of covered time of each instrument, and how much what was measured differs between them.

Where rotation visits an instrument now and then, a mean over its visits is an estimate; the spread between visits gives
its standard error. With x measured in s seconds of a visit, r = Σx / Σs has the variance n/(n−1) · Σ(x − r·s)² / (Σs)²
(Cochran, Sampling Techniques, ratio estimator): ``<name>_xx``, ``_xs``, ``_ss``, ``_n`` are the sums that it takes.
Where s are not seconds but shares, as of what trades gain, it is the same.
"""

from collections.abc import Mapping, Sequence
from typing import Final

import polars as pl

from predsurv.mine.measures.books import VISIT_SUMS
from predsurv.mine.measures.moments import STRIDE, in_seconds
from predsurv.mine.measures.trading import IMPACTS, exact_sum
from predsurv.mine.measures.updates import STALE_SECONDS, bucket_of

_SUMS: Final[Mapping[str, Sequence[str]]] = {
    "visit_updates": ("updates", "stale_s", "aged", "age_s", "late"),
    "visit_books": VISIT_SUMS,
    "visit_moves": ("paired_s", "moved"),
    "visit_impacts": (*IMPACTS, *(f"{name}_shares" for name in IMPACTS), "drained", "refilled"),
}
"""The measures of visits, and the sums that they have."""

_STALE: Final = STALE_SECONDS * 10**9
_NEGLIGIBLE: Final = 1e-12  # of a sum of squares: less is rounding
_COUNTS: Final = frozenset({"updates", "aged", "late"})

RATIOS: Final[Mapping[str, tuple[str, str]]] = {
    "updates": ("updates", "seconds"),
    "spread": ("spread_s", "two_sided_s"),
    "bid_depth_5c": ("bid_depth_5c_s", "trusted_s"),
    "ask_depth_5c": ("ask_depth_5c_s", "trusted_s"),
    "moved": ("moved", "paired_s"),
    **{name: (name, f"{name}_shares") for name in IMPACTS},
}
"""Ratios of visits by name: what is measured in a visit, and over what."""

TRADE_RATIOS: Final[Mapping[str, tuple[str, str]]] = {
    name: (name, "seconds") for name in ("trades", "volume", "notional")
}
"""The same of stretches in which trades were observed."""


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
    visits: pl.DataFrame, measures: Mapping[str, pl.DataFrame], heard: pl.DataFrame, placed: pl.DataFrame
) -> dict[str, pl.DataFrame]:
    """Return the measures ``updates``, ``variance``, ``impacts``, ``cut_waits`` and ``ratios`` per instrument.

    ``visits``: as they are after the day. ``measures``: those of visits (``totals.BY_VISIT``), as far as there are any.
    ``updates``: sums, the quiet ends of visits included; ``judged_s``: the seconds after the first minute of each
    visit, of which alone it is known whether anything changed in the minute before. ``cut_waits``: the log histogram
    of the time from the last change of each visit to its end, ``code, bucket, count``: so long, at least, the next one
    took. ``heard``: the intervals in which trades were observed, ``placed`` the trades.
    """
    joined = _joined(visits, measures)
    every = joined.group_by("code", maintain_order=True).agg(
        *(pl.col(name).sum() for names in _SUMS.values() for name in names if name != "stale_s"),
        (pl.col("stale_s") + pl.col("quiet_s")).sum().alias("stale_s"),
        pl.col("judged_s").sum(),
    )
    last = visits.filter(pl.col("changed") & (pl.col("end") > pl.col("quiet_from")))
    bucket = bucket_of(in_seconds(pl.col("end") - pl.col("quiet_from"))).alias("bucket")
    cut = last.group_by("code", bucket, maintain_order=True).agg(pl.len().cast(pl.Int64).alias("count"))
    ratios = _ratios(joined, RATIOS).join(
        _ratios(_trading(heard, placed), TRADE_RATIOS), on="code", how="full", coalesce=True
    )
    return {
        "updates": every.select("code", *_SUMS["visit_updates"], "judged_s"),
        "variance": every.select("code", *_SUMS["visit_moves"]),
        "impacts": every.select("code", *_SUMS["visit_impacts"]),
        "cut_waits": cut,
        "ratios": ratios.fill_null(0),
    }


def _joined(visits: pl.DataFrame, measures: Mapping[str, pl.DataFrame]) -> pl.DataFrame:
    """Return the visits with all that was measured in each, 0 where nothing was."""
    joined = visits.with_columns(
        in_seconds(pl.col("end") - pl.col("start")).alias("seconds"),
        _after_a_minute("start").alias("judged_s"),
        _after_a_minute("quiet_from").alias("quiet_s"),
    )
    for name, sums in _SUMS.items():
        kinds = {each: pl.Int64() if each in _COUNTS else pl.Float64() for each in sums}
        nothing = pl.DataFrame(schema={"visit": pl.UInt32(), **kinds})
        joined = joined.join(measures.get(name, nothing).select("visit", *sums), on="visit", how="left")
    return joined.fill_null(0)


def _after_a_minute(since: str) -> pl.Expr:
    """Return the seconds after the first minute."""
    return in_seconds((pl.col("end") - pl.col(since) - _STALE).clip(lower_bound=0))


def _trading(heard: pl.DataFrame, placed: pl.DataFrame) -> pl.DataFrame:
    """Return the stretches in which trades were observed with the trades, shares and dollars of each."""
    seen = placed.group_by("code", "start", maintain_order=True).agg(
        pl.len().cast(pl.Int64).alias("trades"),
        exact_sum(pl.col("size")).alias("volume"),
        exact_sum(pl.col("price") * pl.col("size")).alias("notional"),
    )
    return heard.join(seen, on=["code", "start"], how="left").with_columns(
        pl.col(*TRADE_RATIOS).fill_null(0), in_seconds(pl.col("end") - pl.col("start")).alias("seconds")
    )


def _ratios(rows: pl.DataFrame, ratios: Mapping[str, tuple[str, str]]) -> pl.DataFrame:
    """Return the sums of each of ``ratios`` per instrument, over rows in which there is anything to divide by."""
    sums = []
    for name, (measured, over) in ratios.items():
        x, s = pl.col(measured).cast(pl.Float64), pl.col(over)
        sums += [
            (x * x).sum().alias(f"{name}_xx"),
            (x * s).sum().alias(f"{name}_xs"),
            (s * s).sum().alias(f"{name}_ss"),
            (s > 0).sum().cast(pl.Int64).alias(f"{name}_n"),
        ]
    return rows.group_by("code", maintain_order=True).agg(sums)


def ratio_error(name: str, ratio: pl.Expr, seconds: pl.Expr) -> pl.Expr:
    """Return the standard error of ``ratio``, measured in ``seconds``; null with fewer than two visits."""
    n = pl.col(f"{name}_n")
    squares = pl.col(f"{name}_xx") - 2 * ratio * pl.col(f"{name}_xs") + ratio * ratio * pl.col(f"{name}_ss")
    variance = pl.when(squares > _NEGLIGIBLE * pl.col(f"{name}_xx")).then(squares).otherwise(0.0) * n / (n - 1)
    return pl.when(n > 1).then(variance.sqrt() / seconds)
