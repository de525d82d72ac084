"""Rows of changed levels: how often a book changes, how long it stays as it is, how old a message is on arrival."""

from typing import Final

import polars as pl

from predsurv.mine.measures.moments import NS_PER_S, instant, located

STALE_SECONDS: Final = 60
LATE_SECONDS: Final = 1
STEPS_PER_OCTAVE: Final = 8  # a quantile read off this histogram is at most 4.5 % off

_SHORTEST_S: Final = 1e-6


def changes(deltas: pl.LazyFrame, begin: int) -> pl.LazyFrame:
    """Return each changed level (``code, ts_recv, ts_venue``) as ``at`` and its ``age`` (ns, null: not told)."""
    received = pl.col("ts_recv").cast(pl.Int64)
    return deltas.select(
        instant(pl.col("code"), received, begin).alias("at"),
        (received - pl.col("ts_venue").cast(pl.Int64)).alias("age"),
    )


def observed_changes(rows: pl.LazyFrame, visits: pl.LazyFrame) -> pl.LazyFrame:
    """Return those of the sorted ``rows`` that lie in covered time, with the ``quiet`` seconds before each.

    ``visits``: those of the hour, with ``quiet_from``, the instant of the last change before this hour or of the
    visit's beginning (it may lie before the hour), and ``changed``, which of the two. ``follows``: the quiet time began
    with a change. Rows of one moment follow one another at once: only the first of them is ``first``.
    """
    before = pl.col("before")
    again = (before >= pl.col("since")).fill_null(value=False)
    return located(rows.with_columns(pl.col("at").shift(1).alias("before")), visits).select(
        "visit",
        "owner",
        "at",
        "age",
        ((pl.col("at") - pl.when(again).then(before).otherwise("quiet_from")) / NS_PER_S).alias("quiet"),
        (again | pl.col("changed")).alias("follows"),
        (pl.col("at") != before).fill_null(value=True).alias("first"),
    )


def update_sums(rows: pl.LazyFrame) -> pl.LazyFrame:
    """Return per ``visit`` the number of ``updates`` (levels), ``stale_s`` before them, and the sums of their ages.

    ``stale_s``: seconds in which the last change, or the beginning of the visit, was over a minute ago. ``aged``:
    messages with a time of the venue, ``age_s`` the sum of their ages, ``late`` those older than a second.
    """
    age = pl.col("age")
    return rows.group_by("visit", maintain_order=True).agg(
        pl.len().cast(pl.Int64).alias("updates"),
        (pl.col("quiet") - STALE_SECONDS).clip(lower_bound=0.0).sum().alias("stale_s"),
        age.count().cast(pl.Int64).alias("aged"),
        (age.sum() / NS_PER_S).alias("age_s"),
        (age > LATE_SECONDS * NS_PER_S).sum().cast(pl.Int64).alias("late"),
        pl.col("at").last().alias("changed_at"),
    )


def waits(rows: pl.LazyFrame) -> pl.LazyFrame:
    """Return the log histogram of the time between changes: ``code, bucket, count``."""
    return _histogram(rows.filter(pl.col("first") & pl.col("follows")), pl.col("quiet"))


def ages(rows: pl.LazyFrame) -> pl.LazyFrame:
    """Return the log histogram of the ages of messages: ``code, bucket, count``."""
    return _histogram(rows.filter(pl.col("age").is_not_null()), pl.col("age") / NS_PER_S)


def bucket_of(seconds: pl.Expr) -> pl.Expr:
    """Return the bucket of a log histogram in which ``seconds`` lie, eight to the octave."""
    return (seconds.clip(lower_bound=_SHORTEST_S).log(2) * STEPS_PER_OCTAVE).floor().cast(pl.Int16)


def _histogram(rows: pl.LazyFrame, seconds: pl.Expr) -> pl.LazyFrame:
    counted = rows.select(pl.col("owner").set_sorted().alias("code"), bucket_of(seconds).alias("bucket"))
    # counted within each instrument: four times as fast as by both columns
    each = counted.group_by("code", maintain_order=True).agg(
        pl.col("bucket").unique(maintain_order=True), pl.col("bucket").unique_counts().alias("count")
    )
    return each.explode("bucket", "count").select("code", "bucket", pl.col("count").cast(pl.Int64))


def middle_of(bucket: pl.Expr) -> pl.Expr:
    """Return the middle of a ``bucket``, seconds."""
    return 2.0 ** ((bucket + 0.5) / STEPS_PER_OCTAVE)
