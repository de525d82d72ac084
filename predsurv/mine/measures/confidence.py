"""Intervals of a sum that a few large parts decide: skewed, and of a variance that was estimated from these parts too.

An interval of so many standard errors on each side takes the sum for normal and its variance for known. Where few of
many parts are drawn neither holds: while a large one is missed, both the sum and its variance are too small, so the
truth lies above the interval more often than below it.
"""

from math import exp, pi, sqrt
from typing import Final, NamedTuple

Z_95: Final = 1.959963984540054
_OUTSIDE: Final = 0.05
_SYMMETRIC: Final = 1e-3  # a skewness below which nothing changes in the third digit
_NORMAL_FROM: Final = 1e6
_SINGLE: Final = 12.706204736
_FEWEST: Final = (2, 4.302652730)


class ConfidenceInterval(NamedTuple):
    """From ``low`` to ``high``."""

    low: float
    high: float


def student_95(freedom: float) -> float:
    """Return how many standard errors on each side hold 95 % of Student's t with ``freedom`` (at least 1) degrees.

    Hill 1970 (Algorithm 396), right to four digits; between 1 and 2, where it is not, by their inverse.
    """
    n, p = max(1.0, freedom), _OUTSIDE
    if n > _NORMAL_FROM:
        return Z_95
    if n <= _FEWEST[0]:
        return _FEWEST[1] + (_SINGLE - _FEWEST[1]) * (2 / n - 1)
    a = 1 / (n - 0.5)
    b = 48 / (a * a)
    c = ((20_700 * a / b - 98) * a - 16) * a + 96.36
    d = ((94.5 / (b + c) - 3) / b + 1) * sqrt(a * pi / 2) * n
    y = (d * p) ** (2 / n)
    if y > 0.05 + a:
        return sqrt(n * _from_normal(a, b, c + _few(n), d))
    y = ((1 / (((n + 6) / (n * y) - 0.089 * d - 0.822) * (n + 2) * 3) + 0.5 / (n + 4)) * y - 1) * (n + 1) / (n + 2)
    return sqrt(n * (y + 1 / ((d * p) ** (2 / n))))


def _few(n: float) -> float:
    return 0.3 * (n - 4.5) * (-Z_95 + 0.6) if n < 5 else 0.0


def _from_normal(a: float, b: float, c: float, d: float) -> float:
    x, y = -Z_95, Z_95 * Z_95
    c = (((0.05 * d * x - 5) * x - 7) * x - 2) * x + b + c
    y = (((((0.4 * y + 6.3) * y + 36) * y + 94.5) / c - y - 3) / b + 1) * x
    y = a * y * y
    return exp(y) - 1 if y > 0.002 else 0.5 * y * y + y


def skewed_95(estimate: float, error: float, skewness: float, freedom: float) -> ConfidenceInterval:
    """Return the 95 % interval of an ``estimate`` with a standard ``error`` of ``freedom`` degrees.

    ``skewness``: the third central moment of the estimate over its error cubed. The interval is that of a Gamma
    distribution with twice this skewness, half of which is the estimate's own and half that its error grows with it:
    what a sum of Poisson numbers has (Fay and Feuer 1997, mid-p), by the approximation of Wilson and Hilferty (1931).
    """
    t = student_95(freedom)
    if skewness < _SYMMETRIC:
        return ConfidenceInterval(estimate - t * error, estimate + t * error)
    shape, middle = 1 / skewness**2 + 0.5, 1 / skewness**2
    low, high = (
        estimate + error * skewness * (shape * max(0.0, 1 - 1 / (9 * shape) + z / (3 * sqrt(shape))) ** 3 - middle)
        for z in (-t, t)
    )
    return ConfidenceInterval(low, high)
