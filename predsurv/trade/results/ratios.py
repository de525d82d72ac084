"""Ratios for people, computed from a run's integers where they are shown: the only floats of the results."""

from collections.abc import Sequence
from itertools import pairwise
from math import sqrt
from typing import Final

from msgspec import Struct

from predsurv.core.num import Money
from predsurv.trade.results.sampling import EquityCurve
from predsurv.trade.results.tally import Tally

YEAR: Final = 365 * 86_400 * 1_000_000_000
RETURNS_WANTED: Final = 50
"""Samples are joined into intervals of which there are about as many: neighbours of short ones move together."""
RETURNS_MIN: Final = 10
"""Fewer returns give no Sharpe ratio."""


class Sharpe(Struct, frozen=True):
    """Mean over standard deviation of the returns, over a year of 365 days, with what it rests on.

    ``interval``: of the returns, ns; ``samples``: how many there are; ``error``: the ratio's standard error if returns
    were independent and normal, sqrt((1 + S²/2) / n) of the ratio per interval, over a year too.
    """

    ratio: float
    interval: int
    samples: int
    error: float


def share(part: int, whole: int) -> float | None:
    """Return ``part`` of ``whole``, None where there is nothing to divide by."""
    return part / whole if whole else None


def hit_rate(tally: Tally) -> float | None:
    """Return the share of round trips with a profit after fees, None before any ended."""
    return share(tally.won, tally.trips)


def fill_ratio(tally: Tally) -> float | None:
    """Return the shares filled of those ordered, None where nothing was."""
    return share(tally.filled, tally.ordered)


def sharpe(curve: EquityCurve, equity_start: Money) -> Sharpe | None:
    """Return the Sharpe ratio of a run, None where there are too few returns or they do not vary.

    A return is the change in equity over the equity at the start; intervals in which samples are missing are left out.
    """
    step = max(1, (len(curve.times) - 1) // RETURNS_WANTED)
    interval = step * curve.interval
    points = list(zip(curve.times, curve.equity, strict=True))[::step]
    changes = [
        (after[1] - before[1]) / equity_start
        for before, after in pairwise(points)
        if equity_start > 0 and after[0] - before[0] <= 2 * interval
    ]
    deviation = _deviation(changes)
    if len(changes) < RETURNS_MIN or not deviation:
        return None
    per_interval, yearly = sum(changes) / len(changes) / deviation, sqrt(YEAR / interval)
    error = sqrt((1 + per_interval**2 / 2) / len(changes))
    return Sharpe(per_interval * yearly, interval, len(changes), error * yearly)


def _deviation(values: Sequence[float]) -> float:
    if len(values) < 2:
        return 0.0
    mean = sum(values) / len(values)
    return sqrt(sum((value - mean) ** 2 for value in values) / (len(values) - 1))
