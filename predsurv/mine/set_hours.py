"""The sums of sets of outcomes, hour by hour, where the rest of the day is measured elsewhere, in parts."""

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Final

import polars as pl

from predsurv.core import native
from predsurv.mine.hour_measures import NO_BOOKS
from predsurv.mine.measures import compiled, moments
from predsurv.mine.measures.coded_rows import CodedRows
from predsurv.mine.measures.excursions import hour_measures
from predsurv.mine.measures.outcome_sums import CodedSets, best_carried, outcome_sums
from predsurv.mine.observed_day import DayScope
from predsurv.store.layout import NS_HOUR, Layout
from predsurv.store.read.verify_digests import check_listed

_SUMS: Final = outcome_sums if native.speedups is None else compiled.outcome_measures


def add_up(
    rows: CodedRows, carry: pl.DataFrame, visits: pl.DataFrame, sets: CodedSets, begin: int
) -> dict[str, pl.DataFrame]:
    """Return the measures ``outcomes`` and ``excursions`` of the best prices of an hour, as ``outcome_sums`` says."""
    return hour_measures(_SUMS(rows, carry, visits, sets, begin), begin)


def sets_by_hour(scope: DayScope, snapshots: Mapping[int, Sequence[Path]]) -> Iterator[dict[str, pl.DataFrame]]:
    """Yield the measures ``add_up`` of each hour of the day, from the best prices in its ``snapshots`` alone."""
    sets, carry = scope.sets, NO_BOOKS
    if sets.sets.is_empty():
        return
    reader = scope.reader(0, len(scope.ids.categories))
    for hour in range(24):
        files, begin = snapshots.get(hour, []), scope.day.start + hour * NS_HOUR
        check_listed(Layout(scope.day.data_dir), files, scope.sealed)
        visits = moments.visits_within(scope.every_visit.lazy(), begin).collect()
        rows = sets.rows_of(reader.best(files))
        yield add_up(rows, carry, visits, sets, begin)
        carry = best_carried(rows, carry, visits, begin)
