"""The markets of a run, from universe files: those listed now or held, or those listed in the days of a recording."""

import logging
from collections.abc import Iterable, Iterator, Mapping
from collections.abc import Set as AbstractSet
from pathlib import Path
from typing import Final

from predsurv.core.errors import IntegrityError, TransientError
from predsurv.core.events import MarketFact
from predsurv.core.ids import ID_CHARS_MAX, InstrumentKey, MarketId, VenueName
from predsurv.core.market import Market
from predsurv.core.text import sanitise
from predsurv.state.market_cache import MarketCache
from predsurv.store.read.facts import FactsQuery, read_facts
from predsurv.store.universe import find_markets, read_universe, universe_files

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
            "no list of %s has market %s, which is held or ordered: it is watched until it settles, and not traded",
            venue,
            sanitise(market_id, ID_CHARS_MAX),
        )


def recorded_facts(data_dir: Path, venue: VenueName, markets: AbstractSet[MarketId], now: int) -> list[MarketFact]:
    """Return what recordings in ``data_dir`` say of ``markets`` up to ``now`` (ns UTC), in order.

    A recording that cannot be read is passed over with a warning: a run on live feeds does not need it.
    """
    found: list[MarketFact] = []
    try:
        found += (fact for fact in read_facts(data_dir, FactsQuery(venue, now, now, markets)) if fact.ts_recv <= now)
    except (IntegrityError, TransientError) as error:
        _LOG.warning("what was recorded of %s is not used: %s", venue, error)
    return found


def known_markets_of(data_dir: Path, keys: Iterable[InstrumentKey], now: int) -> MarketCache:
    """Return the markets of ``keys`` as known at ``now`` (ns UTC), for their names; without those that nothing states.

    A market that the latest lists lack is looked for in all older ones.
    """
    wanted: dict[VenueName, set[MarketId]] = {}
    for key in keys:
        wanted.setdefault(key.venue, set()).add(key.market_id)
    cache = MarketCache()
    for venue, markets in wanted.items():
        for fact in recorded_facts(data_dir, venue, markets, now):
            cache.apply(fact)
        missing = {market_id for market_id in markets if cache.market(venue, market_id) is None}
        for market in find_markets(reversed(universe_files(data_dir, venue).values()), missing).values():
            cache.add(market)
    return cache
