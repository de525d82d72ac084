"""Instants: one sortable number for an instrument and a moment of its hour, and which covered time it lies in."""

from typing import Final

import polars as pl

from predsurv.store.layout import NS_HOUR

STRIDE: Final = 1 << 42
"""Distance of the instants of two instruments at the same moment: more than the nanoseconds of an hour."""

INSTRUMENTS_MAX: Final = 1 << 20
"""Instruments whose instants fit into 63 bits."""

NS_PER_S: Final = 1e9


def grouped(rows: pl.DataFrame) -> pl.DataFrame:
    """Return ``rows``, sorted by ``at``, marked as sorted by ``code``, ``owner`` and ``visit``: groups are runs."""
    return rows.with_columns(pl.col(name).set_sorted() for name in ("code", "owner", "visit") if name in rows.columns)


def in_seconds(nanoseconds: pl.Expr) -> pl.Expr:
    """Return ``nanoseconds`` as seconds, to the same last digit in a column of any length.

    A column of several numbers that is divided by one number is multiplied by its reciprocal instead, and one of a
    single number is not: 60e9 / 1e9 may be more than 60, and what parts of a day give differ from what all of it does.
    """
    return nanoseconds / (nanoseconds * 0 + NS_PER_S)


def instant(code: pl.Expr, ts: pl.Expr, begin: int) -> pl.Expr:
    """Return the instant of instrument ``code`` at ``ts`` (ns UTC) of the hour from ``begin`` on."""
    return code.cast(pl.Int64) * STRIDE + (ts - begin)


def visits_within(visits: pl.LazyFrame, begin: int) -> pl.LazyFrame:
    """Return the ``visits`` as far as they lie in the hour from ``begin`` on.

    ``visits``: ``visit, code, start, end, quiet_from, changed``, sorted, times in ns UTC. Columns ``visit, owner`` (the
    code), ``since``, ``until``, ``quiet_from`` (instants; the last may lie before the hour), ``changed``.
    """
    until = begin + NS_HOUR
    return visits.filter((pl.col("start") < until) & (pl.col("end") > begin)).select(
        "visit",
        pl.col("code").alias("owner"),
        instant(pl.col("code"), pl.col("start").clip(begin, until), begin).alias("since"),
        instant(pl.col("code"), pl.col("end").clip(begin, until), begin).alias("until"),
        instant(pl.col("code"), pl.col("quiet_from"), begin).alias("quiet_from"),
        "changed",
    )


def located(rows: pl.LazyFrame, visits: pl.LazyFrame) -> pl.LazyFrame:
    """Return those of ``rows`` (sorted by ``at``) that lie in one of ``visits``, with its columns."""
    return rows.join_asof(
        visits, left_on="at", right_on="since", strategy="backward", coalesce=False, check_sortedness=False
    ).filter(pl.col("at") < pl.col("until"))
