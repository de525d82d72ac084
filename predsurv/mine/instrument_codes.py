"""Instruments numbered for a while: their ids are long, and as slow to compare as rows are many."""

import polars as pl


class InstrumentCodes:
    """Numbers instruments, ``code``, in the order of ``names``, which may repeat."""

    def __init__(self, names: pl.Series) -> None:
        self._ids = pl.Enum(names.unique(maintain_order=True))

    def coded(self, rows: pl.DataFrame) -> pl.LazyFrame:
        """Return those of ``rows`` whose instrument has a number, with ``code`` in place of ``instrument_id``."""
        code = rows["instrument_id"].cast(self._ids, strict=False).to_physical().cast(pl.Int64).alias("code")
        return rows.lazy().select(code, pl.exclude("instrument_id")).drop_nulls("code")

    def named(self, rows: pl.LazyFrame) -> pl.DataFrame:
        """Return ``rows`` with ``instrument_id`` in place of ``code``."""
        found = rows.collect()
        return found.select(self._ids.categories.gather(found["code"]).alias("instrument_id"), pl.exclude("code"))
