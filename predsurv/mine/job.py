"""Mine one venue's day: from its recorded files to one row of statistics per instrument.

Kept apart from the frames because this is about files and memory: it goes hour by hour and never holds more than
``ROWS_PER_STEP`` rows, however busy the day was.
"""

from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Final, NamedTuple

import polars as pl

from predsurv.core.errors import ConfigError
from predsurv.core.market import Market
from predsurv.core.num import MICROS
from predsurv.mine import frames, scores
from predsurv.mine.days import Day, nothing_recorded
from predsurv.mine.output import write_stats
from predsurv.store.paths import NS_HOUR

ROWS_PER_STEP: Final = 2_000_000

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


class Mined(NamedTuple):
    """What mining a day gave: ``stats`` one row per instrument, best score first; ``rows`` read per dataset."""

    day: Day
    stats: pl.DataFrame
    path: Path
    rows: Mapping[str, int]


class _Stretch(NamedTuple):
    """How one dataset is folded: what an hour's files say, the column looked ahead, the sums that are kept."""

    rows: Callable[[int, list[Path]], pl.LazyFrame]
    ahead: str
    reduce: Reduce


def mine(day: Day, markets: Iterable[Market], weight: Mapping[str, float], rows_per_step: int = ROWS_PER_STEP) -> Mined:
    """Compute, score and write the statistics of ``day``.

    ``markets`` gives tick sizes; ``weight`` by component adds up to 1 (``scores.weights``). Raises ConfigError when
    nothing was recorded, OSError when the result cannot be written (the old one is then still there).
    """
    files = day.files("coverage")
    if not files:
        raise ConfigError(nothing_recorded(day.data_dir, day.venue, day.date))
    coverage = pl.scan_parquet(files, hive_partitioning=False)
    totals = frames.coverage_totals(coverage, day.start, day.end).collect(engine="streaming")
    intervals = frames.covered(coverage, day.start, day.end).collect(engine="streaming")
    book, updates, waits = _sums(day, intervals, rows_per_step)
    trades = _trades(day, intervals)
    joined = totals.lazy().join(_ticks(markets, totals).lazy(), on="instrument_id", how="left")
    for part in (book, updates, trades, frames.median_wait(waits.lazy()).collect()):
        joined = joined.join(part.lazy(), on="instrument_id", how="left")
    counts = pl.col("updates", "trades", "volume", "notional").fill_null(0)
    stats = scores.scored(scores.statistics(joined.with_columns(counts)), weight).collect(engine="streaming")
    rows = {name: _count(day.files(name)) for name in ("snapshots", "deltas", "trades", "coverage")}
    return Mined(day, stats, write_stats(stats, day.data_dir, day.venue, day.date), rows)


def paths(day: Day, instruments: list[str], bins: int) -> dict[str, list[float | None]]:
    """Return the mid of each instrument over the recorded part of the day in ``bins`` equal steps, else None."""
    files = day.files("snapshots")
    span = _span(files)
    if span is None:
        return {}
    chosen = pl.scan_parquet(files, hive_partitioning=False, missing_columns="insert", extra_columns="ignore").filter(
        pl.col("instrument_id").cast(pl.String).is_in(instruments)
    )
    table = frames.mid_paths(frames.book_rows(chosen, 1), *span, bins).collect(engine="streaming")
    lines: dict[str, list[float | None]] = {}
    for instrument, position, mid in table.iter_rows():
        lines.setdefault(instrument, [None] * bins)[position] = mid
    return lines


def _sums(day: Day, intervals: pl.DataFrame, rows_per_step: int) -> tuple[pl.DataFrame, pl.DataFrame, pl.DataFrame]:
    books = _Stretch(lambda _, files: _book_rows(files), "mid", lambda rows: [frames.book_sums(rows)])
    changes = _Stretch(
        lambda hour, files: _update_rows(day, intervals, hour, files),
        "levels",
        lambda rows: [frames.update_sums(rows), frames.waits(rows)],
    )
    (book,) = _fold(_hours(day.files("snapshots")), books, intervals, rows_per_step)
    every: dict[int, list[Path]] = {hour: [] for hour in range(24)} | _hours(day.files("deltas"))
    updates, waits = _fold(every, changes, intervals, rows_per_step)
    return book, updates, waits


def _fold(
    hours: Mapping[int, list[Path]], stretch: _Stretch, intervals: pl.DataFrame, rows_per_step: int
) -> list[pl.DataFrame]:
    """Fold the hours in order; the last row of each instrument is carried on until its end is known."""
    totals: list[pl.DataFrame] = []
    carry = stretch.rows(0, []).collect().clear()
    for hour, files in sorted(hours.items()):
        steps = max(1, -(-_count(files) // rows_per_step))
        carried: list[pl.DataFrame] = []
        for step in range(steps):
            rows = pl.concat([carry.lazy(), stretch.rows(hour, files)])
            part = pl.col("instrument_id").hash(0) % steps == step
            frame = frames.held(rows.filter(part), intervals.lazy(), stretch.ahead).collect(engine="streaming")
            totals = _add(totals, stretch.reduce(frame.lazy().filter(~pl.col("last"))))
            carried.append(frame.filter(pl.col("last")).select(carry.columns))
        carry = pl.concat(carried)
    final = frames.held(carry.lazy(), intervals.lazy(), stretch.ahead)
    return _add(totals, stretch.reduce(final))


def _add(totals: list[pl.DataFrame], parts: list[pl.LazyFrame]) -> list[pl.DataFrame]:
    lazy = [frames.added([*([totals[index].lazy()] if totals else []), part]) for index, part in enumerate(parts)]
    return [part.collect() for part in lazy]


def _book_rows(files: list[Path]) -> pl.LazyFrame:
    if not files:
        return frames.book_rows(_NO_SNAPSHOTS.lazy(), 1)
    snapshots = pl.scan_parquet(files, hive_partitioning=False, missing_columns="insert", extra_columns="ignore")
    levels = sum(name.startswith("bid_px_") for name in snapshots.collect_schema())
    return frames.book_rows(snapshots, levels)


def _update_rows(day: Day, intervals: pl.DataFrame, hour: int, files: list[Path]) -> pl.LazyFrame:
    begin = day.start + hour * NS_HOUR
    sights = frames.first_sights(intervals.lazy(), begin, begin + NS_HOUR)
    if not files:
        return sights
    return pl.concat([sights, frames.update_rows(pl.scan_parquet(files, hive_partitioning=False))])


def _trades(day: Day, intervals: pl.DataFrame) -> pl.DataFrame:
    files = day.files("trades")
    trades = pl.scan_parquet(files, hive_partitioning=False) if files else _NO_TRADES.lazy()
    return frames.trade_sums(trades, intervals.lazy()).collect(engine="streaming")


def _ticks(markets: Iterable[Market], totals: pl.DataFrame) -> pl.DataFrame:
    wanted = set(totals["market_id"])
    pairs = [
        (outcome.instrument_id, market.tick_size / MICROS)
        for market in markets
        if market.market_id in wanted
        for outcome in market.outcomes
    ]
    return pl.DataFrame(pairs, schema={"instrument_id": pl.String, "tick_size": pl.Float64}, orient="row").unique(
        "instrument_id"
    )


def _hours(files: Iterable[Path]) -> dict[int, list[Path]]:
    hours: dict[int, list[Path]] = {}
    for path in files:
        hours.setdefault(int(path.parent.name.removeprefix("hour=")), []).append(path)
    return hours


def _count(files: list[Path]) -> int:
    if not files:
        return 0
    count: int = pl.scan_parquet(files, hive_partitioning=False).select(pl.len()).collect().item()
    return count


def _span(files: list[Path]) -> tuple[int, int] | None:
    if not files:
        return None
    time = pl.col("ts_recv").cast(pl.Int64)
    times = pl.scan_parquet(files, hive_partitioning=False).select(time.min().alias("low"), time.max().alias("high"))
    low, high = times.collect().row(0)
    return None if low is None else (low, high)
