"""The mapping tried on markets that have settled: pairs that read as one contract, and whether they paid alike.

Such pairs can no longer be traded; that two of them paid differently is a precedent against others of their series.
They are compared among themselves, so that a market that is over never competes with one that trades.
"""

from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple

from msgspec.structs import replace

from predsurv.mapping.blocking import candidate_pairs
from predsurv.mapping.matching import match, word_weights
from predsurv.mapping.precedents import Precedent, side_of
from predsurv.mapping.relation import compare
from predsurv.mapping.scoring import ScoredPair
from predsurv.mapping.similarity import WordWeights
from predsurv.mapping.terms import Terms


class SettledPair(NamedTuple):
    """The ids of two markets that read as one contract."""

    first: str
    second: str


class SettledPairs(NamedTuple):
    """How many ``markets`` of each venue have settled; pairs of them that read as one and paid ``alike`` or not."""

    markets: tuple[int, int]
    alike: Sequence[SettledPair]
    contradicted: Sequence[SettledPair]


def settled_pairs(first: Mapping[str, Terms], second: Mapping[str, Terms]) -> SettledPairs:
    """Compare settled markets of two venues, by id, each with what it ``paid``."""
    counts = len(first), len(second)
    if not first or not second:
        return SettledPairs(counts, (), ())
    weights = word_weights([*first.values(), *second.values()])
    scored = match(candidate_pairs(first.values(), list(second.values())), first, second, weights)
    return judged(scored, first, second, weights)


def judged(
    scored: Iterable[ScoredPair], first: Mapping[str, Terms], second: Mapping[str, Terms], weights: WordWeights
) -> SettledPairs:
    """Return how those of the ``scored`` pairs paid whose markets have both settled and read as one contract."""
    alike, contradicted = [], []
    for each in scored:
        one, other = first[each.first], second[each.second]
        if one.paid is None or other.paid is None:
            continue
        pair = SettledPair(each.first, each.second)
        if each.comparison.reads_as_one:
            alike.append(pair)
        elif each.comparison.veto == "outcome":
            unpaid = compare(replace(one, paid=None), replace(other, paid=None), weights)
            if unpaid.reads_as_one:
                contradicted.append(pair)
    return SettledPairs((len(first), len(second)), alike, contradicted)


def precedents_of(
    pairs: Iterable[SettledPair],
    first: Mapping[str, Terms],
    second: Mapping[str, Terms],
    heard_at: Mapping[SettledPair, int] | None = None,
) -> list[Precedent]:
    """Return contradicted ``pairs`` as precedents; ``heard_at``: when both had settled (ns UTC), 0 unless told."""
    found = []
    for each in pairs:
        sides = [
            side_of(terms, terms.paid) for terms in (first[each.first], second[each.second]) if terms.paid is not None
        ]
        found.append(Precedent(sides[0], sides[1], 0 if heard_at is None else heard_at[each]))
    return found
