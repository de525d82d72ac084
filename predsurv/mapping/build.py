"""Build the review queue: the universe files of two venues in, ``mapping/candidates.parquet`` out.

Markets that settled while they were recorded are compared beside it, for what they paid.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Final, NamedTuple

from predsurv.core.errors import ConfigError
from predsurv.core.ids import MarketId, VenueName
from predsurv.core.mapping import terms_fingerprint
from predsurv.core.market import Market
from predsurv.mapping.blocking import candidate_pairs
from predsurv.mapping.candidate_file import QueuedPair, write_candidates
from predsurv.mapping.listings import listing_of, live
from predsurv.mapping.matching import match, word_weights
from predsurv.mapping.relation import compare
from predsurv.mapping.scoring import ScoredPair
from predsurv.mapping.settled import Settled, paid, read_settled
from predsurv.mapping.settled_pairs import SettledPairs, settled_pairs
from predsurv.mapping.terms import Terms, read_terms
from predsurv.store.universe import find_markets, latest_universe, read_universe, universe_files

FIRST: Final = VenueName("kalshi")
SECOND: Final = VenueName("polymarket")


class ListedVenue(NamedTuple):
    """The markets of a venue that can still be traded, by id: their fields, titles and fingerprints.

    ``settled``: the fields of those that a recording heard settle, with what they paid.
    """

    name: VenueName
    terms: Mapping[str, Terms]
    titles: Mapping[str, str]
    fingerprints: Mapping[str, str]
    settled: Mapping[str, Terms]


class BuiltQueue(NamedTuple):
    """What a build made: ``markets`` of each venue, how many ``pairs`` it compared, the queue of those worth a look.

    ``settled``: how pairs of markets that are over paid.
    """

    path: Path
    markets: tuple[int, int]
    pairs: int
    queue: list[QueuedPair]
    settled: SettledPairs


QUEUE_SCORE_MIN: Final = 0.02
"""Pairs below this score are no candidates: nobody reviews them."""

SETTLED_LISTS: Final = 7
"""Universe files, the latest, in which markets are looked for that a recording heard settle."""


def build(data_dir: Path) -> BuiltQueue:
    """Compare the latest universes of both venues and write the queue; raises ConfigError without a universe."""
    first, second = _venue(data_dir, FIRST), _venue(data_dir, SECOND)
    pairs = candidate_pairs(first.terms.values(), list(second.terms.values()))
    weights = word_weights([*first.terms.values(), *second.terms.values()])
    scored = match(pairs, first.terms, second.terms, weights, vetoed_evidence=False)
    queue = [_row(each, first, second) for each in scored if _is_worth_a_look(each)]
    path = write_candidates(queue, data_dir)
    settled = settled_pairs(first.settled, second.settled)
    return BuiltQueue(path, (len(first.terms), len(second.terms)), len(pairs), queue, settled)


def _is_worth_a_look(pair: ScoredPair) -> bool:
    return pair.comparison.relation != "different" and (
        pair.score >= QUEUE_SCORE_MIN or pair.comparison.relation not in ("related", "unreadable")
    )


def _venue(data_dir: Path, name: VenueName) -> ListedVenue:
    path = latest_universe(data_dir, name)
    if path is None:
        raise ConfigError(f"{data_dir} has no list of {name}'s markets; run 'predsurv scan {name}' first")
    terms: dict[str, Terms] = {}
    titles: dict[str, str] = {}
    fingerprints: dict[str, str] = {}
    settled = read_settled(data_dir, name)
    for market in live(read_universe(path)):
        if market.market_id in settled:
            continue
        terms[market.market_id] = read_terms(listing_of(market))
        titles[market.market_id] = market.question
        fingerprints[market.market_id] = terms_fingerprint(market)
    return ListedVenue(name, terms, titles, fingerprints, _settled_terms(data_dir, name, settled))


def _settled_terms(data_dir: Path, name: VenueName, settled: Settled) -> dict[str, Terms]:
    latest = list(universe_files(data_dir, name).values())[-SETTLED_LISTS:]
    found = find_markets(reversed(latest), frozenset(map(MarketId, settled))) if settled else {}
    terms: dict[str, Terms] = {}
    for market in found.values():
        heard = paid(settled[market.market_id], market.outcomes[0].instrument_id) if market.outcomes else None
        if heard is not None and len(market.outcomes) == 2:
            terms[market.market_id] = read_terms(listing_of(market, heard))
    return terms


def compared_anew(first: Market, second: Market, known: QueuedPair | None) -> QueuedPair:
    """Return the row of a pair by what both markets say now; score and rank are ``known``, or 0.

    For pairs that changed since the queue was built, or that it leaves out. Words weigh alike: which are rare among all
    markets is not known here.
    """
    one, other = (read_terms(listing_of(market)) for market in (first, second))
    found = compare(one, other, word_weights([one, other]))
    return QueuedPair(
        first_venue=first.venue,
        first_market=first.market_id,
        first_title=first.question,
        second_venue=second.venue,
        second_market=second.market_id,
        second_title=second.question,
        relation=found.relation,
        score=0.0 if known is None else known.score,
        rank=0 if known is None else known.rank,
        veto=found.veto,
        evidence=found.evidence,
        union=(),
        first_terms=terms_fingerprint(first),
        second_terms=terms_fingerprint(second),
    )


def _row(pair: ScoredPair, first: ListedVenue, second: ListedVenue) -> QueuedPair:
    return QueuedPair(
        first_venue=first.name,
        first_market=pair.first,
        first_title=first.titles[pair.first],
        second_venue=second.name,
        second_market=pair.second,
        second_title=second.titles[pair.second],
        relation=pair.comparison.relation,
        score=pair.score,
        rank=pair.rank,
        veto=pair.comparison.veto,
        evidence=pair.comparison.evidence,
        union=pair.comparison.union,
        first_terms=first.fingerprints[pair.first],
        second_terms=second.fingerprints[pair.second],
    )
