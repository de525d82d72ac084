"""Random counts, for made-up worlds; from 50 on as a normal number, rounded."""

from math import log
from random import Random
from typing import Final

_NORMAL_FROM: Final = 50


def poisson(rng: Random, mean: float) -> int:
    """Return a Poisson number."""
    if mean >= _NORMAL_FROM:
        return max(0, round(rng.gauss(mean, mean**0.5)))
    count, left = -1, 0.0
    while left <= mean:
        left -= log(1 - rng.random())
        count += 1
    return count


def binomial(rng: Random, trials: int, chance: float) -> int:
    """Return how many of ``trials`` succeed."""
    if trials < _NORMAL_FROM:
        return sum(rng.random() < chance for _ in range(trials))
    spread = (trials * chance * (1 - chance)) ** 0.5
    return min(trials, max(0, round(rng.gauss(trials * chance, spread))))
