"""Which pairs are worth comparing: an inverted index on words, thresholds and dates, rarest first, in bounded work."""

import heapq
import math
from array import array
from collections.abc import Iterable, Iterator, Sequence
from typing import Final

from predsurv.mapping.games import Game
from predsurv.mapping.intervals import HIGHEST, LOWEST
from predsurv.mapping.matching import PairOfIds
from predsurv.mapping.terms import Terms

CANDIDATES_MAX: Final = 10
"""Most candidates of one market."""

VISITS_MAX: Final = 3_000
"""Most entries of the index that are looked at for one market; its rarest keys come first."""

_SHARED_MIN: Final = 0.2
"""Least share of a market's own weight that a candidate has to have in common with it."""


def keys(terms: Terms) -> Iterator[str]:
    """Yield what a market is indexed by: its words, the ends of its interval, the last date of its window, its game."""
    yield from dict.fromkeys((*terms.words, *terms.subject))
    if terms.quantity is not None:
        for cut in (terms.quantity.interval.low, terms.quantity.interval.high):
            if cut not in (LOWEST, HIGHEST):
                yield f"#{cut // 2}"
    if terms.window is not None:
        last = terms.window.last
        yield f"@{last.month or 12}-{last.day or 0}" if last.month else f"@{last.year}"
    if terms.game is not None:
        yield from _game_keys(terms.game)


def _game_keys(game: Game) -> Iterator[str]:
    """Yield the day with the first two letters of a team, so that either cut of two codes in a row is found."""
    for team in game.teams:
        yield f"!{game.day}{team[:2]}"


class CandidateIndex:
    """An inverted index over the markets of the second venue."""

    def __init__(self, markets: Sequence[Terms]) -> None:
        self._markets = markets
        self._postings: dict[str, array[int]] = {}
        for number, market in enumerate(markets):
            for key in keys(market):
                self._postings.setdefault(key, array("I")).append(number)

    def weight(self, key: str) -> float:
        """Return ln(N / n) of a key that n of N markets have, 0 where none has."""
        found = self._postings.get(key)
        return math.log((len(self._markets) + 1) / len(found)) if found else 0.0

    def candidates(self, market: Terms, limit: int = CANDIDATES_MAX) -> list[int]:
        """Return the numbers of the markets that share most weight with ``market``, at most ``limit``, best first."""
        known = [(self._postings[key], key) for key in keys(market) if key in self._postings]
        known.sort(key=lambda each: (len(each[0]), each[1]))
        sums: dict[int, float] = {}
        visited, own = 0, 0.0
        for posting, _ in known:
            own += (weight := math.log((len(self._markets) + 1) / len(posting)))
            if visited and visited + len(posting) > VISITS_MAX:
                break
            visited += len(posting)
            for number in posting[:VISITS_MAX]:
                sums[number] = sums.get(number, 0.0) + weight
        best = heapq.nlargest(limit, sums.items(), key=lambda item: (item[1], -item[0]))
        return [number for number, total in best if total >= _SHARED_MIN * own]


def candidate_pairs(first: Iterable[Terms], second: Sequence[Terms], limit: int = CANDIDATES_MAX) -> list[PairOfIds]:
    """Return the candidates of every market of the first venue."""
    index = CandidateIndex(second)
    return [
        PairOfIds(market.market_id, second[number].market_id)
        for market in first
        for number in index.candidates(market, limit)
    ]
