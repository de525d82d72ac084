"""``predsurv mine totals``: what happened at a whole venue, estimated from what rotation recorded."""

from collections.abc import Iterator, Sequence
from typing import Annotated, Final, Literal

import polars as pl
import typer

from predsurv.cli.commands.dates import fetched_days, say_missing
from predsurv.cli.commands.venue_names import require_venue
from predsurv.cli.options import ConfigFile, OutputFormat
from predsurv.cli.output.columns import span
from predsurv.cli.output.render import Column, Table, show
from predsurv.config import load
from predsurv.mine.recorded_days import MiningDay, choose_days
from predsurv.mine.totals_job import VenueTotals, venue_totals
from predsurv.mine.venue_totals import COUNTED
from predsurv.store.layout import NS_HOUR
from predsurv.store.read.verify_digests import retry_if_replaced

HOURS_LEAST: Final = 20.0
"""Observed hours below which intervals are too narrow: markets stay busy or quiet for hours."""

By = Literal["total", "instrument", "interval"]

_TOTALS: Final = (
    Column("total", "What", keep=9),
    Column("recorded", "Recorded", "decimal", places=0, keep=7),
    Column("estimate", "Whole venue", "decimal", places=0, keep=9),
    Column("low", "95 % from", "decimal", places=0, keep=8),
    Column("high", "to", "decimal", places=0, keep=8),
    Column("relative_error", "± (1 s.e.)", "percent", places=1, keep=6),
)


_SUMS: Final = (*COUNTED, "weighted_s", *(f"ht_{name}" for name in COUNTED))
_INTERVALS: Final = (
    Column("period", "Period", keep=2),
    Column("instrument_id", "Instrument", keep=9, fit="head"),
    Column("start", "From", "time", keep=7),
    Column("end", "To", "time", keep=6),
    Column("inclusion", "Chance", "percent", places=1, keep=7),
    Column("reason", "Chosen", keep=6),
    Column("updates", "Updates", "decimal", places=0, keep=8),
    Column("trades", "Trades", "decimal", places=0, keep=3),
    Column("volume_shares", "Shares", "decimal", places=0, keep=3),
    Column("notional_usd", "Dollars", "decimal", places=0, keep=3),
    Column("weighted_s", "Stands for", "decimal", "s", places=0, keep=5),
    Column("ht_updates", "Updates", "decimal", places=0, keep=8, of="Estimated"),
    Column("ht_trades", "Trades", "decimal", places=0, keep=2, of="Estimated"),
    Column("ht_volume_shares", "Shares", "decimal", places=0, keep=2, of="Estimated"),
    Column("ht_notional_usd", "Dollars", "decimal", places=0, keep=4, of="Estimated"),
)


def totals(
    venue: Annotated[str | None, typer.Argument(metavar="VENUE", help="Default: the one recorded last.")] = None,
    date: Annotated[
        str | None, typer.Argument(metavar="DATE[..DATE]", help="UTC days; default: the latest recorded.")
    ] = None,
    by: Annotated[By, typer.Option("--by", help="What a row is: a total, or what is added up to it.")] = "total",
    config: ConfigFile = None,
    format: OutputFormat = "table",
) -> None:
    """Estimate how much a whole venue changed and traded while it was recorded, with 95 % intervals.

    Each recorded instrument counts as often as its probability of being chosen says. Nothing is added for time in which
    no collector ran. '--by interval' lists each covered interval with what was counted in it and what that stands for.
    """
    loaded = load(config).config
    wanted = fetched_days(loaded, venue, date)
    require_venue(loaded.data_dir, venue)
    days = choose_days(loaded.data_dir, venue, wanted)
    say_missing(wanted, [day.date for day in days])
    found = retry_if_replaced(lambda: venue_totals(days))
    show(_table(found, days) if by == "total" else _parts(found, days, by), format)


def _parts(found: VenueTotals, days: Sequence[MiningDay], by: By) -> Table:
    rows = found.intervals.with_columns(pl.col("start", "end").cast(pl.Int64))
    columns: tuple[Column, ...] = _INTERVALS
    if by == "instrument":
        columns = tuple(each for each in _INTERVALS if each.key in ("instrument_id", *_SUMS))
        rows = (
            rows.group_by("instrument_id").agg(pl.col(_SUMS).sum()).sort("ht_updates", "instrument_id", descending=True)
        )
    title = f"What the totals of {_when(days)} are sums of"
    return Table("totals", title, columns, rows.select(each.key for each in columns).rows(), "; ".join(_notes(found)))


def _when(days: Sequence[MiningDay]) -> str:
    first, last = days[0], days[-1]
    return f"{first.venue}, {first.date if len(days) == 1 else f'{first.date} to {last.date}'} (UTC)"


def _table(found: VenueTotals, days: Sequence[MiningDay]) -> Table:
    rows = []
    for name, estimate, error, low, high in found.totals.iter_rows():
        recorded = None if estimate is None else found.recorded[name]
        rows.append((name, recorded, estimate, low, high, error / estimate if estimate else None))
    return Table("totals", f"Totals of {_when(days)}", _TOTALS, rows, "; ".join(_notes(found)))


def _notes(found: VenueTotals) -> Iterator[str]:
    time, there = span(found.hours * NS_HOUR), f"about {found.open:,.0f} open at a time"
    yield f"{time} observed: {found.instruments:,} instruments; {there}"
    if not found.draws:
        yield "nothing was drawn at random: these are totals of what had a place"
    elif found.hours < HOURS_LEAST:
        yield "less than a day: the intervals are too narrow, as markets stay busy or quiet for hours"
