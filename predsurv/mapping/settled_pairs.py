"""The mapping tried on markets that have settled: pairs that read as one contract, and whether they paid alike.

Such pairs can no longer be traded; that two of them paid differently tells that pairs like them are not to be trusted.
They are compared among themselves, so that a market that is over never competes with one that trades.
"""

from collections.abc import Mapping, Sequence
from typing import NamedTuple

from msgspec.structs import replace

from predsurv.mapping.blocking import candidate_pairs
from predsurv.mapping.matching import match, word_weights
from predsurv.mapping.relation import compare
from predsurv.mapping.terms import Terms


class SettledPair(NamedTuple):
    """The ids of two markets that read as one contract."""

    first: str
    second: str


class SettledPairs(NamedTuple):
    """How many ``markets`` of each venue have settled; pairs of them that read the same and paid ``alike`` or not."""

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
    alike = [SettledPair(each.first, each.second) for each in scored if each.comparison.relation == "same"]
    contradicted = []
    for each in scored:
        if each.comparison.veto == "outcome":
            one, other = (replace(terms, paid=None) for terms in (first[each.first], second[each.second]))
            if compare(one, other, weights).relation == "same":
                contradicted.append(SettledPair(each.first, each.second))
    return SettledPairs(counts, alike, contradicted)
