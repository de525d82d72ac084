"""Measure the rows of one hour, of some of the day's instruments."""

from collections.abc import Mapping
from typing import Final, NamedTuple

import polars as pl

from predsurv.mine.measures import books, moments, paths, trading, updates

_TIME: Final = pl.Datetime("ns", "UTC")
_LEVELS: Final = ("bid_px_00", "bid_sz_00", "ask_px_00", "ask_sz_00")
NO_SNAPSHOTS: Final = pl.DataFrame(
    schema=[
        ("code", pl.UInt32()),
        ("ts_recv", _TIME),
        ("trusted", pl.Boolean()),
        *((name, pl.Float64()) for name in _LEVELS),
    ]
)
NO_BOOKS: Final = books.shapes(NO_SNAPSHOTS.lazy(), 1, 0).collect()
"""The books that hold when a day begins."""


class HourRows(NamedTuple):
    """The rows of one hour with the ``code`` of their instrument, of some instruments; ``begin`` of the hour in ns UTC.

    ``levels``: recorded levels a side of the snapshots. ``deltas``: None where there is no file.
    """

    begin: int
    snapshots: pl.LazyFrame
    levels: int
    deltas: pl.LazyFrame | None


class ObservedHour(NamedTuple):
    """What of the hour counts: its ``visits`` (``moments.visits_within``), its placed ``trades`` with their ``code``.

    ``pieces``: ``code, piece, since, until`` (ns UTC) of instruments whose ticks changed during the day.
    """

    visits: pl.DataFrame
    trades: pl.DataFrame
    pieces: pl.DataFrame


class HourMeasures(NamedTuple):
    """The measures of an hour by name (``totals.KEYS``), and the books that hold at its end."""

    measures: Mapping[str, pl.DataFrame]
    carry: pl.DataFrame


def measure_hour(rows: HourRows, observed: ObservedHour, carry: pl.DataFrame) -> HourMeasures:
    """Measure one hour; ``carry``: the books that hold at its beginning."""
    own, placed = observed.visits, observed.trades
    fresh = books.shapes(rows.snapshots, rows.levels, rows.begin).collect()
    every = books.ordered(pl.concat([carry, fresh]) if carry.height else fresh)
    held = moments.grouped(books.held(every.lazy(), own.lazy()).collect())
    quoted = moments.grouped(paths.quotes(held.lazy()).collect())
    trades = placed.lazy()
    queries = {
        "books": books.book_sums(held.lazy()),
        "spreads": books.spread_times(held.lazy()),
        "visit_books": books.visit_sums(held.lazy()),
        "prices": paths.mid_path(held.lazy()),
        "paths": paths.path_sums(quoted.lazy()),
        "variance": paths.variance_sums(quoted.lazy()),
        "foresight": paths.foresight_sums(quoted.lazy()),
        "imagined": trading.quotes_imagined(quoted.lazy()),
        "carry": books.carried(held.lazy(), carry.columns),
    }
    if observed.pieces.height:
        queries["pieces"] = books.piece_sums(held.lazy(), observed.pieces.lazy(), rows.begin)
    if placed.height:
        queries |= {
            "trades": trading.trade_sums(trades),
            "sizes": trading.trade_sizes(trades),
            "impacts": trading.impact_sums(trading.met(trades, quoted.lazy(), rows.begin)),
            "filled": trading.quotes_filled(trades, quoted.lazy(), rows.begin),
        }
    found = dict(zip(queries, pl.collect_all(list(queries.values())), strict=True))
    kept = found.pop("carry")
    return HourMeasures(_changes(rows, own) | found, kept)


def _changes(rows: HourRows, visits: pl.DataFrame) -> dict[str, pl.DataFrame]:
    if rows.deltas is None:
        return {}
    levels = updates.changes(rows.deltas, rows.begin).collect()
    if not levels["at"].is_sorted():
        levels = levels.sort("at")
    observed = moments.grouped(updates.observed_changes(levels.lazy(), visits.lazy()).collect())
    sums, waits = pl.collect_all([updates.update_sums(observed.lazy()), updates.waits(observed.lazy())])
    return {"visit_updates": sums, "waits": waits}
