"""All of it in one pure step: candidates of two venues to scored pairs with relations and evidence."""

from collections.abc import Iterable, Mapping, Sequence

from msgspec import Struct
from msgspec.structs import replace

from predsurv.mapping.ladders import with_unions
from predsurv.mapping.precedents import NO_PRECEDENTS, Precedents
from predsurv.mapping.relation import compare
from predsurv.mapping.scoring import RawPair, ScoredPair, features, log_odds, ranked
from predsurv.mapping.similarity import WordWeights
from predsurv.mapping.terms import Terms


class PairOfIds(Struct, frozen=True, gc=False):
    """The ids of two markets that may be the same."""

    first: str
    second: str


def word_weights(terms: Iterable[Terms]) -> WordWeights:
    """Return the weights of the words of these markets."""
    return WordWeights((*each.words, *each.subject) for each in terms)


def match(
    candidates: Sequence[PairOfIds],
    first: Mapping[str, Terms],
    second: Mapping[str, Terms],
    weights: WordWeights,
    *,
    precedents: Precedents = NO_PRECEDENTS,
    vetoed_evidence: bool = True,
) -> list[ScoredPair]:
    """Return the candidates compared, scored and ranked, best first.

    ``precedents``: of earlier markets of their kinds that paid differently. ``vetoed_evidence``: keep the evidence of
    pairs that are different by their own words; of millions it would fill the memory.
    """
    groups: dict[str, list[PairOfIds]] = {}
    for each in candidates:
        groups.setdefault(each.first, []).append(each)
    found: list[RawPair] = []
    for group in groups.values():
        pairs = with_unions([_raw(each, first, second, weights, precedents) for each in group], first, second)
        found.extend(pairs if vetoed_evidence else map(_without_vetoed_evidence, pairs))
    return ranked(found)


def _raw(
    pair: PairOfIds,
    first: Mapping[str, Terms],
    second: Mapping[str, Terms],
    weights: WordWeights,
    precedents: Precedents,
) -> RawPair:
    one, other = first[pair.first], second[pair.second]
    compared = compare(one, other, weights, precedents)
    return RawPair(pair.first, pair.second, compared, log_odds(features(one, other, compared)))


def _without_vetoed_evidence(pair: RawPair) -> RawPair:
    if pair.comparison.relation != "different" or pair.comparison.veto == "precedent":
        return pair
    return replace(pair, comparison=replace(pair.comparison, evidence=()))
