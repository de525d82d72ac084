"""How interesting each candidate is, from all that is known: what was seen lately, what was mined, what is listed.

Everything is put on one scale, so that nothing saturates and a moment of evidence does not beat a good guess:

1. The rate of an instrument (changed levels a second; typical trades a second) is estimated as that of a Poisson
   process whose prior is Gamma(1, 1/m): (1 + e · count) / (1/m + e · seconds), with the sums of ``activity`` and
   their evidence e = seconds / (seconds + 120), since changes come in bursts and a few seconds of silence say little.
   Its prior mean m follows the listed volume, m = exp(c0 + c1 · log(1 + volume)), fitted to what was seen of others.
   So what was never seen has the rate that its volume makes likely, and evidence moves an instrument from that.
2. ``live`` is its percentile among all candidates, the weighted mean for both rates.
3. Of a mined score s with evidence e, (1 − e) is unknown: there ``live`` stands in, s + (1 − e) · live. Of the part of
   the score that says how busy an instrument is, what was seen lately replaces as much as it is worth, e.
4. The order of the result is put as log(1 / share that is better), from 0 to 1: among percentiles the best five in a
   hundred differ by less than the bonus of what is recorded, so that what turns hot would never replace it.
"""

from collections.abc import Iterable, Mapping, Sequence
from math import exp, log, log1p
from typing import Final

from msgspec import Struct

from predsurv.collect.selection.activity import Activity
from predsurv.collect.selection.planner import Candidate
from predsurv.core.ids import InstrumentKey
from predsurv.core.num import MICROS

EVIDENCE_HALF_S: Final = 120
"""Seconds at which evidence is one half, as in mined scores."""

FITTED_LEAST: Final = 20
"""Instruments that have to be seen before rates are estimated; with fewer the listed volume alone counts."""

_SHAPE: Final = 1.0  # of the prior: a rate differs from its volume's by a factor of 3.6 (one standard deviation)
_UNSEEN_COUNT, _UNSEEN_S = 0.5, 10.0  # so that what was seen without a change has a logarithm


class MinedScore(Struct, frozen=True, gc=False):
    """A mined score by parts, 0 … 1: ``busy`` tells how busy an instrument is, ``other`` the rest; their sum is it.

    Both are discounted by ``evidence``: with evidence of one half a score can reach one half.
    """

    busy: float
    other: float
    evidence: float


class LiveWeights(Struct, frozen=True):
    """The weights, parts of 1, of changes and of trades in mined scores; what they leave cannot be seen live."""

    activity: float = 0.5
    trading: float = 0.5

    @property
    def total(self) -> float:
        """Return the part of a score that can be seen live."""
        return self.activity + self.trading


class Knowledge(Struct, frozen=True):
    """What is known beside the listing: ``seen`` lately, ``mined`` before, and what of a score is seen live."""

    seen: Mapping[InstrumentKey, Activity] = {}
    mined: Mapping[InstrumentKey, MinedScore] = {}
    weights: LiveWeights = LiveWeights()


def interests(candidates: Sequence[Candidate], known: Knowledge) -> dict[InstrumentKey, int]:
    """Return the interest of each of ``candidates``, 0 … 1,000,000 micros: the same for the same order."""
    live, evidence = _live(candidates, known)
    weight = known.weights.total
    values = [
        _mixed(known.mined.get(each.key), live[place], evidence[place], weight) for place, each in enumerate(candidates)
    ]
    better = log(2 * len(values)) if values else 1.0
    return {
        each.key: round(-log(1 - share) / better * MICROS) if share else 0
        for each, share in zip(candidates, percentiles(values), strict=True)
    }


def percentiles(values: Sequence[float]) -> list[float]:
    """Return for each value the share that is less, of equal ones half: between 0 and 1, 0 for a value of 0."""
    ordered = sorted(values)
    upto = dict(zip(ordered, range(1, len(ordered) + 1), strict=True))  # of equal ones the last counts
    before = dict(zip(reversed(ordered), range(len(ordered) - 1, -1, -1), strict=True))
    return [(before[value] + upto[value]) / (2 * len(values)) if value else 0.0 for value in values]


def _mixed(mined: MinedScore | None, live: float, evidence: float, weight: float) -> float:
    if mined is None or not weight:
        return live if mined is None else mined.busy + mined.other + (1 - mined.evidence) * live
    unknown = (1 - mined.evidence) * live
    busy = evidence * weight * live + (1 - evidence) * (mined.busy + weight * unknown)
    return busy + mined.other + (1 - weight) * unknown


def _live(candidates: Sequence[Candidate], known: Knowledge) -> tuple[list[float], list[float]]:
    """Return the percentile of how busy each candidate is, and the evidence (0 … 1) of what was seen of it."""
    sizes = [log1p((each.volume_24h + each.liquidity / _LIQUIDITY_PART) / MICROS) for each in candidates]
    seen = [known.seen.get(each.key) for each in candidates]
    evidence = [0.0 if each is None else each.seconds / (each.seconds + EVIDENCE_HALF_S) for each in seen]
    guess = percentiles(sizes)
    parts: list[tuple[float, list[float]]] = []
    dollars, trades = (sum(getattr(each, name) for each in seen if each) for name in ("dollars", "trades"))
    counts = {"activity": [None if each is None else each.updates for each in seen]}
    if trades and dollars:
        unit = trades / dollars  # dollars are counted in trades of typical size
        counts["trading"] = [None if each is None else each.dollars * unit for each in seen]
    for name, counted in counts.items():
        share = getattr(known.weights, name) or (0.0 if known.weights.total else 1.0)
        rates = _rates(sizes, counted, [0.0 if each is None else each.seconds for each in seen], evidence)
        if share and rates is not None:
            parts.append((share, percentiles(rates)))
    whole = sum(share for share, _ in parts)
    if not parts:
        return guess, evidence
    return [sum(share * of[place] for share, of in parts) / whole for place in range(len(candidates))], evidence


_LIQUIDITY_PART: Final = 2  # a dollar of resting orders tells half as much as one that was traded


def _rates(
    sizes: Sequence[float], counts: Sequence[float | None], seconds: Sequence[float], evidence: Sequence[float]
) -> list[float] | None:
    """Return the estimated rate of each candidate, None when too few were seen."""
    line = _fitted(
        (size, log((count + _UNSEEN_COUNT) / (time + _UNSEEN_S)), weight)
        for size, count, time, weight in zip(sizes, counts, seconds, evidence, strict=True)
        if count is not None
    )
    if line is None:
        return None
    constant, slope = line
    means = (exp(constant + slope * size) for size in sizes)
    return [
        mean if count is None else (_SHAPE + worth * count) / (_SHAPE / mean + worth * time)
        for mean, count, time, worth in zip(means, counts, seconds, evidence, strict=True)
    ]


def _fitted(points: Iterable[tuple[float, float, float]]) -> tuple[float, float] | None:
    """Return constant and slope (at least 0) of the line through weighted points (x, y, weight), None with few."""
    n, weight, sum_x, sum_y, sum_xx, sum_xy = 0, 0.0, 0.0, 0.0, 0.0, 0.0
    for x, y, w in points:
        n, weight = n + 1, weight + w
        sum_x, sum_y = sum_x + w * x, sum_y + w * y
        sum_xx, sum_xy = sum_xx + w * x * x, sum_xy + w * x * y
    if n < FITTED_LEAST or not weight:
        return None
    spread = sum_xx - sum_x * sum_x / weight
    slope = max(0.0, (sum_xy - sum_x * sum_y / weight) / spread) if spread > _NEGLIGIBLE * sum_xx else 0.0
    return (sum_y - slope * sum_x) / weight, slope


_NEGLIGIBLE: Final = 1e-12
