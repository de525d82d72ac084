"""Measure one venue's day: hour by hour, so that only an hour's rows are in memory, and busy hours in parts."""

from collections.abc import Iterable, Mapping, Sequence
from collections.abc import Set as AbstractSet
from pathlib import Path
from typing import Final, NamedTuple

import polars as pl

from predsurv.mine.hour_measures import NO_BOOKS, HourRows, ObservedHour, measure_hour
from predsurv.mine.inputs import CollectorFilter, collector_filter, levels_in, rows_in, scan
from predsurv.mine.listed import ListedInstruments, listed_instruments
from predsurv.mine.lost_time import LostTime, lost_time
from predsurv.mine.measures import books, moments, visits
from predsurv.mine.measures.coded_rows import CodedRows
from predsurv.mine.measures.totals import Totals
from predsurv.mine.observation import Observation, observe
from predsurv.mine.recorded_days import MiningDay, require_coverage
from predsurv.mine.trades import placed_trades
from predsurv.store.layout import NS_HOUR, Dataset, Layout
from predsurv.store.read.verify_digests import check_intact
from predsurv.store.schema import level_columns

ROWS_PER_STEP: Final = 2_000_000
"""Changed levels in memory at a time; a tenth as many snapshot rows."""

_DATASETS: Final[tuple[Dataset, ...]] = ("snapshots", "deltas", "trades", "coverage", "lifecycle")
_TIME: Final = pl.Datetime("ns", "UTC")
_NO_TRADES: Final = pl.DataFrame(
    schema=[
        ("instrument_id", pl.String()),
        ("ts_recv", _TIME),
        *((name, pl.Float64()) for name in ("price", "size")),
        *((name, pl.String()) for name in ("taker_side", "trade_id")),
    ]
)


class DayMeasures(NamedTuple):
    """What was measured of a day: ``measures`` by name, per ``instrument_id``; ``rows``, counts read per dataset.

    ``listed``: what is known of the instruments. ``lost``: the sealed files of the day that are gone. ``unplaced``:
    instruments whose trades count nowhere, because their books are not recorded and nothing lists their market.
    """

    measures: Mapping[str, pl.DataFrame]
    rows: Mapping[Dataset, int]
    listed: ListedInstruments
    lost: LostTime
    unplaced: int


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
    source: CollectorFilter
    ids: pl.Enum
    visits: pl.DataFrame
    trades: pl.DataFrame
    pieces: pl.DataFrame


def measure_day(day: MiningDay, rows_per_step: int = ROWS_PER_STEP) -> DayMeasures:
    """Measure ``day``.

    Raises ConfigError when nothing was recorded, IntegrityError when there is no coverage or a file's digest is wrong,
    FileNotFoundError when one was compacted meanwhile.
    """
    require_coverage(day)
    check_intact(Layout(day.data_dir), (path for name in _DATASETS for path in day.files(name)), day.date)
    lost = lost_time(day)
    source = collector_filter(day, lost)
    seen = observe(day, source, lost)
    listed = listed_instruments(day, seen.totals["market_id"])
    scope = _scope(day, source, seen, listed)
    measures = _measures(scope, seen, rows_per_step)
    measures["ticks"] = _ticks(scope, measures, listed)
    names = pl.DataFrame({"instrument_id": scope.ids.categories}).with_row_index("code")
    named = {name: frame.join(names, on="code", maintain_order="left").drop("code") for name, frame in measures.items()}
    return DayMeasures(
        {"coverage": seen.totals, "channels": seen.channels, **named},
        {name: _count(day.files(name)) for name in _DATASETS},
        listed,
        lost,
        _unplaced(day, {*seen.totals["instrument_id"], *listed.mirrors["instrument_id"]}),
    )


def _scope(day: MiningDay, source: CollectorFilter, seen: Observation, listed: ListedInstruments) -> _ObservedDay:
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
        source,
        ids,
        visits.numbered(_coded(seen.books, ids)),
        _coded(trades, ids),
        _coded(pieces, ids),
    )


def _coded(rows: pl.DataFrame, ids: pl.Enum) -> pl.DataFrame:
    code = pl.col("instrument_id").cast(ids).to_physical().cast(pl.UInt32).alias("code")
    return rows.with_columns(code).drop("instrument_id")


def _measures(scope: _ObservedDay, seen: Observation, rows_per_step: int) -> dict[str, pl.DataFrame]:
    totals, carry, begun = Totals("code"), NO_BOOKS, scope.visits
    by_hour = {name: _hours(scope.day.files(name)) for name in ("snapshots", "deltas")}
    for hour in range(24):
        begin = scope.day.start + hour * NS_HOUR
        snapshots, deltas = (by_hour[name].get(hour, []) for name in ("snapshots", "deltas"))
        within = moments.visits_within(begun.lazy(), begin).collect()
        trades = scope.trades.filter(pl.col("ts").is_between(begin, begin + NS_HOUR, closed="left"))
        steps = max(1, -(-max(_count(deltas), 10 * _count(snapshots)) // rows_per_step))
        size, kept = max(1, -(-len(scope.ids.categories) // steps)), []
        for low in range(0, len(scope.ids.categories), size):
            reader = _CodedRows(scope.source, scope.ids, low, low + size)
            observed = ObservedHour(reader.of(within, "owner"), reader.of(trades), scope.pieces)
            measured = measure_hour(reader.hour(begin, snapshots, deltas), observed, reader.of(carry))
            begun = visits.changed(begun, measured.measures.get("visit_updates"), begin)
            totals.add(visits.without_moments(measured.measures))
            kept.append(measured.carry)
        carry = pl.concat(kept) if kept else carry
    measures = totals.measures()
    heard = _coded(seen.trades, scope.ids)
    measures |= visits.by_instrument(
        begun, measures.pop("visit_updates", None), measures.pop("visit_books", None), heard, scope.trades
    )
    return measures


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
