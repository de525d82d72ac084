"""Additive sums to the statistics of an instrument and its score.

Every component of the score is between 0 and 1, grows (or only falls) with what it measures, and approaches 1 without
reaching it: ``x / (x + half)`` where ``half`` is the value that scores one half. The score is their weighted mean;
an unknown component counts as 0 and is named in ``unknown_scores``. An instrument that was never observed has no score
(null).
"""

from collections.abc import Mapping
from difflib import get_close_matches
from types import MappingProxyType
from typing import Final

import polars as pl

from predsurv.core.errors import ConfigError
from predsurv.core.num import MICROS
from predsurv.core.text import sanitise

UPDATES_PER_S_HALF: Final = 0.2
NOTIONAL_PER_HOUR_HALF: Final = 1_000.0
VOLATILITY_HALF: Final = 0.002  # dollars per square root of a second: about 1.5 cents a minute
SPREAD_HALF: Final = 0.03
DEPTH_HALF: Final = 2_000.0

WEIGHTS: Final[Mapping[str, float]] = MappingProxyType(
    {
        "activity": 0.20,
        "trading": 0.20,
        "volatility": 0.15,
        "tightness": 0.15,
        "depth": 0.10,
        "two_sided": 0.05,
        "freshness": 0.05,
        "uncertainty": 0.10,
    }
)
"""The built-in weights; ``[miner] weights`` replaces single ones.

activity: book updates per second · trading: dollars traded per hour · volatility: of the mid · tightness: small
spread · depth: shares within 5 cents of the best prices, both sides · two_sided: share of time with a bid and an ask ·
freshness: share of time with a change in the last minute · uncertainty: 4 · mid · (1 − mid).
"""


def weights(chosen: Mapping[str, int]) -> dict[str, float]:
    """Return the weight of each component given those in the configuration (micros); they add up to 1.

    Raises ConfigError for an unknown name, a negative weight, or when all weights are 0.
    """
    merged = dict(WEIGHTS)
    for name, micros in chosen.items():
        if name not in WEIGHTS:
            near = get_close_matches(name, WEIGHTS, n=1)
            hint = f"did you mean {near[0]}?" if near else f"choose among {', '.join(WEIGHTS)}"
            raise ConfigError(f"miner.weights.{sanitise(name, 40)}: no such score; {hint}")
        if micros < 0:
            raise ConfigError(f"miner.weights.{name}: must not be negative")
        merged[name] = micros / MICROS
    total = sum(merged.values())
    if total <= 0:
        raise ConfigError("miner.weights: all are zero; give at least one score a weight")
    return {name: weight / total for name, weight in merged.items()}


def statistics(sums: pl.LazyFrame) -> pl.LazyFrame:
    """Return the statistics of each instrument from its sums joined with coverage totals and ``spread_ticks``.

    Null where there is nothing to measure; rates are per observed second, those of trades per second in which trades
    were observed (``trades_observed_s``; ``trades_missing`` says why they were not for the rest). ``inclusion``: the
    probability with which rotation selected the observed time; sums over instruments are unbiased for the venue once
    each is divided by it. ``depth_cut_share``: share of the time in which the recorded levels ended within 5 cents, so
    that depths are lower bounds.
    """
    two_sided = _over("two_sided_s")
    heard = pl.col("trades_observed_s") > 0
    return sums.select(
        "market_id",
        "instrument_id",
        "observed_s",
        "gap_s",
        (pl.col("observed_s") / _over("weighted_s")).alias("inclusion"),
        "updates",
        (pl.col("updates") / _over("observed_s")).alias("updates_per_s"),
        (pl.col("spread_s") / two_sided).alias("spread"),
        "spread_ticks",
        (pl.col("mid_s") / two_sided).alias("mid"),
        (pl.col("moved") / _over("moved_s")).sqrt().alias("volatility"),
        *((pl.col(f"{name}_s") / _over("held_s")).alias(name) for name in _depths()),
        (pl.col("depth_cut_s") / _over("held_s")).clip(0.0, 1.0).alias("depth_cut_share"),
        (pl.col("imbalance_s") / _over("imbalance_known_s")).alias("imbalance"),
        *(pl.when(heard).then(pl.col(name)).alias(name) for name in ("trades", "volume", "notional")),
        (pl.col("notional") / _over("trades_observed_s") * 3_600).alias("notional_per_hour"),
        (pl.col("stale_s") / _over("observed_s")).clip(0.0, 1.0).alias("stale_share"),
        "median_wait_s",
        (pl.col("two_sided_s") / _over("held_s")).clip(0.0, 1.0).alias("two_sided_share"),
        pl.col("trades_observed_s").fill_null(0.0),
        "trades_missing",
    )


def scored(stats: pl.LazyFrame, weight: Mapping[str, float]) -> pl.LazyFrame:
    """Return ``stats`` with a ``score_<component>`` column each and their weighted mean ``score``, best first.

    ``score`` is null for an instrument that was never observed. ``unknown_scores``: the components that nothing is
    known of and that count as 0, separated by spaces; null when there are none.
    """
    mid = pl.col("mid").clip(0.0, 1.0)
    components = {
        "activity": _saturating(pl.col("updates_per_s"), UPDATES_PER_S_HALF),
        "trading": _saturating(pl.col("notional_per_hour"), NOTIONAL_PER_HOUR_HALF),
        "volatility": _saturating(pl.col("volatility"), VOLATILITY_HALF),
        "tightness": SPREAD_HALF / (SPREAD_HALF + pl.col("spread").clip(lower_bound=0.0)),
        "depth": _saturating(pl.col("bid_depth_5c") + pl.col("ask_depth_5c"), DEPTH_HALF),
        "two_sided": pl.col("two_sided_share"),
        "freshness": 1.0 - pl.col("stale_share"),
        "uncertainty": 4.0 * mid * (1.0 - mid),
    }
    unknown = [pl.when(part.fill_nan(None).is_null()).then(pl.lit(name)) for name, part in components.items()]
    named = pl.concat_str(unknown, separator=" ", ignore_nulls=True)
    known = {f"score_{name}": _known(component) for name, component in components.items()}
    mean = pl.sum_horizontal(pl.col(f"score_{name}") * weight[name] for name in components)
    return (
        stats.with_columns(**known)
        .with_columns(
            pl.when(pl.col("observed_s") > 0).then(mean.clip(0.0, 1.0)).alias("score"),
            pl.when(named != "").then(named).alias("unknown_scores"),
        )
        .sort("score", "observed_s", "instrument_id", descending=[True, True, False], nulls_last=True)
    )


def _saturating(value: pl.Expr, half: float) -> pl.Expr:
    positive = value.clip(lower_bound=0.0)
    return pl.when(positive.is_infinite()).then(1.0).otherwise(positive / (positive + half))


def _known(component: pl.Expr) -> pl.Expr:
    return component.fill_nan(None).fill_null(0.0).clip(0.0, 1.0)


def _over(name: str) -> pl.Expr:
    return pl.when(pl.col(name) > 0).then(pl.col(name))


def _depths() -> tuple[str, ...]:
    return tuple(f"{side}_depth_{name}" for side in ("bid", "ask") for name in ("1c", "5c"))
