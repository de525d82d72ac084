"""Measures of many kinds as one table with a row per instrument, and back: the content of a roll-up."""

from collections.abc import Mapping

import polars as pl

from predsurv.mine.measures.totals import BY_VISIT, KEYS


def to_table(measures: Mapping[str, pl.DataFrame]) -> pl.DataFrame:
    """Return ``measures``, each with the column ``instrument_id``, as a table with one row per instrument, sorted.

    Each measure is a column: of structs, null where it has no row, or of lists of structs where it may have several.
    """
    names = pl.concat([frame["instrument_id"] for frame in measures.values()]).unique().sort()
    table = names.to_frame()
    for name, frame in measures.items():
        packed = frame.select("instrument_id", pl.struct(pl.exclude("instrument_id")).alias(name))
        if _is_listed(name):
            packed = packed.group_by("instrument_id", maintain_order=True).agg(name)
        table = table.join(packed, on="instrument_id", how="left", maintain_order="left")
    return table


def from_table(table: pl.DataFrame) -> dict[str, pl.DataFrame]:
    """Return the measures of which ``to_table`` made ``table``; rows in the order of instruments."""
    measures = {}
    for name in table.columns[1:]:
        packed = table.select("instrument_id", name).drop_nulls(name)
        if _is_listed(name):
            packed = packed.explode(name, empty_as_null=False)
        measures[name] = packed.unnest(name)
    return measures


def _is_listed(name: str) -> bool:
    return name in KEYS or name in BY_VISIT
