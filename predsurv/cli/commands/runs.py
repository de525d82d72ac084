"""``predsurv runs list | show | compare | replay``, and ``predsurv replay``."""

import asyncio
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from predsurv.cli.options import ConfigFile, OutputFormat
from predsurv.cli.output.comparison_tables import comparison
from predsurv.cli.output.render import Column, Table, say, show
from predsurv.cli.output.report_lines import say_report
from predsurv.cli.output.result_tables import result_tables, run_table
from predsurv.cli.output.twin_tables import twin_tables
from predsurv.config import load
from predsurv.core.errors import ConfigError, IntegrityError, PredsurvError
from predsurv.core.text import sanitise
from predsurv.trade.live.account_names import is_shadow
from predsurv.trade.runs.beside import read_twin
from predsurv.trade.runs.folder import RunFolder, RunRecord, RunState, all_runs, find_run, read_run

if TYPE_CHECKING:
    from predsurv.trade.replay_run import ReplayReport

_REPLAYS = (
    Column("run", "Run", keep=9, fit="whole"),
    Column("verdict", "Decisions", keep=9),
    Column("equal", "Equal entries", "int", keep=8),
    Column("inputs", "Inputs", "int", keep=5),
    Column("events", "Events", "int", keep=6),
    Column("whole", "Ended in order", keep=4),
    Column("difference", "First difference", keep=9, fit="wrap", if_any=True),
)

runs = typer.Typer(
    rich_markup_mode=None, add_completion=False, no_args_is_help=True, help="What was run, and how it went."
)

Run = Annotated[str, typer.Argument(metavar="RUN", help="An id, the beginning of one, or 'latest'.")]


@runs.command("list")
def list_(
    mode: Annotated[str | None, typer.Option("--mode", metavar="MODE", help="paper, mock or backtest-VENUE.")] = None,
    config: ConfigFile = None,
    format: OutputFormat = "table",
) -> None:
    """List the runs, oldest first, with what each earned."""
    found = [read_run(each) for each in all_runs(load(config).config.data_dir)]
    chosen = [each for each in found if mode in (None, each.mode)]
    if found and not chosen:
        there = ", ".join(sorted({sanitise(each.mode, 40) for each in found}))
        raise ConfigError(f"no run of mode {sanitise(mode or '', 40)!r}; there are {there}")
    for each in chosen:
        if each.damage:
            say(f"warning: {sanitise(each.damage, 900)}")
    show(run_table(chosen), format)


@runs.command("show")
def show_(
    run: Run = "latest",
    html: Annotated[bool, typer.Option("--html", help="Write a report for a browser, too.")] = False,
    config: ConfigFile = None,
    format: OutputFormat = "table",
) -> None:
    """Show what a run earned and risked, by strategy, market and event."""
    folder = find_run(load(config).config.data_dir, run)
    info, result = folder.info(), folder.results()
    if result is None:
        account = f"; 'predsurv portfolio --mode {folder.account}' has the account it traded"
        hint = "" if is_shadow(info.mode) else account  # a shadow's account ends with it
        raise PredsurvError(f"{folder.run} {_without_results(folder.state(info))}{hint}")
    for note in info.notes:
        say(note)
    for source in info.sources:
        say(f"strategy {sanitise(source.strategy, 40)}: {sanitise(source.spec, 300)}, sha256 {source.sha256}")
    beside = read_twin(folder)
    twin = () if beside is None else twin_tables(result, beside.result, beside.divergence, whole=beside.whole)
    show([run_table([RunRecord(folder, info, result)], "Run"), *result_tables(result), *twin], format)
    if html:
        from predsurv.trade.report.write import write_report

        say_report(write_report(folder, result), folder.path.parent.parent)


@runs.command("compare")
def compare(one: Run, other: Run, config: ConfigFile = None, format: OutputFormat = "table") -> None:
    """Compare two runs: their figures, and what they were made with where that differs."""
    data_dir = load(config).config.data_dir
    infos = [find_run(data_dir, each).info() for each in (one, other)]
    first, second = ({each.strategy: each.sha256 for each in info.sources} for info in infos)
    for name in first.keys() & second.keys():
        if first[name] != second[name]:
            say(f"warning: strategy {sanitise(name, 40)} is other code in each of the two runs")
    show(comparison(find_run(data_dir, one), find_run(data_dir, other)), format)


@runs.command("twin")
def twin(run: Run = "latest", config: ConfigFile = None, format: OutputFormat = "table") -> None:
    """Run the paper twin of a live run on what that took, as far as it has come, and show how the two differ."""
    from predsurv.trade.twin_run import run_twin  # an engine, which takes twice as long to import as a list to show

    data_dir = load(config).config.data_dir
    folder = find_run(data_dir, run)
    asyncio.run(run_twin(data_dir, folder))
    result, beside = folder.results(), read_twin(folder)
    if result is None or beside is None:
        raise PredsurvError(f"{folder.run} {_without_results(folder.state(folder.info()))}")
    show(twin_tables(result, beside.result, beside.divergence, whole=beside.whole), format)


@runs.command("replay")
def replay(
    run: Run,
    verify: Annotated[bool, typer.Option("--verify", help="Fail (exit 4) unless every decision is the same.")] = False,
    config: ConfigFile = None,
    format: OutputFormat = "table",
) -> None:
    """Run a run again, from what it recorded or from the recording it read, and compare its journal byte for byte."""
    data_dir = load(config).config.data_dir
    folder = find_run(data_dir, run)
    report = asyncio.run(_replayed(data_dir, folder))
    show(_report_table(folder, report), format)
    if verify and report.difference is not None:
        raise IntegrityError(f"{folder.run}: the replay decided otherwise: {sanitise(str(report.difference), 900)}")


async def _replayed(data_dir: Path, folder: RunFolder) -> "ReplayReport":
    # An engine and the venues, which take twice as long to import as a list of runs takes to show.
    if folder.account.startswith("backtest-"):
        from predsurv.net.clock import SystemClock
        from predsurv.trade.replay_backtest import replay_backtest
        from predsurv.venues.registry import open_venue

        return await replay_backtest(data_dir, folder, lambda name, made: open_venue(name, made, SystemClock()))
    from predsurv.trade.replay_run import replay_run

    return await replay_run(data_dir, folder)


def _report_table(folder: RunFolder, report: "ReplayReport") -> Table:
    difference = None if report.difference is None else str(report.difference)
    row = (
        folder.run,
        "the same" if report.difference is None else "not the same",
        report.equal,
        report.inputs,
        report.events,
        report.whole,
        difference,
    )
    note = "" if report.whole else "the run was killed: what it had not written yet is not compared"
    return Table("replay", "Replay", _REPLAYS, [row], note)


def _without_results(state: RunState) -> str:
    if state == "running":
        return "has no results yet: it is still running"
    why = "it was killed" if state == "killed" else "it ended"
    return f"left no results: {why} before it wrote any"
