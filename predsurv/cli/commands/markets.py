"""``predsurv markets``: find a market in the lists of the venues."""

from collections.abc import Sequence
from typing import Annotated, Final

import typer

from predsurv.cli.commands.bucket import fetch_first
from predsurv.cli.commands.venue_names import require_venue
from predsurv.cli.options import ConfigFile, Mock, OutputFormat, mock_flag
from predsurv.cli.output.render import Column, Table, Value, show
from predsurv.config import load
from predsurv.core.num import parse_micros
from predsurv.core.text import sanitise
from predsurv.scan.search import MarketSearch, SearchLine, SearchResult, search
from predsurv.store.remote.download import DownloadRequest
from predsurv.store.universe import iso_second, parse_iso

_TOP: Final = 20

_COLUMNS: Final = (
    Column("venue", "Venue", keep=7, fit="whole"),
    Column("question", "Market", keep=9, width_min=30),
    Column("status", "Status", keep=8, fit="whole"),
    Column("volume_24h", "Volume 24 h", "micros", "$", places=0, keep=6),
    Column("liquidity", "Liquidity", "micros", "$", places=0, keep=3),
    Column("close_time", "Closes", "time", "UTC", keep=5),
    Column("category", "Category", keep=4, width_max=20),
    Column("outcomes", "Outcomes", keep=2, width_max=30),
    Column("market_id", "Id", keep=8, width_min=20),
    Column("event_id", "Event", keep=1),
    Column("instruments", "Instruments", only="machine"),
    Column("url", "Address", only="machine"),
    Column("fetched_at", "Listed", "time", "UTC", only="machine"),
)


def markets(
    text: Annotated[
        str, typer.Argument(metavar="TEXT", help="Words of the title, an id, or the end of a link; default: all.")
    ] = "",
    config: ConfigFile = None,
    format: OutputFormat = "table",
    *,
    venue: Annotated[list[str] | None, typer.Option("--venue", metavar="VENUE", help="May be repeated.")] = None,
    category: Annotated[str | None, typer.Option("--category", metavar="C", help="Only of this category.")] = None,
    closed: Annotated[
        bool, typer.Option("--closed", help="Also markets that are over, as far as earlier lists have them.")
    ] = False,
    top: Annotated[int, typer.Option("--top", min=1, metavar="N", help="How many to show.")] = _TOP,
    mock: Mock = False,
) -> None:
    """Search the lists of markets that 'predsurv scan' wrote: best match first, then most traded in 24 hours."""
    settings = load(config, flags=mock_flag(mock)).config
    for name in venue or ():
        require_venue(settings.data_dir, name)
    fetch_first(settings, DownloadRequest(dates=(), datasets=(), universe=True))
    venues = venue or (["mock"] if mock else [])
    found = search(settings.data_dir, MarketSearch(text=text, venues=venues, category=category, closed=closed, top=top))
    show(markets_table(found, text), format)


def markets_table(found: SearchResult, text: str) -> Table:
    """Return one row per market, and what of the lists it is."""
    named = f" with {sanitise(text, 60)!r}" if text else ""
    note = f"{len(found.markets):,} of {found.found:,} markets{named}, of {found.searched:,} listed"
    if found.over:
        note += f"; {found.over:,} that are over: --closed"
    if found.markets:
        note += f"; as of {iso_second(max(parse_iso(each.fetched_at) for each in found.markets))}"
    over = f"; {found.over:,} that are over: --closed shows them" if found.over else ""
    empty = f"no market{named} among {found.searched:,} listed{over}"
    return Table("markets", "Markets", _COLUMNS, [_row(each) for each in found.markets], note, empty=empty)


def _row(line: SearchLine) -> Sequence[Value]:
    status = line.status if line.last_seen is None else f"{line.status}, no longer listed"
    return (
        line.venue,
        line.question,
        status,
        None if line.volume_24h is None else parse_micros(line.volume_24h),
        None if line.liquidity is None else parse_micros(line.liquidity),
        None if line.close_time is None else parse_iso(line.close_time),
        line.category,
        " / ".join(each.label for each in line.outcomes),
        line.market_id,
        line.event_id,
        " ".join(each.instrument_id for each in line.outcomes),
        line.url,
        parse_iso(line.fetched_at),
    )
