"""Build the review queue: the universe files of two venues in, ``mapping/candidates.parquet`` out.

Markets that settled while they were recorded are compared beside it, for what they paid: where they read as one
contract and paid differently, no pair of their series is the same.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import Final, NamedTuple

from predsurv.core.ids import VenueName
from predsurv.core.mapping import ApprovedMapping, terms_fingerprint
from predsurv.core.market import Market
from predsurv.mapping.blocking import candidate_pairs
from predsurv.mapping.candidate_file import QueuedPair, write_candidates
from predsurv.mapping.listings import listing_of
from predsurv.mapping.matching import match, word_weights
from predsurv.mapping.precedents import NO_PRECEDENTS, Precedents, write_precedents
from predsurv.mapping.relation import compare
from predsurv.mapping.renewed_precedents import renewed_precedents
from predsurv.mapping.scoring import ScoredPair
from predsurv.mapping.settled_pairs import SettledPairs, settled_pairs
from predsurv.mapping.terms import read_terms
from predsurv.mapping.venue_lists import ListedVenue, listed_venue

FIRST: Final = VenueName("kalshi")
SECOND: Final = VenueName("polymarket")


class BuiltQueue(NamedTuple):
    """What a build made: ``markets`` of each venue, how many ``pairs`` it compared, the queue of those worth a look.

    ``settled``: how pairs of markets that are over paid.
    """

    path: Path
    markets: tuple[int, int]
    pairs: int
    queue: list[QueuedPair]
    settled: SettledPairs

    @property
    def vetoed(self) -> int:
        """Return how many pairs of the queue earlier ones of their series speak against."""
        return sum(each.veto == "precedent" for each in self.queue)


QUEUE_SCORE_MIN: Final = 0.02
"""Pairs below this score are no candidates: nobody reviews them."""


def build(data_dir: Path, approved: Sequence[ApprovedMapping] = ()) -> BuiltQueue:
    """Compare the latest universes of both venues and write the queue.

    ``approved``: pairs that a person found to be the same; those that paid differently are precedents too. Raises
    ConfigError without a universe, IntegrityError for a damaged file.
    """
    first, second = (listed_venue(data_dir, name) for name in (FIRST, SECOND))
    settled = settled_pairs(first.settled, second.settled)
    precedents = renewed_precedents(data_dir, (first, second), settled, approved)
    write_precedents(precedents, data_dir)
    pairs = candidate_pairs(first.terms.values(), list(second.terms.values()))
    weights = word_weights([*first.terms.values(), *second.terms.values()])
    known = Precedents(precedents)
    scored = match(pairs, first.terms, second.terms, weights, precedents=known, vetoed_evidence=False)
    queue = [_row(each, first, second) for each in scored if _is_worth_a_look(each)]
    path = write_candidates(queue, data_dir)
    return BuiltQueue(path, (len(first.terms), len(second.terms)), len(pairs), queue, settled)


def _is_worth_a_look(pair: ScoredPair) -> bool:
    """Return whether somebody should see a pair: one that is different only by a precedent shows what that one was."""
    if pair.comparison.veto == "precedent":
        return pair.score >= QUEUE_SCORE_MIN
    return pair.comparison.relation != "different" and (
        pair.score >= QUEUE_SCORE_MIN or pair.comparison.relation not in ("related", "unreadable")
    )


def compared_anew(
    first: Market, second: Market, known: QueuedPair | None, precedents: Precedents = NO_PRECEDENTS
) -> QueuedPair:
    """Return the row of a pair by what both markets say now; score and rank are ``known``, or 0.

    For pairs that changed since the queue was built, or that it leaves out. Words weigh alike: which are rare among all
    markets is not known here.
    """
    one, other = (read_terms(listing_of(market)) for market in (first, second))
    found = compare(one, other, word_weights([one, other]), precedents)
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
