"""The markets of a run, from universe files: those listed now or held, or those listed in the days of a recording."""

import logging
from collections.abc import Iterable, Iterator, Mapping
from collections.abc import Set as AbstractSet
from pathlib import Path
from typing import Final

from predsurv.core.errors import ConfigError
from predsurv.core.ids import ID_CHARS_MAX, MarketId, VenueName
from predsurv.core.market import Market
from predsurv.core.text import sanitise
from predsurv.state.market_cache import MarketCache
from predsurv.store.layout import Layout, Partition, day_files
from predsurv.store.universe import date_in_force, find_markets, latest_universe, read_universe
from predsurv.trade.watchlist import is_open

_LOG: Final = logging.getLogger(__name__)


def markets_listed_now(venue: VenueName, files: Mapping[str, Path], held: AbstractSet[MarketId]) -> Iterator[Market]:
    """Yield the markets of the newest universe, and those ``held`` that it lacks from the latest one that has them.

    ``files`` are the universe files of ``venue`` by date, at least one.
    """
    newest, *older = sorted(files, reverse=True)
    missing = set(held)
    for market in read_universe(files[newest]):
        missing.discard(market.market_id)
        yield market
    found = find_markets((files[date] for date in older), missing)
    yield from found.values()
    for market_id in sorted(missing - found.keys()):
        _LOG.warning(
            "no universe of %s has market %s, of which shares are held: it is watched until it settles, and not traded",
            venue,
            sanitise(market_id, ID_CHARS_MAX),
        )


def markets_listed_between(venue: VenueName, files: Mapping[str, Path], first: str, last: str) -> Iterable[Market]:
    """Return the markets of the universe in force on day ``first``, and those listed up to day ``last``.

    ``files`` are the universe files of ``venue`` by date, at least one. A market counts as listed once it is
    open: one that opens only later has the record of the first file in which it is open.
    """
    begin = date_in_force(files, first) or first
    if begin > first:
        _LOG.warning(
            "no universe of %s is from %s or before, so that of %s is used: markets that ended before it are missing",
            venue,
            first,
            begin,
        )
    known: dict[MarketId, Market] = {}
    for path in [files[begin], *(files[date] for date in files if begin < date <= last)]:
        for market in read_universe(path):
            before = known.get(market.market_id)
            if before is None or (is_open(market) and not is_open(before)):
                known[market.market_id] = market
    return known.values()


def newest_listings(data_dir: Path, venues: Iterable[VenueName]) -> MarketCache:
    """Return the markets of each venue's newest universe file, for their names; empty without any."""
    cache = MarketCache()
    for venue in venues:
        path = latest_universe(data_dir, venue)
        for market in read_universe(path) if path is not None else ():
            cache.add(market)
    return cache


def require_recorded(data_dir: Path, venue: VenueName, dates: Iterable[str]) -> None:
    """Raise ConfigError, naming the days that were recorded, when none of ``dates`` (YYYY-MM-DD) was."""
    if any(day_files(data_dir, "deltas", venue, date) for date in dates):
        return
    days_of_venue = Layout(data_dir).folder(Partition("deltas", venue, "", None)).parent
    days = sorted(path.name.removeprefix("date=") for path in days_of_venue.glob("date=*"))
    there = f"there are {days[0]} to {days[-1]}" if days else "nothing of this venue was; run 'predsurv collect' first"
    raise ConfigError(f"{venue}: these days were not recorded in {data_dir}; {there}")
