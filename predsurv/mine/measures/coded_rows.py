"""Rows of several instruments, instrument by instrument: a code for each run of rows instead of one for each row."""

from collections.abc import Sequence
from typing import Any, Final, NamedTuple

import polars as pl
import pyarrow as pa

from predsurv.core import native

_VIEW_BYTES: Final = 16


class TextRuns(NamedTuple):
    """Runs of equal texts: the ``texts`` and how many rows each run has (``lengths``)."""

    texts: pl.Series
    lengths: pl.Series


def text_runs(column: pl.Series, *, by_c: bool = native.speedups is not None) -> TextRuns:
    """Return the runs of a ``column`` of texts; ``by_c``: by the compiled module, where none of them is null."""
    if not by_c or native.speedups is None or column.is_empty() or column.null_count():
        return TextRuns(*column.rle().struct.unnest().select("value", pl.col("len").cast(pl.Int64)))
    # Of ids from a dictionary the views are equal, so that the letters need not be compared.
    array: Any = column.to_arrow(compat_level=pl.CompatLevel.newest())
    views = memoryview(array.buffers()[1])[array.offset * _VIEW_BYTES :][: len(array) * _VIEW_BYTES]
    (content,) = native.speedups.mine_runs(views)
    counts: Any = pa.Array.from_buffers(pa.int64(), len(content) // 8, [None, pa.py_buffer(content)])
    lengths = pl.Series(counts)
    texts = column.gather(lengths.cum_sum() - lengths)
    same = (texts == texts.shift(1)).fill_null(value=False)
    if not same.any():
        return TextRuns(texts, lengths)
    runs = pl.DataFrame({"run": (~same).cum_sum(), "text": texts, "length": lengths})
    joined = runs.group_by("run", maintain_order=True).agg(pl.col("text").first(), pl.col("length").sum())
    return TextRuns(joined["text"], joined["length"])


class CodedRows(NamedTuple):
    """``rows`` in runs of one instrument: its ``codes`` (UInt32) and how many rows each run has (``lengths``)."""

    rows: pl.DataFrame
    codes: pl.Series
    lengths: pl.Series

    @classmethod
    def named(cls, rows: pl.DataFrame, ids: pl.Enum, low: int, high: int) -> "CodedRows":
        """Return those of ``rows``, which have their ``instrument_id``, whose place in ``ids`` is ``low`` to below
        ``high``.
        """
        names, lengths = text_runs(rows["instrument_id"])
        codes = names.cast(ids, strict=False).to_physical().cast(pl.UInt32)
        wanted = ((codes >= low) & (codes < high)).fill_null(value=False)
        return cls(rows.drop("instrument_id"), codes, lengths).only(wanted)

    @classmethod
    def of(cls, rows: pl.DataFrame) -> "CodedRows":
        """Return ``rows``, which have their ``code``, as runs."""
        runs = rows["code"].rle().struct.unnest()
        return cls(rows.drop("code"), runs["value"], runs["len"])

    @classmethod
    def joined(cls, parts: Sequence["CodedRows"]) -> "CodedRows":
        """Return the rows of ``parts`` (at least one) one after another."""
        if len(parts) == 1:
            return parts[0]
        rows, codes, lengths = zip(*parts, strict=True)
        return cls(pl.concat(rows), pl.concat(codes), pl.concat(lengths))

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
