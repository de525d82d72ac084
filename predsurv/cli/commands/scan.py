"""``predsurv scan``: read the catalogues, write the universe, say what is in it."""

import asyncio
from collections.abc import Iterable, Sequence
from contextlib import AsyncExitStack
from typing import Annotated, Final, NamedTuple

import typer

from predsurv.cli.commands.bucket_upload import upload_universes
from predsurv.cli.commands.scan_diff import show_changes
from predsurv.cli.options import ConfigFile, Mock, OutputFormat, Venues, mock_flag
from predsurv.cli.output.columns import TEXT_CHARS_MAX
from predsurv.cli.output.progress import progress_line
from predsurv.cli.output.render import Column, Table, Value, near, say, show
from predsurv.config import Config, load
from predsurv.core.errors import ConfigError, TransientError
from predsurv.core.ids import VenueName
from predsurv.core.num import Money, parse_micros
from predsurv.core.text import sanitise
from predsurv.net.clock import SystemClock
from predsurv.ports import UNREADABLE, Clock, MarketQuery
from predsurv.scan.job import ScanJob, ScanProgress, VenueScan, scan_venues
from predsurv.scan.totals import ScanTotals
from predsurv.store.universe_writer import UniverseWriter
from predsurv.venues.registry import enabled_venues, open_venue

CATEGORIES_SHOWN: Final = 12
ISSUES_SHOWN: Final = 3

_TOTALS: Final = (
    Column("markets", "Markets", "int", keep=9),
    Column("tradable", "Tradable", "int", keep=8),
    Column("instruments", "Outcomes", "int", keep=3),
    Column("closing_soon", "Closing", "int", "in 24 h", keep=4),
    Column("volume", "Volume", "micros", "$", places=0, keep=6),
    Column("volume_24h", "Volume 24 h", "micros", "$", places=0, keep=7),
    Column("liquidity", "Liquidity", "micros", "$", places=0, keep=5),
)
_VENUES: Final = (
    Column("venue", "Venue", keep=9),
    *_TOTALS,
    Column("left_out", "Left out", "int", keep=2),
    Column("issues", "Unreadable", "int", keep=3),
    Column("pages", "Pages", "int", keep=1),
    Column("duration_s", "Took", "duration", keep=2),
    Column("path", "Universe file", keep=0, width_max=TEXT_CHARS_MAX),
)
_CATEGORIES: Final = (
    Column("venue", "Venue", keep=5),
    Column("category", "Category", keep=9),
    Column("share", "Share of markets", "bar", keep=4),
    *_TOTALS,
)


_LEFT_OUT: Final = (
    Column("venue", "Venue"),
    Column("reason", "Reason"),
    Column("rows", "Rows", "int"),
)
KALSHI: Final = VenueName("kalshi")


class ScanFilters(NamedTuple):
    """Least volume and liquidity of a market, micros; None for no limit."""

    volume: Money | None
    liquidity: Money | None


NO_LIMITS: Final = ScanFilters(None, None)
"""Limits are those of the configuration."""


def scan(
    venues: Venues = None,
    config: ConfigFile = None,
    format: OutputFormat = "table",
    *,
    mock: Mock = False,
    min_volume: Annotated[
        str | None,
        typer.Option(
            "--min-volume", metavar="DOLLARS", help="Leave out markets that traded less (Kalshi: fewer contracts)."
        ),
    ] = None,
    min_liquidity: Annotated[
        str | None, typer.Option("--min-liquidity", metavar="DOLLARS", help="Leave out markets with less on offer.")
    ] = None,
    tradable: Annotated[bool, typer.Option("--tradable", help="Leave out markets that take no orders now.")] = False,
    limit: Annotated[
        int | None, typer.Option("--limit", min=1, metavar="N", help="Stop after N markets per venue.")
    ] = None,
    diff: Annotated[
        str | None,
        typer.Option(
            "--diff", metavar="DATE[..DATE]", help="Scan nothing; show what changed in the lists of these days."
        ),
    ] = None,
) -> None:
    """List every market of the venues and write each day's universe file."""
    if diff is not None:
        show_changes(
            load(config, flags=mock_flag(mock)).config.data_dir, venues or (["mock"] if mock else None), diff, format
        )
        return
    only = {"scanner.tradable_only": True} if tradable else {}
    loaded = load(config, flags={**mock_flag(mock), "scanner.max_markets": limit, **only}).config
    least = ScanFilters(_dollars("--min-volume", min_volume), _dollars("--min-liquidity", min_liquidity))
    results = asyncio.run(_run(loaded, venues, least))
    upload_universes(loaded, [result.path for result in results if result.path is not None])
    if format != "table" or any(result.failure is None for result in results):  # people read why on stderr
        show([venue_table(results), category_table(results), left_out_table(results)], format)
    _tell(results)


def venue_table(results: Sequence[VenueScan]) -> Table:
    """Return one row per venue whose scan completed."""
    rows: list[Sequence[Value]] = [
        (
            result.venue,
            *_totals(result.totals),
            _left_out(result),
            result.issues_count,
            result.pages,
            result.duration,
            near(result.path) if result.path else None,
        )
        for result in results
        if result.failure is None
    ]
    contracts = any(result.venue == KALSHI and result.failure is None for result in results)
    note = f"{KALSHI} counts volume in contracts, which pay at most a dollar each" if contracts else ""
    return Table("venues", "Universe", _VENUES, rows, note, empty="no venue could be scanned")


def category_table(results: Sequence[VenueScan]) -> Table:
    """Return one row per category, the largest first."""
    rows: list[Sequence[Value]] = []
    hidden = 0
    for result in results:
        if result.failure is None:
            names = list(result.categories)
            hidden += len(names[CATEGORIES_SHOWN:])
            rows += [_category(result, name) for name in names[:CATEGORIES_SHOWN]]
    note = f"{hidden} smaller categories not shown" if hidden else ""
    return Table("categories", "By category", _CATEGORIES, rows, note, empty="no category")


def left_out_table(results: Sequence[VenueScan]) -> Table:
    """Return one row per venue and reason for which rows of its list are not in the universe file."""
    rows: list[Sequence[Value]] = [
        (result.venue, reason, count)
        for result in results
        if result.failure is None
        for reason, count in sorted(result.left_out.items(), key=lambda each: (-each[1], each[0]))
    ]
    limited = ", ".join(result.venue for result in results if result.failure is None and not result.whole)
    note = f"{limited}: what the venue left out itself because of the limits, or had after the last one, is not counted"
    empty = note if limited else "nothing was left out"
    return Table("left_out", "Left out", _LEFT_OUT, rows, note if limited else "", empty=empty)


def _left_out(result: VenueScan) -> int | None:
    """Return how many rows are not in the universe, None where the venue left out others that it did not count."""
    counted = sum(count for reason, count in result.left_out.items() if reason != UNREADABLE)
    return counted if result.whole else None


def _category(result: VenueScan, name: str) -> tuple[Value, ...]:
    totals = result.categories[name]
    return (result.venue, name, totals.markets / max(result.totals.markets, 1), *_totals(totals))


def _totals(totals: ScanTotals) -> tuple[int, ...]:
    return (
        totals.markets,
        totals.tradable,
        totals.instruments,
        totals.closing_soon,
        totals.volume,
        totals.volume_24h,
        totals.liquidity,
    )


async def _run(config: Config, names: Sequence[str] | None, least: ScanFilters) -> list[VenueScan]:
    clock = SystemClock()
    async with AsyncExitStack() as stack:
        # With the mock enabled every name means the same venue.
        found = {venue.name: venue for venue in (open_venue(name, config, clock) for name in _names(config, names))}
        opened = list(found.values())
        for venue in opened:
            stack.push_async_callback(venue.aclose)
        with progress_line() as update:
            job = scan_job(config, [venue.name for venue in opened], least, clock)
            return await scan_venues(opened, job._replace(progress=lambda step: update(_progress(step))))


def scan_job(config: Config, venues: Iterable[VenueName], least: ScanFilters, clock: Clock) -> ScanJob:
    """Return the scan that the configuration asks for, ``least`` preferred to its limits, without progress."""
    return ScanJob(
        queries={name: _query(config, name, least) for name in venues},
        sink=lambda name: UniverseWriter(config.data_dir, name, clock.now()),
        clock=clock,
        progress=lambda _: None,
    )


def _query(config: Config, venue: VenueName, least: ScanFilters) -> MarketQuery:
    polymarket = config.venues.polymarket
    usual = (
        ScanFilters(polymarket.min_volume, polymarket.min_liquidity)
        if venue == "polymarket"
        else ScanFilters(None, None)
    )
    return MarketQuery(
        min_volume=next((each.volume for each in (least, usual) if each.volume is not None), Money(0)),
        min_liquidity=next((each.liquidity for each in (least, usual) if each.liquidity is not None), Money(0)),
        include_closed=config.scanner.include_closed,
        tradable_only=config.scanner.tradable_only,
        limit=config.scanner.max_markets,
    )


def _names(config: Config, names: Sequence[str] | None) -> Sequence[str]:
    chosen = list(dict.fromkeys(names or enabled_venues(config)))
    if not chosen:
        raise ConfigError("no venue is enabled; name one, enable one in the configuration, or use --mock")
    return chosen


def _progress(step: ScanProgress) -> tuple[str, str]:
    return step.venue, scan_line(step)


def scan_line(step: ScanProgress) -> str:
    """Return how far a scan has come, in words."""
    if step.state == "scanning" and not step.pages:
        return f"{step.venue}: waiting for the first page of its list"
    return f"{step.venue}: {step.markets:,} markets, {step.pages:,} pages, {step.state}"


def _tell(results: Sequence[VenueScan]) -> None:
    """Warn of unreadable rows and fields; raise TransientError (exit 3) when a whole venue failed."""
    for result in results:
        for field in result.fields:
            say(f"warning: {result.venue}: {field.where} of {field.kept:,} markets is unreadable, {field.detail}")
        for issue in result.issues[:ISSUES_SHOWN]:
            say(f"warning: {result.venue}: {issue.where}: {issue.detail}")
        if result.issues_count > ISSUES_SHOWN:
            say(f"warning: {result.venue}: {result.issues_count - ISSUES_SHOWN} more unreadable rows")
        if result.failure is None and result.path is None:
            say(f"warning: {result.venue}: no market is within the limits of this scan; nothing was written")
    failed = [f"{result.venue}: {result.failure}; nothing was overwritten" for result in results if result.failure]
    if failed:
        raise TransientError("; ".join(failed))


def _dollars(flag: str, text: str | None) -> Money | None:
    if text is None:
        return None
    try:
        return Money(parse_micros(text))
    except ValueError:
        raise ConfigError(f'{flag}: expected dollars such as "1000" or "0.5"; got {sanitise(text, 40)!r}') from None
