"""The mid of some instruments in equal steps of the observed time, for charts."""

from collections.abc import Mapping, Sequence
from itertools import pairwise
from typing import Final

import polars as pl
from msgspec import Struct

from predsurv.mine.inputs import collector_filter
from predsurv.mine.lost_time import lost_time
from predsurv.mine.measures import intervals
from predsurv.mine.recorded_days import MiningDay

Lines = dict[str, list[float | None]]
"""Mids in dollars by instrument, None where nothing was known."""


class MidLines(Struct, frozen=True):
    """The ``lines`` of some instruments from ``start`` to ``end`` (ns UTC), and what was not observed of each.

    ``gaps``: by instrument, as shares of that time (from, to), in order; gaps less than ``GAP_MERGE`` apart are one.
    """

    start: int
    end: int
    lines: Lines
    gaps: Mapping[str, Sequence[tuple[float, float]]]


_MINUTES_OF_DAY: Final = 1_440
GAP_MERGE: Final = 1 / 500
"""Observed time between two gaps that is too short to be seen in a chart, as a share of the time."""


def mid_lines(days: Sequence[MiningDay], instruments: Sequence[str], bins: int) -> Lines:
    """Return the last mid of each instrument in each of ``bins`` equal parts of the time observed of them."""
    return observed_mids(days, instruments, bins).lines


def observed_mids(days: Sequence[MiningDay], instruments: Sequence[str], bins: int) -> MidLines:
    """Return ``mid_lines`` with the time that they are of, and the gaps in it."""
    pieces = [_pieces(day, instruments) for day in days]
    known = pl.concat([covered for covered, _ in pieces])
    if known.is_empty():
        return MidLines(days[0].start, days[-1].end, {}, {})
    start, end = known.select(pl.col("start").min(), pl.col("end").max()).row(0)
    lines: Lines = {}
    for _, mids in pieces:
        table = binned(mids, start, end, bins).collect(engine="streaming")
        for instrument, position, mid in table.iter_rows():
            lines.setdefault(instrument, [None] * bins)[position] = mid
    return MidLines(start, end, lines, unobserved(known, start, end))


def minute_mids(day: MiningDay, instruments: Sequence[str]) -> Lines:
    """Return the last mid of each instrument in each of the 1,440 minutes of ``day``, of those with any."""
    _, mids = _pieces(day, instruments)
    lines: Lines = {}
    table = binned(mids, day.start, day.end, _MINUTES_OF_DAY).collect(engine="streaming")
    for instrument, position, mid in table.iter_rows():
        lines.setdefault(instrument, [None] * _MINUTES_OF_DAY)[position] = mid
    return lines


def unobserved(covered: pl.DataFrame, start: int, end: int) -> dict[str, list[tuple[float, float]]]:
    """Return the gaps between covered intervals (``instrument_id, start, end``) from ``start`` to ``end`` as shares."""
    found: dict[str, list[tuple[float, float]]] = {}
    span = max(end - start, 1)
    for (instrument,), rows in covered.sort("start").group_by("instrument_id", maintain_order=True):
        gaps: list[tuple[float, float]] = []
        edges = [(start, start), *rows.select("start", "end").iter_rows(), (end, end)]
        for (_, before), (after, _) in pairwise(edges):
            if after > before:
                low, high = (before - start) / span, (after - start) / span
                near = bool(gaps) and low - gaps[-1][1] < GAP_MERGE
                gaps[-1:] = [(gaps[-1][0], high)] if near else [*gaps[-1:], (low, high)]
        found[str(instrument)] = gaps
    return found


def _pieces(day: MiningDay, instruments: Sequence[str]) -> tuple[pl.DataFrame, pl.LazyFrame]:
    """Return the covered time of ``instruments`` on ``day``, and their mids as ``lasting`` has them."""
    lost = lost_time(day)
    source = collector_filter(day, lost)
    coverage = source.coverage(day).filter(pl.col("instrument_id").is_in(instruments))
    covered = intervals.covered(lost.without_books(coverage)).collect(engine="streaming")
    files = day.files("snapshots")
    rows = source.scan(files) if files else _nothing()
    return covered, lasting(rows.filter(pl.col("instrument_id").is_in(instruments)), covered.lazy())


def _nothing() -> pl.LazyFrame:
    """Return snapshots without a row."""
    columns = {"instrument_id": pl.String, "ts_recv": pl.Int64, "trusted": pl.Boolean}
    return pl.LazyFrame(schema=columns | dict.fromkeys(("bid_px_00", "ask_px_00"), pl.Float64))


def lasting(snapshots: pl.LazyFrame, covered: pl.LazyFrame) -> pl.LazyFrame:
    """Return the known mids of ``snapshots`` in ``covered`` time: ``instrument_id, ts, until, mid`` (ns UTC)."""
    bid, ask = pl.col("bid_px_00"), pl.col("ask_px_00")
    rows = snapshots.select(
        "instrument_id",
        pl.col("ts_recv").cast(pl.Int64).alias("ts"),
        pl.when(pl.col("trusted") & (bid < ask)).then((bid + ask) / 2).alias("mid"),
    ).sort("instrument_id", "ts", maintain_order=True)
    same = pl.col("instrument_id").shift(-1) == pl.col("instrument_id")
    following = rows.with_columns(pl.when(same).then(pl.col("ts").shift(-1)).alias("next_ts"))
    return (
        following.join_asof(
            covered, left_on="ts", right_on="start", by="instrument_id", coalesce=False, check_sortedness=False
        )
        .filter((pl.col("ts") < pl.col("end")) & pl.col("mid").is_not_null())
        .select("instrument_id", "ts", pl.min_horizontal("next_ts", "end").alias("until"), "mid")
        .filter(pl.col("until") > pl.col("ts"))
    )


def binned(rows: pl.LazyFrame, start: int, end: int, bins: int) -> pl.LazyFrame:
    """Return the last mid of ``lasting`` rows in each of ``bins`` equal parts of ``start`` … ``end``.

    Columns ``instrument_id, bin, mid``; a bin in which no mid was known has no row.
    """
    width = max(end - start, 1)
    first = ((pl.col("ts") - start) * bins // width).clip(0, bins - 1)
    last = ((pl.col("until") - 1 - start) * bins // width).clip(0, bins - 1)
    return (
        rows.select("instrument_id", "mid", pl.int_ranges(first, last + 1).alias("bin"))
        .explode("bin")
        .group_by("instrument_id", "bin", maintain_order=True)
        .agg(pl.col("mid").last())
    )
