"""Mine one venue's day: from its recorded files to one row of statistics per instrument.

Goes hour by hour, so that at most ``ROWS_PER_STEP`` rows are in memory however busy the day was.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from collections.abc import Set as AbstractSet
from pathlib import Path
from typing import Final, NamedTuple

import polars as pl

from predsurv.mine import scores
from predsurv.mine import statistics as frames
from predsurv.mine.inputs import CollectorFilter, collector_filter, levels_in, scan
from predsurv.mine.listed import InstrumentLabels, ListedInstruments, listed_instruments
from predsurv.mine.lost_time import LostTime, lost_time
from predsurv.mine.observation import Observation, observe
from predsurv.mine.recorded_days import MiningDay, require_coverage
from predsurv.mine.stats_writer import write_stats
from predsurv.mine.trades import placed_trades, trade_sums
from predsurv.store.layout import NS_HOUR, Dataset, Layout
from predsurv.store.read.facts import ListingCount
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
_NO_TRADES: Final = pl.DataFrame(
    schema=[*_ROW, ("price", pl.Float64()), ("size", pl.Float64()), ("trade_id", pl.String())]
)

Reduce = Callable[[pl.LazyFrame], list[pl.LazyFrame]]


class MiningResult(NamedTuple):
    """Result of mining a day: ``stats``, a row per instrument, best score first; ``rows``, counts read per dataset.

    ``labels``: names by instrument id, of those that something named; ``listing``: how many are not among them.
    ``lost``: the sealed files of the day that are gone. ``unplaced``: instruments whose trades count nowhere, because
    their books are not recorded and nothing lists their market.
    """

    day: MiningDay
    stats: pl.DataFrame
    path: Path
    rows: Mapping[Dataset, int]
    labels: Mapping[str, InstrumentLabels] = {}
    listing: ListingCount = ListingCount(0, 0)
    lost: LostTime = LostTime()
    unplaced: int = 0


class _ObservedDay(NamedTuple):
    """A day and its observed instruments; ``ids`` encodes their ids as an enum, which makes sorting cheap.

    ``intervals`` and ``heard``: when books and trades were observed. ``pieces`` and ``mirrors``: see
    ``ListedInstruments``.
    """

    day: MiningDay
    source: CollectorFilter
    ids: pl.Enum
    intervals: pl.DataFrame
    heard: pl.DataFrame
    pieces: pl.DataFrame
    mirrors: pl.DataFrame
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


def mine(day: MiningDay, weight: Mapping[str, float], rows_per_step: int = ROWS_PER_STEP) -> MiningResult:
    """Compute, score and write the statistics of ``day``.

    ``weight`` by component adds up to 1 (``scores.weights``). Raises ConfigError when nothing was recorded,
    IntegrityError when there is no coverage or a file's digest is wrong, FileNotFoundError when one was compacted
    meanwhile, OSError when the result cannot be written (the old one is then still there).
    """
    require_coverage(day)
    check_intact(Layout(day.data_dir), (path for name in _DATASETS for path in day.files(name)), day.date)
    lost = lost_time(day)
    source = collector_filter(day, lost)
    seen = observe(day, source, lost)
    listed = listed_instruments(day, seen.totals["market_id"])
    scope = _scope(day, source, seen, listed, rows_per_step)
    joined = seen.totals
    for part in (*_sums(scope, listed), _trades(scope)):
        joined = joined.join(part.cast({"instrument_id": pl.String}), on="instrument_id", how="left")
    counts = pl.col("updates", "trades", "volume", "notional").fill_null(0)
    stats = scores.scored(scores.statistics(joined.lazy().with_columns(counts)), weight).collect()
    return MiningResult(
        day,
        stats,
        write_stats(stats, day.data_dir, day.venue, day.date),
        {name: _count(day.files(name)) for name in _DATASETS},
        listed.labels,
        _listing(stats, listed),
        lost,
        _unplaced(day, {*seen.totals["instrument_id"], *listed.mirrors["instrument_id"]}),
    )


def mids_over_day(
    day: MiningDay, instruments: Sequence[str], bins: int, rows_per_step: int = ROWS_PER_STEP
) -> dict[str, list[float | None]]:
    """Return the mid (dollars) of each instrument in ``bins`` equal steps of the observed time, None if unknown."""
    files = day.files("snapshots")
    if not files:
        return {}
    lost = lost_time(day)
    source = collector_filter(day, lost)
    coverage = source.coverage(day).filter(pl.col("instrument_id").is_in(instruments))
    intervals = frames.covered(lost.without_books(coverage), day.start, day.end).collect()
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


def _scope(
    day: MiningDay, source: CollectorFilter, seen: Observation, listed: ListedInstruments, rows_per_step: int
) -> _ObservedDay:
    observed = pl.concat([seen.books["instrument_id"], seen.trades["instrument_id"]]).unique()
    mirrors = listed.mirrors.filter(pl.col("primary").is_in(observed.implode()))
    ids = pl.Enum(pl.concat([observed, mirrors["instrument_id"]]).unique().sort())
    own = {"instrument_id": ids}
    pieces = listed.pieces.filter(pl.col("instrument_id").is_in(observed.implode()))
    return _ObservedDay(
        day,
        source.with_mirrors(mirrors),
        ids,
        seen.books.cast(own),  # type: ignore[arg-type]
        seen.trades.cast(own),  # type: ignore[arg-type]
        pieces.cast(own),  # type: ignore[arg-type]
        mirrors.cast({"instrument_id": ids, "primary": ids}),
        rows_per_step,
    )


def _listing(stats: pl.DataFrame, listed: ListedInstruments) -> ListingCount:
    names = stats.filter(pl.col("observed_s") > 0)["instrument_id"]
    return ListingCount(len(names), sum(name not in listed.labels for name in names))


def _sums(scope: _ObservedDay, listed: ListedInstruments) -> list[pl.DataFrame]:
    pieces = scope.pieces.lazy()
    if scope.pieces.is_empty():
        reduce: Reduce = lambda rows: [frames.book_sums(rows)]  # noqa: E731 - one of two
    else:
        reduce = lambda rows: [frames.book_sums(rows), frames.piece_sums(rows, pieces)]  # noqa: E731
    books = _SummedDataset(lambda _, files: _book_rows(scope, files), "mid", reduce)
    changes = _SummedDataset(
        lambda hour, files: _update_rows(scope, hour, files),
        "levels",
        lambda rows: [frames.update_sums(rows), frames.waits(rows)],
    )
    book, *by_piece = _fold(_hours(scope.day.files("snapshots")), books, scope)
    every: dict[int, list[Path]] = {hour: [] for hour in range(24)} | _hours(scope.day.files("deltas"))
    updates, waits = _fold(every, changes, scope)
    spreads = _spreads_in_ticks(book, by_piece, listed)
    return [book, spreads, updates, frames.median_wait(waits.lazy()).collect()]


def _spreads_in_ticks(book: pl.DataFrame, by_piece: Sequence[pl.DataFrame], listed: ListedInstruments) -> pl.DataFrame:
    columns = ("instrument_id", "piece", "two_sided_s", "spread_s", "mid_s")
    plain = pl.col("instrument_id").cast(pl.String)
    whole = book.with_columns(plain, pl.lit(0, pl.Int32).alias("piece")).select(columns)
    several = [each.with_columns(plain).select(columns) for each in by_piece]
    whole = whole.join(listed.pieces, on="instrument_id", how="anti")
    return frames.spreads_in_ticks(pl.concat([whole, *several]).lazy(), listed.steps.lazy()).collect()


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
    return frames.book_rows(scope.scan(files), levels_in(files))


def _update_rows(scope: _ObservedDay, hour: int, files: list[Path]) -> pl.LazyFrame:
    begin = scope.day.start + hour * NS_HOUR
    sights = frames.interval_starts(scope.intervals.lazy(), begin, begin + NS_HOUR)
    return pl.concat([sights, frames.update_rows(scope.scan(files))]) if files else sights


def _trades(scope: _ObservedDay) -> pl.DataFrame:
    files = scope.day.files("trades")
    trades = scope.scan(files) if files else _NO_TRADES.lazy().cast({"instrument_id": scope.ids})
    placed = placed_trades(trades, scope.heard.lazy(), scope.mirrors)
    return trade_sums(placed).collect(engine="streaming")


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


def _count(files: list[Path]) -> int:
    if not files:
        return 0
    count: int = scan(files).select(pl.len()).collect().item()
    return count


def _span(intervals: pl.DataFrame) -> tuple[int, int]:
    low, high = intervals.select(pl.col("start").min(), pl.col("end").max()).row(0)
    return (0, 1) if low is None else (low, high)
