"""Measure one venue's day: hour by hour, so that only an hour's rows are in memory, and busy hours in parts."""

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Final, NamedTuple

import polars as pl

from predsurv.core import native
from predsurv.mine.day_results import DayMeasures
from predsurv.mine.day_rollups import DayRollup
from predsurv.mine.hour_measures import NO_BOOKS, HourMeasures, ObservedHour, measure_hour
from predsurv.mine.hour_rollups import HourRollups, NumberedDay
from predsurv.mine.inputs import collector_filter, rows_in
from predsurv.mine.listed import ListedInstruments, listed_instruments
from predsurv.mine.lost_time import LostTime, lost_time
from predsurv.mine.measures import books, moments, visits
from predsurv.mine.measures.coded_rows import CodedRows
from predsurv.mine.measures.outcome_sums import NO_SETS, with_mirrored
from predsurv.mine.measures.totals import BY_VISIT, Totals
from predsurv.mine.observation import observe
from predsurv.mine.observed_day import WHOLE, DayPart, DayScope, observed_day, unplaced
from predsurv.mine.recorded_days import MiningDay, require_coverage
from predsurv.mine.set_hours import add_up, sets_by_hour
from predsurv.store import manifest
from predsurv.store.layout import FOLDERS, NS_HOUR, Dataset, Layout
from predsurv.store.manifest import SealedFile
from predsurv.store.read.verify_digests import check_listed

ROWS_PER_STEP: Final = 2_000_000 if native.speedups is None else 5_000_000
"""Changed levels in memory at a time, a tenth as many snapshot rows; an hour with more is read several times.

Python needs more memory for each than the compiled module.
"""

_BY_HOUR: Final[tuple[Dataset, ...]] = ("snapshots", "deltas")
_WHOLE_DAYS: Final[tuple[Dataset, ...]] = ("trades", "coverage", "lifecycle")


class _HourFiles(NamedTuple):
    """The files of an hour that ``begin``s then (ns UTC)."""

    begin: int
    snapshots: Sequence[Path]
    deltas: Sequence[Path]


def measure_day(day: MiningDay, rows_per_step: int = ROWS_PER_STEP) -> DayMeasures:
    """Measure ``day``, or read what was measured of the same files before.

    Raises ConfigError when nothing was recorded, IntegrityError when there is no coverage or a file's digest is wrong,
    FileNotFoundError when one was compacted meanwhile, OSError when what was measured cannot be written.
    """
    require_coverage(day)
    sealed, lost = manifest.read_by_path(Layout(day.data_dir).manifest, day.date), lost_time(day)
    rollup = DayRollup(day, sealed, lost)
    known = rollup.read()
    if known is None:
        known = _measure_day(day, sealed, lost, rows_per_step)
        rollup.write(known)
    return known


def remembered(day: MiningDay) -> DayMeasures | None:
    """Return what was measured of the same files of ``day`` before, None if nothing; raises as ``measure_day``."""
    require_coverage(day)
    return _rollup(day).read()


def remember(day: MiningDay, measured: DayMeasures) -> None:
    """Keep what was ``measured`` of the files of ``day``; raises OSError."""
    _rollup(day).write(measured)


def _rollup(day: MiningDay) -> DayRollup:
    return DayRollup(day, manifest.read_by_path(Layout(day.data_dir).manifest, day.date), lost_time(day))


def measure_part(day: MiningDay, part: DayPart, rows_per_step: int = ROWS_PER_STEP) -> DayMeasures:
    """Measure some of the instruments of ``day``; nothing is remembered. Raises as ``measure_day``."""
    require_coverage(day)
    sealed = manifest.read_by_path(Layout(day.data_dir).manifest, day.date)
    return _measure_day(day, sealed, lost_time(day), rows_per_step, part=part)


def roll_up(day: MiningDay, rows_per_step: int = ROWS_PER_STEP) -> None:
    """Measure the compacted hours of ``day`` that are not yet, and remember each; raises as ``measure_day``."""
    require_coverage(day)
    sealed, lost = manifest.read_by_path(Layout(day.data_dir).manifest, day.date), lost_time(day)
    if DayRollup(day, sealed, lost).read() is None:
        _measure_day(day, sealed, lost, rows_per_step, keeps_hours=True)


def _measure_day(
    day: MiningDay,
    sealed: Mapping[str, SealedFile],
    lost: LostTime,
    rows_per_step: int,
    *,
    keeps_hours: bool = False,
    part: DayPart = WHOLE,
) -> DayMeasures:
    check_listed(Layout(day.data_dir), (path for name in _WHOLE_DAYS for path in day.files(name)), sealed)
    source = collector_filter(day, lost)
    seen = observe(day, source, lost)
    listed = listed_instruments(day, seen.totals["market_id"])
    scope = observed_day(day, sealed, source, seen, listed, part=part)
    measures = _measures(scope, rows_per_step, keeps_hours=keeps_hours)
    measures["ticks"] = _ticks(scope, measures, listed)
    names = pl.DataFrame({"instrument_id": scope.ids.categories}).with_row_index("code")
    every = {name: frame.join(names, on="code", maintain_order="left").drop("code") for name, frame in measures.items()}
    if "books" in every:
        every["outcomes"] = with_mirrored(every.get("outcomes"), every["books"], listed.sets.pairs, seen.books)
    if part.is_first:
        every |= {"coverage": seen.totals, "channels": seen.channels}
    return DayMeasures(
        {  # as a roll-up has them, so that days of either kind add up
            name: frame.select("instrument_id", pl.exclude("instrument_id"))
            for name, frame in every.items()
            if frame.width > 1
        },
        {name: _count(day.files(name)) for name in FOLDERS},
        listed,
        lost,
        unplaced(day, {*seen.totals["instrument_id"], *listed.mirrors["instrument_id"]}),
    )


def _measures(scope: DayScope, rows_per_step: int, *, keeps_hours: bool) -> dict[str, pl.DataFrame]:
    totals, carry, begun = Totals("code"), NO_BOOKS, scope.visits
    rollups = HourRollups(scope.day, NumberedDay(scope.ids, scope.visits), scope.sealed, scope.source.owners)
    by_hour = {name: hours_of(scope.day.files(name)) for name in _BY_HOUR}
    whole = scope.part == WHOLE
    for hour in range(24):
        begin = scope.day.start + hour * NS_HOUR
        files = _HourFiles(begin, *(by_hour[name].get(hour, []) for name in _BY_HOUR))
        within = moments.visits_within(begun.lazy(), begin).collect()
        trades = scope.trades.filter(pl.col("ts").is_between(begin, begin + NS_HOUR, closed="left"))
        observed = ObservedHour(within, trades, scope.pieces, scope.sets if whole else NO_SETS)
        wanted = whole and (keeps_hours or rollups.has(hour))
        key = rollups.key([*files.snapshots, *files.deltas], observed, carry) if wanted else None
        measured = rollups.read(hour, key)
        if measured is None:
            measured = _measured(scope, files, observed, carry, rows_per_step)
            if keeps_hours and key is not None:
                rollups.write(hour, key, measured)
        begun = visits.changed(begun, measured.measures.get("visit_updates"), begin)
        totals.add(visits.without_moments(measured.measures))
        carry = measured.carry
    if not whole and scope.part.is_first:
        for found in sets_by_hour(scope, by_hour["snapshots"]):
            totals.add(found)
    measures = totals.measures()
    measures |= visits.by_instrument(
        begun, {name: measures.pop(name) for name in BY_VISIT if name in measures}, scope.heard, scope.trades
    )
    return measures


def _measured(
    scope: DayScope, files: _HourFiles, observed: ObservedHour, carry: pl.DataFrame, rows_per_step: int
) -> HourMeasures:
    """Measure an hour from its files, as many instruments at a time as have ``rows_per_step`` rows, about."""
    both = [*files.snapshots, *files.deltas]
    check_listed(Layout(scope.day.data_dir), both, scope.sealed)
    first, last = scope.part.bounds(len(scope.ids.categories))
    rows = max(_count(files.deltas), 10 * _count(files.snapshots)) // scope.part.of
    size, parts = max(1, -(-(last - first) // max(1, -(-rows // rows_per_step)))), list[HourMeasures]()
    best: list[CodedRows] = []
    for low in range(first, last, size):
        reader = scope.reader(low, min(low + size, last))
        own = observed._replace(visits=reader.of(observed.visits, "owner"), trades=reader.of(observed.trades))
        read = reader.hour(*files)
        parts.append(measure_hour(read, own, reader.of(carry)))
        if observed.sets.sets.height:
            best.append(observed.sets.rows_of(read.snapshots))
    if not parts:
        return HourMeasures({}, carry)
    frames: dict[str, list[pl.DataFrame]] = {}
    for part in parts:
        for name, frame in part.measures.items():
            frames.setdefault(name, []).append(frame)
    measures = {name: pl.concat(each) for name, each in frames.items()}
    if best:
        tops = CodedRows.joined(best)
        measures |= add_up(tops, carry, observed.visits, observed.sets, files.begin)
    return HourMeasures(measures, pl.concat([part.carry for part in parts]))


def _ticks(scope: DayScope, measures: dict[str, pl.DataFrame], listed: ListedInstruments) -> pl.DataFrame:
    columns = ("code", "piece", "two_sided_s", "spread_s", "mid_s")
    known = listed.steps.filter(pl.col("instrument_id").is_in(scope.ids.categories.implode()))
    steps = scope.coded(known)
    parts = [] if (pieces := measures.pop("pieces", None)) is None else [pieces.select(columns)]
    if (whole := measures.get("books")) is not None:
        plain = whole.join(scope.pieces, on="code", how="anti").with_columns(pl.lit(0, pl.Int32).alias("piece"))
        parts.append(plain.select(columns))
    sums = pl.concat(parts) if parts else steps.select("code", "piece").clear()
    return books.spreads_in_ticks(sums.lazy(), steps.lazy()).collect() if parts else sums.select("code").clear()


def hours_of(files: Iterable[Path]) -> dict[int, list[Path]]:
    """Return ``files`` by the hour in whose folder they are."""
    hours: dict[int, list[Path]] = {}
    for path in files:
        hours.setdefault(int(path.parent.name.removeprefix("hour=")), []).append(path)
    return hours


def _count(files: Sequence[Path]) -> int:
    return sum(rows_in(path) for path in files)
