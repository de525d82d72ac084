"""Excursions that go on over a full hour: the parts that hours have of them, and what these are together.

An hour is measured by itself, and what it says of its longest excursion ends with it. So it also tells of the stretches
that it begins or ends in, in integers, and these are joined once all hours are there, in whatever order they came.
"""

from typing import Final

import polars as pl

from predsurv.mine.measures.moments import NS_PER_S
from predsurv.store.layout import NS_HOUR

EDGES: Final = (("head_ns", "tail_ns"), ("head_net_ns", "tail_net_ns"))
"""Of a set in an hour: how long the stretch lasted that the hour began in, and the one it ended in, 0 where there is
none; before fees and after."""

JOINED: Final = ("joined_s", "joined_net_s")
"""The longest stretches that parts make, seconds; before fees and after."""


def hour_measures(found: pl.DataFrame, begin: int) -> dict[str, pl.DataFrame]:
    """Return ``outcome_sums`` of the hour from ``begin`` on as the measures ``outcomes`` and ``excursions``.

    ``excursions``: ``code, net`` (1: after fees), ``since, until_high`` (ns UTC) of stretches at an edge of the hour.
    """
    rows, parts = found.lazy(), list[pl.LazyFrame]()
    end, names = begin + NS_HOUR, [name for edges in EDGES for name in edges]
    for net, (head, tail) in enumerate(EDGES):
        # one of the whole hour is told once, as its head
        for told, since, until in (
            (rows.filter(pl.col(head) > 0), pl.lit(begin), begin + pl.col(head)),
            (rows.filter(pl.col(tail).is_between(1, NS_HOUR - 1)), end - pl.col(tail), pl.lit(end)),
        ):
            bounds = since.cast(pl.Int64).alias("since"), until.cast(pl.Int64).alias("until_high")
            parts.append(told.select("code", pl.lit(net, pl.Int8).alias("net"), *bounds))
    return {"outcomes": found.drop(names), "excursions": pl.concat(parts).collect()}


def longest_joined(parts: pl.LazyFrame) -> pl.LazyFrame:
    """Return the longest stretches (``JOINED``) that the ``excursions`` of hours make, by ``code``.

    Null where an instrument has parts of the other kind only.
    """
    key = ["code", "net"]
    goes_on = (pl.col("since") == pl.col("until_high").shift(1)).over(key)
    lasted = (pl.col("until_high").last() - pl.col("since").first()) / NS_PER_S
    stretches = (
        parts.sort(*key, "since")
        .with_columns((~goes_on.fill_null(value=False)).cum_sum().alias("stretch"))
        .group_by(*key, "stretch")
        .agg(lasted.alias("lasted"))
    )
    return stretches.group_by("code").agg(
        pl.col("lasted").filter(pl.col("net") == net).max().alias(name) for net, name in enumerate(JOINED)
    )
