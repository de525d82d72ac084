"""The interestingness of an instrument: where it stands among the others of the day, as far as there is evidence for
it.

Every component is a percentile between 0 and 1: the share of the instruments of which it is known that are worse, those
that are equal counted half. What is nothing (no update, no trade, no depth) counts 0. It is multiplied by its evidence,
``seconds / (seconds + 120)`` of the time in which it was observed: scores of a market seen for 5 s, a minute, five
minutes, an hour agree with its scores over two days to .31, .61, .77, .94 (squared rank correlation, measured), and
this is .04, .33, .71, .97. The score is the weighted mean; an unknown component counts as 0 and is named in
``unknown_scores``. An instrument that was never observed has no score (null).
"""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

import polars as pl

from predsurv.mine.figures import SEEN
from predsurv.mine.score_weights import DEFAULT_PRESET, PRESETS, weights

__all__ = ["DEFAULT_PRESET", "PRESETS", "weights"]

EVIDENCE_HALF_S: Final = 120
"""Observed seconds at which the evidence is one half."""

_MID: Final = pl.col("mid_usd").clip(0.0, 1.0)
COMPONENTS: Final[Mapping[str, pl.Expr]] = MappingProxyType(
    {
        "activity": pl.col("updates_per_s"),
        "trading": pl.col("notional_usd_per_hour"),
        "volatility": pl.col("volatility_usd_per_sqrt_hour"),
        "tightness": -pl.col("spread_usd"),
        "depth": pl.col("bid_depth_5c_shares") + pl.col("ask_depth_5c_shares"),
        "two_sided": pl.col("two_sided_share"),
        "freshness": 1 - pl.col("stale_share"),
        "uncertainty": 4 * _MID * (1 - _MID),
        "cheapness": -pl.col("cost_1000_usd"),
        "earning": pl.col("realised_spread_60s_usd"),
        "filling": pl.col("quote_fill_share"),
        "foresight": pl.col("order_flow_correlation_10s").abs(),
    }
)
"""What is ranked, more is better.

activity: book updates per second · trading: dollars traded per hour · volatility: of the mid · tightness: a small
spread · depth: shares within 5 cents of the best prices, both sides · two_sided: share of time with a bid and an ask ·
freshness: share of time with a change in the last minute · uncertainty: 4 · mid · (1 − mid) · cheapness: a small cost
of trading $1,000 at once · earning: the realised spread, what a maker keeps after a minute · filling: share of quotes
at the best price that would have been filled within a minute · foresight: how well order flow foretells the mid.
"""

FROM_TRADES: Final = frozenset({"trading", "earning", "filling"})
"""Components whose evidence is the time in which trades were observed."""

_PERCENTILE_DIGITS: Final = 12
_VALUE_DECIMALS: Final = 12
_VALUE_DIGITS: Final = 9
"""Significant digits by which two values of a component differ; beyond them is what the order of a sum leaves."""

SMALLER: Final = frozenset({"tightness", "cheapness"})
"""Components of which less is better: they are ranked by the negative."""

SIGNED: Final = frozenset({"earning"})
"""Components that may be less than nothing: 0 is a value like others."""


def scored(stats: pl.LazyFrame, weight: Mapping[str, float]) -> pl.LazyFrame:
    """Return ``stats`` with what the score is made of, best first.

    ``score_<component>``: percentile times evidence, ``percentile_<component>``; ``score``: their weighted mean, null
    for an instrument that was never observed; ``rank`` from 1 on, null without a score. ``evidence``: of the time in
    which the book was observed. ``unknown_scores``: the components with a weight of which nothing is known, which count
    as 0, separated by spaces; null when there are none.
    """
    observed = SEEN
    percentiles = {f"percentile_{name}": _percentile(name, observed) for name in COMPONENTS}
    ranked = stats.with_columns(**percentiles, evidence=_evidence(pl.col("observed_s")))
    unknown = [
        pl.when(pl.col(f"percentile_{name}").is_null()).then(pl.lit(name)) for name in COMPONENTS if weight[name] > 0
    ]
    named = pl.concat_str(unknown, separator=" ", ignore_nulls=True)
    parts = {
        f"score_{name}": pl.col(f"percentile_{name}").fill_null(0.0)
        * (_evidence(pl.col("trades_observed_s")) if name in FROM_TRADES else pl.col("evidence"))
        for name in COMPONENTS
    }
    mean = pl.sum_horizontal(pl.col(f"score_{name}") * weight[name] for name in COMPONENTS)
    return (
        ranked.with_columns(**parts)
        .with_columns(
            pl.when(observed).then(mean.clip(0.0, 1.0)).alias("score"),
            pl.when(named != "").then(named).alias("unknown_scores"),
        )
        .sort("score", "observed_s", "instrument_id", descending=[True, True, False], nulls_last=True)
        .with_columns(pl.when(pl.col("score").is_not_null()).then(pl.int_range(1, pl.len() + 1)).alias("rank"))
    )


def _percentile(name: str, observed: pl.Expr) -> pl.Expr:
    # What sums in another order leave in the last digits must not decide between values that are equal.
    exact = COMPONENTS[name].fill_nan(None).round(_VALUE_DECIMALS).round_sig_figs(_VALUE_DIGITS)
    known = pl.when(observed).then(exact)
    # polars divides by a scalar as by its reciprocal, and by a column exactly: last digits differed from run to run.
    share = ((known.rank("average") - 0.5) / known.count()).round(_PERCENTILE_DIGITS)
    return share if name in SIGNED else pl.when(known == 0).then(0.0).otherwise(share)


def _evidence(seconds: pl.Expr) -> pl.Expr:
    clipped = seconds.fill_null(0.0).clip(lower_bound=0.0)
    return clipped / (clipped + EVIDENCE_HALF_S)
