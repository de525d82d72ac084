"""Measure one venue's day: hour by hour, so that only an hour's rows are in memory, and busy hours in parts."""

from collections.abc import Iterable, Mapping, Sequence
from collections.abc import Set as AbstractSet
from pathlib import Path
from typing import Final, NamedTuple

import polars as pl

from predsurv.core import native
from predsurv.mine.day_results import DayMeasures
from predsurv.mine.day_rollups import DayRollup
from predsurv.mine.hour_measures import NO_BOOKS, HourMeasures, HourRows, ObservedHour, measure_hour
from predsurv.mine.hour_rollups import HourRollups, NumberedDay
from predsurv.mine.inputs import CollectorFilter, collector_filter, levels_in, rows_in, scan
from predsurv.mine.listed import ListedInstruments, listed_instruments
from predsurv.mine.lost_time import LostTime, lost_time
from predsurv.mine.measures import books, moments, visits
from predsurv.mine.measures.coded_rows import CodedRows
from predsurv.mine.measures.totals import Totals
from predsurv.mine.observation import Observation, observe
from predsurv.mine.recorded_days import MiningDay, require_coverage
from predsurv.mine.trades import placed_trades
from predsurv.store import manifest
from predsurv.store.layout import FOLDERS, NS_HOUR, Dataset, Layout
from predsurv.store.manifest import SealedFile
from predsurv.store.read.verify_digests import check_listed
from predsurv.store.schema import level_columns

ROWS_PER_STEP: Final = 2_000_000 if native.speedups is None else 5_000_000
"""Changed levels in memory at a time, a tenth as many snapshot rows; an hour with more is read several times.

Python needs more memory for each than the compiled module.
"""

_BY_HOUR: Final[tuple[Dataset, ...]] = ("snapshots", "deltas")
_WHOLE_DAYS: Final[tuple[Dataset, ...]] = ("trades", "coverage", "lifecycle")
_TIME: Final = pl.Datetime("ns", "UTC")
_NO_TRADES: Final = pl.DataFrame(
    schema=[
        ("instrument_id", pl.String()),
        ("ts_recv", _TIME),
        *((name, pl.Float64()) for name in ("price", "size")),
        *((name, pl.String()) for name in ("taker_side", "trade_id")),
    ]
)


class _CodedRows(NamedTuple):
    """Reads files as rows with the ``code`` of their instrument (its place in ``ids``), ``low`` to below ``high``."""

    source: CollectorFilter
    ids: pl.Enum
    low: int
    high: int

    def hour(self, begin: int, snapshots: Sequence[Path], deltas: Sequence[Path]) -> HourRows:
        """Return the rows of the files of an hour that belong to these instruments."""
        levels = levels_in(snapshots) if snapshots else 1
        columns = ("ts_recv", "trusted", *level_columns(levels))
        books = self._read(self.source.scan(snapshots), columns) if snapshots else None
        changed = self.source.scan(deltas).filter(pl.col("kind") == "change") if deltas else None
        changes = None if changed is None else self._read(changed, ("ts_recv", "ts_venue"))
        return HourRows(begin, books, levels, changes)

    def of(self, rows: pl.DataFrame, name: str = "code") -> pl.DataFrame:
        """Return those of ``rows`` whose column ``name`` is the code of one of these instruments."""
        return rows.filter(pl.col(name).is_between(self.low, self.high, closed="left"))

    def _read(self, found: pl.LazyFrame, columns: Sequence[str]) -> CodedRows:
        rows = found.select("instrument_id", *columns).collect()
        # Files are sorted by instrument: a code for each run of rows costs a quarter of one for each row.
        runs = rows["instrument_id"].rle().struct.unnest()
        codes = runs["value"].cast(self.ids, strict=False).to_physical().cast(pl.UInt32)
        wanted = codes.is_between(self.low, self.high, closed="left").fill_null(value=False)
        return CodedRows(rows.drop("instrument_id"), codes, runs["len"]).only(wanted)


class _ObservedDay(NamedTuple):
    """A day and its observed instruments; ``ids`` encodes their ids, in the order in which files have them."""

    day: MiningDay
    sealed: Mapping[str, SealedFile]
    source: CollectorFilter
    ids: pl.Enum
    visits: pl.DataFrame
    trades: pl.DataFrame
    pieces: pl.DataFrame


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


def roll_up(day: MiningDay, rows_per_step: int = ROWS_PER_STEP) -> None:
    """Measure the compacted hours of ``day`` that are not yet, and remember each; raises as ``measure_day``."""
    require_coverage(day)
    sealed, lost = manifest.read_by_path(Layout(day.data_dir).manifest, day.date), lost_time(day)
    if DayRollup(day, sealed, lost).read() is None:
        _measure_day(day, sealed, lost, rows_per_step, keeps_hours=True)


def _measure_day(
    day: MiningDay, sealed: Mapping[str, SealedFile], lost: LostTime, rows_per_step: int, *, keeps_hours: bool = False
) -> DayMeasures:
    check_listed(Layout(day.data_dir), (path for name in _WHOLE_DAYS for path in day.files(name)), sealed)
    source = collector_filter(day, lost)
    seen = observe(day, source, lost)
    listed = listed_instruments(day, seen.totals["market_id"])
    scope = _scope(day, sealed, source, seen, listed)
    measures = _measures(scope, seen, rows_per_step, keeps_hours=keeps_hours)
    measures["ticks"] = _ticks(scope, measures, listed)
    names = pl.DataFrame({"instrument_id": scope.ids.categories}).with_row_index("code")
    named = {name: frame.join(names, on="code", maintain_order="left").drop("code") for name, frame in measures.items()}
    every = {"coverage": seen.totals, "channels": seen.channels, **named}
    return DayMeasures(
        {  # as a roll-up has them, so that days of either kind add up
            name: frame.select("instrument_id", pl.exclude("instrument_id"))
            for name, frame in every.items()
            if frame.width > 1
        },
        {name: _count(day.files(name)) for name in FOLDERS},
        listed,
        lost,
        _unplaced(day, {*seen.totals["instrument_id"], *listed.mirrors["instrument_id"]}),
    )


def _scope(
    day: MiningDay,
    sealed: Mapping[str, SealedFile],
    source: CollectorFilter,
    seen: Observation,
    listed: ListedInstruments,
) -> _ObservedDay:
    observed = pl.concat([seen.books["instrument_id"], seen.trades["instrument_id"]]).unique()
    mirrors = listed.mirrors.filter(pl.col("primary").is_in(observed.implode()))
    ids = pl.Enum(pl.concat([observed, mirrors["instrument_id"]]).unique().sort())
    source = source.with_mirrors(mirrors)
    files = day.files("trades")
    rows = source.scan(files) if files else _NO_TRADES.lazy()
    own = rows.with_columns(pl.col("instrument_id").cast(ids, strict=False)).filter(
        pl.col("instrument_id").is_not_null()
    )
    coded = mirrors.cast({"instrument_id": ids, "primary": ids})
    trades = placed_trades(own, seen.trades.cast({"instrument_id": ids}).lazy(), coded).collect(engine="streaming")
    pieces = listed.pieces.filter(pl.col("instrument_id").is_in(observed.implode()))
    return _ObservedDay(
        day,
        sealed,
        source,
        ids,
        visits.numbered(_coded(seen.books, ids)),
        _coded(trades, ids),
        _coded(pieces, ids),
    )


def _coded(rows: pl.DataFrame, ids: pl.Enum) -> pl.DataFrame:
    code = pl.col("instrument_id").cast(ids).to_physical().cast(pl.UInt32).alias("code")
    return rows.with_columns(code).drop("instrument_id")


def _measures(
    scope: _ObservedDay, seen: Observation, rows_per_step: int, *, keeps_hours: bool
) -> dict[str, pl.DataFrame]:
    totals, carry, begun = Totals("code"), NO_BOOKS, scope.visits
    rollups = HourRollups(scope.day, NumberedDay(scope.ids, scope.visits), scope.sealed, scope.source.owners)
    by_hour = {name: _hours(scope.day.files(name)) for name in _BY_HOUR}
    for hour in range(24):
        begin = scope.day.start + hour * NS_HOUR
        files = _HourFiles(begin, *(by_hour[name].get(hour, []) for name in _BY_HOUR))
        within = moments.visits_within(begun.lazy(), begin).collect()
        trades = scope.trades.filter(pl.col("ts").is_between(begin, begin + NS_HOUR, closed="left"))
        observed = ObservedHour(within, trades, scope.pieces)
        wanted = keeps_hours or rollups.has(hour)
        key = rollups.key([*files.snapshots, *files.deltas], observed, carry) if wanted else None
        measured = rollups.read(hour, key)
        if measured is None:
            measured = _measured(scope, files, observed, carry, rows_per_step)
            if keeps_hours and key is not None:
                rollups.write(hour, key, measured)
        begun = visits.changed(begun, measured.measures.get("visit_updates"), begin)
        totals.add(visits.without_moments(measured.measures))
        carry = measured.carry
    measures = totals.measures()
    heard = _coded(seen.trades, scope.ids)
    measures |= visits.by_instrument(
        begun, measures.pop("visit_updates", None), measures.pop("visit_books", None), heard, scope.trades
    )
    return measures


def _measured(
    scope: _ObservedDay, files: _HourFiles, observed: ObservedHour, carry: pl.DataFrame, rows_per_step: int
) -> HourMeasures:
    """Measure an hour from its files, as many instruments at a time as have ``rows_per_step`` rows, about."""
    both = [*files.snapshots, *files.deltas]
    check_listed(Layout(scope.day.data_dir), both, scope.sealed)
    steps = max(1, -(-max(_count(files.deltas), 10 * _count(files.snapshots)) // rows_per_step))
    size, parts = max(1, -(-len(scope.ids.categories) // steps)), list[HourMeasures]()
    for low in range(0, len(scope.ids.categories), size):
        reader = _CodedRows(scope.source, scope.ids, low, low + size)
        own = ObservedHour(reader.of(observed.visits, "owner"), reader.of(observed.trades), observed.pieces)
        parts.append(measure_hour(reader.hour(*files), own, reader.of(carry)))
    if not parts:
        return HourMeasures({}, carry)
    frames: dict[str, list[pl.DataFrame]] = {}
    for part in parts:
        for name, frame in part.measures.items():
            frames.setdefault(name, []).append(frame)
    return HourMeasures(
        {name: pl.concat(each) for name, each in frames.items()}, pl.concat([part.carry for part in parts])
    )


def _ticks(scope: _ObservedDay, measures: dict[str, pl.DataFrame], listed: ListedInstruments) -> pl.DataFrame:
    columns = ("code", "piece", "two_sided_s", "spread_s", "mid_s")
    known = listed.steps.filter(pl.col("instrument_id").is_in(scope.ids.categories.implode()))
    steps = _coded(known, scope.ids)
    parts = [] if (pieces := measures.pop("pieces", None)) is None else [pieces.select(columns)]
    if (whole := measures.get("books")) is not None:
        plain = whole.join(scope.pieces, on="code", how="anti").with_columns(pl.lit(0, pl.Int32).alias("piece"))
        parts.append(plain.select(columns))
    sums = pl.concat(parts) if parts else steps.select("code", "piece").clear()
    return books.spreads_in_ticks(sums.lazy(), steps.lazy()).collect() if parts else sums.select("code").clear()


def _unplaced(day: MiningDay, known: AbstractSet[str]) -> int:
    """Return how many instruments with trades are not ``known``: no book of theirs, and of no market that is listed."""
    files = day.files("trades")
    if not files:
        return 0
    ids = scan(files).select(pl.col("instrument_id").unique()).collect(engine="streaming")["instrument_id"]
    return len(set(ids) - known)


def _hours(files: Iterable[Path]) -> dict[int, list[Path]]:
    hours: dict[int, list[Path]] = {}
    for path in files:
        hours.setdefault(int(path.parent.name.removeprefix("hour=")), []).append(path)
    return hours


def _count(files: Sequence[Path]) -> int:
    return sum(rows_in(path) for path in files)
