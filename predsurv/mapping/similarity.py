"""How much of one title is in the other, in units of surprise: rare words count, common ones hardly."""

import math
from collections import Counter
from collections.abc import Iterable, Sequence
from functools import cached_property
from typing import Final

from msgspec import Struct

from predsurv.mapping.teams import BY_NICKNAME, Team
from predsurv.mapping.terms import Terms

_PREFIX: Final = 5
_NEAR: Final = 0.85


class WordWeights:
    """Inverse document frequencies over the markets at hand: ln((N + 1) / (n + 0.5)) of a word in n of N titles."""

    def __init__(self, titles: Iterable[Sequence[str]]) -> None:
        counts: Counter[str] = Counter()
        total = 0
        for title in titles:
            counts.update(set(title))
            total += 1
        self._total = total
        self._counts = counts

    def __getitem__(self, word: str) -> float:
        return math.log((self._total + 1) / (self._counts[word] + 0.5)) + 0.05

    @property
    def rarest(self) -> float:
        """Return the weight of a word that stands in no title."""
        return math.log((self._total + 1) / 0.5) + 0.05

    def count(self, word: str) -> int:
        """Return in how many titles ``word`` stands."""
        return self._counts[word]


class WordSet:
    """The words of a text, to look words of another one up in."""

    def __init__(self, words: Iterable[str]) -> None:
        self.words = frozenset(words)

    @cached_property
    def _prefixes(self) -> frozenset[str]:
        return frozenset(word[:_PREFIX] for word in self.words if len(word) >= _PREFIX and word.isalpha())

    def match(self, word: str) -> float:
        """Return 1 where the word or its team's city is there, less for another form of it, 0 where nothing is."""
        if word in self.words or self._names_team(word):
            return 1.0
        alike = len(word) >= _PREFIX and word.isalpha() and word[:_PREFIX] in self._prefixes
        return _NEAR if alike else 0.0

    def _names_team(self, nickname: str) -> bool:
        """Return whether the city of the team of this nickname is named, and no other team of that city."""
        for team in BY_NICKNAME.get(nickname, ()):
            if {_stem(part) for part in team.city} <= self.words and not self._other_team(team):
                return True
        return False

    def _other_team(self, own: Team) -> bool:
        others = (team for word in self.words for team in BY_NICKNAME.get(word, ()))
        return any(team.city == own.city and team.nickname != own.nickname for team in others)


def _stem(word: str) -> str:
    return word[:-1] if len(word) > 3 and word.endswith("s") and not word.endswith(("ss", "us", "is")) else word


class Overlap(Struct, frozen=True, gc=False):
    """Shares of weight in [0, 1]: of the first market's subtitle and title in the second, of the second in the first.

    ``missing_first`` and ``missing_second``: the weight of the rarest word that the other side lacks, as a share of the
    rarest possible.
    """

    subject: float
    title: float
    other: float
    missing_first: float
    missing_second: float


def overlap(one: Terms, other: Terms, weights: WordWeights) -> Overlap:
    """Return how much of the words of two markets is shared."""
    mine, yours = WordSet((*one.words, *one.subject)), WordSet((*other.words, *other.subject))
    subject = one.subject or one.words
    return Overlap(
        subject=_covered(subject, yours, weights),
        title=_covered(one.words, yours, weights),
        other=_covered((*other.words, *other.subject), mine, weights),
        missing_first=_rarest_missing(subject, yours, weights),
        missing_second=_rarest_missing((*other.words, *other.subject), mine, weights),
    )


def _covered(words: Sequence[str], other: WordSet, weights: WordWeights) -> float:
    distinct = dict.fromkeys(words)
    total = sum(weights[word] for word in distinct)
    return sum(weights[word] * other.match(word) for word in distinct) / total if total else 1.0


def _rarest_missing(words: Sequence[str], other: WordSet, weights: WordWeights) -> float:
    missing = (weights[word] for word in words if not other.match(word))
    return max(missing, default=0.0) / weights.rarest
