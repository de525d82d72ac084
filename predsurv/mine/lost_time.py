"""Time whose rows were sealed and are gone: a gap of reason ``file_missing``, never silence.

Which instruments a missing file had rows of is not known, so it concerns all that its collector recorded then.
"""

from collections.abc import Iterable
from typing import Final, NamedTuple

import polars as pl

from predsurv.mine.recorded_days import MiningDay
from predsurv.store.layout import Dataset, Layout
from predsurv.store.read.missing import MissingFile, missing_files

LOST: Final = "file_missing"
_WINDOW: Final = {"collector": pl.String, "lost_start": pl.Int64, "lost_end": pl.Int64, "lost": pl.Boolean}


class LostTime(NamedTuple):
    """The sealed files of a day that are gone."""

    files: tuple[MissingFile, ...] = ()

    def without_books(self, coverage: pl.LazyFrame, day: MiningDay) -> pl.LazyFrame:
        """Return clipped ``coverage`` with time as gaps whose snapshots or changes are gone."""
        gone = pl.col("lost") & (pl.col("state") == "covered")
        return self._marked(coverage, day, ("snapshots", "deltas")).with_columns(
            pl.when(gone).then(pl.lit("gap")).otherwise("state").alias("state"),
            pl.when(gone).then(pl.lit(LOST)).otherwise("reason").alias("reason"),
        )

    def without_trades(self, coverage: pl.LazyFrame, day: MiningDay) -> pl.LazyFrame:
        """Return clipped ``coverage`` in which trades whose file is gone were not observed."""
        reason = pl.when("lost").then(pl.lit(LOST)).otherwise("trades").alias("trades")
        return self._marked(coverage, day, ("trades",)).with_columns(reason)

    def _marked(self, coverage: pl.LazyFrame, day: MiningDay, datasets: tuple[Dataset, ...]) -> pl.LazyFrame:
        """Return ``coverage``, divided where lost time begins and ends, with the column ``lost``."""
        gone = [each for each in self.files if each.dataset in datasets]
        if not gone:
            return coverage.with_columns(pl.lit(value=False).alias("lost"))
        rows = [row for name in {each.collector for each in gone} for row in _windows(name, gone, day)]
        windows = pl.LazyFrame(rows, schema=_WINDOW, orient="row")
        return (
            coverage.join(windows, on="collector", how="left")
            .with_columns(
                pl.max_horizontal("start", "lost_start").alias("start"),
                pl.min_horizontal("end", "lost_end").alias("end"),
                pl.col("lost").fill_null(value=False),
            )
            .drop("lost_start", "lost_end")
            .filter(pl.col("start") < pl.col("end"))
        )


class _Window(NamedTuple):
    collector: str
    start: int
    end: int
    lost: bool


def lost_time(day: MiningDay) -> LostTime:
    """Return what is gone of ``day``."""
    return LostTime(tuple(missing_files(Layout(day.data_dir), day.venue, [day.date])))


def _windows(collector: str, gone: Iterable[MissingFile], day: MiningDay) -> list[_Window]:
    """Return the day of ``collector`` divided into lost time and the time between."""
    windows: list[_Window] = []
    known_from = day.start
    for each in sorted((each for each in gone if each.collector == collector), key=lambda each: each.lo):
        if each.lo > known_from:
            windows.append(_Window(collector, known_from, each.lo, lost=False))
        if each.hi + 1 > known_from:
            windows.append(_Window(collector, max(known_from, each.lo), each.hi + 1, lost=True))
            known_from = each.hi + 1
    return [*windows, _Window(collector, known_from, day.end, lost=False)]
