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
from difflib import get_close_matches
from types import MappingProxyType
from typing import Final

import polars as pl

from predsurv.core.errors import ConfigError
from predsurv.core.num import MICROS
from predsurv.core.text import sanitise

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

SMALLER: Final = frozenset({"tightness", "cheapness"})
"""Components of which less is better: they are ranked by the negative."""

SIGNED: Final = frozenset({"earning"})
"""Components that may be less than nothing: 0 is a value like others."""

PRESETS: Final[Mapping[str, Mapping[str, int]]] = MappingProxyType(
    {
        "research": {
            "activity": 20, "trading": 20, "volatility": 15, "tightness": 15, "depth": 10, "two_sided": 5,
            "freshness": 5, "uncertainty": 10,
        },
        "taker": {"tightness": 20, "cheapness": 25, "depth": 10, "volatility": 20, "trading": 10, "foresight": 15},
        "maker": {"earning": 30, "filling": 25, "trading": 20, "two_sided": 10, "uncertainty": 10, "activity": 5},
        "arbitrage": {"activity": 20, "cheapness": 25, "depth": 20, "freshness": 15, "volatility": 10, "two_sided": 10},
    }
)  # fmt: skip
"""Weights in percent by what somebody wants of a market; ``[miner] weights`` replaces single ones."""

DEFAULT_PRESET: Final = "research"


def weights(chosen: Mapping[str, int], preset: str = DEFAULT_PRESET) -> dict[str, float]:
    """Return the weight of each component of ``preset``, given those in the configuration (micros); they add up to 1.

    Raises ConfigError for an unknown name, a negative weight, or when all weights are 0.
    """
    if preset not in PRESETS:
        raise ConfigError(f"no preset {sanitise(preset, 40)}; choose among {', '.join(PRESETS)}")
    merged = {name: PRESETS[preset].get(name, 0) / 100 for name in COMPONENTS}
    for name, micros in chosen.items():
        if name not in COMPONENTS:
            near = get_close_matches(name, COMPONENTS, n=1)
            hint = f"did you mean {near[0]}?" if near else f"choose among {', '.join(COMPONENTS)}"
            raise ConfigError(f"miner.weights.{sanitise(name, 40)}: no such score; {hint}")
        if micros < 0:
            raise ConfigError(f"miner.weights.{name}: must not be negative")
        merged[name] = micros / MICROS
    total = sum(merged.values())
    if total <= 0:
        raise ConfigError("miner.weights: all are zero; give at least one score a weight")
    return {name: weight / total for name, weight in merged.items()}


def scored(stats: pl.LazyFrame, weight: Mapping[str, float]) -> pl.LazyFrame:
    """Return ``stats`` with what the score is made of, best first.

    ``score_<component>``: percentile times evidence, ``percentile_<component>``; ``score``: their weighted mean, null
    for an instrument that was never observed; ``rank`` from 1 on, null without a score. ``evidence``: of the time in
    which the book was observed. ``unknown_scores``: the components with a weight of which nothing is known, which count
    as 0, separated by spaces; null when there are none.
    """
    observed = pl.col("observed_s") > 0
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
    known = pl.when(observed).then(COMPONENTS[name].fill_nan(None))
    share = (known.rank("average") - 0.5) / known.count()
    return share if name in SIGNED else pl.when(known == 0).then(0.0).otherwise(share)


def _evidence(seconds: pl.Expr) -> pl.Expr:
    clipped = seconds.fill_null(0.0).clip(lower_bound=0.0)
    return clipped / (clipped + EVIDENCE_HALF_S)
