"""A sweep of ``predsurv backtest``: progress while it runs, one table sorted by profit at its end."""

import asyncio
from collections.abc import Sequence
from typing import Final

from predsurv.cli.commands.dates import fetch_days
from predsurv.cli.options import Format
from predsurv.cli.output.columns import bar
from predsurv.cli.output.progress import progress_line
from predsurv.cli.output.render import Column, Table, Value, say
from predsurv.cli.runtime import long_run, show_last
from predsurv.cli.strategy_options import ChosenRun
from predsurv.config import Config
from predsurv.core.errors import INTERRUPTED
from predsurv.core.num import format_micros
from predsurv.net.clock import SystemClock
from predsurv.store.read.recording import ReplaySpan, require_recorded
from predsurv.trade.sweep import SweepJob, SweepRow, processes, run_sweep
from predsurv.venues.registry import open_venue

_STOPPING: Final = "ending the runs of the sweep"

_FIGURES: Final = (
    Column("profit", "Profit", "micros", "$", keep=9),
    Column("fees", "Fees", "micros", "$", keep=6),
    Column("drawdown", "Drawdown", "micros", "$", keep=7),
    Column("orders", "Orders", "int", keep=7),
    Column("fills", "Fills", "int", keep=8),
    Column("traded", "Traded", "micros", "$", keep=5),
    Column("refused", "Refused", "int", keep=5),
    Column("rejected", "Rejected", "int", keep=3),
    Column("equity", "Equity", "micros", "$", keep=4),
    Column("events", "Events", "int", keep=2),
)


def sweep(chosen: ChosenRun, venue: str, span: ReplaySpan, form: Format, jobs: int | None) -> int:
    """Run every combination; return the exit code: 0, or 130 when it was interrupted (what is done is shown)."""
    config = chosen.config
    with long_run() as signals:
        asyncio.run(fetch_recorded(config, venue, span))
        job = SweepJob(config, venue, span, config.trading.strategies, chosen.combinations)
        count, workers = len(chosen.combinations), processes(jobs, len(chosen.combinations))
        say(f"{count:,} backtests of {venue} in {workers} process{'es' if workers > 1 else ''}")
        done: list[SweepRow] = []
        with progress_line() as update:

            def on_done(row: SweepRow) -> None:
                done.append(row)
                best = max(each.summary.profit for each in done)
                line = f"{bar(len(done) / count)} {len(done):,} of {count:,} runs · best profit ${format_micros(best)}"
                update(("sweep", line))

            update(("sweep", f"{bar(0.0)} 0 of {count:,} runs"))
            rows = run_sweep(job, workers, on_done, lambda: signals.stopping)
        show_last([sweep_table(rows, count)], form, hurry=signals.stopping)
        if len(rows) < count:
            say(f"interrupted: {len(rows):,} of {count:,} runs are done")
            return INTERRUPTED
    return 0


def sweep_table(rows: Sequence[SweepRow], count: int) -> Table:
    """Return the runs as a table, one column for each parameter that was varied."""
    names = [name for name, _ in rows[0].label] if rows else []
    columns = tuple(Column(name, name, keep=10) for name in names) + _FIGURES
    title = "Sweep" if not rows else f"Sweep: {', '.join(rows[0].summary.strategies)} on {rows[0].summary.venue}"
    note = "most profit first; profit is the change in equity, what is held at the best bid; each run began anew"
    if len(rows) < count:
        note = f"INCOMPLETE: {len(rows):,} of {count:,} runs; {note}"
    return Table("sweep", title, columns, [_cells(row) for row in rows], note, empty="no run ended")


def _cells(row: SweepRow) -> Sequence[Value]:
    figures = (getattr(row.summary, column.key) for column in _FIGURES)
    return (*(value for _, value in row.label), *figures)


async def fetch_recorded(config: Config, venue: str, span: ReplaySpan) -> None:
    """Fetch what is missing of the days from the bucket; raises IntegrityError where nothing was recorded."""
    opened = open_venue(venue, config, SystemClock())
    try:
        await fetch_days(config, opened.name, span)
        require_recorded(config.data_dir, opened.name, span)
    finally:
        await opened.aclose()
