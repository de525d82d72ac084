"""Measure the rows of one hour, of some of the day's instruments."""

from collections.abc import Mapping
from typing import Final, NamedTuple

import polars as pl

from predsurv.core import native
from predsurv.mine.measures import books, compiled, moments, paths, trading, updates
from predsurv.mine.measures.coded_rows import CodedRows
from predsurv.mine.measures.outcome_sums import NO_SETS, CodedSets

_TIME: Final = pl.Datetime("ns", "UTC")
_LEVELS: Final = ("bid_px_00", "bid_sz_00", "ask_px_00", "ask_sz_00")
_NO_SNAPSHOTS: Final = pl.DataFrame(
    schema=[
        ("code", pl.UInt32()),
        ("ts_recv", _TIME),
        ("trusted", pl.Boolean()),
        *((name, pl.Float64()) for name in _LEVELS),
    ]
)
NO_BOOKS: Final = books.shapes(_NO_SNAPSHOTS.lazy(), 1, 0).collect()
"""The books that hold when a day begins."""


class HourRows(NamedTuple):
    """The rows of one hour, of some instruments; ``begin`` of the hour in ns UTC.

    ``snapshots``: ``ts_recv, trusted`` and ``levels`` levels a side. ``changes``: ``ts_recv, ts_venue`` of changed
    levels. None where there is no file.
    """

    begin: int
    snapshots: CodedRows | None
    levels: int
    changes: CodedRows | None


class ObservedHour(NamedTuple):
    """What of the hour counts: its ``visits`` (``moments.visits_within``), its placed ``trades`` with their ``code``.

    ``pieces``: ``code, piece, since, until`` (ns UTC) of instruments whose ticks changed during the day. ``sets``: the
    outcomes whose prices are added up.
    """

    visits: pl.DataFrame
    trades: pl.DataFrame
    pieces: pl.DataFrame
    sets: CodedSets = NO_SETS


class HourMeasures(NamedTuple):
    """The measures of an hour by name (``totals.KEYS``), and the books that hold at its end."""

    measures: Mapping[str, pl.DataFrame]
    carry: pl.DataFrame


def measure_hour(
    rows: HourRows, observed: ObservedHour, carry: pl.DataFrame, *, by_c: bool = native.speedups is not None
) -> HourMeasures:
    """Measure one hour; ``carry``: the books that hold at its beginning. ``by_c``: by the compiled twin.

    Both give the same, but for the order of rows and for rounding.
    """
    measures, kept = (_compiled if by_c else _specified)(rows, observed, carry)
    if observed.trades.height:
        placed = observed.trades.lazy()
        sums, sizes = pl.collect_all([trading.trade_sums(placed), trading.trade_sizes(placed)])
        measures |= {"trades": sums, "sizes": sizes}
    return HourMeasures(measures, kept)


def _compiled(
    rows: HourRows, observed: ObservedHour, carry: pl.DataFrame
) -> tuple[dict[str, pl.DataFrame], pl.DataFrame]:
    snapshots = CodedRows.of(_NO_SNAPSHOTS) if rows.snapshots is None else rows.snapshots
    measures, kept = compiled.book_measures(rows.begin, snapshots, observed.visits, carry, observed.trades)
    if rows.changes is not None:
        measures |= compiled.change_measures(rows.begin, rows.changes, observed.visits)
    if observed.pieces.height:
        codes = observed.pieces["code"].unique().implode()
        some = None if rows.snapshots is None else rows.snapshots.only(rows.snapshots.codes.is_in(codes))
        held = _held(rows._replace(snapshots=some), observed, carry.filter(pl.col("code").is_in(codes)))
        measures["pieces"] = books.piece_sums(held.lazy(), observed.pieces.lazy(), rows.begin).collect()
    return measures, kept


def _held(rows: HourRows, observed: ObservedHour, carry: pl.DataFrame) -> pl.DataFrame:
    snapshots = _NO_SNAPSHOTS if rows.snapshots is None else rows.snapshots.frame()
    fresh = books.shapes(snapshots.lazy(), rows.levels, rows.begin).collect()
    every = books.ordered(pl.concat([carry, fresh]) if carry.height else fresh)
    return moments.grouped(books.held(every.lazy(), observed.visits.lazy()).collect())


def _specified(
    rows: HourRows, observed: ObservedHour, carry: pl.DataFrame
) -> tuple[dict[str, pl.DataFrame], pl.DataFrame]:
    held = _held(rows, observed, carry)
    quoted = moments.grouped(paths.quotes(held.lazy()).collect())
    queries = {
        "books": books.book_sums(held.lazy()),
        "spreads": books.spread_times(held.lazy()),
        "visit_books": books.visit_sums(held.lazy()),
        "prices": paths.mid_path(held.lazy()),
        "paths": paths.path_sums(quoted.lazy()),
        "visit_moves": paths.variance_sums(quoted.lazy()),
        "foresight": paths.foresight_sums(quoted.lazy()),
        "imagined": trading.quotes_imagined(quoted.lazy()),
        "carry": books.carried(held.lazy(), carry.columns),
    }
    if observed.pieces.height:
        queries["pieces"] = books.piece_sums(held.lazy(), observed.pieces.lazy(), rows.begin)
    if observed.trades.height:
        placed = observed.trades.lazy()
        queries["visit_impacts"] = trading.impact_sums(trading.met(placed, quoted.lazy(), rows.begin))
        queries["filled"] = trading.quotes_filled(placed, quoted.lazy(), rows.begin)
    found = dict(zip(queries, pl.collect_all(list(queries.values())), strict=True))
    kept = found.pop("carry")
    return _changes(rows, observed.visits) | found, kept


def _changes(rows: HourRows, visits: pl.DataFrame) -> dict[str, pl.DataFrame]:
    if rows.changes is None:
        return {}
    levels = updates.changes(rows.changes.frame().lazy(), rows.begin).collect()
    if not levels["at"].is_sorted():
        levels = levels.sort("at", maintain_order=True)
    observed = moments.grouped(updates.observed_changes(levels.lazy(), visits.lazy()).collect()).lazy()
    queries = {
        "visit_updates": updates.update_sums(observed),
        "waits": updates.waits(observed),
        "ages": updates.ages(observed),
    }
    return dict(zip(queries, pl.collect_all(list(queries.values())), strict=True))
