"""Ranges of prices in which markets behave alike: longshots, favourites, and what lies between."""

from typing import Final

import polars as pl

EDGES: Final = (0.05, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 0.95)
"""Bounds (dollars) between the ranges; a range has its lower bound."""

ALL: Final = "all"
"""Names everything together."""

_NAMES: Final = [
    f"{low * 100:.0f}–{high * 100:.0f}" for low, high in zip((0.0, *EDGES), (*EDGES, 1.0), strict=True)
]  # fmt: skip


def in_ranges(rows: pl.LazyFrame) -> pl.LazyFrame:
    """Return ``rows`` twice, with the column ``position``: of the range of their ``price`` (dollars), and of all."""
    bounds = pl.lit(pl.Series(EDGES))
    ranged = rows.with_columns(bounds.search_sorted(pl.col("price"), side="right").cast(pl.Int64).alias("position"))
    return pl.concat([ranged, ranged.with_columns(pl.lit(len(_NAMES), pl.Int64).alias("position"))])


def named(rows: pl.LazyFrame) -> pl.LazyFrame:
    """Return ``rows`` by their ``position``, cheapest range first, with its name (``price_cents``) instead."""
    names = pl.LazyFrame({"price_cents": [*_NAMES, ALL], "position": range(len(_NAMES) + 1)})
    return names.join(rows, on="position").sort("position").drop("position")
