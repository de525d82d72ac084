"""The score that orders the review queue: a calibrated chance that two markets are the same, and the rank in the list.

It orders and explains; it never accepts. There is one weight per kind of evidence, so that what a reviewer reads is
what moved a pair. They began by hand and were moved towards a logistic regression on titles of which about half have no
partner (``tests/kit/mapping_orphans.py``); ``tests/unit/mapping/test_trial.py`` holds them to what the queue has to
reach.
"""

import heapq
import math
from collections.abc import Iterable, Mapping, Sequence
from typing import Final

from msgspec import Struct

from predsurv.mapping.fields import is_boundary
from predsurv.mapping.periods import same_end
from predsurv.mapping.relation import Comparison
from predsurv.mapping.terms import Terms

FEATURES: Final = (
    "subject",
    "title",
    "other",
    "missing_first",
    "missing_second",
    "swapped",
    "threshold_agrees",
    "threshold_edge",
    "threshold_contains",
    "threshold_clashes",
    "threshold_one_sided",
    "window_agrees",
    "window_contains",
    "window_ends_elsewhere",
    "window_clashes",
    "window_one_sided",
    "deadline_one_sided",
    "action_agrees",
    "action_clashes",
    "bet_clashes",
    "negated",
    "game_agrees",
    "game_clashes",
    "settlement_clashes",
    "ticker_agrees",
    "ticker_clashes",
)
WEIGHTS: Final[Mapping[str, float]] = {
    "bias": -7.4,
    "subject": 2.0,
    "title": 1.3,
    "other": 3.5,
    "missing_first": -1.0,
    "missing_second": -2.9,
    "swapped": -1.0,
    "threshold_agrees": 2.0,
    "threshold_edge": 1.5,
    "threshold_contains": -2.6,
    "threshold_clashes": -5.1,
    "threshold_one_sided": -1.0,
    "window_agrees": 0.8,
    "window_contains": 1.0,
    "window_ends_elsewhere": -3.4,
    "window_clashes": -5.5,
    "window_one_sided": 0.0,
    "deadline_one_sided": -2.0,
    "action_agrees": 0.5,
    "action_clashes": -4.5,
    "bet_clashes": -2.8,
    "negated": -2.0,
    "game_agrees": 8.0,
    "game_clashes": -8.0,
    "settlement_clashes": -6.0,
    "ticker_agrees": 0.5,
    "ticker_clashes": -3.0,
}
WHOLE_UNION: Final = WEIGHTS["threshold_agrees"] - WEIGHTS["threshold_contains"]
"""What a market gains as one of those that together equal the other: as if its own threshold agreed."""

PART_OF_UNION: Final = 0.6 * WHOLE_UNION
MARGIN_FIRST: Final = 0.6
MARGIN_SECOND: Final = 0.6
MARGIN_MAX: Final = 3.0


_SETTLED_BY: Final = ("source", "void", "payoff", "cutoff", "outcome")


class ScoredPair(Struct, frozen=True):
    """A pair of the queue: ``score`` in [0, 1], ``rank`` among the candidates of the first market, from 1."""

    first: str
    second: str
    comparison: Comparison
    score: float
    rank: int


def features(one: Terms, other: Terms, compared: Comparison) -> dict[str, float]:
    """Return the features of a pair, each about 0 … 1."""
    status = {each.field: each.status for each in compared.evidence}
    threshold, window, action = (status.get(name, "absent") for name in ("threshold", "window", "action"))
    edge = threshold in ("narrower", "wider", "overlap") and is_boundary(one, other)
    shared = compared.shared
    nested = window in ("narrower", "wider", "overlap")
    facts = {
        "threshold_agrees": threshold == "agree",
        "threshold_edge": edge or threshold == "likely",
        "threshold_contains": threshold in ("narrower", "wider") and not edge,
        "threshold_clashes": threshold in ("conflict", "opposite") or (threshold == "overlap" and not edge),
        "threshold_one_sided": threshold == "unknown",
        "window_agrees": window in ("agree", "likely"),
        "window_contains": nested and same_end(one, other),
        "window_ends_elsewhere": nested and not same_end(one, other),
        "window_clashes": window == "conflict",
        "window_one_sided": window == "unknown",
        "deadline_one_sided": window == "unknown" and _states_deadline(one) != _states_deadline(other),
        "swapped": _swapped(compared),
        "action_agrees": action == "agree",
        "action_clashes": action == "conflict",
        "bet_clashes": status.get("bet") == "conflict",
        "negated": status.get("negation") == "opposite",
        "game_agrees": status.get("game") == "agree",
        "game_clashes": "conflict" in (status.get("game"), status.get("combination")),
        "settlement_clashes": "conflict" in [status.get(name) for name in _SETTLED_BY],
    }
    facts |= {"ticker_agrees": status.get("ticker") == "agree", "ticker_clashes": status.get("ticker") == "overlap"}
    return {
        "subject": shared.subject,
        "title": shared.title,
        "other": shared.other,
        "missing_first": shared.missing_first,
        "missing_second": shared.missing_second,
        **{name: float(value) for name, value in facts.items()},
    }


def _states_deadline(terms: Terms) -> bool:
    return terms.window is not None and terms.window.op in ("by", "before")


def _swapped(compared: Comparison) -> bool:
    """Return whether either title has a telling word that the other lacks: "artist" here, "song" there."""
    return any(each.field == "subject" and each.first and each.second for each in compared.evidence)


def log_odds(values: Mapping[str, float]) -> float:
    """Return the log odds of a pair by its own features."""
    return WEIGHTS["bias"] + sum(WEIGHTS[name] * value for name, value in values.items())


class RawPair(Struct, frozen=True):
    """A pair with its own log odds, before it is compared with its rivals; ``rivals`` of one union are none."""

    first: str
    second: str
    comparison: Comparison
    odds: float
    rivals: tuple[str, ...] = ()

    @property
    def side(self) -> str:
        """Return what competes for the first market: a union as a whole, else the second market."""
        return self.rivals[0] if self.rivals else self.second


def ranked(pairs: Sequence[RawPair]) -> list[ScoredPair]:
    """Return the pairs with scores and ranks, best first: what is ahead of its rivals on both sides gains by the
    margin."""
    rivals_first, rivals_second = _best_two(pairs, first=True), _best_two(pairs, first=False)
    scored = []
    for each in pairs:
        ahead = _margin(each.odds, rivals_first[each.first]), _margin(each.odds, rivals_second[each.second])
        total = each.odds + MARGIN_FIRST * ahead[0] + MARGIN_SECOND * ahead[1]
        scored.append(ScoredPair(each.first, each.second, each.comparison, 1 / (1 + math.exp(-total)), 0))
    scored.sort(key=lambda pair: (-pair.score, pair.first, pair.second))
    return list(_with_ranks(scored))


def _with_ranks(scored: Iterable[ScoredPair]) -> Iterable[ScoredPair]:
    counts: dict[str, int] = {}
    for each in scored:
        counts[each.first] = counts.get(each.first, 0) + 1
        yield ScoredPair(each.first, each.second, each.comparison, each.score, counts[each.first])


def _best_two(pairs: Iterable[RawPair], *, first: bool) -> dict[str, tuple[float, float]]:
    """Return the two best log odds of the rivals for each market of one side."""
    best: dict[str, dict[str, float]] = {}
    for each in pairs:
        name, rival = (each.first, each.side) if first else (each.second, each.first)
        rivals = best.setdefault(name, {})
        rivals[rival] = max(each.odds, rivals.get(rival, -math.inf))
    found: dict[str, tuple[float, float]] = {}
    for name, rivals in best.items():
        top, second = heapq.nlargest(2, (*rivals.values(), -math.inf))
        found[name] = (top, second)
    return found


def _margin(odds: float, best: tuple[float, float]) -> float:
    """Return how far a pair is ahead of its best rival, negative behind one; 0 without rivals."""
    rival = best[1] if odds == best[0] else best[0]
    return 0.0 if rival == -math.inf else max(-MARGIN_MAX, min(MARGIN_MAX, odds - rival))
