"""How long something lasts, where it was not always seen to its end: the product limit.

A time that a visit cut off lasted at least that long. Leaving it out, or taking it for whole, makes times seem short,
the more so the shorter the visits are against them. Of all times that reached a length, the part that ended there is
the hazard; what outlasts a length is the product of 1 − hazard up to it (Kaplan and Meier 1958; in a histogram those
cut off within a bucket count half, Cutler and Ederer 1958). Times between recurring events of one source may be used
so although the last of each visit is the one that is cut (Peña, Strawderman and Hollander 2001). Beyond the longest
visit nothing is known: a quantile that is not reached is null.
"""

from collections.abc import Sequence
from typing import Final

import polars as pl

_NEGLIGIBLE: Final = 1e-9


def outlasting() -> pl.Expr:
    """Return the share of times that outlast each bucket of a histogram (``count, cut``, shortest bucket first).

    ``count``: times that ended in the bucket, ``cut`` those that were last seen in it.
    """
    every = pl.col("count") + pl.col("cut")
    at_risk = every.sum() - every.cum_sum() + every - pl.col("cut") / 2
    hazard = pl.when(at_risk > 0).then(pl.col("count") / at_risk).otherwise(0.0)
    return (1 - hazard).cum_prod()


def reached(left: pl.Expr, share: float) -> pl.Expr:
    """Return where the ``share`` quantile is reached, ``left`` being the share that outlasts each bucket."""
    return left <= 1 - share + _NEGLIGIBLE


def quantile(times: Sequence[float], ended: Sequence[bool], share: float) -> float | None:
    """Return the ``share`` quantile of ``times``, which were seen to their end where ``ended``; None if not reached."""
    left, outlasting = len(times), 1.0
    for time, whole in sorted(zip(times, ended, strict=True), key=lambda each: (each[0], not each[1])):
        if whole:
            outlasting *= 1 - 1 / left
            if outlasting <= 1 - share + _NEGLIGIBLE:
                return time
        left -= 1
    return None
