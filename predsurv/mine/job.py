"""Mine a venue's day, or a range of them: from recorded files to one row of scored statistics per instrument."""

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

import polars as pl

from predsurv.mine import scores
from predsurv.mine.day_measures import ROWS_PER_STEP, measure_day
from predsurv.mine.day_results import DayMeasures
from predsurv.mine.figures import SEEN, figures
from predsurv.mine.listed import InstrumentLabels
from predsurv.mine.lost_time import LostTime
from predsurv.mine.measures.totals import Totals
from predsurv.mine.previous_scores import ranks_before
from predsurv.mine.recorded_days import MiningDay
from predsurv.mine.stats_writer import write_stats
from predsurv.store.layout import Dataset
from predsurv.store.read.facts import ListingCount


class MiningResult(NamedTuple):
    """Result of mining ``days``: ``stats``, a row per instrument, best score first; ``rows``, counts read per dataset.

    ``path``: the statistics of the last day. ``labels``: names by instrument id, of those that something named;
    ``listing``: how many are not among them. ``lost``: the sealed files that are gone. ``unplaced``: instruments whose
    trades count nowhere, because their books are not recorded and nothing lists their market (of the day with most).
    """

    days: Sequence[MiningDay]
    stats: pl.DataFrame
    path: Path
    rows: Mapping[Dataset, int]
    labels: Mapping[str, InstrumentLabels] = {}
    listing: ListingCount = ListingCount(0, 0)
    lost: Sequence[LostTime] = ()
    unplaced: int = 0

    @property
    def day(self) -> MiningDay:
        """The last day."""
        return self.days[-1]

    @property
    def span(self) -> str:
        """The date, or the first and the last one."""
        first, last = self.days[0].date, self.days[-1].date
        return last if first == last else f"{first}..{last}"


def mine(day: MiningDay, weight: Mapping[str, float], rows_per_step: int = ROWS_PER_STEP) -> MiningResult:
    """Compute, score and write the statistics of one day: see ``mine_days``."""
    return mine_days([day], weight, rows_per_step)


def mine_days(
    days: Sequence[MiningDay],
    weight: Mapping[str, float],
    rows_per_step: int = ROWS_PER_STEP,
    found: Iterable[DayMeasures] | None = None,
) -> MiningResult:
    """Compute and score the statistics of ``days`` (at least one), and write those of each of them.

    ``weight`` by component adds up to 1 (``scores.weights``). ``found``: what was measured of each elsewhere, in order.
    Raises ConfigError when nothing was recorded on one, IntegrityError when a day has no coverage or a file's digest
    is wrong, FileNotFoundError when one was compacted meanwhile, OSError when a result cannot be written (the old one
    is then still there).
    """
    totals, measured, written = Totals("instrument_id"), list[DayMeasures](), list[tuple[pl.DataFrame, Path]]()
    found = (measure_day(day, rows_per_step) for day in days) if found is None else found
    for day, each in zip(days, found, strict=True):
        totals.add(each.measures)
        measured.append(each)
        own = _scored(each.measures, day, weight)
        written.append((own, write_stats(own, day.data_dir, day.venue, day.date)))
    stats = written[0][0] if len(days) == 1 else _scored(totals.measures(), days[0], weight)
    labels: dict[str, InstrumentLabels] = {}
    for each in measured:
        labels |= each.listed.labels
    return MiningResult(
        days,
        stats,
        written[-1][1],
        {name: sum(each.rows[name] for each in measured) for name in measured[0].rows},
        labels,
        _listing(stats, labels),
        [each.lost for each in measured],
        max(each.unplaced for each in measured),
    )


def _scored(measures: Mapping[str, pl.DataFrame], first: MiningDay, weight: Mapping[str, float]) -> pl.DataFrame:
    stats = scores.scored(figures(measures), weight).collect()
    return ranks_before(stats, first)


def _listing(stats: pl.DataFrame, labels: Mapping[str, InstrumentLabels]) -> ListingCount:
    names = stats.filter(SEEN)["instrument_id"]
    return ListingCount(len(names), sum(name not in labels for name in names))
