"""Coverage rows: what of the time was observed, per instrument, by reason and by channel. Times int64 ns UTC."""

from typing import Final, get_args

import polars as pl

from predsurv.core.events import GapReason
from predsurv.state.coverage import IDLE

NS_PER_S: Final = 1e9
GAP_REASONS: Final[tuple[str, ...]] = tuple(reason for reason in get_args(GapReason) if reason not in IDLE)
"""Why wanted time may not have been observed."""


def clipped(coverage: pl.LazyFrame, start: int, end: int) -> pl.LazyFrame:
    """Return coverage rows with times in int64 ns, limited to ``start`` … ``end``; none is empty."""
    return coverage.with_columns(
        pl.col("market_id").cast(pl.String),
        pl.col("start").cast(pl.Int64).clip(start, end),
        pl.col("end").cast(pl.Int64).clip(start, end),
        pl.col("state").cast(pl.String),
        pl.col("reason").cast(pl.String),
        pl.col("inclusion").cast(pl.Float64),
    ).filter(pl.col("end") > pl.col("start"))


def disjoint(coverage: pl.LazyFrame) -> pl.LazyFrame:
    """Return ``clipped`` rows of one collector without time that an earlier row of the same state has already.

    Rows should tile time; where they overlap (files of two recoveries, of another program) it would count twice.
    """
    before = pl.col("end").cum_max().shift(1).over("instrument_id", "state")
    return (
        coverage.sort("instrument_id", "start", "end")
        .with_columns(pl.max_horizontal("start", before).alias("start"))
        .filter(pl.col("end") > pl.col("start"))
    )


def coverage_totals(coverage: pl.LazyFrame) -> pl.LazyFrame:
    """Return per instrument the seconds observed and missed in ``disjoint`` rows.

    ``gap_s`` is wanted time that was not observed, ``gap_<reason>_s`` its parts; time in which there was no place for
    the instrument, or it was not known (``rotated_out``, ``no_capacity``, ``unannounced``), does not count.
    ``chosen_s`` is observed time for which rotation had chosen the instrument: not that in which it was recorded until
    others were there. ``weighted_s`` is that time divided by its inclusion probability (Horvitz–Thompson).
    """
    seconds = (pl.col("end") - pl.col("start")) / NS_PER_S
    missed = (pl.col("state") == "gap") & ~pl.col("reason").is_in(list(IDLE))
    seen = pl.col("state") == "covered"
    chance = inclusion()
    chosen = seen & (chance > 0)
    return coverage.group_by("market_id", "instrument_id", maintain_order=True).agg(
        seconds.filter(seen).sum().alias("observed_s"),
        seconds.filter(missed).sum().alias("gap_s"),
        *(
            seconds.filter(missed & (pl.col("reason") == reason)).sum().alias(f"gap_{reason}_s")
            for reason in GAP_REASONS
        ),
        seconds.filter(chosen).sum().alias("chosen_s"),
        (seconds / chance).filter(chosen).sum().alias("weighted_s"),
    )


def inclusion() -> pl.Expr:
    """Return the probability with which the time of a row was chosen: 1 where that is unknown or no probability."""
    told = pl.col("inclusion")
    return pl.when(told.is_between(0.0, 1.0)).then(told).otherwise(1.0)


def channel_time(coverage: pl.LazyFrame, channel: str) -> pl.LazyFrame:
    """Return the seconds of disjoint rows that tell of ``channel``, by how that column says that it was observed.

    Columns ``instrument_id, channel, reason, seconds``.
    """
    seconds = (pl.col("end") - pl.col("start")).sum() / NS_PER_S
    telling = coverage.filter((pl.col("state") == "covered") | pl.col(channel).is_not_null())
    by_reason = telling.group_by("instrument_id", pl.col(channel).alias("reason"), maintain_order=True).agg(
        seconds.alias("seconds")
    )
    return by_reason.select("instrument_id", pl.lit(channel).alias("channel"), "reason", "seconds")


def covered(coverage: pl.LazyFrame) -> pl.LazyFrame:
    """Return the covered intervals (``instrument_id, start, end``) of clipped rows, sorted, touching ones merged."""
    return merged(coverage.filter(pl.col("state") == "covered"))


def merged(rows: pl.LazyFrame) -> pl.LazyFrame:
    """Return the intervals (``instrument_id, start, end``) of clipped rows, sorted, touching ones merged."""
    joins = (pl.col("start") <= pl.col("end").cum_max().shift(1).over("instrument_id")).fill_null(value=False)
    return (
        rows.sort("instrument_id", "start")
        .with_columns((~joins).cum_sum().alias("stretch"))
        .group_by("instrument_id", "stretch", maintain_order=True)
        .agg(pl.col("start").min(), pl.col("end").max())
        .select("instrument_id", "start", "end")
        .sort("instrument_id", "start")
    )
