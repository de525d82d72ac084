"""Estimate a venue's totals of recorded days from what was counted in the periods of the rotation."""

from collections.abc import Sequence
from pathlib import Path
from typing import Final, NamedTuple

import polars as pl

from predsurv.mine.inputs import CollectorFilter, collector_filter
from predsurv.mine.listed import listed_instruments
from predsurv.mine.lost_time import lost_time
from predsurv.mine.measures.intervals import NS_PER_S
from predsurv.mine.observation import channels_told
from predsurv.mine.recorded_days import MiningDay, require_coverage
from predsurv.mine.sampled_periods import NO_PLANS, plan_rows, sampled_periods
from predsurv.mine.trades import placed_trades
from predsurv.mine.venue_totals import COUNTED, period_totals, summed, weighted

_PIECE: Final = ("instrument_id", "start")
_TRADED: Final = ("trades", "volume_shares", "notional_usd")
_SQUARES: Final = ("volume_shares_squares", "notional_usd_squares")


class VenueTotals(NamedTuple):
    """The totals of some days: a row each (``summed``), and what they rest on.

    ``hours`` in which anything was observed; ``draws``: instruments drawn, ``instruments`` observed, ``open``: those
    estimated to be open, on average by time; ``recorded``: what was counted itself, by total. ``intervals``: a row per
    covered interval and period, of which the totals are sums: ``collector, period`` (with its day), ``instrument_id,
    start, end`` (UTC), ``inclusion, reason``, what was counted in it, ``weight``, by which that counts, ``weighted_s``
    and ``ht_<total>``, seconds and counts times it.
    """

    totals: pl.DataFrame
    hours: float
    draws: int
    instruments: int
    open: float
    recorded: dict[str, float]
    intervals: pl.DataFrame


def venue_totals(days: Sequence[MiningDay]) -> VenueTotals:
    """Estimate the totals of ``days`` of one venue.

    Raises IntegrityError where there is no coverage, FileNotFoundError when a file was compacted meanwhile.
    """
    pieces = pl.concat([_counted(day) for day in days])
    sampled = _sampled(pieces)
    periods = period_totals(sampled.lazy(), COUNTED).collect()
    lengths = sampled.group_by("period").agg(pl.col("planned_s").max().alias("length"))
    joined = periods.join(lengths, on="period")
    length, weighted = float(joined["length"].sum()), float((joined["open"] * joined["length"]).sum())
    return VenueTotals(
        summed(periods.lazy(), COUNTED),
        length / 3_600,
        int(periods["drawn"].sum()),
        sampled.filter(pl.col("seconds") > 0)["instrument_id"].n_unique(),
        weighted / length if length else 0.0,
        {name: float(sampled[name].sum()) for name in COUNTED},
        _weighted_intervals(pieces, sampled),
    )


def _weighted_intervals(pieces: pl.DataFrame, sampled: pl.DataFrame) -> pl.DataFrame:
    """Return ``VenueTotals.intervals``."""
    weights = weighted(sampled.lazy()).select("period", "instrument_id", "weight").collect()
    whole = pieces.join(weights, on=["period", "instrument_id"], how="left", maintain_order="left")
    seconds = (pl.col("end") - pl.col("start")) / NS_PER_S
    return whole.select(
        "collector", "period", "instrument_id", pl.col("start", "end").cast(pl.Datetime("ns", "UTC")), "inclusion",
        "reason", *COUNTED, "weight", (seconds * pl.col("weight")).alias("weighted_s"),
        *((pl.col(name) * pl.col("weight")).alias(f"ht_{name}") for name in COUNTED),
    ).sort("period", "instrument_id", "start")  # fmt: skip


def _sampled(pieces: pl.DataFrame) -> pl.DataFrame:
    """Return what ``venue_totals.period_totals`` takes, with the ``instrument_id``."""
    sums = [pl.when(pl.col(name).count() > 0).then(pl.col(name).sum()).alias(name) for name in (*COUNTED, *_SQUARES)]
    return pieces.group_by("period", "instrument_id", maintain_order=True).agg(
        pl.col("inclusion", "planned_s").first(),
        ((pl.col("end") - pl.col("start")) / NS_PER_S).sum().alias("seconds"),
        *sums,
    )


def _counted(day: MiningDay) -> pl.DataFrame:
    """Return ``sampled_periods`` of one day with what was counted in each piece, ``period`` with day and collector."""
    require_coverage(day)
    lost = lost_time(day)
    source = collector_filter(day, lost)
    rows = source.coverage(day)
    told = rows.with_columns(channels_told(polled_too=False))
    rotations = source.rotations(day)
    plans = NO_PLANS if rotations is None else plan_rows(rotations)
    pieces = sampled_periods(lost.without_books(told), plans)
    counted = [_changes(day, source, pieces), _trades(day, source, pieces)]
    for counts in counted:
        pieces = pieces.join(counts, on=_PIECE, how="left", maintain_order="left")
    return pieces.with_columns(
        pl.col("updates").fill_null(0).cast(pl.Float64),
        *(pl.when("heard").then(pl.col(name).fill_null(0.0)).alias(name) for name in (*_TRADED, *_SQUARES)),
        pl.format(f"{day.date} {{}} {{}}", "collector", "period").alias("period"),
    )


def _changes(day: MiningDay, source: CollectorFilter, pieces: pl.DataFrame) -> pl.DataFrame:
    """Return the changed levels in each of ``pieces`` with any: ``instrument_id, start, updates``."""
    own = pieces.filter(pl.col("end") > pl.col("start")).sort("start").lazy().select(*_PIECE, "end")
    parts = [_changes_in(source, [path], own) for path in day.files("deltas")]
    if not parts:
        return pl.DataFrame(schema={"instrument_id": pl.String, "start": pl.Int64, "updates": pl.Int64})
    return pl.concat(parts).group_by(_PIECE).agg(pl.col("updates").sum())


def _changes_in(source: CollectorFilter, files: list[Path], pieces: pl.LazyFrame) -> pl.DataFrame:
    rows = source.scan(files).filter(pl.col("kind").cast(pl.String) == "change")
    times = rows.select(pl.col("instrument_id").cast(pl.String), pl.col("ts_recv").cast(pl.Int64).alias("ts"))
    located = times.sort("ts").join_asof(
        pieces, left_on="ts", right_on="start", by="instrument_id", coalesce=False, check_sortedness=False
    )
    inside = located.filter(pl.col("ts") < pl.col("end"))
    return inside.group_by(_PIECE).agg(pl.len().cast(pl.Int64).alias("updates")).collect(engine="streaming")


def _trades(day: MiningDay, source: CollectorFilter, pieces: pl.DataFrame) -> pl.DataFrame:
    """Return number, shares and dollars of the trades in each of ``pieces`` with any, those of mirrors included."""
    heard = pieces.filter(pl.col("heard")).sort("instrument_id", "start")
    files = day.files("trades")
    numbers = dict.fromkeys((*_TRADED, *_SQUARES), pl.Float64)
    schema = {"instrument_id": pl.String, "start": pl.Int64, **numbers}
    if heard.is_empty() or not files:
        return pl.DataFrame(schema=schema)
    markets = source.coverage(day).select(pl.col("market_id").unique()).collect()["market_id"]
    mirrors = listed_instruments(day, markets).mirrors
    mirrors = mirrors.filter(pl.col("primary").is_in(heard["instrument_id"].unique().implode()))
    rows = source.with_mirrors(mirrors).scan(files).with_columns(pl.col("instrument_id").cast(pl.String))
    placed = placed_trades(rows, heard.select(*_PIECE, "end").lazy(), mirrors)
    dollars = pl.col("price") * pl.col("size")
    return placed.group_by(_PIECE).agg(
        pl.len().cast(pl.Float64).alias("trades"),
        pl.col("size").sum().alias("volume_shares"),
        dollars.sum().alias("notional_usd"),
        pl.col("size").pow(2).sum().alias("volume_shares_squares"),
        dollars.pow(2).sum().alias("notional_usd_squares"),
    ).collect(engine="streaming")  # fmt: skip
