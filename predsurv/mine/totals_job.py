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
from predsurv.mine.sampled_periods import sampled_periods
from predsurv.mine.trades import placed_trades
from predsurv.mine.venue_totals import COUNTED, period_totals, summed

_PIECE: Final = ("instrument_id", "start")
_OWN: Final = ("collector", "period", "instrument_id")
_TRADED: Final = ("trades", "volume_shares", "notional_usd")


class VenueTotals(NamedTuple):
    """The totals of some days: a row each (``summed``), and what they rest on.

    ``hours`` in which anything was observed; ``draws``: instruments drawn, ``instruments`` observed, ``open``: those
    estimated to be open, on average by time; ``recorded``: what was counted itself, by total.
    """

    totals: pl.DataFrame
    hours: float
    draws: int
    instruments: int
    open: float
    recorded: dict[str, float]


def venue_totals(days: Sequence[MiningDay]) -> VenueTotals:
    """Estimate the totals of ``days`` of one venue.

    Raises IntegrityError where there is no coverage, FileNotFoundError when a file was compacted meanwhile.
    """
    sampled = pl.concat([_sampled(day) for day in days])
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
    )


def _sampled(day: MiningDay) -> pl.DataFrame:
    """Return what ``venue_totals.period_totals`` takes, of one day, with the ``instrument_id``."""
    require_coverage(day)
    lost = lost_time(day)
    source = collector_filter(day, lost)
    rows = source.coverage(day)
    told = rows.with_columns(channels_told(polled_too=False))
    pieces = sampled_periods(lost.without_books(told))
    counted = [_changes(day, source, pieces), _trades(day, source, pieces)]
    for counts in counted:
        pieces = pieces.join(counts, on=_PIECE, how="left", maintain_order="left")
    seconds = (pl.col("end") - pl.col("start")) / NS_PER_S
    heard = seconds.filter("heard").sum()
    return pieces.group_by(_OWN, maintain_order=True).agg(
        pl.col("inclusion").first(),
        seconds.sum().alias("seconds"),
        pl.col("planned_s").first(),
        pl.col("updates").fill_null(0).sum().cast(pl.Float64),
        *(pl.when(heard > 0).then(pl.col(name).fill_null(0.0).sum()).alias(name) for name in _TRADED),
    ).with_columns(pl.format(f"{day.date} {{}} {{}}", "collector", "period").alias("period"))  # fmt: skip


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
    schema = {"instrument_id": pl.String, "start": pl.Int64, **dict.fromkeys(_TRADED, pl.Float64)}
    if heard.is_empty() or not files:
        return pl.DataFrame(schema=schema)
    markets = source.coverage(day).select(pl.col("market_id").unique()).collect()["market_id"]
    mirrors = listed_instruments(day, markets).mirrors
    mirrors = mirrors.filter(pl.col("primary").is_in(heard["instrument_id"].unique().implode()))
    rows = source.with_mirrors(mirrors).scan(files).with_columns(pl.col("instrument_id").cast(pl.String))
    placed = placed_trades(rows, heard.select(*_PIECE, "end").lazy(), mirrors)
    return placed.group_by(_PIECE).agg(
        pl.len().cast(pl.Float64).alias("trades"),
        pl.col("size").sum().alias("volume_shares"),
        (pl.col("price") * pl.col("size")).sum().alias("notional_usd"),
    ).collect(engine="streaming")  # fmt: skip
