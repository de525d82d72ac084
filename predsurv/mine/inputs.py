"""Which rows count: of an instrument that several collectors recorded, those of the collector that observed most.

Collectors account for their time independently, so the rows of two of them would count every change and trade twice.
"""

from collections import defaultdict
from collections.abc import Iterable
from pathlib import Path
from typing import NamedTuple

import polars as pl

from predsurv.mine import statistics as frames
from predsurv.mine.recorded_days import MiningDay
from predsurv.store.layout import parse_file


class CollectorFilter(NamedTuple):
    """Selects the rows of one collector per instrument.

    ``owners``: columns ``instrument_id, collector``; None when one collector recorded the whole day.
    """

    owners: pl.DataFrame | None = None

    def scan(self, files: Iterable[Path]) -> pl.LazyFrame:
        """Return the rows of ``files`` that count, in the order of the files."""
        if self.owners is None:
            return scan(list(files))
        parts = []
        for collector, own in _by_collector(files).items():
            names = self.owners.filter(pl.col("collector") == collector)["instrument_id"]
            parts.append(scan(own).filter(pl.col("instrument_id").is_in(names.implode())))
        return pl.concat(parts, how="diagonal_relaxed")


def collector_filter(day: MiningDay) -> CollectorFilter:
    """Return the collector whose rows count for each instrument of ``day``, chosen by recorded coverage."""
    groups = _by_collector(day.files("coverage"))
    if len(groups) < 2:
        return CollectorFilter()
    seen = [
        frames.coverage_totals(scan(files), day.start, day.end).select(
            "instrument_id", "observed_s", pl.lit(collector).alias("collector")
        )
        for collector, files in groups.items()
    ]
    best = pl.concat(seen).sort("observed_s", "collector", descending=[True, False])
    owners = best.group_by("instrument_id", maintain_order=True).agg(pl.col("collector").first())
    return CollectorFilter(owners.collect(engine="streaming"))


def _by_collector(files: Iterable[Path]) -> dict[str, list[Path]]:
    groups: defaultdict[str, list[Path]] = defaultdict(list)
    for path in files:
        groups[parse_file(path)[1].collector].append(path)
    return dict(groups)


def scan(files: list[Path]) -> pl.LazyFrame:
    """Return the rows of all ``files`` (at least one) as one frame."""
    # The number of recorded levels may change during a day: columns that the first file lacks are not read.
    return pl.scan_parquet(files, hive_partitioning=False, missing_columns="insert", extra_columns="ignore")
