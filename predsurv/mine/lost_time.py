"""Time whose rows were sealed and are gone: a gap of reason ``file_missing``, never silence.

Which instruments a missing file had rows of is not known, so it concerns all that its collector recorded then. The same
without polars, in ``store.read.coverage_rows``, is what ``status`` counts: both take the windows from one place, and a
test compares them.
"""

from collections.abc import Collection, Mapping
from typing import Final, NamedTuple

import polars as pl

from predsurv.mine.recorded_days import MiningDay
from predsurv.state.coverage import NO_BOOKS
from predsurv.store.layout import Dataset, Layout
from predsurv.store.read.missing import LOST, MissingFile, lost_windows, missing_files

_BOOKS: Final[tuple[Dataset, ...]] = ("snapshots", "deltas")
_TRADES: Final[tuple[Dataset, ...]] = ("trades",)
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
        """Return ``coverage`` with the column ``lost``: rows of what was received divided where lost time is."""
        windows = _window_frame(self.files, datasets)
        if windows.is_empty():
            return coverage.with_columns(pl.lit(value=False).alias("lost"))
        covered = (pl.col("state").cast(pl.String) == "covered") | (pl.col("reason").cast(pl.String) == NO_BOOKS)
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


def _window_frame(gone: Collection[MissingFile], datasets: Collection[Dataset]) -> pl.DataFrame:
    windows = lost_windows(gone, datasets)
    rows = [(*owner, *window) for owner, own in windows.items() for window in own]
    return pl.DataFrame(rows, _WINDOW, orient="row")
