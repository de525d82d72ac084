"""The periods of a rotation, and what was chosen for each, as coverage and ``rotations`` of a day tell. Pure polars.

A period begins with a plan, of which ``rotations`` has the rows. Recordings without these tell it by the end of the
period before: what has to leave is recorded with probability 0 until others are there. It ends with the run, too, whose
stop is a gap. An instrument that is chosen should be covered from the beginning of its period to its end, also one that
was never subscribed to. Where it joins long after the beginning its market has just opened, and where it is let go
before the end, that is over: then it should be covered for the time in which it was wanted.
"""

from typing import Final

import polars as pl

from predsurv.mine.measures.intervals import NS_PER_S, inclusion
from predsurv.state.coverage import IDLE, OBSERVED

ARRIVAL_MAX: Final = 60 * 10**9
"""What is first wanted later than this (ns) in a period was not there when it began."""

_STOPS: Final = ("shutdown", "crash")
_OWN: Final = ("collector", "period", "instrument_id")
_WHO: Final = ["collector", "instrument_id"]
_BETWEEN_PLANS: Final = ("opened", "displaced")


def plan_rows(rotations: pl.LazyFrame) -> pl.DataFrame:
    """Return the rows of ``rotations`` as ``sampled_periods`` takes them: ``begin`` for ``ts_recv``, int64 ns."""
    return rotations.select(
        pl.col("collector"), pl.col("instrument_id").cast(pl.String), pl.col("ts_recv").cast(pl.Int64).alias("begin"),
        pl.col("reason").cast(pl.String), pl.col("inclusion").cast(pl.Float64), pl.col("pool").cast(pl.Int64),
        pl.col("interest").cast(pl.Float64),
    ).sort("begin", maintain_order=True).collect()  # fmt: skip


NO_PLANS: Final = pl.DataFrame(
    schema={
        "collector": pl.String,
        "instrument_id": pl.String,
        "begin": pl.Int64,
        "reason": pl.String,
        "inclusion": pl.Float64,
        "pool": pl.Int64,
        "interest": pl.Float64,
    }
)
"""Of a recording that tells nothing of its plans."""


def sampled_periods(coverage: pl.LazyFrame, plans: pl.DataFrame = NO_PLANS) -> pl.DataFrame:
    """Return the covered time that rotation chose, in pieces that lie in one period each.

    ``coverage``: disjoint rows with their ``collector``, times in int64 ns. ``plans``: ``plan_rows``. Columns:
    ``collector, period`` (its number in the day), ``instrument_id, start, end, inclusion, heard`` (trades were
    observed), and ``planned_s`` of the instrument in the period, the same in all its pieces; ``reason`` why it was
    chosen, null where nothing tells. An instrument of which nothing was covered has a piece without time.
    """
    rows = coverage.select(
        "collector", "instrument_id", "start", "end", "state", "reason", inclusion().alias("inclusion"),
        pl.col("trades").is_in(list(OBSERVED)).fill_null(value=False).alias("heard"),
    ).collect()  # fmt: skip
    wanted = rows.filter((pl.col("inclusion") > 0) & ~pl.col("reason").is_in([*IDLE, *_STOPS]))
    if wanted.is_empty():
        return wanted.select(*_OWN[:1], pl.lit(0, pl.UInt32).alias("period"), *_COLUMNS).clear()
    begins = _begins(rows, plans)
    pieces = _cut(wanted, begins)
    joined = pieces.with_columns(
        pl.col("start").min().over(_OWN).alias("joined"), pl.col("end").max().over(_OWN).alias("left"),
        pl.col("start").min().over("collector", "period").alias("begin"),
    )  # fmt: skip
    late = pl.col("joined") > pl.col("begin") + ARRIVAL_MAX
    since = pl.when(late).then("joined").otherwise("begin")
    covered = pl.col("state") == "covered"
    found = joined.select(
        *_OWN, "start", pl.when(covered).then("end").otherwise("start").alias("end"), "inclusion",
        (pl.col("heard") & covered).alias("heard"), ((pl.col("left") - since) / NS_PER_S).alias("planned_s"),
    ).filter((pl.col("end") > pl.col("start")) | ~pl.col("end").gt(pl.col("start")).any().over(_OWN))  # fmt: skip
    lengths = joined.group_by("collector", "period").agg(pl.col("begin").first(), pl.col("left").max())
    missed = _never_wanted(plans, begins.join(lengths.drop("begin"), on=["collector", "period"]), found)
    return _with_reasons(pl.concat([_as_planned(found, plans, begins), missed.select(found.columns)]), plans)


_COLUMNS: Final = (
    "instrument_id", "start", "end", "inclusion", "heard", pl.lit(0.0).alias("planned_s"),
    pl.lit(None, pl.String).alias("reason"),
)  # fmt: skip


def _as_planned(found: pl.DataFrame, plans: pl.DataFrame, begins: pl.DataFrame) -> pl.DataFrame:
    """Return ``found`` with the probabilities that the period's plan states, without what it did not choose.

    A recorder that lags behind changes its coverage a moment after the plan.
    """
    told = plans.filter(~pl.col("reason").is_in(_BETWEEN_PLANS)).join(begins, on=["collector", "begin"])
    stated = told.select(*_OWN, pl.col("inclusion").alias("stated")).unique(_OWN, keep="last")
    joined = found.join(stated, on=_OWN, how="left", maintain_order="left").filter(pl.col("stated").fill_null(1) > 0)
    return joined.with_columns(pl.coalesce("stated", "inclusion").alias("inclusion")).drop("stated")


def _never_wanted(plans: pl.DataFrame, periods: pl.DataFrame, found: pl.DataFrame) -> pl.DataFrame:
    """Return a piece without time for each instrument that was chosen for one of ``periods`` and never wanted."""
    chosen = plans.filter((pl.col("inclusion") > 0) & (pl.col("pool") > 0) & ~pl.col("reason").is_in(_BETWEEN_PLANS))
    missed = chosen.join(periods, on=["collector", "begin"]).join(found, on=_OWN, how="anti")
    return missed.with_columns(
        pl.col("begin").alias("start"),
        pl.col("begin").alias("end"),
        pl.lit(value=False).alias("heard"),
        ((pl.col("left") - pl.col("begin")) / NS_PER_S).alias("planned_s"),
    )


def _with_reasons(found: pl.DataFrame, plans: pl.DataFrame) -> pl.DataFrame:
    """Return ``found`` with the ``reason`` that the last row of each instrument before it has."""
    told = plans.select(*_WHO, pl.col("begin").alias("start"), "reason").sort("start", maintain_order=True)
    reasons = found.select(*_OWN, "start").sort("start").join_asof(told, on="start", by=_WHO, check_sortedness=False)
    return found.join(reasons, on=[*_OWN, "start"], how="left", maintain_order="left")


def _begins(rows: pl.DataFrame, plans: pl.DataFrame) -> pl.DataFrame:
    """Return when each period begins, ``collector, begin, period`` in order, from the beginning of time on."""
    ordered = rows.sort("collector", "instrument_id", "start")
    before = pl.col("inclusion").shift(1).over("collector", "instrument_id")
    dropped = (pl.col("inclusion") == 0) & (before.is_null() | (before > 0))
    stopped = (pl.col("state") == "gap") & pl.col("reason").is_in(list(_STOPS))
    planned = plans.filter(~pl.col("reason").is_in(_BETWEEN_PLANS)).select("collector", "begin")
    told_from = planned.group_by("collector").agg(pl.col("begin").min().alias("told_from"))
    ends = (
        ordered.filter(dropped | stopped)
        .join(told_from, on="collector", how="left")
        .filter(stopped | pl.col("told_from").is_null() | (pl.col("start") < pl.col("told_from")))
        .select("collector", pl.col("start").alias("begin"))
    )
    first = rows.select("collector", pl.lit(0, pl.Int64).alias("begin")).unique()
    every = pl.concat([first, ends, planned]).unique().sort("collector", "begin")
    return every.with_columns(pl.int_range(pl.len(), dtype=pl.UInt32).over("collector").alias("period"))


def _cut(wanted: pl.DataFrame, begins: pl.DataFrame) -> pl.DataFrame:
    """Return ``wanted`` cut where periods begin, each piece with the number of its ``period``."""
    numbered = begins.with_columns(pl.col("begin").shift(-1).over("collector").fill_null(2**62).alias("until"))
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
