"""The relation of two markets, typed, with the evidence of every field. Nothing is ``same`` while a field is silent."""

from typing import Final, Literal

from msgspec import Struct

from predsurv.mapping import fields, periods
from predsurv.mapping.findings import FieldName, Finding, Status
from predsurv.mapping.precedents import NO_PRECEDENTS, Precedents
from predsurv.mapping.rule_terms import has_word
from predsurv.mapping.similarity import Overlap, WordSet, WordWeights, overlap
from predsurv.mapping.terms import Terms

RelationName = Literal["same", "inverse", "subset", "superset", "union-equal", "related", "different", "unreadable"]

RARE: Final = 0.25
"""A word of at least this share of the greatest weight tells contracts apart."""

_NEXT_TO_RAREST: Final = 0.9
PLAIN: Final = frozenset(
    {
        "win",
        "happen",
        "announce",
        "highest",
        "x",
        "reach",
        "hike",
        "take",
        "place",
        "monthly",
        "number",
        "winner",
        "finals",
    }
    | {
        "final",
        "pro",
        "name",
        "official",
        "come",
        "become",
        "make",
        "th",
        "u",
        "inclusive",
        "range",
        "post",
        "percent",
        "go",
    }
)
"""Words that say nothing about whom a contract concerns; what happens is compared by ``actions``."""

_VETOES: Final = (
    "combination",
    "game",
    "action",
    "bet",
    "threshold",
    "window",
    "cutoff",
    "source",
    "payoff",
    "void",
    "outcome",
)
_NEEDED: Final[tuple[FieldName, ...]] = ("subject", "window", "source", "payoff")
"""Fields that every contract has: a side that does not state one leaves it unknown, and so do both."""


_SETTLING: Final[frozenset[FieldName]] = frozenset({"cutoff", "source", "void", "payoff"})


class Comparison(Struct, frozen=True):
    """How the first market stands to the second: ``subset`` pays only where the second pays too.

    ``evidence``: a finding per field; ``veto``: the field that makes them different, "" where none does. ``union``: the
    markets of the second venue that together equal the first, for ``union-equal`` only.
    """

    relation: RelationName
    evidence: tuple[Finding, ...]
    shared: Overlap
    veto: str = ""
    union: tuple[str, ...] = ()

    def status(self, field: FieldName) -> Status:
        """Return the status of a field, ``absent`` where nothing was found on it."""
        return next((each.status for each in self.evidence if each.field == field), "absent")

    @property
    def reads_as_one(self) -> bool:
        """Return whether the texts name one contract, or exact opposites, save for what they say of settling it."""
        if self.relation in ("same", "inverse"):
            return True
        named = self.status("subject") == self.status("window") == "agree"
        left = (each for each in self.evidence if each.status not in ("agree", "absent", "opposite"))
        return self.relation == "related" and named and all(each.field in _SETTLING for each in left)

    @property
    def silent(self) -> tuple[FieldName, ...]:
        """Return the fields that are unknown."""
        return tuple(each.field for each in self.evidence if each.status in ("unknown", "likely"))


def compare(one: Terms, other: Terms, weights: WordWeights, precedents: Precedents = NO_PRECEDENTS) -> Comparison:
    """Return the relation of two markets of two venues; ``precedents``: of earlier ones that paid differently."""
    shared = overlap(one, other, weights)
    if None in (one.game, other.game) and not all(each.words or each.subject for each in (one, other)):
        return Comparison("unreadable", (), shared)
    found = (
        _subject(one, other, shared, weights),
        fields.action(one, other),
        fields.bet(one, other),
        fields.threshold(one, other),
        periods.window(one, other),
        periods.cutoff(one, other),
        periods.ticker(one, other),
        fields.game(one, other),
        fields.negation(one, other),
        *fields.settlement(one, other),
    )
    if one.game is not None and other.game is not None:
        found = _for_game(found)
    found = (*found, fields.outcome(one, other, found))
    veto = _veto(found)
    if not veto:
        precedent = precedents.finding(one, other)
        found, veto = (found, "") if precedent is None else ((*found, precedent), precedent.field)
    return Comparison("different" if veto else _relation(found), found, shared, veto)


def _veto(found: tuple[Finding, ...]) -> str:
    """Return the field that makes them different, "" where none does."""
    return next(
        (each.field for name in _VETOES for each in found if each.field == name and each.status == "conflict"), ""
    )


def _for_game(found: tuple[Finding, ...]) -> tuple[Finding, ...]:
    """Leave the subject of two games to their identifiers, which are exact where titles are not."""
    agreed = any(each.field == "game" and each.status == "agree" for each in found)
    return tuple(
        Finding("subject", "agree" if agreed else "unknown") if each.field == "subject" else each for each in found
    )


def _subject(one: Terms, other: Terms, shared: Overlap, weights: WordWeights) -> Finding:
    """Compare who and what the markets are about: every rare word of one has to be somewhere in the other's texts."""
    lacking = (_lacking(one, other, weights), _lacking(other, one, weights))
    texts = " ".join(lacking[0]), " ".join(lacking[1])
    if not lacking[0] and not lacking[1]:
        return Finding("subject", "agree")
    if shared.subject < 0.34 and shared.other < 0.5:
        return Finding("subject", "conflict", *texts)
    return Finding("subject", "unknown", *texts)


def _lacking(one: Terms, other: Terms, weights: WordWeights) -> list[str]:
    """Return the telling words of ``one`` that ``other`` lacks: the rarest in its title, the rest in its rules too.

    Rules may list everybody whom an event is about, so that a name in them alone says nothing.
    """
    there = WordSet((*other.words, *other.subject))
    rules = () if other.rules is None else other.rules.words
    telling = {word: weights[word] for word in (*one.subject, *one.words) if word not in PLAIN}
    rarest = _NEXT_TO_RAREST * max(telling.values(), default=0.0)
    return [
        word
        for word, weight in telling.items()
        if weight >= RARE * weights.rarest
        and not there.match(word)
        and (weight >= rarest or word in one.subject or not has_word(rules, word))
    ]


_NARROWING: Final[dict[Status, RelationName]] = {"narrower": "subset", "wider": "superset"}


def _relation(found: tuple[Finding, ...]) -> RelationName:
    by_field = {each.field: each.status for each in found}
    if by_field["subject"] == "conflict":
        return "different"
    silent = {"unknown", "likely"} & {*by_field.values()} or any(by_field[name] == "absent" for name in _NEEDED)
    if silent or "overlap" in by_field.values():
        return "related"
    sizes = {_NARROWING[status] for status in by_field.values() if status in _NARROWING}
    turned = list(by_field.values()).count("opposite") % 2 == 1
    if sizes:
        return next(iter(sizes)) if len(sizes) == 1 and not turned else "related"
    return "inverse" if turned else "same"
