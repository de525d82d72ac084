"""``predsurv mine tables``: a venue's days beside what research has published of such markets."""

from collections.abc import Sequence
from typing import Annotated, Final

import polars as pl
import typer

from predsurv.cli.commands.dates import say_missing, span_of
from predsurv.cli.commands.venue_names import require_venue
from predsurv.cli.options import ConfigFile, OutputFormat
from predsurv.cli.output.render import Column, Table, show
from predsurv.config import load
from predsurv.mine import scores
from predsurv.mine.job import mine_days
from predsurv.mine.published import (
    PublishedFigure,
    episodes_beside,
    outcomes_beside,
    read_episodes,
    spreads_beside,
    trade_outcomes,
)
from predsurv.mine.recorded_days import MiningDay, choose_days
from predsurv.mine.spreads_by_price import spreads_by_price
from predsurv.store.read.verify_digests import retry_if_replaced

_PLACES: Final = 2

_COMPARED: Final = (
    Column("what", "What", keep=9, fit="wrap"),
    Column("here", "Here", "decimal", places=_PLACES, keep=9),
    Column("published", "Published", keep=9),
    Column("unit", "Unit", keep=9),
    Column("source", "Source", keep=8, fit="wrap"),
)

_OUTCOMES: Final = (
    Column("price_cents", "Bought at", unit="¢", keep=9),
    Column("trades", "Trades", "int", keep=8),
    Column("markets", "Markets", "int", keep=5),
    Column("shares", "Volume", "decimal", "shares", places=0, keep=4),
    Column("mean_price_usd", "Price", "decimal", "$", places=3, keep=7),
    Column("win_rate", "Paid", "decimal", "$", places=3, keep=9),
    Column("win_rate_error", "± (1 s.e.)", "decimal", "$", places=3, keep=6),
    Column("taker_return", "Takers earned", "percent", keep=8),
    Column("maker_return", "Makers earned", "percent", keep=7),
)

_SPREADS: Final = (
    Column("price_cents", "Price", unit="¢", keep=9),
    Column("claims", "Claims", "int", keep=8),
    Column("half_spread_bps", "Half-spread", "decimal", "bps of price", places=0, keep=9),
    Column("half_spread_median_bps", "Median claim", "decimal", "bps of price", places=0, keep=7),
)


def tables(
    venue: Annotated[str | None, typer.Argument(metavar="VENUE", help="Default: the one recorded last.")] = None,
    date: Annotated[
        str | None, typer.Argument(metavar="DATE[..DATE]", help="UTC days; default: the latest recorded.")
    ] = None,
    config: ConfigFile = None,
    format: OutputFormat = "table",
) -> None:
    """Show days in the tables that research has published: episodes, spreads by price, what takers and makers earned.

    Episodes are those that 'mine episodes' has found on these days. Of trades those count whose market has settled.
    """
    loaded = load(config).config
    require_venue(loaded.data_dir, venue)
    wanted = None if date is None else span_of(date).dates()
    days = choose_days(loaded.data_dir, venue, wanted)
    say_missing(wanted, [day.date for day in days])
    weight = scores.weights(loaded.miner.weights, loaded.miner.preset)
    stats = retry_if_replaced(lambda: mine_days(days, weight)).stats
    spreads = spreads_by_price(stats.lazy()).collect()
    outcomes = retry_if_replaced(lambda: trade_outcomes(days))
    compared = [*episodes_beside(read_episodes(days)), *spreads_beside(spreads), *outcomes_beside(outcomes)]
    show(
        [_comparisons(compared, days), _rows(_OUTCOMES, outcomes, "outcomes"), _rows(_SPREADS, spreads, "spreads")],
        format,
    )


def _comparisons(compared: Sequence[PublishedFigure], days: Sequence[MiningDay]) -> Table:
    first, last = days[0], days[-1]
    when = first.date if len(days) == 1 else f"{first.date} to {last.date}"
    rows = [(each.what, each.here, each.published, each.unit, each.source) for each in compared]
    note = "other venues, times and choices of markets: a likeness proves nothing, a great difference asks for a reason"
    return Table("published", f"Beside published figures: {first.venue}, {when} (UTC)", _COMPARED, rows, note)


_ABOUT: Final = {
    "outcomes": (
        "What takers bought, by its price",
        "a sale at p counts as the opposite bought at 1 − p; paid: of a share on average; before fees; the error is by "
        "market, as trades of one settle together",
        "no trade's market has settled yet",
    ),
    "spreads": (
        "Spreads by price",
        "each book as two claims, at its mid and at 1 − mid; weighted by observed time",
        "no book had both sides",
    ),
}


def _rows(columns: tuple[Column, ...], found: pl.DataFrame, name: str) -> Table:
    title, note, empty = _ABOUT[name]
    rows = list(found.select(each.key for each in columns).iter_rows())
    return Table(name, title, columns, rows, note, empty=empty)
