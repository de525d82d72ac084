"""Time whose rows were sealed and are gone: a gap of reason ``file_missing``, never silence.

Which instruments a missing file had rows of is not known, so it concerns all that its collector recorded then.
"""

from collections import defaultdict
from collections.abc import Collection, Mapping
from typing import Final, NamedTuple

import polars as pl

from predsurv.mine.recorded_days import MiningDay
from predsurv.store.layout import Dataset, Layout
from predsurv.store.read.missing import MissingFile, missing_files

LOST: Final = "file_missing"
PATH: Final = "path"
"""Column with the path of each row's coverage file: ``scan_parquet(…, include_file_paths=PATH)``."""

_BOOKS: Final[tuple[Dataset, ...]] = ("snapshots", "deltas")
_TRADES: Final[tuple[Dataset, ...]] = ("trades",)
_COLLECTOR: Final = r"coverage_[0-9]{8}T[0-9]{6}Z-(.+)-[0-9]{12}(?:m[0-9]{1,6})?\.parquet$"
_TIME: Final = pl.Datetime("ns", "UTC")
_WINDOW: Final[Mapping[str, pl.DataType]] = {
    "venue": pl.String(),
    "collector": pl.String(),
    "lost_start": _TIME,
    "lost_end": _TIME,
    "lost": pl.Boolean(),
}


class LostTime(NamedTuple):
    """The sealed files that are gone. Coverage rows have the columns ``venue`` and ``collector`` here."""

    files: tuple[MissingFile, ...] = ()

    def as_gaps(self, coverage: pl.LazyFrame, datasets: Collection[Dataset] = _BOOKS + _TRADES) -> pl.LazyFrame:
        """Return ``coverage`` with covered time as gaps of which files of ``datasets`` are gone; it tiles as before."""
        schema = coverage.collect_schema()
        told = {"state": "gap", "reason": LOST}
        as_gap = [
            pl.when("lost").then(pl.lit(value).cast(schema[name])).otherwise(name).alias(name)
            for name, value in told.items()
        ]
        return self._divided(coverage, datasets, schema).with_columns(as_gap).select(schema.names())

    def without_books(self, coverage: pl.LazyFrame) -> pl.LazyFrame:
        """Return ``coverage`` with time as gaps whose snapshots or changes are gone."""
        return self.as_gaps(coverage, _BOOKS)

    def without_trades(self, coverage: pl.LazyFrame) -> pl.LazyFrame:
        """Return ``coverage`` in which trades whose file is gone were not observed."""
        schema = coverage.collect_schema()
        reason = pl.when("lost").then(pl.lit(LOST)).otherwise("trades").alias("trades")
        return self._divided(coverage, _TRADES, schema).with_columns(reason).select(schema.names())

    def _divided(self, coverage: pl.LazyFrame, datasets: Collection[Dataset], schema: pl.Schema) -> pl.LazyFrame:
        """Return ``coverage``, covered rows divided where lost time begins and ends, with the column ``lost``."""
        windows = _windows([each for each in self.files if each.dataset in datasets])
        if windows.is_empty():
            return coverage.with_columns(pl.lit(value=False).alias("lost"))
        covered = pl.col("state").cast(pl.String) == "covered"
        divided = (
            coverage.filter(covered)
            .join(windows.lazy(), on=["venue", "collector"], how="left")
            .with_columns(
                pl.max_horizontal("start", "lost_start").alias("start"),
                pl.min_horizontal("end", "lost_end").alias("end"),
                pl.col("lost").fill_null(value=False),
            )
            .filter(pl.col("start") < pl.col("end"))
        )
        gaps = coverage.filter(~covered).with_columns(pl.lit(value=False).alias("lost"))
        names = [*schema.names(), "lost"]
        return pl.concat([divided.select(names), gaps.select(names)])


def lost_time(day: MiningDay) -> LostTime:
    """Return what is gone of ``day``."""
    return LostTime(tuple(missing_files(Layout(day.data_dir), day.venue, [day.date])))


def with_collector(coverage: pl.LazyFrame) -> pl.LazyFrame:
    """Return ``coverage``, which has the column PATH, with the ``collector`` of each row."""
    return coverage.with_columns(pl.col(PATH).str.extract(_COLLECTOR).alias("collector"))


def _windows(gone: Collection[MissingFile]) -> pl.DataFrame:
    """Return all time, for each collector with lost time divided into that and the time between."""
    times: defaultdict[tuple[str, str], list[tuple[int, int]]] = defaultdict(list)  # of (start, end), merged
    for file in sorted(gone, key=lambda each: each.lo):
        spans, start, end = times[file.venue, file.collector], file.lo, file.hi + 1
        if spans and start <= spans[-1][1]:
            start, last = spans.pop()
            end = max(last, end)
        spans.append((start, end))
    rows = []
    for (venue, collector), spans in times.items():
        ends = [None, *(end for _, end in spans)]
        starts = [*(start for start, _ in spans), None]
        rows += [(venue, collector, lo, hi, False) for lo, hi in zip(ends, starts, strict=True)]
        rows += [(venue, collector, lo, hi, True) for lo, hi in spans]
    return pl.DataFrame(rows, _WINDOW, orient="row")
