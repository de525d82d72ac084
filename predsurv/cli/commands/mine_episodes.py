"""``predsurv mine episodes``: when a set of markets paid more than it cost, for how long, and how much of it."""

import asyncio
from collections.abc import Mapping, Sequence
from contextlib import AsyncExitStack
from typing import Annotated, Final

import typer

from predsurv.cli.commands.dates import fetch_days, span_of
from predsurv.cli.options import ConfigFile, OutputFormat
from predsurv.cli.output.progress import Update, progress_line
from predsurv.cli.output.render import Column, Table, Value, near, say, show
from predsurv.config import Config, load
from predsurv.config.mappings import read_mappings
from predsurv.core.errors import ConfigError
from predsurv.core.mapping import ApprovedMapping
from predsurv.core.num import MICROS
from predsurv.core.text import sanitise
from predsurv.mine.episodes.episode import DELAYS, Episode
from predsurv.mine.episodes.job import CROSS, EpisodesFound, mine_episodes
from predsurv.mine.episodes.table import LEFT
from predsurv.mine.recorded_days import choose_days
from predsurv.net.clock import SystemClock
from predsurv.ports import Venue
from predsurv.store.layout import date_of
from predsurv.store.read.recording import ReplaySpan, require_recorded
from predsurv.venues.registry import check_venue, open_venue

_TOP: Final = 20
_MS: Final = 1_000_000

_COLUMNS: Final = (
    Column("title", "Set with", keep=9),
    Column("kind", "Kind", keep=7),
    Column("start", "Began", "time", "UTC", keep=6),
    Column("duration_s", "Lasted", "duration", keep=8),
    Column("ended", "Ended by", keep=4),
    Column("leg_count", "Legs", "int", keep=3),
    Column("peak_sets", "Sets", "decimal", places=0, keep=5),
    Column("peak_profit_usd", "Profit at peak", "decimal", "$", keep=9),
    Column("peak_edge_bps", "Edge", "decimal", "bps", places=0, keep=8),
    Column("open_profit_usd", "At the beginning", "decimal", "$", keep=2),
    *(
        Column(name, f"Left after {delay // _MS} ms", "decimal", "$", keep=keep)
        for name, delay, keep in zip(LEFT, DELAYS, (3, 5, 6, 3), strict=True)
    ),
    Column("seen_from_start", "Beginning seen", keep=2),
    Column("group_id", "Event", keep=1),
)
"""Keys are those of ``episodes.parquet``."""


def episodes(
    venue: Annotated[
        str | None, typer.Argument(metavar="VENUE", help="Or 'cross': approved pairs. Default: recorded last.")
    ] = None,
    dates: Annotated[
        str | None, typer.Argument(metavar="DATE[..DATE]", help="UTC days; default: the latest recorded.")
    ] = None,
    *,
    top: Annotated[int, typer.Option("--top", min=1, metavar="N", help="How many to show.")] = _TOP,
    config: ConfigFile = None,
    format: OutputFormat = "table",
) -> None:
    """Find when a set of an event's markets paid more than it cost, after fees and at the depth that was there.

    Sets are shares of which one, or at least so many, surely pay a dollar: every outcome of a market, YES of every
    market of an event that is exhaustive, NO of several of an exclusive one; with 'cross' also over approved pairs of
    markets of two venues. Time counts only while every leg's book was known.
    """
    loaded = load(config).config
    mappings = read_mappings(loaded.trading.mappings) if venue == CROSS else ()
    names = _names(loaded, venue, mappings)
    span = span_of(dates or choose_days(loaded.data_dir, None if venue == CROSS else venue, None)[-1].date)
    found = asyncio.run(_mine(loaded, names, span, mappings))
    for each in found.recordings:
        for note in each.notes():
            say(note)
    show(_table(found, names, span, top), format)
    written = (
        near(found.files[0]) if len(found.files) == 1 else f"{len(found.files)} files such as {near(found.files[0])}"
    )
    say(f"{len(found.episodes):,} episodes: {written}")


def _names(config: Config, venue: str | None, mappings: Sequence[ApprovedMapping]) -> list[str]:
    if venue != CROSS:
        name = venue or choose_days(config.data_dir, None, None)[-1].venue
        check_venue(name)
        return [name]
    if not mappings:
        raise ConfigError(f"no approved pair of markets in {sanitise(str(config.trading.mappings), 200)}")
    return sorted({str(side.venue) for mapping in mappings for side in mapping.sides()})


async def _mine(
    config: Config, names: Sequence[str], span: ReplaySpan, mappings: Sequence[ApprovedMapping]
) -> EpisodesFound:
    async with AsyncExitStack() as stack:
        venues: list[Venue] = []
        for name in names:
            opened = open_venue(name, config, SystemClock())
            stack.push_async_callback(opened.aclose)
            await fetch_days(config, opened.name, span)
            require_recorded(config.data_dir, opened.name, span)
            venues.append(opened)
        with progress_line() as update:
            return mine_episodes(config.data_dir, venues, span, mappings, lambda ts: _tell(update, span, ts))


def _tell(update: Update, span: ReplaySpan, ts: int) -> None:
    share = (ts - span.start) / (span.end - span.start)
    update(("episodes", f"looking for episodes: {date_of(ts)}, {share:.0%} of the time asked for"))


def _table(found: EpisodesFound, names: Sequence[str], span: ReplaySpan, top: int) -> Table:
    best = sorted(found.episodes, key=lambda each: -each.peak.profit)[:top]
    subject = names[0] if len(names) == 1 else " and ".join(names)
    first, last = span.dates()[0], span.dates()[-1]
    days = first if first == last else f"{first} to {last}"
    note = (
        f"{len(best)} of {len(found.episodes):,}, most profit at a time first; left: what could still be earned that "
        "long after the beginning, empty where a book was not known"
    )
    title = f"Episodes: {subject}, {days} (UTC)"
    return Table("episodes", title, _COLUMNS, [_cells(each, found.titles) for each in best], note, empty="no set paid")


def _cells(episode: Episode, titles: Mapping[str, str]) -> Sequence[Value]:
    peak = episode.peak
    return (
        titles.get(episode.name, episode.name),
        peak.signal,
        episode.start,
        episode.end - episode.start,
        episode.ended,
        len(peak.legs),
        peak.sets / MICROS,
        peak.profit / MICROS,
        peak.profit * 10_000 / peak.cost if peak.cost > 0 else None,
        episode.opened.profit / MICROS,
        *(None if left is None else left / MICROS for left in episode.left),
        "yes" if episode.seen_from_start else "no",
        episode.name,
    )
