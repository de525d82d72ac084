"""Which rows count: of an instrument that several collectors recorded, those of the collector that observed most.

Collectors account for their time independently, so the rows of two of them would count every change and trade twice.
"""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from functools import lru_cache
from pathlib import Path
from typing import Any, Final, NamedTuple

import polars as pl
import pyarrow.parquet as pq

from predsurv.mine.lost_time import LostTime
from predsurv.mine.measures.intervals import clipped, disjoint
from predsurv.mine.recorded_days import MiningDay
from predsurv.store.conform import expect_columns
from predsurv.store.layout import Dataset, parse_file
from predsurv.store.schema import schema_of

SCHEMAS_MAX: Final = 1 << 13
"""Files whose columns are remembered."""

_TIME: Final = pl.Datetime("ns", "UTC")
_MAY_LACK: Final[Mapping[Dataset, Mapping[str, pl.DataType]]] = {
    "coverage": {"inclusion": pl.Float64(), "trades": pl.String(), "lifecycle": pl.String()}
}


class CollectorFilter(NamedTuple):
    """Selects the rows of one collector per instrument.

    ``owners``: columns ``instrument_id, collector``; None when one collector recorded the whole day.
    """

    owners: pl.DataFrame | None = None

    def scan(self, files: Iterable[Path]) -> pl.LazyFrame:
        """Return the rows of ``files`` that count, in the order of the files."""
        if self.owners is None:
            return scan(list(files))
        return pl.concat([self._own(*each) for each in _by_collector(files).items()], how="diagonal_relaxed")

    def coverage(self, day: MiningDay) -> pl.LazyFrame:
        """Return the coverage rows of ``day`` that count, disjoint, with their ``venue`` and ``collector``."""
        parts = [
            disjoint(clipped(self._own(collector, own), day.start, day.end)).with_columns(
                pl.lit(collector).alias("collector"), pl.lit(day.venue).alias("venue")
            )
            for collector, own in _by_collector(day.files("coverage")).items()
        ]
        return pl.concat(parts, how="diagonal_relaxed")

    def rotations(self, day: MiningDay) -> pl.LazyFrame | None:
        """Return the rows of ``rotations`` of ``day`` that count, with their ``collector``; None where there are none.

        Those of a version without the dataset, and recordings of others, have none.
        """
        parts = [
            self._own(collector, own).with_columns(pl.lit(collector).alias("collector"))
            for collector, own in _by_collector(day.files("rotations")).items()
        ]
        return pl.concat(parts, how="diagonal_relaxed") if parts else None

    def with_mirrors(self, mirrors: pl.DataFrame) -> "CollectorFilter":
        """Return the filter that also selects rows of instruments without coverage: those of their ``primary``.

        ``mirrors``: columns ``instrument_id, primary``.
        """
        if self.owners is None:
            return self
        added = mirrors.join(self.owners, left_on="primary", right_on="instrument_id")
        added = added.join(self.owners, on="instrument_id", how="anti").select("instrument_id", "collector")
        return CollectorFilter(pl.concat([self.owners, added]))

    def _own(self, collector: str, files: list[Path]) -> pl.LazyFrame:
        rows = scan(files)
        if self.owners is None:
            return rows
        names = self.owners.filter(pl.col("collector") == collector)["instrument_id"]
        return rows.filter(pl.col("instrument_id").is_in(names.implode()))


def collector_filter(day: MiningDay, lost: LostTime) -> CollectorFilter:
    """Return the collector whose rows count for each instrument of ``day``: who observed it longest."""
    if len(_by_collector(day.files("coverage"))) < 2:
        return CollectorFilter()
    rows = lost.without_books(CollectorFilter().coverage(day))
    seen = rows.filter(pl.col("state") == "covered").group_by("instrument_id", "collector")
    best = seen.agg((pl.col("end") - pl.col("start")).sum().alias("observed"))
    every = rows.select("instrument_id", "collector").unique().join(best, on=["instrument_id", "collector"], how="left")
    ordered = every.sort(pl.col("observed").fill_null(0), "collector", descending=[True, False])
    owners = ordered.group_by("instrument_id", maintain_order=True).agg(pl.col("collector").first())
    return CollectorFilter(owners.collect(engine="streaming"))


def _by_collector(files: Iterable[Path]) -> dict[str, list[Path]]:
    groups: defaultdict[str, list[Path]] = defaultdict(list)
    for path in files:
        groups[parse_file(path)[1].collector].append(path)
    return dict(groups)


def scan(files: Sequence[Path]) -> pl.LazyFrame:
    """Return the rows of all ``files`` (at least one, of one dataset) as one frame.

    They may be of different versions and programs: what a file lacks is null. Raises IntegrityError naming a file that
    lacks a column of its dataset.
    """
    dataset = parse_file(files[0])[0].dataset
    wanted = schema_of(dataset, 1).names
    groups: dict[tuple[tuple[str, pl.DataType], ...], list[Path]] = {}
    for path in files:
        schema = _schema_of(path)
        expect_columns(path, schema, wanted)
        groups.setdefault(tuple(schema.items()), []).append(path)
    parts = []
    for kind, own in groups.items():
        rows = pl.scan_parquet(own, hive_partitioning=False)
        parts.append(_conformed(rows, dict(kind), dataset))
    return parts[0] if len(parts) == 1 else pl.concat(parts, how="diagonal_relaxed")


def levels_in(files: Sequence[Path]) -> int:
    """Return how many levels a side every one of the snapshot ``files`` has: their number may change during a day."""
    return min(sum(name.startswith("bid_px_") for name in _schema_of(path)) for path in files)


def rows_in(path: Path) -> int:
    """Return how many rows a data file has."""
    state = path.stat()
    return _read_rows(path, state.st_mtime_ns, state.st_size)


@lru_cache(SCHEMAS_MAX)
def _read_rows(path: Path, _changed: int, _bytes: int) -> int:
    metadata: Any = pq.read_metadata(path)
    return int(metadata.num_rows)


def _schema_of(path: Path) -> Mapping[str, pl.DataType]:
    state = path.stat()
    return _read_schema(path, state.st_mtime_ns, state.st_size)


@lru_cache(SCHEMAS_MAX)
def _read_schema(path: Path, _changed: int, _bytes: int) -> Mapping[str, pl.DataType]:
    """Return the columns of a file; each is scanned several times, and reading its footer is what that costs."""
    return pl.read_parquet_schema(path)


def _conformed(rows: pl.LazyFrame, schema: Mapping[str, pl.DataType], dataset: Dataset) -> pl.LazyFrame:
    changes = [
        pl.col(name).cast(_TIME if isinstance(kind, pl.Datetime) else pl.String)
        for name, kind in schema.items()
        if (isinstance(kind, pl.Datetime) and kind != _TIME) or isinstance(kind, pl.Categorical | pl.Enum)
    ]
    lacking = _MAY_LACK.get(dataset, {})
    changes += [pl.lit(None, kind).alias(name) for name, kind in lacking.items() if name not in schema]
    return rows.with_columns(changes) if changes else rows
