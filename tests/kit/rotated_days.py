"""A day of made-up instruments as rotation sees them: visits drawn by lot, beside the same day without a gap.

A day is 288 periods of five minutes. Each market has calm and busy times, which last for an hour or so: when busy it
trades and moves ten and five times as often, its spread is wider and its book thinner; how deep a book is differs from
period to period, too. Periods are a second apart, so that each of a day that is seen whole is a visit like those drawn.
"""

from collections.abc import Iterator, Mapping
from math import exp
from random import Random
from typing import Final, NamedTuple

import polars as pl

from predsurv.mine.figures import figures
from predsurv.mine.hour_measures import NO_BOOKS, HourRows, ObservedHour, measure_hour
from predsurv.mine.measures import intervals, moments, visits
from predsurv.mine.measures.coded_rows import CodedRows
from predsurv.mine.measures.totals import BY_VISIT, Totals
from tests.kit.mined_tapes import HOUR, T0, S
from tests.kit.random_counts import poisson

PERIODS: Final = 288
PERIOD_S: Final = 300
SEEN_S: Final = 299
SWITCH: Final = 0.08
DEPTH_SPREAD: Final = 0.5
SIZE_SPREAD: Final = 0.8

_NO_PIECES: Final = pl.DataFrame(schema={"code": pl.UInt32, "piece": pl.Int32, "since": pl.Int64, "until": pl.Int64})
_TIME: Final = pl.Datetime("ns", "UTC")
_BOOK: Final = ("code", "ts_recv", "trusted", "bid_px_00", "bid_sz_00", "ask_px_00", "ask_sz_00")
_TRADE: Final = ("code", "ts", "price", "size", "sign", "start")


class Pace(NamedTuple):
    """How a market is for a while: ``trades`` and ``steps`` of the mid a second, mean ``depth``, half the spread."""

    trades: float
    steps: float
    depth: float
    half: float


CALM: Final = Pace(0.01, 0.01, 200.0, 0.01)
BUSY: Final = Pace(0.1, 0.05, 80.0, 0.02)

Row = tuple[object, ...]


class Period(NamedTuple):
    """What happened in a period: rows as the store has them, with times in ns after T0 and no instrument."""

    number: int
    books: list[Row]
    trades: list[Row]


def periods(rng: Random) -> Iterator[Period]:
    """Yield the periods of a market's day."""
    busy = rng.random() < 0.5
    for number in range(PERIODS):
        busy ^= rng.random() < SWITCH
        yield _period(rng, number, BUSY if busy else CALM)


def _period(rng: Random, number: int, pace: Pace) -> Period:
    start, mid, books, trades = number * PERIOD_S * S, 0.5, list[Row](), list[Row]()
    depth = pace.depth * exp(rng.gauss(0, DEPTH_SPREAD))
    happens = [(0, True)]
    happens += [(rng.randrange(1, SEEN_S * S), True) for _ in range(poisson(rng, pace.steps * SEEN_S))]
    happens += [(rng.randrange(1, SEEN_S * S), False) for _ in range(poisson(rng, pace.trades * SEEN_S))]
    for at, moves in sorted(happens):
        if moves:
            mid += 0.0 if at == 0 else rng.choice((-0.01, 0.01))
            sizes = (depth * rng.uniform(0.5, 1.5), depth * rng.uniform(0.5, 1.5))
            books.append((start + at, True, mid - pace.half, sizes[0], mid + pace.half, sizes[1]))
        else:
            sign = rng.choice((-1, 1))
            trades.append((start + at, mid + sign * pace.half, 20 * exp(rng.gauss(0, SIZE_SPREAD)), sign, start))
    return Period(number, books, trades)


def figures_of(days: Mapping[int, list[Period]]) -> dict[int, dict[str, float | None]]:
    """Return what the miner states of each instrument, a number, of which it saw these periods of the day."""
    begun = visits.numbered(_visits(days))
    placed = _placed(days)
    totals, carry = Totals("code"), NO_BOOKS
    for hour in range(24):
        begin = T0 + hour * HOUR
        books = _books(days, hour)
        rows = HourRows(begin, CodedRows.of(books), 1, CodedRows.of(_changes(books)))
        own = placed.filter(pl.col("ts").is_between(begin, begin + HOUR, closed="left"))
        within = moments.visits_within(begun.lazy(), begin).collect()
        measured = measure_hour(rows, ObservedHour(within, own, _NO_PIECES), carry)
        totals.add(visits.without_moments(measured.measures))
        carry = measured.carry
    measures = totals.measures()
    by_visit = {name: measures.pop(name) for name in BY_VISIT if name in measures}
    measures |= visits.by_instrument(begun, by_visit, begun.select("code", "start", "end"), placed)
    name = pl.col("code").cast(pl.String).alias("instrument_id")
    named = {key: frame.with_columns(name).drop("code") for key, frame in measures.items()}
    observed = _coverage(days)
    named["coverage"] = intervals.coverage_totals(observed).collect()
    channels = [intervals.channel_time(observed, each) for each in ("trades", "lifecycle")]
    named["channels"] = pl.concat(channels).collect()
    return {int(row["instrument_id"]): row for row in figures(named).collect().iter_rows(named=True)}


def _starts(days: Mapping[int, list[Period]]) -> list[tuple[int, int]]:
    return [(code, T0 + each.number * PERIOD_S * S) for code in sorted(days) for each in days[code]]


def _visits(days: Mapping[int, list[Period]]) -> pl.DataFrame:
    rows = [(code, start, start + SEEN_S * S) for code, start in _starts(days)]
    return pl.DataFrame(rows, schema={"code": pl.UInt32, "start": pl.Int64, "end": pl.Int64}, orient="row")


def _coverage(days: Mapping[int, list[Period]]) -> pl.LazyFrame:
    rows = [
        ("m", str(code), start, start + SEEN_S * S, "covered", "live", 1.0, "live", "live")
        for code, start in _starts(days)
    ]
    names = ["market_id", "instrument_id", "start", "end", "state", "reason", "inclusion", "trades", "lifecycle"]
    return intervals.disjoint(intervals.clipped(pl.LazyFrame(rows, schema=names, orient="row"), T0, T0 + 24 * HOUR))


def _books(days: Mapping[int, list[Period]], hour: int) -> pl.DataFrame:
    rows = [
        (code, T0 + int(str(at)), *rest)
        for code in sorted(days)
        for each in days[code]
        if each.number * PERIOD_S * S // HOUR == hour
        for at, *rest in each.books
    ]
    kinds = dict.fromkeys(_BOOK, pl.Float64()) | {"code": pl.UInt32(), "ts_recv": pl.Int64(), "trusted": pl.Boolean()}
    return pl.DataFrame(rows, schema=kinds, orient="row").with_columns(pl.col("ts_recv").cast(_TIME))


def _changes(books: pl.DataFrame) -> pl.DataFrame:
    return books.select("code", "ts_recv", pl.lit(None, _TIME).alias("ts_venue"))


def _placed(days: Mapping[int, list[Period]]) -> pl.DataFrame:
    rows = [(code, *each) for code in sorted(days) for period in days[code] for each in period.trades]
    kinds = dict.fromkeys(_TRADE, pl.Float64()) | dict.fromkeys(("ts", "start"), pl.Int64())
    found = pl.DataFrame(rows, schema=kinds | {"code": pl.UInt32(), "sign": pl.Int8()}, orient="row")
    return found.with_columns(pl.col("ts", "start") + T0)
