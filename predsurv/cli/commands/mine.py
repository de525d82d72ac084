"""``predsurv mine``: compute statistics of recorded days and rank instruments; ``mine explain``: why one ranks so."""

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Annotated, Any, Final

import polars as pl
import typer

from predsurv.cli.commands.dates import fetched_days, say_missing, span_of
from predsurv.cli.commands.mine_cluster import Address, Engine, cluster_address, listed_days, measured_there
from predsurv.cli.commands.mine_episodes import episodes
from predsurv.cli.commands.mine_published import tables
from predsurv.cli.commands.mine_totals import totals
from predsurv.cli.commands.venue_names import require_venue
from predsurv.cli.default_command import DefaultCommandGroup
from predsurv.cli.options import ConfigFile, OutputFormat
from predsurv.cli.output.columns import span, volume
from predsurv.cli.output.mine_tables import NS_SECOND, every_statistic, explanation, labels_of, observed, ranking
from predsurv.cli.output.render import near, say, show
from predsurv.cli.output.report_lines import say_report
from predsurv.config import Config, load
from predsurv.core.errors import ConfigError
from predsurv.core.text import sanitise
from predsurv.mine import scores
from predsurv.mine.explanation import find, parts, periods, read_stats
from predsurv.mine.job import MiningResult, mine_days
from predsurv.mine.mid_lines import MidLines, mid_lines, observed_mids
from predsurv.mine.notes import notes
from predsurv.mine.published import trade_outcomes
from predsurv.mine.recorded_days import MiningDay, choose_days
from predsurv.mine.report.contents import UNKNOWN, MidPath, ReportRow, StatsReport
from predsurv.mine.report.page import page
from predsurv.mine.stats_writer import write_report
from predsurv.store.read.verify_digests import retry_if_replaced

PATH_BINS: Final = 24
REPORT_BINS: Final = 80
PERIODS_SHOWN: Final = 12


class _MineGroup(DefaultCommandGroup):
    """``--tables`` anywhere is the command ``tables``, and ``--totals`` the command ``totals``."""

    default = "rank"

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        """Parse the arguments, with the command before them that they mean."""
        for command in ("tables", "totals"):
            if f"--{command}" in args:
                return super().parse_args(ctx, [command, *(word for word in args if word != f"--{command}")])
        return super().parse_args(ctx, args)


mine = typer.Typer(cls=_MineGroup, rich_markup_mode=None, add_completion=False)
mine.command("episodes")(episodes)
mine.command("tables")(tables)
mine.command("totals")(totals)

Preset = Annotated[
    str | None, typer.Option("--preset", metavar="NAME", help=f"Weights of the score: {', '.join(scores.PRESETS)}.")
]


@mine.command("rank")
def rank(
    venue: Annotated[str | None, typer.Argument(metavar="VENUE", help="Default: the one recorded last.")] = None,
    date: Annotated[
        str | None,
        typer.Argument(metavar="DATE[..DATE]", help="UTC, YYYY-MM-DD, today or yesterday; default: the latest."),
    ] = None,
    config: ConfigFile = None,
    format: OutputFormat = "table",
    top: Annotated[int | None, typer.Option("--top", min=1, metavar="N", help="How many to show.")] = None,
    *,
    sort: Annotated[
        str | None,
        typer.Option(
            "--sort", metavar="COLUMN", help="Greatest first by a column of the statistics, -COLUMN least first."
        ),
    ] = None,
    category: Annotated[
        str | None, typer.Option("--category", metavar="C", help="Only markets of this category.")
    ] = None,
    preset: Preset = None,
    html: Annotated[bool, typer.Option("--html", help="Write report.html beside the statistics too.")] = False,
    engine: Engine = "local",
    address: Address = None,
) -> None:
    """Rank the markets of a day, or of several, by what happened in them; write each day's statistics.

    'mine VENUE DATE' is short for it. 'mine explain MARKET' tells why one ranks where it does, 'mine episodes' when a
    set of markets paid more than it cost, 'mine tables' how all this compares with what research has published, 'mine
    totals' what happened at the whole venue.
    """
    loaded = load(config, flags={"miner.top": top, "miner.preset": preset}).config
    weight = scores.weights(loaded.miner.weights, loaded.miner.preset)
    cluster = cluster_address(loaded, engine, address, html=html)
    days = _days(loaded, venue, date, listed_days if cluster else fetched_days)
    found = None if cluster is None else measured_there(loaded, cluster, days)
    mined = retry_if_replaced(lambda: mine_days(days, weight, found=found))
    best = _chosen(mined, sort, category).head(loaded.miner.top).to_dicts()
    names = [row["instrument_id"] for row in best]
    lines = retry_if_replaced(lambda: mid_lines(days, names, PATH_BINS)) if found is None or not loaded.bucket else {}
    show(ranking(mined, best, lines, weight) if format == "table" else every_statistic(mined, best, lines), format)
    if format != "table":
        for note in notes(mined):
            say(note)
    say(f"statistics of {observed(mined).height:,} instruments: {near(mined.path)}")
    if html:
        charts = retry_if_replaced(lambda: observed_mids(days, names, REPORT_BINS))
        outcomes = retry_if_replaced(lambda: trade_outcomes(days)).to_dicts()
        report = _report(mined, best, charts, weight, outcomes)
        path = write_report(page(report), mined.day.data_dir, mined.day.venue, mined.day.date)
        say_report(path, mined.day.data_dir)


@mine.command("explain")
def explain(
    market: Annotated[str, typer.Argument(metavar="MARKET", help="An id, or words of the question.")],
    *,
    venue: Annotated[str | None, typer.Option("--venue", help="Default: the one recorded last.")] = None,
    date: Annotated[str | None, typer.Option("--date", metavar="DATE", help="UTC; default: the latest.")] = None,
    preset: Preset = None,
    config: ConfigFile = None,
    format: OutputFormat = "table",
) -> None:
    """Show what the score of a market is made of, on what evidence, and why rotation recorded or dropped it."""
    loaded = load(config, flags={"miner.preset": preset}).config
    weight = scores.weights(loaded.miner.weights, loaded.miner.preset)
    require_venue(loaded.data_dir, venue)
    wanted = None if date is None else span_of(date).dates()
    day = choose_days(loaded.data_dir, venue, wanted)[-1]
    for found in find(day, read_stats(day), market):
        recorded = retry_if_replaced(partial(periods, day, found.row["instrument_id"]))
        shown = recorded[-PERIODS_SHOWN:] if format == "table" else recorded
        show(explanation(found, parts(found, weight), shown), format)
        if len(shown) < len(recorded):
            say(f"{len(recorded) - len(shown):,} earlier periods: --format json has them")


def _days(
    loaded: Config, venue: str | None, date: str | None, fetch: Callable[..., Sequence[str] | None]
) -> list[MiningDay]:
    wanted = fetch(loaded, venue, date)
    require_venue(loaded.data_dir, venue)  # of one that only the bucket had, there are files by now
    days = choose_days(loaded.data_dir, venue, wanted)
    say_missing(wanted, [day.date for day in days])
    return days


def _chosen(mined: MiningResult, sort: str | None, category: str | None) -> pl.DataFrame:
    stats = observed(mined)
    if category is not None:
        wanted = category.casefold()
        names = [name for name, each in mined.labels.items() if each.category.casefold() == wanted]
        stats = stats.filter(pl.col("instrument_id").is_in(names))
        if stats.is_empty():
            known = sorted({sanitise(each.category, 40) for each in mined.labels.values() if each.category})
            raise ConfigError(
                f"no market of category {sanitise(category, 40)!r}; there are {', '.join(known[:20]) or 'none'}"
            )
    if sort is None:
        return stats
    name = sort.removeprefix("-")
    if name not in stats.columns:
        near_by = [each for each in stats.columns if name in each][:6] or stats.columns[2:8]
        raise ConfigError(f"no column {sanitise(name, 40)!r} in the statistics; there are {', '.join(near_by)}, …")
    return stats.sort(name, descending=not sort.startswith("-"), nulls_last=True, maintain_order=True)


def _entry(row: Mapping[str, Any], mined: MiningResult, charts: MidLines) -> ReportRow:
    instrument = row["instrument_id"]
    labels = labels_of(mined, instrument)
    path = MidPath(charts.lines.get(instrument, []), charts.gaps.get(instrument, [(0.0, 1.0)]))
    return ReportRow(row, labels.question, labels.outcome, labels.category, path, labels.url)


def _report(
    mined: MiningResult,
    best: Sequence[Mapping[str, Any]],
    charts: MidLines,
    weight: Mapping[str, float],
    outcomes: Sequence[Mapping[str, Any]],
) -> StatsReport:
    entries = [_entry(row, mined, charts) for row in best]
    columns = ("observed_s", "gap_s", "trades_observed_s", "updates", "trades", "notional_usd")
    sums = mined.stats.select(columns).sum().row(0, named=True)
    heard = sums["trades_observed_s"] > 0
    seen, wanted = sums["observed_s"], sums["observed_s"] + sums["gap_s"]
    facts = [
        ("Instruments observed", f"{observed(mined).height:,}"),
        ("Observed time, summed", span(seen * NS_SECOND)),
        ("Observed share of wanted time", f"{seen / wanted:.2%}" if wanted else "–"),
        ("Book updates", f"{sums['updates']:,}"),
        ("Trades", f"{sums['trades']:,}" if heard else UNKNOWN),
        ("Notional", f"${sums['notional_usd']:,.0f}" if heard else UNKNOWN),
        ("Statistics file", volume(mined.path.stat().st_size)),
    ]
    times = charts.start, charts.end
    return StatsReport(mined.day.venue, mined.span, facts, entries, weight, *times, outcomes, tuple(notes(mined)))
