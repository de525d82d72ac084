"""Why an instrument has its score, and why rotation recorded it when it did."""

from collections.abc import Iterator, Mapping
from typing import Any, Final, NamedTuple

import polars as pl

from predsurv.core.errors import ConfigError
from predsurv.core.text import sanitise
from predsurv.mine.inputs import collector_filter
from predsurv.mine.listed import InstrumentLabels, listed_instruments
from predsurv.mine.lost_time import lost_time
from predsurv.mine.recorded_days import MiningDay
from predsurv.mine.sampled_periods import NO_PLANS, plan_rows
from predsurv.mine.scores import COMPONENTS, EVIDENCE_HALF_S, FROM_TRADES, SMALLER
from predsurv.mine.stats_writer import stats_folder

FOUND_MAX: Final = 20
"""Markets that may match before one is asked to say more."""

Row = Mapping[str, Any]


class ScorePart(NamedTuple):
    """A component: its ``value`` as ranked, ``percentile``, ``evidence`` (0 … 1), ``weight`` and share of the score."""

    name: str
    value: float | None
    percentile: float | None
    evidence: float
    weight: float
    points: float


class RecordedPeriod(NamedTuple):
    """A stretch of coverage (ns UTC): ``how`` it came about, in words."""

    start: int
    end: int
    state: str
    how: str


class Explained(NamedTuple):
    """An instrument of a day's statistics: its ``row``, what names it, and the ``values`` of the score's parts."""

    row: Row
    labels: InstrumentLabels
    values: Row


def read_stats(day: MiningDay) -> pl.DataFrame:
    """Return the statistics of ``day``; raises ConfigError when it was not mined, or by a version without ranks."""
    path = stats_folder(day.data_dir, day.venue, day.date) / "stats.parquet"
    if not path.is_file():
        raise ConfigError(f"{day.venue} {day.date} was not mined; run 'predsurv mine {day.venue} {day.date}'")
    stats = pl.read_parquet(path, hive_partitioning=False)
    if "evidence" not in stats.columns:
        raise ConfigError(f"{path} is of an earlier version; run 'predsurv mine {day.venue} {day.date}' again")
    return stats


def find(day: MiningDay, stats: pl.DataFrame, wanted: str) -> list[Explained]:
    """Return the instruments whose id or market id is ``wanted``, else those whose question contains it.

    Best rank first. Raises ConfigError when there is none or more than FOUND_MAX.
    """
    exact = stats.filter((pl.col("instrument_id") == wanted) | (pl.col("market_id") == wanted))
    labels = listed_instruments(day, (stats if exact.is_empty() else exact)["market_id"]).labels
    rows = exact
    if exact.is_empty():
        names = [name for name, each in labels.items() if wanted.casefold() in each.question.casefold()]
        rows = stats.filter(pl.col("instrument_id").is_in(names))
    shown = sanitise(wanted, 60)
    if rows.is_empty():
        there = f"no market {shown!r} in the statistics of {day.venue} on {day.date}"
        raise ConfigError(f"{there}; 'predsurv markets TEXT' searches the lists")
    if rows.height > FOUND_MAX:
        many = f"{rows.height:,} markets have {shown!r} in their question"
        raise ConfigError(f"{many}; say more of it, or give an id: 'predsurv markets TEXT' lists them")
    values = rows.select(**COMPONENTS).iter_rows(named=True)
    return [
        Explained(row, labels.get(row["instrument_id"]) or InstrumentLabels(row["instrument_id"], "", ""), value)
        for row, value in zip(rows.iter_rows(named=True), values, strict=True)
    ]


def parts(found: Explained, weight: Mapping[str, float]) -> Iterator[ScorePart]:
    """Yield what the score of ``found`` is made of, the largest weight first, without components of no weight."""
    row = found.row
    for name in sorted(COMPONENTS, key=lambda each: -weight[each]):
        if weight[name] > 0:
            value, percentile, score = found.values[name], row[f"percentile_{name}"], row[f"score_{name}"]
            measured = -value if name in SMALLER and value is not None else value
            seconds = row["trades_observed_s"] if name in FROM_TRADES else row["observed_s"]
            yield ScorePart(name, measured, percentile, evidence_of(seconds), weight[name], score * weight[name])


def evidence_of(seconds: float) -> float:
    """Return the evidence of so many observed seconds, 0 … 1."""
    return seconds / (seconds + EVIDENCE_HALF_S)


def periods(day: MiningDay, instrument: str) -> list[RecordedPeriod]:
    """Return the coverage of ``instrument`` on ``day`` in order of time, with what rotation had decided of it."""
    source = collector_filter(day, lost_time(day))
    own = pl.col("instrument_id").cast(pl.String) == instrument
    rows = source.coverage(day).filter(own)
    found = rows.select("start", "end", "state", "reason", "inclusion").sort("start").collect(engine="streaming")
    rotations = source.rotations(day)
    plans = NO_PLANS if rotations is None else plan_rows(rotations.filter(own))
    told = plans.select(pl.col("begin").alias("start"), pl.col("reason").alias("choice"), "interest")
    joined = found.join_asof(told, on="start", check_sortedness=False)
    return [
        RecordedPeriod(start, end, state, _how(state, reason, chance, choice, interest))
        for start, end, state, reason, chance, choice, interest in joined.iter_rows()
    ]


_GAPS: Final[Mapping[str, str]] = {
    "rotated_out": "dropped: others ranked higher or were drawn; it waits for its turn",
    "no_capacity": "no place: the market opened when all were taken",
    "unannounced": "open before the recorder heard of it",
    "subscribing": "chosen, and not there yet",
    "shutdown": "the recorder was stopped",
}

_CHOSEN: Final[Mapping[str, str]] = {
    "pinned": "recorded because it is pinned",
    "everything": "recorded: there was a place for everything",
    "exploited": "recorded as one of the most interesting",
    "new": "recorded because it was new",
    "swept": "recorded in its turn: nothing had waited for longer",
    "opened": "recorded because its market opened, or a place became free",
}

_DROPPED: Final[Mapping[str, str]] = {
    "outranked": "others are more interesting",
    "turn_over": "its turn is over",
    "displaced": "it gave its place to a market that opened",
    "untradable": "its market was paused, or is over",
}


def _how(
    state: str, reason: str, chance: float | None, choice: str | None = None, interest: float | None = None
) -> str:
    if state == "gap":
        dropped = _DROPPED.get(choice or "") if reason == "rotated_out" else None
        if dropped is not None:
            return f"dropped: {dropped}{_ranked(interest)}"
        return _GAPS.get(reason, f"lost: {reason}")
    if chance is None:
        return "recorded; the file does not say how it was chosen"
    if chance <= 0:
        dropped = _DROPPED.get(choice or "")
        why = "" if dropped is None else f" ({dropped})"
        return f"no longer chosen{why}: recorded until those that replaced it were there"
    if chance >= 1:
        known = _CHOSEN.get(choice or "")
        return f"{known}{_ranked(interest)}" if known else _FOR_CERTAIN
    return f"recorded by rotation, which chose it with probability {chance:.3g}{_ranked(interest)}"


_FOR_CERTAIN: Final = "recorded for certain: pinned, among the best ranked, or there was a place for all"


def _ranked(interest: float | None) -> str:
    return "" if interest is None else f", interest {interest:.2f} of 1"
