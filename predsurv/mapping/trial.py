"""Score the mapping against a file of labelled pairs, and say what it got wrong with the evidence."""

from collections.abc import Mapping, Sequence
from pathlib import Path

from msgspec import Struct

from predsurv.mapping.evaluation import ACCEPTED, QueueQuality, evaluate
from predsurv.mapping.labelled import LabelledPairs, read_labelled
from predsurv.mapping.matching import PairOfIds, match, word_weights
from predsurv.mapping.precedents import Precedents
from predsurv.mapping.scoring import ScoredPair
from predsurv.mapping.settled_pairs import judged, precedents_of
from predsurv.mapping.terms import Terms, read_terms


class WrongPair(Struct, frozen=True):
    """A pair on the wrong side: ``accepted`` though false, ``missed`` by acceptance, or ``misranked`` by the score."""

    kind: str
    pair: ScoredPair
    first_title: str
    second_title: str
    reason: str


class Trial(Struct, frozen=True):
    """The outcome of a trial: its quality, the ranked queue and what was wrong, the worst first."""

    quality: QueueQuality
    queue: tuple[ScoredPair, ...]
    wrong: tuple[WrongPair, ...]


def try_labelled(path: Path) -> Trial:
    """Return how the mapping does on the labelled pairs of ``path``; raises ConfigError for a file that is none."""
    return run_trial(read_labelled(path))


def run_trial(given: LabelledPairs) -> Trial:
    """Return how the mapping does on labelled pairs. The candidates are the pairs of the file, nothing else."""
    first = {name: read_terms(each) for name, each in given.first.items()}
    second = {name: read_terms(each) for name, each in given.second.items()}
    queue = _matched(given.pairs, first, second)
    names = [(each.first, each.second) for each in given.pairs]
    truth = dict(zip(names, given.labels, strict=True))
    reasons = dict(zip(names, given.reasons, strict=True))
    wrong = [
        WrongPair(
            kind,
            each,
            _title(given, each, first=True),
            _title(given, each, first=False),
            reasons[each.first, each.second],
        )
        for each in queue
        if (kind := _wrong(each, truth[each.first, each.second]))
    ]
    wrong.sort(key=lambda each: ("accepted", "misranked", "missed").index(each.kind))
    return Trial(evaluate(queue, truth), tuple(queue), tuple(wrong))


def _matched(pairs: Sequence[PairOfIds], first: Mapping[str, Terms], second: Mapping[str, Terms]) -> list[ScoredPair]:
    """Return the pairs matched; those of which the file has results are precedents for the others."""
    weights = word_weights([*first.values(), *second.values()])
    queue = match(pairs, first, second, weights)
    contradicted = judged(queue, first, second, weights).contradicted
    if not contradicted:
        return queue
    return match(pairs, first, second, weights, precedents=Precedents(precedents_of(contradicted, first, second)))


def _title(given: LabelledPairs, pair: ScoredPair, *, first: bool) -> str:
    each = given.first[pair.first] if first else given.second[pair.second]
    return f"{each.title} – {each.subtitle}" if each.subtitle else each.title or each.market_id


def _wrong(pair: ScoredPair, label: bool) -> str:  # noqa: FBT001 - the label of a pair
    if not label and pair.comparison.relation in ACCEPTED:
        return "accepted"
    if label and pair.comparison.relation not in ACCEPTED:
        return "missed" if pair.score >= 0.5 else "misranked"
    return "misranked" if not label and pair.score >= 0.5 else ""
