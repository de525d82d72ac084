"""Rows of several instruments, instrument by instrument: a code for each run of rows instead of one for each row."""

from typing import NamedTuple

import polars as pl


class CodedRows(NamedTuple):
    """``rows`` in runs of one instrument: its ``codes`` (UInt32) and how many rows each run has (``lengths``)."""

    rows: pl.DataFrame
    codes: pl.Series
    lengths: pl.Series

    @classmethod
    def of(cls, rows: pl.DataFrame) -> "CodedRows":
        """Return ``rows``, which have their ``code``, as runs."""
        runs = rows["code"].rle().struct.unnest()
        return cls(rows.drop("code"), runs["value"], runs["len"])

    def frame(self) -> pl.DataFrame:
        """Return the rows with their ``code``."""
        runs = pl.DataFrame({"code": self.codes, "length": self.lengths})
        each = runs.select(pl.col("code").repeat_by("length").explode(empty_as_null=False))
        return self.rows.with_columns(each["code"])

    def only(self, wanted: pl.Series) -> "CodedRows":
        """Return the runs of which ``wanted`` (boolean) is true."""
        if wanted.all():
            return self
        runs = pl.DataFrame({"wanted": wanted, "length": self.lengths})
        kept = runs.select(pl.col("wanted").repeat_by("length").explode(empty_as_null=False))["wanted"]
        return CodedRows(self.rows.filter(kept), self.codes.filter(wanted), self.lengths.filter(wanted))

    def sorted(self) -> "CodedRows":
        """Return the rows sorted by instrument and ``ts_recv``; those of one moment stay in their order."""
        return CodedRows.of(self.frame().sort("code", "ts_recv", maintain_order=True))
