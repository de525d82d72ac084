"""``predsurv mine totals``: what happened at a whole venue, estimated from what rotation recorded."""

from collections.abc import Iterator, Sequence
from typing import Annotated, Final

import typer

from predsurv.cli.commands.dates import fetched_days, say_missing
from predsurv.cli.commands.venue_names import require_venue
from predsurv.cli.options import ConfigFile, OutputFormat
from predsurv.cli.output.columns import span
from predsurv.cli.output.render import Column, Table, show
from predsurv.config import load
from predsurv.mine.recorded_days import MiningDay, choose_days
from predsurv.mine.totals_job import VenueTotals, venue_totals
from predsurv.store.layout import NS_HOUR
from predsurv.store.read.verify_digests import retry_if_replaced

HOURS_LEAST: Final = 20.0
"""Observed hours below which intervals are too narrow: markets stay busy or quiet for hours."""

_TOTALS: Final = (
    Column("total", "What", keep=9),
    Column("recorded", "Recorded", "decimal", places=0, keep=7),
    Column("estimate", "Whole venue", "decimal", places=0, keep=9),
    Column("low", "95 % from", "decimal", places=0, keep=8),
    Column("high", "to", "decimal", places=0, keep=8),
    Column("relative_error", "± (1 s.e.)", "percent", places=1, keep=6),
)


def totals(
    venue: Annotated[str | None, typer.Argument(metavar="VENUE", help="Default: the one recorded last.")] = None,
    date: Annotated[
        str | None, typer.Argument(metavar="DATE[..DATE]", help="UTC days; default: the latest recorded.")
    ] = None,
    config: ConfigFile = None,
    format: OutputFormat = "table",
) -> None:
    """Estimate how much a whole venue changed and traded while it was recorded, with 95 % intervals.

    Each recorded instrument counts as often as its probability of being chosen says. Nothing is added for time in which
    no collector ran.
    """
    loaded = load(config).config
    wanted = fetched_days(loaded, venue, date)
    require_venue(loaded.data_dir, venue)
    days = choose_days(loaded.data_dir, venue, wanted)
    say_missing(wanted, [day.date for day in days])
    show(_table(retry_if_replaced(lambda: venue_totals(days)), days), format)


def _table(found: VenueTotals, days: Sequence[MiningDay]) -> Table:
    first, last = days[0], days[-1]
    when = first.date if len(days) == 1 else f"{first.date} to {last.date}"
    rows = []
    for name, estimate, error, low, high in found.totals.iter_rows():
        recorded = None if estimate is None else found.recorded[name]
        rows.append((name, recorded, estimate, low, high, error / estimate if estimate else None))
    return Table("totals", f"Totals of {first.venue}, {when} (UTC)", _TOTALS, rows, "; ".join(_notes(found)))


def _notes(found: VenueTotals) -> Iterator[str]:
    time, there = span(found.hours * NS_HOUR), f"about {found.open:,.0f} open at a time"
    yield f"{time} observed: {found.instruments:,} instruments; {there}"
    if not found.draws:
        yield "nothing was drawn at random: these are totals of what had a place"
    elif found.hours < HOURS_LEAST:
        yield "less than a day: the intervals are too narrow, as markets stay busy or quiet for hours"
