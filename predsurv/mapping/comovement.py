"""How the prices of two markets moved together, to be looked at: never a proof, never part of relation or score.

Most true pairs lie within a few cents of each other, and so do many false ones.
"""

from collections.abc import Sequence
from itertools import pairwise
from math import sqrt
from typing import Final

from msgspec import Struct

NEAR_USD: Final = 0.05
CHANGES_MIN: Final = 10
"""Fewer changes of either price give no correlation."""


class Comovement(Struct, frozen=True):
    """Over ``minutes`` in which both mids were known.

    ``difference_usd``: mean distance of the mids in dollars; ``near_share``: of the minutes with one of at most
    ``NEAR_USD``; ``correlation``: of the changes from one such minute to the next one, None where too few.
    """

    minutes: int
    difference_usd: float
    near_share: float
    correlation: float | None

    def __str__(self) -> str:
        """``apart by 1.3 ¢ on average over 212 minutes, within 5 ¢ in 98 %, changes correlate .42``"""
        moved = "too few changes" if self.correlation is None else f"changes correlate {self.correlation:.2f}"
        return (
            f"apart by {self.difference_usd * 100:.1f} ¢ on average over {self.minutes:,} minutes, "
            f"within 5 ¢ in {self.near_share:.0%}, {moved}"
        )


Mids = Sequence[float | None]
"""Mids in dollars minute by minute, None where none was known."""


def comovement(first: Mids, second: Mids, *, inverse: bool = False) -> Comovement | None:
    """Return how two mids of the same minutes moved together, None where they were never known at once.

    ``inverse``: the second market pays where the first does not, so that its complement is compared.
    """
    other = [None if value is None else 1.0 - value for value in second] if inverse else second
    both = [
        None if one is None or two is None else (one, two) for one, two in zip(first, other, strict=True)
    ]  # fmt: skip
    known = [each for each in both if each is not None]
    if not known:
        return None
    apart = [abs(one - two) for one, two in known]
    steps = [
        (after[0] - before[0], after[1] - before[1])
        for before, after in pairwise(both)
        if before is not None and after is not None
    ]
    return Comovement(
        len(known),
        sum(apart) / len(apart),
        sum(each <= NEAR_USD + 1e-9 for each in apart) / len(apart),
        _correlation(steps),
    )


def _correlation(steps: Sequence[tuple[float, float]]) -> float | None:
    if min((sum(step[side] != 0 for step in steps) for side in (0, 1)), default=0) < CHANGES_MIN:
        return None
    means = [sum(step[side] for step in steps) / len(steps) for side in (0, 1)]
    centred = [(one - means[0], two - means[1]) for one, two in steps]
    squares = [sum(each[side] ** 2 for each in centred) for side in (0, 1)]
    shared = sum(one * two for one, two in centred)
    return shared / sqrt(squares[0] * squares[1]) if min(squares) > 0 else None
