"""The periods of a rotation as the coverage of a day tells them, and what was chosen for each. Pure polars.

A period ends where something is no longer chosen: with the next plan, from which on what has to leave is recorded with
probability 0 until others are there; or with the run, whose stop is a gap. An instrument that is chosen should be
covered from the beginning of its period to its end. Where it joins long after the beginning its market has just opened,
and where it is let go before the end, that is over: then it should be covered for the time in which it was wanted.
"""

from typing import Final

import polars as pl

from predsurv.mine.measures.intervals import NS_PER_S, inclusion
from predsurv.state.coverage import IDLE, OBSERVED

ARRIVAL_MAX: Final = 60 * 10**9
"""What is first wanted later than this (ns) in a period was not there when it began."""

_STOPS: Final = ("shutdown", "crash")
_OWN: Final = ("collector", "period", "instrument_id")


def sampled_periods(coverage: pl.LazyFrame) -> pl.DataFrame:
    """Return the covered time that rotation chose, in pieces that lie in one period each.

    ``coverage``: disjoint rows with their ``collector``, times in int64 ns. Columns: ``collector, period`` (its number
    in the day), ``instrument_id, start, end, inclusion, heard`` (trades were observed), and ``planned_s`` of the
    instrument in the period, the same in all its pieces. An instrument of which nothing was covered has a piece
    without time.
    """
    rows = coverage.select(
        "collector", "instrument_id", "start", "end", "state", "reason", inclusion().alias("inclusion"),
        pl.col("trades").is_in(list(OBSERVED)).fill_null(value=False).alias("heard"),
    ).collect()  # fmt: skip
    wanted = rows.filter((pl.col("inclusion") > 0) & ~pl.col("reason").is_in([*IDLE, *_STOPS]))
    if wanted.is_empty():
        return wanted.select(*_OWN[:1], pl.lit(0, pl.UInt32).alias("period"), *_COLUMNS).clear()
    pieces = _cut(wanted, _begins(rows))
    joined = pieces.with_columns(
        pl.col("start").min().over(_OWN).alias("joined"), pl.col("end").max().over(_OWN).alias("left"),
        pl.col("start").min().over("collector", "period").alias("begin"),
    )  # fmt: skip
    late = pl.col("joined") > pl.col("begin") + ARRIVAL_MAX
    since = pl.when(late).then("joined").otherwise("begin")
    covered = pl.col("state") == "covered"
    return joined.select(
        *_OWN, "start", pl.when(covered).then("end").otherwise("start").alias("end"), "inclusion",
        (pl.col("heard") & covered).alias("heard"), ((pl.col("left") - since) / NS_PER_S).alias("planned_s"),
    ).filter((pl.col("end") > pl.col("start")) | ~pl.col("end").gt(pl.col("start")).any().over(_OWN))  # fmt: skip


_COLUMNS: Final = (
    "instrument_id", "start", "end", "inclusion", "heard", pl.lit(0.0).alias("planned_s"),
)  # fmt: skip


def _begins(rows: pl.DataFrame) -> pl.DataFrame:
    """Return when each period begins, ``collector, begin`` in order, from the beginning of time on."""
    ordered = rows.sort("collector", "instrument_id", "start")
    before = pl.col("inclusion").shift(1).over("collector", "instrument_id")
    dropped = (pl.col("inclusion") == 0) & (before.is_null() | (before > 0))
    stopped = (pl.col("state") == "gap") & pl.col("reason").is_in(list(_STOPS))
    ends = ordered.filter(dropped | stopped).select("collector", pl.col("start").alias("begin"))
    first = rows.select("collector", pl.lit(0, pl.Int64).alias("begin")).unique()
    return pl.concat([first, ends]).unique().sort("collector", "begin")


def _cut(wanted: pl.DataFrame, begins: pl.DataFrame) -> pl.DataFrame:
    """Return ``wanted`` cut where periods begin, each piece with the number of its ``period``."""
    numbered = begins.with_columns(
        pl.col("begin").shift(-1).over("collector").fill_null(2**62).alias("until"),
        pl.int_range(pl.len(), dtype=pl.UInt32).over("collector").alias("period"),
    )
    names = ["collector", "period"]
    pieces = []
    for (collector,), own in wanted.group_by("collector"):
        periods = numbered.filter(pl.col("collector") == collector)
        edges = periods["begin"]
        last = edges.search_sorted(own["end"], side="left") - 1
        first = edges.search_sorted(own["start"], side="right") - 1
        spans = own.with_columns(pl.int_ranges(first, last + 1, dtype=pl.UInt32).alias("period")).explode("period")
        pieces.append(spans.join(periods, on=names, how="left", maintain_order="left"))
    return (
        pl.concat(pieces)
        .with_columns(
            pl.max_horizontal("start", "begin").alias("start"), pl.min_horizontal("end", "until").alias("end")
        )
        .filter(pl.col("end") > pl.col("start"))
        .drop("begin", "until")
    )
