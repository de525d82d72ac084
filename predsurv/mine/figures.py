"""From measures that add up to the published statistics of each instrument; what each means: docs/metrics.md.

Null where there is nothing to measure. Rates are per observed second, those of trades per second in which trades were
observed.
"""

from collections.abc import Iterator, Mapping
from math import log
from typing import Final

import polars as pl

from predsurv.mine.instrument_codes import InstrumentCodes
from predsurv.mine.measures.books import DEPTHS, REACHES_C, TRADED_USD
from predsurv.mine.measures.excursions import JOINED, longest_joined
from predsurv.mine.measures.intervals import GAP_REASONS
from predsurv.mine.measures.outcome_sums import OUTCOME_SUMS
from predsurv.mine.measures.trading import HORIZONS_S
from predsurv.mine.measures.visits import RATIOS, TRADE_RATIOS, ratio_error
from predsurv.mine.observation import UNKNOWN
from predsurv.mine.quantiles import quantiles
from predsurv.state.coverage import OBSERVED

Measures = Mapping[str, pl.DataFrame]

HOUR_S: Final = 3_600
WITHOUT_BOOKS: Final = (pl.col("observed_s") <= 0) & (pl.col("trades_observed_s") > 0)
"""Of which trades were observed and no book: a feed without books."""
SEEN: Final = (pl.col("observed_s") > 0) | (pl.col("trades_observed_s") > 0)
"""Of which anything was observed."""
_MS: Final = 1_000
_CHANNELS: Final = ("trades", "lifecycle")
CHANNEL_REASONS: Final = (*GAP_REASONS, UNKNOWN)
"""Why a channel may not have been observed while the book was."""
_SUMMED: Final = (
    "books",
    "ticks",
    "updates",
    "ratios",
    "prices",
    "paths",
    "variance",
    "foresight",
    "imagined",
    "outcomes",
)
_TRADED: Final = ("trades", "impacts", "filled")


def figures(measures: Measures) -> pl.LazyFrame:
    """Return the statistics, a row per instrument with any coverage, from ``measures`` of a day or a range."""
    rows = measures["coverage"].lazy()
    parts = [measures[name].lazy() for name in (*_SUMMED, *_TRADED) if name in measures]
    parts += [_channel(measures["channels"].lazy(), name) for name in _CHANNELS]
    codes = InstrumentCodes(measures["coverage"]["instrument_id"])
    parts += [each.lazy() for each in quantiles(measures, codes)]
    if "excursions" in measures:
        parts.append(codes.named(longest_joined(codes.coded(measures["excursions"]))).lazy())
    for part in parts:
        rows = rows.join(part, on="instrument_id", how="left")
    missing = set(_ALL) - set(rows.collect_schema().names())
    rows = rows.with_columns(pl.lit(None, pl.Float64).alias(name) for name in sorted(missing))
    rows = rows.with_columns(pl.col(_COUNTS).fill_null(0))
    return rows.select(
        *_coverage(),
        *_updates(),
        *_spreads(),
        *_prices(),
        *_depths(),
        *_signals(),
        *_outcomes(),
        *_trades(),
        *_quotes(),
    )


def _over(name: str) -> pl.Expr:
    return pl.when(pl.col(name) > 0).then(pl.col(name))


def _of_books(name: str) -> pl.Expr:
    """Return a number of things in books: unknown where no book was observed, which is not none."""
    return pl.when(pl.col("observed_s") > 0).then(pl.col(name)).cast(pl.Int64)


def _mean(name: str, over: str) -> pl.Expr:
    return pl.col(name) / _over(over)


def _share(name: str, over: str) -> pl.Expr:
    return _mean(name, over).clip(0.0, 1.0)


def _coverage() -> Iterator[pl.Expr | str]:
    wanted = pl.col("observed_s") + pl.col("gap_s")
    yield from ("market_id", "instrument_id", "observed_s", "trusted_s", "gap_s")
    yield (pl.col("observed_s") / pl.when(wanted > 0).then(wanted)).alias("coverage_share")
    yield from (f"gap_{reason}_s" for reason in GAP_REASONS)
    for channel in _CHANNELS:
        yield pl.col(f"{channel}_observed_s").fill_null(0.0)
        yield f"{channel}_missing"
        yield from (pl.col(f"{channel}_gap_{reason}_s").fill_null(0.0) for reason in CHANNEL_REASONS)
    yield pl.col("updates_n").cast(pl.Int64).alias("visits")
    yield _mean("chosen_s", "weighted_s").alias("inclusion")


def _updates() -> Iterator[pl.Expr | str]:
    yield _of_books("updates")
    yield _mean("updates", "observed_s").alias("updates_per_s")
    yield ratio_error("updates", _mean("updates", "observed_s"), pl.col("observed_s")).alias("updates_per_s_se")
    yield from ("wait_p10_s", "wait_p50_s", "wait_p90_s", "wait_p99_s")
    yield _share("stale_s", "judged_s").alias("stale_share")
    yield (_mean("age_s", "aged") * _MS).alias("message_age_ms")
    yield from ("message_age_p50_ms", "message_age_p90_ms", "message_age_p99_ms")
    yield _share("late", "aged").alias("late_message_share")


def _spreads() -> Iterator[pl.Expr | str]:
    spread = _mean("spread_s", "two_sided_s")
    yield _share("two_sided_s", "trusted_s").alias("two_sided_share")
    yield _share("crossed_s", "trusted_s").alias("crossed_share")
    yield spread.alias("spread_usd")
    yield ratio_error("spread", spread, pl.col("two_sided_s")).alias("spread_usd_se")
    yield _mean("ticks_s", "ticked_s").alias("spread_ticks")
    yield _mean("relative_s", "two_sided_s").alias("spread_relative")
    yield from ("spread_p10_usd", "spread_p50_usd", "spread_p90_usd")


def _prices() -> Iterator[pl.Expr | str]:
    yield _mean("mid_s", "two_sided_s").alias("mid_usd")
    for name, of in (("mid", "mid"), ("micro", "microprice")):
        yield from (pl.col(f"{name}_{when}").alias(f"{of}_{when}_usd") for when in ("open", "high", "low", "close"))
    horizons = pl.col("moved").clip(lower_bound=0.0) / _over("paired_s") * (HOUR_S / 60)
    yield horizons.sqrt().alias("volatility_usd_per_sqrt_hour")
    squared = ratio_error("moved", _mean("moved", "paired_s"), pl.col("paired_s")) * (HOUR_S / 60)
    yield (squared / (2 * pl.when(horizons > 0).then(horizons.sqrt()))).alias("volatility_usd_per_sqrt_hour_se")
    yield _of_books("jumps")


def _depths() -> Iterator[pl.Expr | str]:
    yield from (_mean(f"{side}_sz_s", "trusted_s").alias(f"{side}_touch_shares") for side in ("bid", "ask"))
    yield from (_mean(f"{name}_s", "trusted_s").alias(f"{name}_shares") for name in DEPTHS)
    for side in ("bid", "ask"):
        error = ratio_error(f"{side}_depth_5c", _mean(f"{side}_depth_5c_s", "trusted_s"), pl.col("trusted_s"))
        yield error.alias(f"{side}_depth_5c_shares_se")
    yield from (_share(f"cut_{reach}c_s", "trusted_s").alias(f"depth_{reach}c_cut_share") for reach in (5, 10))
    beyond = pl.col("bid_depth_10c_s") + pl.col("ask_depth_10c_s") - pl.col("bid_sz_s") - pl.col("ask_sz_s")
    yield (beyond / _over("trusted_s") / (2 * REACHES_C[-1])).alias("depth_slope_shares_per_cent")
    for dollars in TRADED_USD:
        yield _mean(f"cost_{dollars}_s", f"cost_{dollars}_known_s").alias(f"cost_{dollars}_usd")
        yield _share(f"cost_{dollars}_known_s", "two_sided_s").alias(f"tradable_{dollars}_share")


def _signals() -> Iterator[pl.Expr | str]:
    yield _mean("imbalance_s", "imbalance_known_s").alias("imbalance")
    for name, public in (("queues", "queue_imbalance_correlation_10s"), ("flow", "order_flow_correlation_10s")):
        n, x, y = _over("samples"), pl.col(f"{name}_x"), pl.col("sum_y")
        spread_x = pl.col(f"{name}_xx") - x * x / n
        spread_y = pl.col("sum_yy") - y * y / n
        known = (spread_x > _NEGLIGIBLE * pl.col(f"{name}_xx")) & (spread_y > _NEGLIGIBLE * pl.col("sum_yy"))
        correlation = (pl.col(f"{name}_xy") - x * y / n) / (spread_x * spread_y).sqrt()
        yield pl.when(known).then(correlation.clip(-1.0, 1.0)).alias(public)
    yield _of_books("samples").alias("correlation_samples")


_NEGLIGIBLE: Final = 1e-12  # of a sum of squares: less is rounding


def _outcomes() -> Iterator[pl.Expr | str]:
    yield pl.col("legs_high").cast(pl.Int64).alias("outcome_legs")
    yield pl.col("set_s").alias("outcome_sum_s")
    yield _mean("set_asks_s", "set_asked_s").alias("outcome_ask_sum_usd")
    yield _mean("set_bids_s", "set_s").alias("outcome_bid_sum_usd")
    for suffix, public in (("", ""), ("_net", "_after_fees")):
        yield _share(f"beyond{suffix}_s", "set_s").alias(f"outcome_beyond{public}_share")
        yield pl.col(f"excursions{suffix}").cast(pl.Int64).alias(f"outcome_excursions{public}")
        longest = pl.max_horizontal(f"longest{suffix}_high", f"joined{suffix}_s")
        yield longest.alias(f"outcome_longest_excursion{public}_s")
        yield pl.col(f"deepest{suffix}_high").alias(f"outcome_deepest_excursion{public}_usd")


def _trades() -> Iterator[pl.Expr | str]:
    heard = pl.col("trades_observed_s") > 0
    counts = {"trades": "trades", "volume": "volume_shares", "notional": "notional_usd"}
    yield from (pl.when(heard).then(pl.col(name).fill_null(0)).alias(public) for name, public in counts.items())
    for name, public in counts.items():
        rate = pl.col(name).fill_null(0) / _over("trades_observed_s")
        yield (rate * HOUR_S).alias(f"{public}_per_hour")
        error = ratio_error(name, rate, pl.col("trades_observed_s"))
        yield (error * HOUR_S).alias(f"{public}_per_hour_se")
    yield _mean("volume", "trades").alias("trade_mean_shares")
    yield from ("trade_p50_shares", "trade_p90_shares")
    yield _share("bought", "sided").alias("taker_buy_share")
    yield from _gain("effective", "effective_spread_usd")
    yield (-2 * _mean("markout_60s", "markout_60s_shares")).alias("realised_spread_60s_usd")
    for h in HORIZONS_S:
        yield from _gain(f"markout_{h}s", f"markout_{h}s_usd")
    yield _mean("refilled", "drained").alias("resilience_10s_share")


def _gain(name: str, public: str) -> Iterator[pl.Expr]:
    mean = _mean(name, f"{name}_shares")
    yield mean.alias(public)
    yield ratio_error(name, mean, pl.col(f"{name}_shares")).alias(f"{public}_se")


def _quotes() -> Iterator[pl.Expr | str]:
    heard = pl.col("trades_observed_s") > 0
    filled = pl.col("filled").fill_null(0) / _over("imagined")
    yield pl.when(heard).then(filled.clip(0.0, 1.0)).alias("quote_fill_share")
    yield (log(2) * pl.col("queued_s") / _over("gone")).alias("queue_half_life_s")


def _channel(rows: pl.LazyFrame, channel: str) -> pl.LazyFrame:
    """Return ``<channel>_observed_s``, the other covered time by reason, and for which it is most (``_missing``)."""
    seen = pl.col("reason").is_in(list(OBSERVED))
    ordered = rows.filter(pl.col("channel") == channel).sort("seconds", "reason")
    return ordered.group_by("instrument_id").agg(
        pl.col("seconds").filter(seen).sum().alias(f"{channel}_observed_s"),
        pl.col("reason").filter(~seen).last().alias(f"{channel}_missing"),
        *(
            pl.col("seconds").filter(pl.col("reason") == reason).sum().alias(f"{channel}_gap_{reason}_s")
            for reason in CHANNEL_REASONS
        ),
    )


_COUNTS: Final = ("updates", "jumps", "samples", "updates_n", "trusted_s")
_ALL: Final = (
    *_COUNTS, "stale_s", "judged_s", "aged", "age_s", "late", "wait_p10_s", "wait_p50_s", "wait_p90_s", "wait_p99_s",
    "message_age_p50_ms", "message_age_p90_ms", "message_age_p99_ms",
    "ticks_s", "ticked_s", "spread_p10_usd", "spread_p50_usd", "spread_p90_usd", "two_sided_s", "crossed_s",
    "relative_s",
    "imbalance_known_s", "cut_5c_s", "cut_10c_s", "spread_s", "mid_s", "imbalance_s", "bid_sz_s", "ask_sz_s",
    *(f"{name}_s" for name in DEPTHS),
    *(f"cost_{usd}_{what}" for usd in TRADED_USD for what in ("s", "known_s")),
    *(f"{name}_{when}" for name in ("mid", "micro") for when in ("open", "high", "low", "close")),
    "moved", "paired_s", "gone", "queued_s", "sum_y", "sum_yy",
    *(f"{name}_{what}" for name in ("queues", "flow") for what in ("x", "xx", "xy")),
    *(f"{name}_{what}" for name in (*RATIOS, *TRADE_RATIOS) for what in ("xx", "xs", "ss", "n")),
    "trades", "volume", "notional", "bought", "sided", "trade_p50_shares", "trade_p90_shares",
    *(f"{name}{what}" for name in ("effective", *(f"markout_{h}s" for h in HORIZONS_S)) for what in ("", "_shares")),
    "drained", "refilled", "imagined", "filled",
    *OUTCOME_SUMS, *JOINED,
)  # fmt: skip
"""The columns that figures are made of: null where nothing of the kind was measured."""
