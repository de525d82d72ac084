"""Covered time of which a sealed file is gone: a gap, as if it had not been recorded."""

from collections import defaultdict
from collections.abc import Iterable, Mapping
from typing import Final

import polars as pl

from predsurv.store.read.missing import MissingFile

PATH: Final = "path"
"""Column with the path of each row's coverage file: ``scan_parquet(…, include_file_paths=PATH)``."""

_COLLECTOR: Final = r"coverage_[0-9]{8}T[0-9]{6}Z-(.+)-[0-9]{12}(?:m[0-9]{1,6})?\.parquet$"
_TIME: Final = pl.Datetime("ns", "UTC")


def without_missing(coverage: pl.LazyFrame, missing: Iterable[MissingFile]) -> pl.LazyFrame:
    """Return coverage rows (with ``venue`` and PATH) with a gap ``file_missing`` where covered time is in ``missing``.

    The rows of an instrument tile the same time as before.
    """
    gone = _intervals(missing)
    if gone.is_empty():
        return coverage
    rows = coverage.with_row_index("row").with_columns(pl.col(PATH).str.extract(_COLLECTOR).alias("collector"))
    cut = (
        rows.filter(pl.col("state").cast(pl.String) == "covered")
        .join(gone.lazy(), on=["venue", "collector"])
        .filter((pl.col("lo") < pl.col("end")) & (pl.col("hi") > pl.col("start")))
        .with_columns(pl.max_horizontal("start", "lo").alias("lo"), pl.min_horizontal("end", "hi").alias("hi"))
        .sort("row", "lo")
        .collect()
    )
    names = coverage.collect_schema().names()
    gaps = cut.with_columns(
        pl.col("lo").alias("start"),
        pl.col("hi").alias("end"),
        _as_column(cut, "state", "gap"),
        _as_column(cut, "reason", "file_missing"),
    )
    before = cut.with_columns(pl.col("hi").shift().over("row").fill_null(pl.col("start")).alias("start"), end="lo")
    after = cut.group_by("row", maintain_order=True).last().with_columns(start="hi").select(cut.columns)
    left = pl.concat([before, after]).filter(pl.col("start") < pl.col("end"))
    whole = rows.filter(~pl.col("row").is_in(cut["row"].unique().implode()))
    return pl.concat([each.lazy().select(names) for each in (whole, left, gaps)])


def _as_column(frame: pl.DataFrame, name: str, value: str) -> pl.Expr:
    return pl.lit(value).cast(frame.schema[name]).alias(name)


def _intervals(missing: Iterable[MissingFile]) -> pl.DataFrame:
    """Return the merged times of the files that hold what was observed, by venue and collector."""
    times: defaultdict[tuple[str, str], list[list[int]]] = defaultdict(list)
    for file in sorted(missing, key=lambda each: each.lo):
        if file.dataset in ("snapshots", "deltas", "trades"):
            merged = times[file.venue, file.collector]
            if merged and file.lo <= merged[-1][1]:
                merged[-1][1] = max(merged[-1][1], file.hi + 1)
            else:
                merged.append([file.lo, file.hi + 1])
    return _frame(times)


def _frame(times: Mapping[tuple[str, str], list[list[int]]]) -> pl.DataFrame:
    rows = [(venue, collector, lo, hi) for (venue, collector), spans in times.items() for lo, hi in spans]
    schema = {"venue": pl.String, "collector": pl.String, "lo": pl.Int64, "hi": pl.Int64}
    return pl.DataFrame(rows, schema, orient="row").with_columns(pl.col("lo", "hi").cast(_TIME))
