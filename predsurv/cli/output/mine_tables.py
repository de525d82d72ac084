"""Tables of ``mine``: the ranking for people, every statistic for programs, and what a score is made of."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final

import polars as pl

from predsurv.cli.output.render import Column, Kind, Table, Value
from predsurv.mine.explanation import Explained, RecordedPeriod, ScorePart
from predsurv.mine.figures import SEEN
from predsurv.mine.job import MiningResult
from predsurv.mine.listed import InstrumentLabels
from predsurv.mine.notes import notes
from predsurv.mine.previous_scores import stability

NS_SECOND: Final = 1_000_000_000

_COLUMNS: Final = (
    Column("rank", "#", "int", keep=9),
    Column("question", "Market", keep=9),
    Column("outcome", "Outcome", keep=4),
    Column("score", "Score", "bar", keep=9),
    Column("evidence", "Evidence", "percent", places=0, keep=8),
    Column("previous_rank", "Before", "int", keep=2),
    Column("mid_path", "Mid over time", "spark", keep=5),
    Column("mid_usd", "Mid", "decimal", "¢", places=1, keep=7, factor=100),
    Column("spread_usd", "Spread", "decimal", "¢", keep=8, factor=100),
    Column("spread_ticks", "Spread", "decimal", "ticks", places=1, keep=2),
    Column("volatility_usd_per_sqrt_hour", "Volatility", "decimal", "¢/√h", keep=5, factor=100),
    Column("updates_per_s", "Updates", "decimal", "1/s", keep=7),
    Column("depth_5c_shares", "Depth", "decimal", "shares, 5 ¢", places=0, keep=4),
    Column("cost_1000_usd", "Cost of $1,000", "decimal", "$", places=2, keep=3),
    Column("trades", "Trades", "int", keep=6),
    Column("notional_usd", "Notional", "decimal", "$", places=0, keep=6),
    Column("taker_buy_share", "Bought", "percent", places=0, keep=2),
    Column("effective_spread_usd", "Effective", "decimal", "¢", keep=2, factor=100),
    Column("stale_share", "Stale", "percent", places=0, keep=3),
    Column("observed_s", "Observed", "duration", keep=7),
    Column("gap_s", "Gaps", "duration", keep=5),
    Column("instrument_id", "Instrument", keep=0),
)
_NAMES: Final = (
    Column("question", "Market"),
    Column("outcome", "Outcome"),
    Column("category", "Category"),
    Column("listed", "Listed"),
)
_PARTS: Final = (
    Column("instrument_id", "Instrument", keep=0),
    Column("part", "Part", keep=9),
    Column("value", "Value", "decimal", places=4, keep=7),
    Column("percentile", "Better than", "percent", places=0, keep=9),
    Column("evidence", "Evidence", "percent", places=0, keep=8),
    Column("weight", "Weight", "percent", places=0, keep=8),
    Column("points", "Points", "bar", places=3, keep=9),
)
_EVIDENCE: Final = (
    Column("instrument_id", "Instrument", keep=2),
    Column("question", "Market", keep=9),
    Column("outcome", "Outcome", keep=4),
    Column("rank", "#", "int", keep=9),
    Column("previous_rank", "Before", "int", keep=5),
    Column("score", "Score", "bar", places=3, keep=9),
    Column("observed_s", "Observed", "duration", keep=9),
    Column("visits", "Visits", "int", keep=7),
    Column("updates", "Updates", "int", keep=7),
    Column("trades_observed_s", "Trades observed", "duration", keep=6),
    Column("trades", "Trades", "int", keep=7),
    Column("gap_s", "Gaps", "duration", keep=6),
    Column("inclusion", "Chance", "percent", places=1, keep=5),
)
_PERIODS: Final = (
    Column("instrument_id", "Instrument", keep=0),
    Column("start", "From", "time", keep=9),
    Column("end", "To", "time", keep=4),
    Column("duration_s", "For", "duration", keep=8),
    Column("state", "State", keep=7),
    Column("how", "Why", keep=9, width_max=90, fit="wrap"),
)


def observed(mined: MiningResult) -> pl.DataFrame:
    """Return the statistics of the instruments of which anything was observed, books or trades."""
    return mined.stats.filter(SEEN)


def made_of(weight: Mapping[str, float]) -> str:
    """Return the parts of the score with their weights, the largest first: ``20 % activity, 20 % trading``."""
    named = sorted(((value, name) for name, value in weight.items() if value > 0), key=lambda each: -each[0])
    return ", ".join(f"{value:.0%} {name.replace('_', '-')}".replace("%", " %") for value, name in named)


def ranking(
    mined: MiningResult,
    best: Sequence[Mapping[str, Any]],
    lines: Mapping[str, list[float | None]],
    weight: Mapping[str, float],
) -> Table:
    """Return the ``best`` instruments with their display names, the id where nothing names one, for people."""
    rows = [_cells(row, mined, lines.get(row["instrument_id"], [])) for row in best]
    told = [
        f"{len(rows)} of {observed(mined).height:,} observed instruments; every rate is per observed second",
        f"score: {made_of(weight)}, each as the share of the others that are worse, times its evidence (seconds "
        "observed / (seconds + 120))",
    ]
    if (agreed := stability(mined.stats, len(rows))) is not None:
        known = "unknown" if agreed.correlation is None else f"{agreed.correlation:.2f}"
        told.append(
            f"against the day before: rank correlation {known} over {agreed.instruments:,} instruments, "
            f"{agreed.kept} of the first {agreed.top} were there already"
        )
    if cut := sum(bool(row["depth_5c_cut_share"]) for row in best):
        told.append(f"depth of {cut} is at least what it says: the recorded levels (storage.top_levels) end within 5 ¢")
    title = f"Most interesting markets: {mined.day.venue}, {mined.span} (UTC)"
    return Table("top", title, _COLUMNS, rows, "; ".join([*told, *notes(mined)]), empty="no instrument was observed")


def every_statistic(
    mined: MiningResult, best: Sequence[Mapping[str, Any]], lines: Mapping[str, list[float | None]]
) -> Table:
    """Return the ``best`` instruments for programs: names, and every column of the statistics file as it is there."""
    columns = [*_NAMES, Column("mid_path", "Mid over time", "spark")]
    columns += [Column(name, name, _kind(dtype)) for name, dtype in mined.stats.schema.items()]
    rows: list[list[Value]] = []
    for row in best:
        name = row["instrument_id"]
        labels = labels_of(mined, name)
        rows.append(
            [labels.question, labels.outcome, labels.category, name in mined.labels, lines.get(name, []), *row.values()]
        )
    return Table("top", "", tuple(columns), rows)


def labels_of(mined: MiningResult, instrument: str) -> InstrumentLabels:
    """Return what names ``instrument``: its id where nothing does."""
    return mined.labels.get(instrument) or InstrumentLabels(instrument, "", "")


def explanation(found: Explained, made: Iterable[ScorePart], recorded: Sequence[RecordedPeriod]) -> list[Table]:
    """Return what the score of an instrument is made of, the evidence, and when and why it was recorded."""
    row, name = found.row, found.row["instrument_id"]
    seconds = ("observed_s", "gap_s", "trades_observed_s")
    cells = {**row, **{key: row[key] * NS_SECOND for key in seconds}, "question": found.labels.question}
    cells["outcome"] = found.labels.outcome
    about = Table("evidence", "Evidence", _EVIDENCE, [[cells[column.key] for column in _EVIDENCE]], _gaps(row))
    parts = [(name, *each) for each in made]
    note = "points: percentile × evidence × weight; their sum is the score"
    if row["unknown_scores"]:
        note += f"; nothing is known of {row['unknown_scores'].replace(' ', ', ')}, which counts as 0"
    last = [(name, each.start, each.end, each.end - each.start, each.state, each.how) for each in recorded]
    return [
        about,
        Table("parts", "What the score is made of", _PARTS, parts, note),
        Table("rotation", "When it was recorded, and why", _PERIODS, last, empty="never wanted on this day"),
    ]


def _gaps(row: Mapping[str, Any]) -> str:
    lost = {key: value for key, value in row.items() if key.startswith("gap_") and key != "gap_s" and value}
    named = (f"{key.removeprefix('gap_').removesuffix('_s')} {value:,.1f} s" for key, value in lost.items())
    return f"gaps: {', '.join(named)}" if lost else ""


def _cells(row: Mapping[str, Any], mined: MiningResult, line: list[float | None]) -> Sequence[Value]:
    labels = labels_of(mined, row["instrument_id"])
    bid, ask = row["bid_depth_5c_shares"], row["ask_depth_5c_shares"]
    shown = {
        **row,
        "question": labels.question,
        "outcome": labels.outcome,
        "mid_path": line,
        "depth_5c_shares": None if bid is None else bid + ask,
        "observed_s": row["observed_s"] * NS_SECOND,
        "gap_s": row["gap_s"] * NS_SECOND,
    }
    return [shown[column.key] for column in _COLUMNS]


def _kind(dtype: pl.DataType) -> Kind:
    return "int" if dtype.is_integer() else "decimal" if dtype.is_float() else "text"
