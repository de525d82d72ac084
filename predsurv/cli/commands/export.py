"""``predsurv export``: a recording for other programs and other people."""

from pathlib import Path
from typing import Annotated, Final

import typer

from predsurv.api.times import to_ns
from predsurv.cli.commands.bucket import fetch_day
from predsurv.cli.commands.dates import span_of
from predsurv.cli.commands.export_taxes import taxes
from predsurv.cli.commands.venue_names import require_venue
from predsurv.cli.options import ConfigFile, OutputFormat
from predsurv.cli.output.render import Column, Table, say, show
from predsurv.config import Config, load
from predsurv.core.errors import ConfigError
from predsurv.core.ids import InstrumentKey, MarketId, VenueName
from predsurv.core.num import parse_price
from predsurv.core.text import path_component, sanitise
from predsurv.interchange.hftbacktest import event_array
from predsurv.interchange.nautilus import CATALOG_VERSIONS, CatalogDay, CatalogInstrument, catalog_id, write_instrument
from predsurv.interchange.release import write_release
from predsurv.scan.search import SearchLine, find_one
from predsurv.store.read.replay import replay

export = typer.Typer(
    rich_markup_mode=None,
    add_completion=False,
    no_args_is_help=True,
    help="Write a recording for other programs and other people.",
)

_ARRAYS: Final = (
    Column("file", "File", keep=9, fit="whole"),
    Column("events", "Events", "int", keep=8),
    Column("bytes", "Size", "bytes", keep=7),
)
_TICK: Final = 10_000  # micros, of a market whose list says none
_RELEASE: Final = (
    Column("folder", "Folder", keep=9, fit="whole"),
    Column("files", "Files", "int", keep=8),
    Column("rows", "Rows", "int", keep=7),
    Column("bytes", "Size", "bytes", keep=6),
    Column("instruments", "Instruments", "int", keep=5),
    Column("observed", "Observed", "percent", keep=8),
)

Dates = Annotated[str, typer.Argument(metavar="DATE[..DATE]", help="UTC days, today or yesterday.")]
Out = Annotated[Path, typer.Option("--out", metavar="FOLDER", help="Where to write.")]


def _named(line: SearchLine, key: InstrumentKey) -> CatalogInstrument:
    tick = parse_price(line.tick_size) if line.tick_size else _TICK
    closes = to_ns(line.close_time) if line.close_time else None
    return CatalogInstrument(key, line.question, line.outcomes[0].label, tick, closes)


def _first_outcome(settings: Config, market: str, venue: str | None) -> tuple[SearchLine, InstrumentKey]:
    require_venue(settings.data_dir, venue)
    line = find_one(settings.data_dir, market, [venue] if venue else [])
    return line, InstrumentKey(VenueName(line.venue), MarketId(line.market_id), line.outcomes[0].instrument_id)


@export.command("hftbacktest")
def hftbacktest(
    market: Annotated[str, typer.Argument(metavar="MARKET", help="An id, the end of a link, or words of the title.")],
    dates: Dates,
    *,
    out: Out = Path(),
    venue: Annotated[str | None, typer.Option("--venue", metavar="VENUE", help="Only of this venue.")] = None,
    config: ConfigFile = None,
    format: OutputFormat = "table",
) -> None:
    """Write a market's first outcome as events of hftbacktest 2: one .npz for each day, cleared where it was unknown.

    Load with numpy and keep the array as long as the backtest runs; a lot size of 0.01 or less, prices from 0 to 1.
    """
    settings = load(config).config
    line, key = _first_outcome(settings, market, venue)
    rows = []
    out.mkdir(parents=True, exist_ok=True)
    for date in span_of(dates).dates():
        fetch_day(settings, line.venue, date)
        span = span_of(date)
        made = event_array(key, replay(settings.data_dir, line.venue, span.start, span.end, {key}))
        if made.rows:
            path = out / f"{path_component(key.instrument_id)[:60]}_{date}.npz"
            made.write(path)
            rows.append((str(path), made.rows, path.stat().st_size))
    if not rows:
        raise ConfigError(f"{sanitise(line.question, 80)}: nothing was recorded on {sanitise(dates, 40)}")
    show(Table("files", "Written", _ARRAYS, rows, "times in ns; size the market with tick 0.001, lot 0.01"), format)


@export.command("nautilus")
def nautilus(
    market: Annotated[str, typer.Argument(metavar="MARKET", help="An id, the end of a link, or words of the title.")],
    dates: Dates,
    *,
    out: Annotated[Path, typer.Option("--out", metavar="FOLDER", help="The catalog; days are added to one there.")],
    version: Annotated[
        str,
        typer.Option("--catalog", metavar="1|2", help="Of NautilusTrader: 1 for 1.x, 2 for 2.x; not the same files."),
    ] = "1",
    venue: Annotated[str | None, typer.Option("--venue", metavar="VENUE", help="Only of this venue.")] = None,
    config: ConfigFile = None,
    format: OutputFormat = "table",
) -> None:
    """Write a market's first outcome into a catalog of NautilusTrader: deltas, trades, the instrument.

    Prices, sizes and times are exact; the book is empty where it was not observed; fees are left out.
    """
    found = next((each for each in CATALOG_VERSIONS if each == version), None)
    if found is None:
        raise ConfigError(f"--catalog {sanitise(version, 20)!r}: there are {' and '.join(CATALOG_VERSIONS)}")
    settings = load(config).config
    line, key = _first_outcome(settings, market, venue)
    rows = []
    for date in span_of(dates).dates():
        fetch_day(settings, line.venue, date)
        span = span_of(date)
        day = CatalogDay(key, found)
        for event in replay(settings.data_dir, line.venue, span.start, span.end, {key}):
            day.add(event)
        rows += [(str(path), count, path.stat().st_size) for path, count in day.write(out).items()]
    if not rows:
        raise ConfigError(f"{sanitise(line.question, 80)}: nothing was recorded on {sanitise(dates, 40)}")
    path = write_instrument(out, _named(line, key), found)
    rows.append((str(path), 1, path.stat().st_size))
    show(Table("files", "Written", _ARRAYS, rows, f"instrument {catalog_id(key)}; fees are not in the catalog"), format)


@export.command("release")
def release(
    venue: Annotated[str, typer.Argument(metavar="VENUE", help="Whose days.")],
    dates: Dates,
    *,
    out: Out,
    title: Annotated[str | None, typer.Option("--title", metavar="TEXT", help="Of the dataset.")] = None,
    license_name: Annotated[
        str, typer.Option("--license", metavar="NAME", help="Under which you publish it, such as CC-BY-4.0.")
    ] = "not stated",
    config: ConfigFile = None,
    format: OutputFormat = "table",
) -> None:
    """Make a folder of some days to publish: files, checksums, what was observed, a data card, a Croissant file."""
    settings = load(config).config
    require_venue(settings.data_dir, venue)
    days = span_of(dates).dates()
    for date in days:
        fetch_day(settings, venue, date)
    made = write_release(
        settings.data_dir,
        VenueName(venue),
        days,
        out,
        title=title or f"Order books of {venue}, {dates}",
        license_name=license_name,
    )
    wanted = made.covered + made.gaps
    row = (
        str(made.folder),
        made.files,
        sum(made.rows.values()),
        sum(made.bytes.values()),
        made.instruments,
        made.covered / wanted if wanted else None,
    )
    show(Table("release", "Released", _RELEASE, [row]), format)
    say(f"check it with: cd {out} && sha256sum -c SHA256SUMS")


export.command("taxes")(taxes)
