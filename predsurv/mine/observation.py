"""What of a day was observed: books by the coverage rows, trades by what these tell of that channel.

Pure polars functions but for ``observe``. Of recordings that do not tell channels apart, trades count as observed where
books were streamed, because these versions had the trades on the same connection. Where books were polled they
recorded no trades: that counts as observed only when there are trades and no streamed time that could explain them.
"""

from typing import Final, NamedTuple

import polars as pl

from predsurv.mine import statistics as frames
from predsurv.mine.inputs import CollectorFilter
from predsurv.mine.lost_time import LostTime
from predsurv.mine.recorded_days import MiningDay
from predsurv.state.coverage import OBSERVED

UNKNOWN: Final = "unknown"
"""The reason why trades count as not observed where nothing tells whether they were."""

_S: Final = 1e9


class Observation(NamedTuple):
    """What was observed: ``totals`` per instrument, and the intervals in which ``books`` and ``trades`` were."""

    totals: pl.DataFrame
    books: pl.DataFrame
    trades: pl.DataFrame


def observe(day: MiningDay, source: CollectorFilter, lost: LostTime) -> Observation:
    """Return what was observed on ``day``."""
    rows = source.coverage(day)
    told = rows.with_columns(trades_told(polled_too=_trades_were_polled(rows, day)))
    books, trades = lost.without_books(told), lost.without_trades(told)
    totals = frames.coverage_totals(books, day.start, day.end).collect(engine="streaming")
    totals = totals.join(trade_time(trades).collect(engine="streaming"), on="instrument_id", how="left")
    heard = trades.filter(pl.col("trades").is_in(list(OBSERVED)))
    return Observation(totals, _intervals(books, day), _intervals(heard, day))


def trades_told(*, polled_too: bool) -> pl.Expr:
    """Return how trades were observed, ``UNKNOWN`` where nothing tells.

    ``polled_too``: where nothing tells and books were polled, trades were.
    """
    streamed, polled = pl.col("reason") == "live", pl.col("reason") == "polled"
    silent = pl.when(streamed).then(pl.lit("live")).when(polled & polled_too).then(pl.lit("polled"))
    told = pl.coalesce(pl.col("trades").cast(pl.String), silent.otherwise(pl.lit(UNKNOWN)))
    return pl.when(pl.col("state") == "covered").then(told).alias("trades")


def trade_time(coverage: pl.LazyFrame) -> pl.LazyFrame:
    """Return ``trades_observed_s`` per instrument, and why trades were not observed for the rest of the covered time.

    ``trades_missing``: the reason of most of that rest, null when there is none. ``coverage``: clipped.
    """
    covered = coverage.filter(pl.col("state") == "covered")
    seconds = (pl.col("end") - pl.col("start")).sum() / _S
    seen = pl.col("trades").is_in(list(OBSERVED))
    by_reason = covered.group_by("instrument_id", "trades").agg(seconds.alias("seconds")).sort("seconds", "trades")
    return by_reason.group_by("instrument_id").agg(
        pl.col("seconds").filter(seen).sum().alias("trades_observed_s"),
        pl.col("trades").filter(~seen).last().alias("trades_missing"),
    )


def _trades_were_polled(coverage: pl.LazyFrame, day: MiningDay) -> bool:
    silent = coverage.filter((pl.col("state") == "covered") & pl.col("trades").is_null())
    reasons = set(silent.select(pl.col("reason").unique()).collect(engine="streaming")["reason"])
    return "polled" in reasons and "live" not in reasons and bool(day.files("trades"))


def _intervals(coverage: pl.LazyFrame, day: MiningDay) -> pl.DataFrame:
    return frames.covered(coverage, day.start, day.end).collect(engine="streaming")
