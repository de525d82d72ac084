"""Statistics of recorded rows per instrument: pure polars functions, LazyFrame in, LazyFrame out.

All sums are additive: the sums of two parts of a day add up to the sums of both, however the day was cut
into files and hours. Time counts only where an instrument was observed (covered); a row holds from its own time to
the next row's, or to the end of the covered interval it lies in, whichever comes first.

Units: ``ts``, ``start``, ``end`` int64 ns UTC; ``seconds`` and everything ``_s`` float seconds; prices and spreads
dollars; sizes and depths shares.
"""

from collections.abc import Sequence
from typing import Final

import polars as pl

from predsurv.state.coverage import IDLE

STALE_SECONDS: Final = 60
NEAR: Final = 0.01
FAR: Final = 0.05
WAIT_STEPS_PER_OCTAVE: Final = 8  # a median read off this histogram is at most 4.5 % off
_S: Final = 1e9
_ROUNDING: Final = 1e-9  # prices are stored as float64: 0.50 − 0.45 is slightly more than 0.05
DEPTHS: Final = ("bid_depth_1c", "ask_depth_1c", "bid_depth_5c", "ask_depth_5c")


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


def coverage_totals(coverage: pl.LazyFrame, start: int, end: int) -> pl.LazyFrame:
    """Return per instrument the seconds observed and missed from ``start`` to ``end``.

    ``gap_s`` is wanted time that was not observed; time in which there was no place for the instrument, or it was not
    known (``rotated_out``, ``no_capacity``, ``unannounced``), does not count. ``weighted_s`` is observed time
    divided by its inclusion probability (Horvitz–Thompson).
    """
    length = pl.col("end") - pl.col("start")
    missed = (pl.col("state") == "gap") & ~pl.col("reason").is_in(list(IDLE))
    seen = pl.col("state") == "covered"
    chance = pl.when(pl.col("inclusion").is_between(0.0, 1.0, closed="right")).then(pl.col("inclusion")).otherwise(1.0)
    return (
        clipped(coverage, start, end)
        .group_by("market_id", "instrument_id")
        .agg(
            (length.filter(seen).sum() / _S).alias("observed_s"),
            (length.filter(missed).sum() / _S).alias("gap_s"),
            ((length / chance).filter(seen).sum() / _S).alias("weighted_s"),
        )
    )


def covered(coverage: pl.LazyFrame, start: int, end: int) -> pl.LazyFrame:
    """Return the covered intervals (``instrument_id, start, end``), sorted, with touching ones merged."""
    joins = (pl.col("start") <= pl.col("end").cum_max().shift(1).over("instrument_id")).fill_null(value=False)
    return (
        clipped(coverage, start, end)
        .filter(pl.col("state") == "covered")
        .sort("instrument_id", "start")
        .with_columns((~joins).cum_sum().alias("run"))
        .group_by("instrument_id", "run")
        .agg(pl.col("start").min(), pl.col("end").max())
        .select("instrument_id", "start", "end")
        .sort("instrument_id", "start")
    )


def book_rows(snapshots: pl.LazyFrame, levels: int) -> pl.LazyFrame:
    """Return spread, mid, imbalance and depths of each snapshot row; ``levels``: recorded levels per side.

    Depths are within 1 and 5 cents of the best price of their own side, as far as the recorded levels reach:
    ``cut`` marks that they end before 5 cents, so that the depths are lower bounds. A crossed book (best bid not
    below best ask, between two updates) has null spread, mid and imbalance.
    """
    bid, ask = pl.col("bid_px_00"), pl.col("ask_px_00")
    both = pl.col("bid_depth_5c") + pl.col("ask_depth_5c")
    lean = (pl.col("bid_depth_5c") - pl.col("ask_depth_5c")) / both
    sound = (bid < ask).fill_null(value=True)
    return (
        snapshots.select(
            "instrument_id",
            pl.col("ts_recv").cast(pl.Int64).alias("ts"),
            "trusted",
            pl.when(sound).then(ask - bid).alias("spread"),
            pl.when(sound).then((ask + bid) / 2).alias("mid"),
            *(_depth(name, levels) for name in DEPTHS),
            pl.any_horizontal(_cut(side, levels) for side in ("bid", "ask")).alias("cut"),
            sound.alias("sound"),
        )
        .with_columns(pl.when(pl.col("sound") & (both > 0)).then(lean).alias("imbalance"))
        .drop("sound")
    )


def update_rows(deltas: pl.LazyFrame) -> pl.LazyFrame:
    """Return when each book changed, one row per receive time, with how many levels did."""
    return (
        deltas.filter(pl.col("kind") == "change")
        .group_by("instrument_id", pl.col("ts_recv").cast(pl.Int64).alias("ts"))
        .agg(pl.len().cast(pl.Int64).alias("levels"))
    )


def interval_starts(intervals: pl.LazyFrame, start: int, end: int) -> pl.LazyFrame:
    """Return a row without changed levels at the start of each covered interval that begins in ``start`` … ``end``."""
    return intervals.filter(pl.col("start").is_between(start, end, closed="left")).select(
        "instrument_id", pl.col("start").alias("ts"), pl.lit(0, pl.Int64).alias("levels")
    )


def held(rows: pl.LazyFrame, intervals: pl.LazyFrame, ahead: str) -> pl.LazyFrame:
    """Return ``rows`` sorted, each with the time it held: the base of all time-weighted statistics.

    Adds ``seconds`` (0 outside covered time), ``last`` (no later row of the instrument is known: its ``seconds`` reach
    to the end of its interval), ``joined`` (the next row lies in the same covered interval), ``next_<ahead>``.
    """
    same = pl.col("instrument_id").shift(-1).eq_missing(pl.col("instrument_id"))
    inside = pl.col("ts") < pl.col("end")
    until = pl.min_horizontal("next_ts", "end")
    return (
        in_interval(
            rows.sort("instrument_id", "ts", maintain_order=True).with_columns(
                pl.when(same).then(pl.col("ts").shift(-1)).alias("next_ts"),
                pl.when(same).then(pl.col(ahead).shift(-1)).alias(f"next_{ahead}"),
                (~same).alias("last"),
            ),
            intervals,
        )
        .with_columns(
            pl.when(inside).then((until - pl.col("ts")) / _S).otherwise(0.0).alias("seconds"),
            (inside & (pl.col("next_ts") < pl.col("end"))).fill_null(value=False).alias("joined"),
        )
        .drop("start", "end", "next_ts")
    )


def book_sums(rows: pl.LazyFrame) -> pl.LazyFrame:
    """Return the additive sums of held book rows per instrument; untrusted rows weigh nothing."""
    weight = pl.col("seconds")
    stepped = pl.col("joined") & pl.col("mid").is_not_null() & pl.col("next_mid").is_not_null()
    return (
        rows.filter(pl.col("trusted") & (weight > 0))
        .group_by("instrument_id")
        .agg(
            weight.sum().alias("held_s"),
            weight.filter(pl.col("mid").is_not_null()).sum().alias("two_sided_s"),
            weight.filter(pl.col("imbalance").is_not_null()).sum().alias("imbalance_known_s"),
            weight.filter(pl.col("cut")).sum().alias("depth_cut_s"),
            ((pl.col("next_mid") - pl.col("mid")).filter(stepped) ** 2).sum().alias("moved"),
            weight.filter(stepped).sum().alias("moved_s"),
            *((pl.col(name) * weight).sum().alias(f"{name}_s") for name in ("spread", "mid", "imbalance", *DEPTHS)),
        )
    )


def update_sums(rows: pl.LazyFrame) -> pl.LazyFrame:
    """Return per instrument ``updates`` (levels changed in observed time) and ``stale_s``.

    ``stale_s``: observed seconds in which the last change, or the start of observation, was over a minute ago.
    """
    observed = rows.filter(pl.col("seconds") > 0)
    stale = (pl.col("seconds") - STALE_SECONDS).clip(lower_bound=0.0)
    return observed.group_by("instrument_id").agg(pl.col("levels").sum().alias("updates"), stale.sum().alias("stale_s"))


def waits(rows: pl.LazyFrame) -> pl.LazyFrame:
    """Return per instrument the log histogram of the time between changes."""
    both = pl.col("joined") & (pl.col("levels") > 0) & (pl.col("next_levels") > 0)
    bucket = (pl.col("seconds").clip(lower_bound=1e-6).log(2) * WAIT_STEPS_PER_OCTAVE).floor().cast(pl.Int16)
    return (
        rows.filter(both).group_by("instrument_id", bucket.alias("bucket")).agg(pl.len().cast(pl.Int64).alias("count"))
    )


def median_wait(histogram: pl.LazyFrame) -> pl.LazyFrame:
    """Return ``median_wait_s`` per instrument from (summed or partial) histograms of ``waits``."""
    reached = pl.col("count").cum_sum() * 2 >= pl.col("count").sum()
    return (
        added([histogram])
        .sort("instrument_id", "bucket")
        .group_by("instrument_id", maintain_order=True)
        .agg(pl.col("bucket").filter(reached).first())
        .select("instrument_id", (2.0 ** ((pl.col("bucket") + 0.5) / WAIT_STEPS_PER_OCTAVE)).alias("median_wait_s"))
    )


def added(parts: Sequence[pl.LazyFrame]) -> pl.LazyFrame:
    """Return the total of several parts' sums per instrument (and bucket or piece, where there is one)."""
    stacked = pl.concat(parts)
    keys = [name for name in ("instrument_id", "bucket", "piece") if name in stacked.collect_schema()]
    return stacked.group_by(keys).agg(pl.all().sum())


def mid_paths(rows: pl.LazyFrame, start: int, end: int, bins: int) -> pl.LazyFrame:
    """Return the last mid in each of ``bins`` equal parts of ``start`` … ``end`` as ``instrument_id, bin, mid``.

    ``rows`` are held book rows; a bin in which no mid was known has no row.
    """
    width = max(end - start, 1)
    first = ((pl.col("ts") - start) * bins // width).clip(0, bins - 1)
    until = pl.col("ts") + (pl.col("seconds") * _S).cast(pl.Int64) - 1
    last = ((until - start) * bins // width).clip(0, bins - 1)
    return (
        rows.filter(pl.col("trusted") & pl.col("mid").is_not_null() & (pl.col("seconds") > 0))
        .select("instrument_id", "mid", pl.int_ranges(first, last + 1).alias("bin"))
        .explode("bin")
        .group_by("instrument_id", "bin", maintain_order=True)
        .agg(pl.col("mid").last())
    )


def piece_sums(rows: pl.LazyFrame, pieces: pl.LazyFrame) -> pl.LazyFrame:
    """Return the sums of spread and mid per instrument and piece of time with the same ticks, of held book rows.

    ``pieces``: columns ``instrument_id, piece, since, until``; of other instruments there are no sums. A row that held
    longer than a piece counts in each for the part that it held there.
    """
    until = pl.col("ts") + (pl.col("seconds") * _S).cast(pl.Int64)
    part = (pl.min_horizontal(until, "until") - pl.max_horizontal("ts", "since")) / _S
    return (
        rows.filter(pl.col("trusted") & (pl.col("seconds") > 0) & pl.col("mid").is_not_null())
        .join(pieces, on="instrument_id")
        .with_columns(part.alias("part"))
        .filter(pl.col("part") > 0)
        .group_by("instrument_id", "piece")
        .agg(
            pl.col("part").sum().alias("two_sided_s"),
            (pl.col("spread") * pl.col("part")).sum().alias("spread_s"),
            (pl.col("mid") * pl.col("part")).sum().alias("mid_s"),
        )
    )


def spreads_in_ticks(sums: pl.LazyFrame, steps: pl.LazyFrame) -> pl.LazyFrame:
    """Return ``spread_ticks`` per instrument: the spread in ticks of its time, weighted by how long it held.

    ``sums``: as ``piece_sums`` gives them. ``steps``: columns ``instrument_id, piece, begin, tick_size``; in each piece
    the tick is that of the mean mid, a tick applies from price ``begin`` (dollars) on. Pieces without one, because
    nobody stated it, weigh nothing.
    """
    ticks = (
        steps.join(sums, on=["instrument_id", "piece"])
        .filter(pl.col("begin") <= pl.col("mid_s") / pl.col("two_sided_s") + _ROUNDING)
        .sort("instrument_id", "piece", "begin")
        .group_by("instrument_id", "piece")
        .agg(pl.col("tick_size", "spread_s", "two_sided_s").last())
    )
    in_ticks = (pl.col("spread_s") / pl.col("tick_size")).sum() / pl.col("two_sided_s").sum()
    return ticks.group_by("instrument_id").agg(in_ticks.alias("spread_ticks"))


def in_interval(rows: pl.LazyFrame, intervals: pl.LazyFrame) -> pl.LazyFrame:
    """Return sorted ``rows`` with ``start`` and ``end`` of the last covered interval begun by then, null if none."""
    return rows.join_asof(
        intervals, left_on="ts", right_on="start", by="instrument_id", coalesce=False, check_sortedness=False
    )


def _cut(side: str, levels: int) -> pl.Expr:
    last, best = (pl.col(f"{side}_px_{level:02d}") for level in (levels - 1, 0))
    return ((last - best).abs() < FAR - _ROUNDING).fill_null(value=False)


def _depth(name: str, levels: int) -> pl.Expr:
    side, _, distance = name.split("_")
    reach = (NEAR if distance == "1c" else FAR) + _ROUNDING
    best = pl.col(f"{side}_px_00")
    near = [
        pl.when((pl.col(f"{side}_px_{level:02d}") - best).abs() <= reach)
        .then(pl.col(f"{side}_sz_{level:02d}"))
        .otherwise(0.0)
        for level in range(levels)
    ]
    return pl.sum_horizontal(near).alias(name)
