"""Tapes of one instrument: books, covered time, trades and changes of two hours; what the miner makes of them."""

from collections.abc import Sequence
from typing import NamedTuple

import polars as pl

from predsurv.core import native
from predsurv.mine.figures import figures
from predsurv.mine.hour_measures import NO_BOOKS, HourRows, ObservedHour, measure_hour
from predsurv.mine.measures import intervals, moments, visits
from predsurv.mine.measures.coded_rows import CodedRows
from predsurv.mine.measures.totals import BY_VISIT, Totals

S = 1_000_000_000
HOUR = 3_600 * S
T0 = 1_795_132_800 * S
LEVELS = 3
_TIME = pl.Datetime("ns", "UTC")


class BookRow(NamedTuple):
    """A snapshot row at ``ts`` (ns after T0): levels (price, size) best first."""

    ts: int
    trusted: bool
    bids: tuple[tuple[float, float], ...]
    asks: tuple[tuple[float, float], ...]


class TradeRow(NamedTuple):
    """A trade at ``ts`` (ns after T0); ``sign``: +1 the taker bought, -1 sold, None not told."""

    ts: int
    price: float
    size: float
    sign: int | None


class MinedTape(NamedTuple):
    """What happened: times are ns after T0; ``changes`` are (time, age in ns or None)."""

    rows: tuple[BookRow, ...]
    visits: tuple[tuple[int, int], ...]
    trades: tuple[TradeRow, ...]
    changes: tuple[tuple[int, int | None], ...]
    hours: int = 2


def mined(tape: MinedTape, *, by_c: bool = native.speedups is not None) -> dict[str, object]:
    """Return the statistics of the tape's instrument by the miner's own functions, the compiled ones or Python's."""
    observed = coverage(tape)
    covered = intervals.covered(observed.lazy()).collect()
    begun = visits.numbered(covered.with_columns(pl.lit(0, pl.UInt32).alias("code")).drop("instrument_id"))
    totals, carry = Totals("code"), NO_BOOKS
    placed = trades(tape, covered)
    for hour in range(tape.hours):
        begin = T0 + hour * HOUR
        within = moments.visits_within(begun.lazy(), begin).collect()
        own = placed.filter(pl.col("ts").is_between(begin, begin + HOUR, closed="left"))
        no_pieces = pl.DataFrame(schema={"code": pl.UInt32, "piece": pl.Int32, "since": pl.Int64, "until": pl.Int64})
        rows = HourRows(begin, CodedRows.of(snapshots(tape, hour)), LEVELS, CodedRows.of(changes(tape, hour)))
        measured = measure_hour(rows, ObservedHour(within, own, no_pieces), carry, by_c=by_c)
        begun = visits.changed(begun, measured.measures["visit_updates"], begin)
        totals.add(visits.without_moments(measured.measures))
        carry = measured.carry
    measures = totals.measures()
    heard = begun.select("code", "start", "end")
    by_visit = {name: measures.pop(name) for name in BY_VISIT if name in measures}
    measures |= visits.by_instrument(begun, by_visit, heard, placed)
    named = {
        name: frame.with_columns(pl.lit("a").alias("instrument_id")).drop("code") for name, frame in measures.items()
    }
    named["coverage"] = intervals.coverage_totals(observed.lazy()).collect()
    channels = [intervals.channel_time(observed.lazy(), name) for name in ("trades", "lifecycle")]
    named["channels"] = pl.concat(channels).collect()
    return figures(named).collect().row(0, named=True)


def snapshots(tape: MinedTape, hour: int, code: int = 0) -> pl.DataFrame:
    """Return the snapshot rows of an hour as the store has them."""
    rows = [row for row in tape.rows if row.ts // HOUR == hour]
    columns: dict[str, object] = {
        "code": pl.Series([code] * len(rows), dtype=pl.UInt32),
        "ts_recv": pl.Series([T0 + row.ts for row in rows], dtype=pl.Int64).cast(_TIME),
        "trusted": pl.Series([row.trusted for row in rows], dtype=pl.Boolean),
    }
    for side in ("bid", "ask"):
        for place, what in enumerate(("px", "sz")):
            for level in range(LEVELS):
                cells = [_cell(row.bids if side == "bid" else row.asks, level, place) for row in rows]
                columns[f"{side}_{what}_{level:02d}"] = pl.Series(cells, dtype=pl.Float64)
    return pl.DataFrame(columns)


def changes(tape: MinedTape, hour: int, code: int = 0) -> pl.DataFrame:
    """Return the changed levels of an hour as the store has them."""
    rows = sorted((each for each in tape.changes if each[0] // HOUR == hour), key=lambda each: each[0])
    venue = [None if age is None else T0 + ts - age for ts, age in rows]
    return pl.DataFrame(
        {
            "code": pl.Series([code] * len(rows), dtype=pl.UInt32),
            "ts_recv": pl.Series([T0 + ts for ts, _ in rows], dtype=pl.Int64).cast(_TIME),
            "ts_venue": pl.Series(venue, dtype=pl.Int64).cast(_TIME),
        }
    )


def _cell(levels: Sequence[tuple[float, float]], level: int, place: int) -> float | None:
    return levels[level][place] if level < len(levels) else None


def coverage(tape: MinedTape) -> pl.DataFrame:
    """Return the coverage rows of the tape, disjoint."""
    rows = [("m", "a", T0 + start, T0 + end, "covered", "live", 1.0, "live", "live") for start, end in tape.visits]
    names = ["market_id", "instrument_id", "start", "end", "state", "reason", "inclusion", "trades", "lifecycle"]
    frame = pl.DataFrame(rows, schema=names, orient="row")
    day = intervals.clipped(frame.lazy(), T0, T0 + tape.hours * HOUR)
    return intervals.disjoint(day).collect()


def trades(tape: MinedTape, covered: pl.DataFrame, code: int = 0) -> pl.DataFrame:
    """Return the trades in ``covered`` time, as the miner places them."""
    found = []
    for trade in sorted(tape.trades, key=lambda each: each.ts):
        for start, end in covered.select("start", "end").iter_rows():
            if start <= T0 + trade.ts < end:
                found.append((code, T0 + trade.ts, trade.price, trade.size, trade.sign, start))
    schema = {
        "code": pl.UInt32, "ts": pl.Int64, "price": pl.Float64, "size": pl.Float64, "sign": pl.Int8, "start": pl.Int64,
    }  # fmt: skip
    return pl.DataFrame(found, schema=schema, orient="row")
