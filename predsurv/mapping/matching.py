"""All of it in one pure step: candidates of two venues to scored pairs with relations and evidence."""

from collections.abc import Iterable, Mapping, Sequence

from msgspec import Struct

from predsurv.mapping.ladders import with_unions
from predsurv.mapping.relation import compare
from predsurv.mapping.scoring import RawPair, ScoredPair, features, log_odds, ranked
from predsurv.mapping.similarity import WordWeights
from predsurv.mapping.terms import Terms


class PairOfIds(Struct, frozen=True):
    """The ids of two markets that may be the same."""

    first: str
    second: str


def word_weights(terms: Iterable[Terms]) -> WordWeights:
    """Return the weights of the words of these markets."""
    return WordWeights((*each.words, *each.subject) for each in terms)


def match(
    candidates: Sequence[PairOfIds], first: Mapping[str, Terms], second: Mapping[str, Terms], weights: WordWeights
) -> list[ScoredPair]:
    """Return the candidates compared, scored and ranked, best first."""
    groups: dict[str, list[RawPair]] = {}
    for each in candidates:
        one, other = first[each.first], second[each.second]
        compared = compare(one, other, weights)
        odds = log_odds(features(one, other, compared))
        groups.setdefault(each.first, []).append(RawPair(each.first, each.second, compared, odds))
    return ranked([pair for group in groups.values() for pair in with_unions(group, first, second)])
