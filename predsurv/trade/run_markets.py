"""What a run on live feeds knows of markets when it begins, and what it watches."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from collections.abc import Set as AbstractSet
from typing import Final

from msgspec import Struct

from predsurv.config import Config
from predsurv.core.errors import ConfigError
from predsurv.core.ids import InstrumentKey, MarketId, VenueName
from predsurv.ports import Venue
from predsurv.state.market_cache import MarketCache
from predsurv.store.universe import universe_files
from predsurv.trade.engine_parts import cache_of
from predsurv.trade.market_lists import markets_listed_now, recorded_facts
from predsurv.trade.runs.inputs import KnownBefore, MarketBefore, StatedFact
from predsurv.trade.watchlist import MarketSelection, Watchlist, select_markets

_MOCK: Final = VenueName("mock")


class KnownToRun(Struct, frozen=True):
    """The markets that a run knows when it begins, and what it watches of each venue.

    ``learnt``: in which order it came to know them, None where that follows from the data that it reads.
    """

    cache: MarketCache
    watched: Mapping[VenueName, MarketSelection]
    learnt: Sequence[KnownBefore] | None = None


Know = Callable[[Sequence[InstrumentKey]], KnownToRun]
"""Returns what a run knows that holds, or has ordered, some instruments."""


def known_now(config: Config, venues: Sequence[Venue], keys: Iterable[InstrumentKey], now: int) -> KnownToRun:
    """Return the markets that are listed now or of ``keys``, as known at ``now`` (ns UTC), and what to watch."""
    held, watched, learnt = frozenset(keys), {}, list[KnownBefore]()
    for venue in venues:
        selection = _select(config, venue, frozenset(key for key in held if key.venue == venue.name))
        if venue.name != _MOCK:  # its world begins anew with every process, settled markets included
            ids = {market.market_id for market in selection.markets}
            learnt += map(StatedFact, recorded_facts(config.data_dir, venue.name, ids, now))
        learnt += map(MarketBefore, selection.markets)
        watched[venue.name] = selection
    mirrored = frozenset(venue.name for venue in venues if venue.traits.complementary_outcomes)
    return KnownToRun(cache_of(learnt, mirrored), watched, learnt)


def _select(config: Config, venue: Venue, held: frozenset[InstrumentKey]) -> MarketSelection:
    """Return the markets of a venue to know and to watch; raises ConfigError when there are none to trade."""
    name = venue.name
    files = universe_files(config.data_dir, name)
    if not files:
        flag = " --mock" if name == _MOCK else f" {name}"
        raise ConfigError(f"no list of the markets of {name} in {config.data_dir} yet; run 'predsurv scan{flag}' first")
    markets = markets_listed_now(name, files, {key.market_id for key in held})
    capacity = config.collector.max_instruments
    selection = select_markets(markets, capacity, mirrored=venue.traits.complementary_outcomes, held=held)
    if not selection.keys:
        raise ConfigError(f"{files[max(files)]} has no market that can be traded; scan again")
    return selection


def empty_cache(venues: Sequence[Venue]) -> MarketCache:
    return MarketCache(frozenset(venue.name for venue in venues if venue.traits.complementary_outcomes))


def watchlist_of(
    venue: Venue, selection: MarketSelection, capacity: int, followed: AbstractSet[tuple[VenueName, MarketId]]
) -> Watchlist:
    """Return the watchlist of a venue; what was traded stays on it until it is paid out."""
    mirrored = venue.traits.complementary_outcomes
    return Watchlist(
        selection.keys,
        capacity,
        mirrored=mirrored,
        mirrors=selection.mirrors,
        known=selection.markets,
        needed=lambda name, market_id: (name, market_id) in followed,
    )
