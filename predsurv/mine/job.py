"""Mine one venue's day: from its recorded files to one row of statistics per instrument.

Goes hour by hour, so that at most ``ROWS_PER_STEP`` rows are in memory however busy the day was.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from collections.abc import Set as AbstractSet
from pathlib import Path
from typing import Final, NamedTuple

import polars as pl

from predsurv.core.errors import ConfigError
from predsurv.core.market import Market, PriceBand
from predsurv.core.num import MICROS, Price
from predsurv.mine import scores
from predsurv.mine import statistics as frames
from predsurv.mine.inputs import CollectorFilter, collector_filter, scan
from predsurv.mine.recorded_days import MiningDay, nothing_recorded
from predsurv.mine.stats_writer import write_stats
from predsurv.store.layout import NS_HOUR, Dataset, Layout
from predsurv.store.read.verify_digests import check_intact

ROWS_PER_STEP: Final = 2_000_000

_DATASETS: Final[tuple[Dataset, ...]] = ("snapshots", "deltas", "trades", "coverage", "lifecycle")

_TIME: Final = pl.Datetime("ns", "UTC")
_ROW: Final = [("instrument_id", pl.String()), ("ts_recv", _TIME)]
_NO_SNAPSHOTS: Final = pl.DataFrame(
    schema=[
        *_ROW,
        ("trusted", pl.Boolean()),
        *((name, pl.Float64()) for name in ("bid_px_00", "bid_sz_00", "ask_px_00", "ask_sz_00")),
    ]
)
_NO_TRADES: Final = pl.DataFrame(schema=[*_ROW, ("price", pl.Float64()), ("size", pl.Float64())])

Reduce = Callable[[pl.LazyFrame], list[pl.LazyFrame]]


class MiningResult(NamedTuple):
    """Result of mining a day: ``stats``, a row per instrument, best score first; ``rows``, counts read per dataset."""

    day: MiningDay
    stats: pl.DataFrame
    path: Path
    rows: Mapping[Dataset, int]


class _ObservedDay(NamedTuple):
    """A day and its observed instruments; ``ids`` encodes their ids as an enum, which makes sorting cheap."""

    day: MiningDay
    source: CollectorFilter
    ids: pl.Enum
    intervals: pl.DataFrame
    rows_per_step: int

    def scan(self, files: list[Path]) -> pl.LazyFrame:
        """Return the rows of ``files`` that belong to these instruments."""
        number = pl.col("instrument_id").cast(self.ids, strict=False)
        return self.source.scan(files).with_columns(number).filter(pl.col("instrument_id").is_not_null())


class _SummedDataset(NamedTuple):
    """How one dataset is summed: the rows of an hour's files, the column whose next value is joined, the sums."""

    rows: Callable[[int, list[Path]], pl.LazyFrame]
    ahead: str
    reduce: Reduce


def mine(
    day: MiningDay, markets: Iterable[Market], weight: Mapping[str, float], rows_per_step: int = ROWS_PER_STEP
) -> MiningResult:
    """Compute, score and write the statistics of ``day``.

    ``markets`` gives tick sizes; ``weight`` by component adds up to 1 (``scores.weights``). Raises ConfigError when
    nothing was recorded, IntegrityError when a file's digest is wrong, FileNotFoundError when one was compacted
    meanwhile, OSError when the result cannot be written (the old one is then still there).
    """
    files = day.files("coverage")
    if not files:
        raise ConfigError(nothing_recorded(day.data_dir, day.venue, day.date))
    check_intact(Layout(day.data_dir), (path for name in _DATASETS for path in day.files(name)), day.date)
    source = collector_filter(day)
    totals = frames.coverage_totals(source.scan(files), day.start, day.end).collect(engine="streaming")
    scope = _scope(day, source, rows_per_step)
    joined = totals
    for part in (*_sums(scope), _trades(scope)):
        joined = joined.join(part.cast({"instrument_id": pl.String}), on="instrument_id", how="left")
    ticks = frames.ticks(joined.lazy(), _steps(markets, set(totals["market_id"]) - _regridded(day)).lazy())
    joined = joined.join(ticks.collect(), on="instrument_id", how="left")
    counts = pl.col("updates", "trades", "volume", "notional").fill_null(0)
    stats = scores.scored(scores.statistics(joined.lazy().with_columns(counts)), weight).collect()
    rows = {name: _count(day.files(name)) for name in _DATASETS}
    return MiningResult(day, stats, write_stats(stats, day.data_dir, day.venue, day.date), rows)


def mids_over_day(
    day: MiningDay, instruments: Sequence[str], bins: int, rows_per_step: int = ROWS_PER_STEP
) -> dict[str, list[float | None]]:
    """Return the mid (dollars) of each instrument in ``bins`` equal steps of the observed time, None if unknown."""
    files = day.files("snapshots")
    if not files:
        return {}
    source = collector_filter(day)
    coverage = source.scan(day.files("coverage")).filter(pl.col("instrument_id").is_in(instruments))
    intervals = frames.covered(coverage, day.start, day.end).collect()
    steps = max(1, -(-_count(files) // rows_per_step))
    size = max(1, -(-len(instruments) // steps))
    lines: dict[str, list[float | None]] = {}
    for begin in range(0, len(instruments), size):
        some = instruments[begin : begin + size]
        rows = frames.book_rows(source.scan(files).filter(pl.col("instrument_id").is_in(some)), 1)
        known = rows.select("instrument_id", "ts", "trusted", "mid")
        held = frames.held(known, intervals.lazy(), "mid").collect(engine="streaming")
        for instrument, position, mid in frames.mid_paths(held.lazy(), *_span(intervals), bins).collect().iter_rows():
            lines.setdefault(instrument, [None] * bins)[position] = mid
    return lines


def _scope(day: MiningDay, source: CollectorFilter, rows_per_step: int) -> _ObservedDay:
    intervals = frames.covered(source.scan(day.files("coverage")), day.start, day.end).collect(engine="streaming")
    ids = pl.Enum(intervals["instrument_id"].unique().sort())
    return _ObservedDay(day, source, ids, intervals.cast({"instrument_id": ids}), rows_per_step)


def _sums(scope: _ObservedDay) -> list[pl.DataFrame]:
    books = _SummedDataset(lambda _, files: _book_rows(scope, files), "mid", lambda rows: [frames.book_sums(rows)])
    changes = _SummedDataset(
        lambda hour, files: _update_rows(scope, hour, files),
        "levels",
        lambda rows: [frames.update_sums(rows), frames.waits(rows)],
    )
    (book,) = _fold(_hours(scope.day.files("snapshots")), books, scope)
    every: dict[int, list[Path]] = {hour: [] for hour in range(24)} | _hours(scope.day.files("deltas"))
    updates, waits = _fold(every, changes, scope)
    return [book, updates, frames.median_wait(waits.lazy()).collect()]


def _fold(hours: Mapping[int, list[Path]], dataset: _SummedDataset, scope: _ObservedDay) -> list[pl.DataFrame]:
    """Sum the hours in order; the last row of each instrument is carried over until its end is known."""
    totals: list[pl.DataFrame] = []
    intervals = scope.intervals.lazy()
    carry = dataset.rows(0, []).collect().clear()
    for hour, files in sorted(hours.items()):
        steps = max(1, -(-_count(files) // scope.rows_per_step))
        carried: list[pl.DataFrame] = []
        for step in range(steps):
            part = pl.col("instrument_id").to_physical() % steps == step
            rows = pl.concat([carry.lazy(), dataset.rows(hour, files)]).filter(part)
            frame = frames.held(rows, intervals, dataset.ahead).collect(engine="streaming")
            totals = _add(totals, dataset.reduce(frame.lazy().filter(~pl.col("last"))))
            carried.append(frame.filter(pl.col("last")).select(carry.columns))
        carry = pl.concat(carried)
    return _add(totals, dataset.reduce(frames.held(carry.lazy(), intervals, dataset.ahead)))


def _add(totals: list[pl.DataFrame], parts: list[pl.LazyFrame]) -> list[pl.DataFrame]:
    lazy = [frames.added([*([totals[index].lazy()] if totals else []), part]) for index, part in enumerate(parts)]
    return [part.collect() for part in lazy]


def _book_rows(scope: _ObservedDay, files: list[Path]) -> pl.LazyFrame:
    if not files:
        return frames.book_rows(_NO_SNAPSHOTS.lazy().cast({"instrument_id": scope.ids}), 1)
    snapshots = scope.scan(files)
    levels = sum(name.startswith("bid_px_") for name in snapshots.collect_schema())
    return frames.book_rows(snapshots, levels)


def _update_rows(scope: _ObservedDay, hour: int, files: list[Path]) -> pl.LazyFrame:
    begin = scope.day.start + hour * NS_HOUR
    sights = frames.interval_starts(scope.intervals.lazy(), begin, begin + NS_HOUR)
    return pl.concat([sights, frames.update_rows(scope.scan(files))]) if files else sights


def _trades(scope: _ObservedDay) -> pl.DataFrame:
    files = scope.day.files("trades")
    trades = scope.scan(files) if files else _NO_TRADES.lazy().cast({"instrument_id": scope.ids})
    return frames.trade_sums(trades, scope.intervals.lazy()).collect(engine="streaming")


def _steps(markets: Iterable[Market], wanted: AbstractSet[str]) -> pl.DataFrame:
    """Return the price from which each tick size applies, for the outcomes of the ``wanted`` markets."""
    rows = [
        (outcome.instrument_id, band.start / MICROS, band.step / MICROS)
        for market in markets
        if market.market_id in wanted
        for outcome in market.outcomes
        for band in market.bands or (PriceBand(Price(0), Price(MICROS), market.tick_size),)
    ]
    schema = {"instrument_id": pl.String, "begin": pl.Float64, "tick_size": pl.Float64}
    return pl.DataFrame(rows, schema=schema, orient="row").unique(["instrument_id", "begin"], keep="last")


def _regridded(day: MiningDay) -> set[str]:
    """Return the markets whose tick size changed that day: their spread in ticks is undefined."""
    files = day.files("lifecycle")
    if not files:
        return set()
    changes = scan(files).filter(pl.col("kind").cast(pl.String) == "tick_size")
    return set(changes.select(pl.col("market_id").cast(pl.String)).collect()["market_id"])


def _hours(files: Iterable[Path]) -> dict[int, list[Path]]:
    hours: dict[int, list[Path]] = {}
    for path in files:
        hours.setdefault(int(path.parent.name.removeprefix("hour=")), []).append(path)
    return hours


def _count(files: list[Path]) -> int:
    if not files:
        return 0
    count: int = scan(files).select(pl.len()).collect().item()
    return count


def _span(intervals: pl.DataFrame) -> tuple[int, int]:
    low, high = intervals.select(pl.col("start").min(), pl.col("end").max()).row(0)
    return (0, 1) if low is None else (low, high)
