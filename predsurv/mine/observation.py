"""What of a day was observed: books by the coverage rows, trades by what these tell of that channel.

A feed without books tells of its trades in gaps ``not_offered``: these are observed there, and no book is.

Pure polars functions but for ``observe``. Of recordings that do not tell channels apart, trades count as observed where
books were streamed, because these versions had the trades on the same connection. Where books were polled they
recorded no trades: that counts as observed only when there are trades and no streamed time that could explain them.
"""

from collections.abc import Iterator
from typing import Final, NamedTuple

import polars as pl

from predsurv.mine.inputs import CollectorFilter
from predsurv.mine.lost_time import LostTime
from predsurv.mine.measures import intervals
from predsurv.mine.recorded_days import MiningDay
from predsurv.state.coverage import NO_BOOKS, OBSERVED

UNKNOWN: Final = "unknown"
"""The reason why trades count as not observed where nothing tells whether they were."""


class Observation(NamedTuple):
    """What was observed: ``totals`` per instrument, ``channels``: covered time of trades and lifecycle by how it was
    observed.

    ``books`` and ``trades``: the intervals in which these were.
    """

    totals: pl.DataFrame
    channels: pl.DataFrame
    books: pl.DataFrame
    trades: pl.DataFrame


def observe(day: MiningDay, source: CollectorFilter, lost: LostTime) -> Observation:
    """Return what was observed on ``day``."""
    rows = source.coverage(day)
    told = rows.with_columns(channels_told(polled_too=_trades_were_polled(rows, day)))
    books, trades = lost.without_books(told), lost.without_trades(told)
    totals = intervals.coverage_totals(books).collect(engine="streaming")
    channels = [intervals.channel_time(frame, name) for frame, name in ((trades, "trades"), (told, "lifecycle"))]
    heard = intervals.merged(trades.filter(pl.col("trades").is_in(list(OBSERVED)))).collect(engine="streaming")
    seen = intervals.covered(books).collect(engine="streaming")
    return Observation(totals, pl.concat(channels).collect(), seen, heard)


def channels_told(*, polled_too: bool) -> Iterator[pl.Expr]:
    """Yield how trades and lifecycle were observed in covered time, ``UNKNOWN`` where nothing tells.

    ``polled_too``: where nothing tells and books were polled, trades were.
    """
    streamed, polled = pl.col("reason") == "live", pl.col("reason") == "polled"
    silent = pl.when(streamed).then(pl.lit("live")).when(polled & polled_too).then(pl.lit("polled"))
    told = pl.coalesce(pl.col("trades").cast(pl.String), silent.otherwise(pl.lit(UNKNOWN)))
    for name, how in (("trades", told), ("lifecycle", pl.coalesce(pl.col("lifecycle").cast(pl.String), told))):
        without_books = pl.when(pl.col("reason") == NO_BOOKS).then(pl.col(name).cast(pl.String))
        yield pl.when(pl.col("state") == "covered").then(how).otherwise(without_books).alias(name)


def _trades_were_polled(coverage: pl.LazyFrame, day: MiningDay) -> bool:
    silent = coverage.filter((pl.col("state") == "covered") & pl.col("trades").is_null())
    reasons = set(silent.select(pl.col("reason").unique()).collect(engine="streaming")["reason"])
    return "polled" in reasons and "live" not in reasons and bool(day.files("trades"))
