"""The latest list of a venue as fields to compare: markets that can be traded, and those that settled since."""

from collections.abc import Mapping
from pathlib import Path
from typing import Final, NamedTuple

from predsurv.core.errors import ConfigError
from predsurv.core.ids import MarketId, VenueName
from predsurv.core.mapping import terms_fingerprint
from predsurv.mapping.listings import listing_of, live
from predsurv.mapping.settled import Settled, paid, read_settled
from predsurv.mapping.terms import Terms, read_terms
from predsurv.store.universe import find_markets, latest_universe, read_universe, universe_files

SETTLED_LISTS: Final = 7
"""Universe files, the latest, in which markets are looked for that a recording heard settle."""


class ListedVenue(NamedTuple):
    """The markets of a venue that can still be traded, by id: their fields, titles and fingerprints.

    ``settled``: the fields of those that a recording heard settle, with what they paid; ``heard``: how every market
    settled of which it heard that.
    """

    name: VenueName
    terms: Mapping[str, Terms]
    titles: Mapping[str, str]
    fingerprints: Mapping[str, str]
    settled: Mapping[str, Terms]
    heard: Settled


def listed_venue(data_dir: Path, name: VenueName) -> ListedVenue:
    """Return the latest list of a venue; raises ConfigError where there is none, IntegrityError for a damaged file."""
    path = latest_universe(data_dir, name)
    if path is None:
        raise ConfigError(f"{data_dir} has no list of {name}'s markets; run 'predsurv scan {name}' first")
    terms: dict[str, Terms] = {}
    titles: dict[str, str] = {}
    fingerprints: dict[str, str] = {}
    heard = read_settled(data_dir, name)
    for market in live(read_universe(path)):
        if market.market_id in heard:
            continue
        terms[market.market_id] = read_terms(listing_of(market))
        titles[market.market_id] = market.question
        fingerprints[market.market_id] = terms_fingerprint(market)
    settled = settled_terms(data_dir, name, heard, SETTLED_LISTS)
    return ListedVenue(name, terms, titles, fingerprints, settled, heard)


def settled_terms(data_dir: Path, name: VenueName, heard: Settled, lists: int | None = None) -> dict[str, Terms]:
    """Return the fields of the markets ``heard`` to settle, with what they paid.

    ``lists``: how many universe files, the latest, are looked through for them, None: all.
    """
    latest = list(universe_files(data_dir, name).values())[-(lists or 0) :]
    found = find_markets(reversed(latest), frozenset(map(MarketId, heard))) if heard else {}
    terms: dict[str, Terms] = {}
    for market in found.values():
        amount = paid(heard[market.market_id], market.outcomes[0].instrument_id) if market.outcomes else None
        if amount is not None and len(market.outcomes) == 2:
            terms[market.market_id] = read_terms(listing_of(market, amount))
    return terms
