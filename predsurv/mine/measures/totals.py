"""Measures of hours and days added up: sums, and first, greatest, least and last of a path."""

from collections.abc import Mapping, Sequence
from typing import Final

import polars as pl

from predsurv.mine.measures.bucket_keys import bucket_of_key, key_of, unit_of_key

KEYS: Final[Mapping[str, Sequence[str]]] = {
    "coverage": ("market_id",),
    "channels": ("channel", "reason"),
    "spreads": ("spread",),
    "waits": ("bucket",),
    "cut_waits": ("bucket",),
    "ages": ("bucket",),
    "sizes": ("size",),
    "pieces": ("piece",),
    "excursions": ("net", "since"),
}
"""What the rows of a measure are counted by, besides the instrument."""

BY_VISIT: Final[tuple[str, ...]] = ("visit_books", "visit_moves", "visit_impacts", "visit_updates")
"""Measures of visits, not of instruments."""

_COUNTED: Final = ("waits", "cut_waits", "ages", "sizes")
"""Measures of integers, which add up to the same in any order, and so in a third of the time."""

_ROWS_MAX: Final = 1_000_000
"""Rows of a measure that wait to be added up, at least; as many as the total has, so that adding up stays cheap."""


def combined(frames: Sequence[pl.DataFrame], keys: Sequence[str]) -> pl.DataFrame:
    """Return the total of ``frames`` of one measure, in order of time, per ``keys``; sums are of one order always."""
    if len(frames) == 1:
        return frames[0]
    stacked = pl.concat(frames)
    rest = [_total(name) for name in stacked.columns if name not in keys]
    return stacked.group_by(*keys, maintain_order=True).agg(rest)


def counted(frames: Sequence[pl.DataFrame], keys: Sequence[str]) -> pl.DataFrame:
    """Return the total ``count`` of ``frames`` per ``keys``, in no particular order."""
    if len(frames) == 1:
        return frames[0]
    rows = pl.concat(frames).lazy()
    if tuple(keys) != ("code", "bucket"):
        return rows.group_by(*keys).agg(pl.col("count").sum()).collect(engine="streaming")
    packed = rows.select(key_of("code"), "count").group_by("key").agg(pl.col("count").sum())
    found = packed.collect(engine="streaming")
    return found.select(unit_of_key().cast(pl.UInt32).alias("code"), bucket_of_key(), "count")


def _total(name: str) -> pl.Expr:
    column = pl.col(name)
    if name.endswith("_open"):
        return column.drop_nulls().first()
    if name.endswith("_close"):
        return column.drop_nulls().last()
    return column.max() if name.endswith("_high") else column.min() if name.endswith("_low") else column.sum()


class Totals:
    """Measures by name, each added up as it comes; ``unit`` is the column that numbers or names instruments."""

    def __init__(self, unit: str) -> None:
        self._unit = unit
        self._parts: dict[str, list[pl.DataFrame]] = {}

    def add(self, measures: Mapping[str, pl.DataFrame]) -> None:
        """Add the ``measures`` of a later hour or day."""
        for name, frame in measures.items():
            parts = self._parts.setdefault(name, [])
            parts.append(frame)
            if sum(part.height for part in parts[1:]) > max(_ROWS_MAX, parts[0].height):
                self._parts[name] = [self._combined(name)]

    def measures(self) -> dict[str, pl.DataFrame]:
        """Return what was added up."""
        return {name: self._combined(name) for name in self._parts}

    def _combined(self, name: str) -> pl.DataFrame:
        unit = "visit" if name in BY_VISIT else self._unit
        keys = (unit, *KEYS.get(name, ()))
        return counted(self._parts[name], keys) if name in _COUNTED else combined(self._parts[name], keys)
