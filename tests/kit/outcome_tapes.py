"""Sets of outcomes, each with a tape of its own: what the miner makes of the sums of their prices."""

from collections.abc import Mapping, Sequence
from typing import NamedTuple

import polars as pl

from predsurv.core import native
from predsurv.core.market import NO_FEE, FeeSchedule
from predsurv.mine.figures import figures
from predsurv.mine.hour_measures import NO_BOOKS, HourRows, ObservedHour, measure_hour
from predsurv.mine.measures import compiled, intervals, moments, visits
from predsurv.mine.measures.coded_rows import CodedRows
from predsurv.mine.measures.excursions import hour_measures
from predsurv.mine.measures.outcome_sums import CodedSets, best_carried, outcome_sums
from predsurv.mine.measures.totals import Totals
from tests.kit.mined_tapes import HOUR, LEVELS, T0, BookRow, MinedTape, coverage, snapshots

_NO_TRADES = pl.DataFrame(
    schema={
        "code": pl.UInt32,
        "ts": pl.Int64,
        "price": pl.Float64,
        "size": pl.Float64,
        "sign": pl.Int8,
        "start": pl.Int64,
    }
)


class Window(NamedTuple):
    """A market trades from ``since`` to ``until`` (ns after T0) at ``fee``."""

    since: int
    until: int
    fee: FeeSchedule = NO_FEE


class Leg(NamedTuple):
    """One outcome: its books, its covered time, when its market trades."""

    rows: tuple[BookRow, ...]
    visits: tuple[tuple[int, int], ...]
    windows: tuple[Window, ...] = (Window(0, 2 * HOUR),)

    @property
    def tape(self) -> MinedTape:
        return MinedTape(self.rows, self.visits, (), ())


class OutcomeTape(NamedTuple):
    """A set of outcomes; ``exhaustive``: one of them comes true."""

    legs: tuple[Leg, ...]
    exhaustive: bool = True


def coded_sets(tape: OutcomeTape) -> CodedSets:
    schedules = tuple(dict.fromkeys(window.fee for leg in tape.legs for window in leg.windows))
    terms = [
        (code, 7, T0 + window.since, T0 + window.until, schedules.index(window.fee))
        for code, leg in enumerate(tape.legs)
        for window in leg.windows
    ]
    number, count = pl.UInt32, len(tape.legs)
    columns = {"code": number, "set": number, "since": pl.Int64, "until": pl.Int64, "fee": number}
    return CodedSets(
        pl.DataFrame({"set": [7], "legs": [count], "exhaustive": [tape.exhaustive]}).cast({"set": number}),
        pl.DataFrame(terms, schema=columns, orient="row"),
        pl.DataFrame({"code": range(count), "set": [7] * count}, schema={"code": number, "set": number}),
        schedules,
    )


def summed(tape: OutcomeTape, *, by_c: bool = native.speedups is not None) -> list[dict[str, object]]:
    """Return the sums of the set as the statistics of each of its instruments have them."""
    observed = [
        coverage(leg.tape).with_columns(pl.lit(_name(i)).alias("instrument_id")) for i, leg in enumerate(tape.legs)
    ]
    covered = intervals.covered(pl.concat(observed).lazy()).collect()
    coded = covered.with_columns(pl.col("instrument_id").str.strip_prefix("leg").cast(pl.UInt32).alias("code"))
    begun = visits.numbered(coded.drop("instrument_id"))
    totals, carry, lean, sets = Totals("code"), NO_BOOKS, NO_BOOKS, coded_sets(tape)
    add_up = compiled.outcome_measures if by_c else outcome_sums
    for hour in range(2):
        begin = T0 + hour * HOUR
        within = moments.visits_within(begun.lazy(), begin).collect()
        each = [snapshots(leg.tape, hour, code) for code, leg in enumerate(tape.legs)]
        books = CodedRows.of(pl.concat(each))
        rows = sets.rows_of(books)
        found = add_up(rows, carry, within, sets, begin)
        assert found.equals(add_up(rows, lean, within, sets, begin))
        totals.add(hour_measures(found, begin))
        lean = best_carried(rows, lean, within, begin)
        nothing = ObservedHour(within, _NO_TRADES, pl.DataFrame(schema={"code": pl.UInt32}))
        carry = measure_hour(HourRows(begin, books, LEVELS, None), nothing, carry, by_c=by_c).carry
    return _figures(tape.legs, totals.measures())


def _name(code: int) -> str:
    return f"leg{code}"


def _figures(legs: Sequence[Leg], sums: Mapping[str, pl.DataFrame]) -> list[dict[str, object]]:
    observed = [coverage(leg.tape).with_columns(pl.lit(_name(i)).alias("instrument_id")) for i, leg in enumerate(legs)]
    every = pl.concat(observed).lazy()
    channels = [intervals.channel_time(every, name) for name in ("trades", "lifecycle")]
    updates = pl.DataFrame(schema={"instrument_id": pl.String, "updates": pl.Int64})
    owner = (pl.lit("leg") + pl.col("code").cast(pl.String)).alias("instrument_id")
    named = {
        "coverage": intervals.coverage_totals(every).collect(),
        "channels": pl.concat(channels).collect(),
        "updates": updates,
        **{name: frame.with_columns(owner).drop("code") for name, frame in sums.items()},
    }
    public = figures(named).collect().sort("instrument_id")
    return public.select(name for name in public.columns if name.startswith("outcome_")).to_dicts()
