"""``predsurv mine``: compute a recorded day's statistics and rank its instruments."""

from collections.abc import Mapping, Sequence
from typing import Annotated, Any, Final

import polars as pl
import typer

from predsurv.cli.commands.bucket import fetch_day
from predsurv.cli.commands.mine_episodes import episodes
from predsurv.cli.default_command import DefaultCommandGroup
from predsurv.cli.options import ConfigFile, OutputFormat
from predsurv.cli.output.columns import span, volume
from predsurv.cli.output.render import Column, Table, Value, near, say, show
from predsurv.config import load
from predsurv.mine import scores
from predsurv.mine.job import MiningResult, mids_over_day
from predsurv.mine.job import mine as mine_day
from predsurv.mine.listed import InstrumentLabels
from predsurv.mine.notes import notes
from predsurv.mine.recorded_days import choose_day
from predsurv.mine.report import UNKNOWN, ReportRow, StatsReport, page
from predsurv.mine.stats_writer import write_report
from predsurv.store.read.verify_digests import retry_if_replaced

PATH_BINS: Final = 24
REPORT_BINS: Final = 80
NS_SECOND: Final = 1_000_000_000

_COLUMNS: Final = (
    Column("rank", "#", "int", keep=9),
    Column("question", "Market", keep=9),
    Column("outcome", "Outcome", keep=4),
    Column("score", "Score", "bar", keep=9),
    Column("mid_path", "Mid over time", "spark", keep=5),
    Column("mid", "Mid", "decimal", "¢", places=1, keep=7),
    Column("spread", "Spread", "decimal", "¢", keep=8),
    Column("spread_ticks", "Spread", "decimal", "ticks", places=1, keep=2),
    Column("volatility", "Volatility", "decimal", "¢/√s", places=3, keep=5),
    Column("updates_per_s", "Updates", "decimal", "1/s", keep=8),
    Column("depth_5c", "Depth", "decimal", "shares, 5 ¢", places=0, keep=4),
    Column("trades", "Trades", "int", keep=6),
    Column("notional", "Notional", "decimal", "$", places=0, keep=6),
    Column("stale_share", "Stale", "percent", places=0, keep=3),
    Column("observed_s", "Observed", "duration", keep=7),
    Column("gap_s", "Gaps", "duration", keep=5),
    Column("instrument_id", "Instrument", keep=0),
    Column("trades_observed_s", "Trades observed", "duration", keep=0),
    Column("trades_missing", "Trades not observed", keep=0),
    Column("unknown_scores", "Unknown scores", keep=0),
    Column("listed", "Listed", keep=0),
)


class _MineGroup(DefaultCommandGroup):
    default = "rank"


mine = typer.Typer(cls=_MineGroup, rich_markup_mode=None, add_completion=False)
mine.command("episodes")(episodes)


@mine.command("rank")
def rank(
    venue: Annotated[str | None, typer.Argument(metavar="[VENUE]", help="Default: the one recorded last.")] = None,
    date: Annotated[str | None, typer.Argument(metavar="[DATE]", help="YYYY-MM-DD, UTC; default: the latest.")] = None,
    *,
    top: Annotated[int | None, typer.Option("--top", min=1, metavar="N", help="How many to show.")] = None,
    html: Annotated[bool, typer.Option("--html", help="Write report.html beside the statistics too.")] = False,
    config: ConfigFile = None,
    format: OutputFormat = "table",
) -> None:
    """Rank a recorded day's markets by what happened in them, and write its statistics.

    'mine VENUE DATE' is short for it. 'mine episodes' finds when a set of markets paid more than it cost.
    """
    loaded = load(config, flags={"miner.top": top}).config
    weight = scores.weights(loaded.miner.weights)
    fetch_day(loaded, venue, date)
    day = choose_day(loaded.data_dir, venue, date)
    mined = retry_if_replaced(lambda: mine_day(day, weight))
    best = observed(mined).head(loaded.miner.top).to_dicts()
    names = [row["instrument_id"] for row in best]
    show(top_table(mined, best, retry_if_replaced(lambda: mids_over_day(day, names, PATH_BINS))), format)
    if format != "table":
        for note in notes(mined):
            say(note)
    say(f"statistics of {observed(mined).height:,} instruments: {near(mined.path)}")
    if html:
        lines = retry_if_replaced(lambda: mids_over_day(day, names, REPORT_BINS))
        report = _report(mined, [_entry(row, mined, lines) for row in best], weight)
        say(f"report: {near(write_report(page(report), day.data_dir, day.venue, day.date))}")


def observed(mined: MiningResult) -> pl.DataFrame:
    """Return the statistics of the instruments that were observed at all (``observed_s`` > 0)."""
    return mined.stats.filter(mined.stats["observed_s"] > 0)


def top_table(mined: MiningResult, best: Sequence[Mapping[str, Any]], lines: Mapping[str, list[float | None]]) -> Table:
    """Return the top instruments as a table with their display names, the id where nothing names one."""
    rows = [_cells(rank, row, mined, lines.get(row["instrument_id"], [])) for rank, row in enumerate(best, 1)]
    title = f"Most interesting markets: {mined.day.venue}, {mined.day.date} (UTC)"
    note = f"{len(rows)} of {observed(mined).height:,} observed instruments; every rate is per observed second"
    if cut := sum(bool(row["depth_cut_share"]) for row in best):
        note += f"; depth of {cut} is at least what it says: the recorded levels (storage.top_levels) end within 5 ¢"
    return Table("top", title, _COLUMNS, rows, "; ".join([note, *notes(mined)]), empty="no instrument was observed")


def _cells(rank: int, row: Mapping[str, Any], mined: MiningResult, line: list[float | None]) -> Sequence[Value]:
    labels = _labels(mined, row["instrument_id"])
    depth = None if row["bid_depth_5c"] is None else row["bid_depth_5c"] + row["ask_depth_5c"]
    return (
        rank,
        labels.question,
        labels.outcome,
        row["score"],
        line,
        _cents(row["mid"]),
        _cents(row["spread"]),
        row["spread_ticks"],
        _cents(row["volatility"]),
        row["updates_per_s"],
        depth,
        row["trades"],
        row["notional"],
        row["stale_share"],
        row["observed_s"] * NS_SECOND,
        row["gap_s"] * NS_SECOND,
        row["instrument_id"],
        row["trades_observed_s"] * NS_SECOND,
        row["trades_missing"],
        row["unknown_scores"],
        row["instrument_id"] in mined.labels,
    )


def _cents(dollars: float | None) -> float | None:
    return None if dollars is None else dollars * 100


def _labels(mined: MiningResult, instrument: str) -> InstrumentLabels:
    return mined.labels.get(instrument) or InstrumentLabels(instrument, "", "")


def _entry(row: Mapping[str, Any], mined: MiningResult, lines: Mapping[str, list[float | None]]) -> ReportRow:
    instrument = row["instrument_id"]
    return ReportRow(row, *_labels(mined, instrument), path=lines.get(instrument, []))


def _report(mined: MiningResult, entries: Sequence[ReportRow], weight: Mapping[str, float]) -> StatsReport:
    sums = mined.stats.sum().row(0, named=True)
    heard = sums["trades_observed_s"] > 0
    seen, wanted = sums["observed_s"], sums["observed_s"] + sums["gap_s"]
    facts = [
        ("Instruments observed", f"{observed(mined).height:,}"),
        ("Observed time, summed", span(seen * NS_SECOND)),
        ("Observed share of wanted time", f"{seen / wanted:.2%}" if wanted else "–"),
        ("Book updates", f"{sums['updates']:,}"),
        ("Trades", f"{sums['trades']:,}" if heard else UNKNOWN),
        ("Notional", f"${sums['notional']:,.0f}" if heard else UNKNOWN),
        ("Statistics file", volume(mined.path.stat().st_size)),
    ]
    longest = span(max(mined.stats["observed_s"].to_list(), default=0.0) * NS_SECOND)
    span_text = f"the longest observation is {longest}"
    return StatsReport(mined.day.venue, mined.day.date, facts, entries, weight, span_text, tuple(notes(mined)))
