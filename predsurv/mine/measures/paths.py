"""The path of the mid and of the best quotes: open to close, volatility, jumps, flow and what it foretells, queues.

A *run* is a stretch of covered time in which the mid was known without a break: every row trusted and two-sided. A
crossed book, between two updates, does not break it: the mid and the quotes before hold on. Only moments of one run
(and one hour) are compared.
"""

from typing import Final

import polars as pl

from predsurv.mine.measures.moments import NS_PER_S, STRIDE

HORIZON_S: Final = 60
"""Time over which volatility is measured."""
AHEAD_S: Final = 10
"""Time over which imbalances and order flow are summed, and over which they are asked to foretell the mid."""
JUMP: Final = 0.05
_ROUNDING: Final = 1e-9

_HORIZON: Final = HORIZON_S * 10**9
_AHEAD: Final = AHEAD_S * 10**9


def mid_path(rows: pl.LazyFrame) -> pl.LazyFrame:
    """Return per instrument first, greatest, least and last ``mid`` and ``micro`` of trusted held rows."""
    columns = [
        each
        for name in ("mid", "micro")
        for each in (
            pl.col(name).drop_nulls().first().alias(f"{name}_open"),
            pl.col(name).max().alias(f"{name}_high"),
            pl.col(name).min().alias(f"{name}_low"),
            pl.col(name).drop_nulls().last().alias(f"{name}_close"),
        )
    ]
    return (
        rows.filter(pl.col("trusted") & pl.col("mid").is_not_null()).group_by("code", maintain_order=True).agg(columns)
    )


def quotes(rows: pl.LazyFrame) -> pl.LazyFrame:
    """Return the rows in which the mid was known, numbered by ``run``, with what changed since the row before in it.

    ``step``: of the mid; ``flow``: order-flow imbalance (Cont, Kukanov, Stoikov 2014), shares that arrived at the best
    bid or left the best ask, less the reverse; ``gone``: shares that left both best queues. ``began``, ``ended``: the
    run's edges (instants).
    """
    kept = rows.filter(~(pl.col("trusted") & pl.col("crossed"))).select(
        "code", "visit", "at", "end", "until", "seconds", "trusted", "bid", "ask", "bid_sz", "ask_sz", "mid",
        "bid_depth_5c", "ask_depth_5c",
    )  # fmt: skip
    following = pl.when(pl.col("visit") == pl.col("visit").shift(-1)).then(pl.col("at").shift(-1))
    known = kept.with_columns(pl.coalesce(following, "until").alias("end")).with_columns(
        (pl.col("trusted") & pl.col("mid").is_not_null()).alias("known")
    )
    same = (pl.col("known").shift(1) & (pl.col("visit") == pl.col("visit").shift(1))).fill_null(value=False)
    runs = known.with_columns((~same).cum_sum().alias("run")).filter("known")
    within = (pl.col("run") == pl.col("run").shift(1)).fill_null(value=False)
    changed = runs.with_columns(
        *(pl.when(within).then(expr).otherwise(0.0).alias(name) for name, expr in _changes().items())
    )
    return changed.with_columns(
        pl.col("at").min().over("run").alias("began"), pl.col("end").max().over("run").alias("ended")
    )


def _changes() -> dict[str, pl.Expr]:
    bid, ask, bid_sz, ask_sz = (pl.col(name) for name in ("bid", "ask", "bid_sz", "ask_sz"))
    old_bid, old_ask, old_bid_sz, old_ask_sz = (each.shift(1) for each in (bid, ask, bid_sz, ask_sz))
    came = pl.when(bid >= old_bid).then(bid_sz).otherwise(0.0) - pl.when(bid <= old_bid).then(old_bid_sz).otherwise(0.0)
    left = pl.when(ask >= old_ask).then(old_ask_sz).otherwise(0.0) - pl.when(ask <= old_ask).then(ask_sz).otherwise(0.0)
    bid_gone = (
        pl.when(bid < old_bid)
        .then(old_bid_sz)
        .when(bid == old_bid)
        .then((old_bid_sz - bid_sz).clip(0.0))
        .otherwise(0.0)
    )
    ask_gone = (
        pl.when(ask > old_ask)
        .then(old_ask_sz)
        .when(ask == old_ask)
        .then((old_ask_sz - ask_sz).clip(0.0))
        .otherwise(0.0)
    )
    return {"step": pl.col("mid") - pl.col("mid").shift(1), "flow": came + left, "gone": bid_gone + ask_gone}


def path_sums(quoted: pl.LazyFrame) -> pl.LazyFrame:
    """Return per instrument ``jumps``, ``gone`` (shares), ``queued_s`` (shares at both best prices times seconds)."""
    jump = pl.col("step").abs() >= JUMP - _ROUNDING
    lasted = (pl.col("end") - pl.col("at")) / NS_PER_S
    return quoted.group_by("code", maintain_order=True).agg(
        jump.sum().cast(pl.Int64).alias("jumps"),
        pl.col("gone").sum(),
        ((pl.col("bid_sz") + pl.col("ask_sz")) * lasted).sum().alias("queued_s"),
    )


def variance_sums(quoted: pl.LazyFrame) -> pl.LazyFrame:
    """Return per ``visit`` ``moved``, the integral of (mid(t + 60 s) − mid(t))² over t, and ``paired_s``, that of 1.

    Over all t for which both moments lie in one run, from ``began`` to ``ended`` − 60 s. With steps d_a at τ_a it is
    the sum over pairs a, b of d_a · d_b times the seconds for which both lie in (t, t + 60 s]: from v_b = τ_b − 60 s,
    or the run's beginning, to u_a = τ_a, or the run's end − 60 s. For one b those with u_a > v_b are the last ones up
    to b, so that cumulative sums of d and d · u give all of it.
    """
    runs = quoted.group_by("visit", "run", maintain_order=True).agg(pl.col("began").first(), pl.col("ended").first())
    paired = ((pl.col("ended") - pl.col("began") - _HORIZON) / NS_PER_S).clip(lower_bound=0.0).sum()
    seconds = runs.group_by("visit", maintain_order=True).agg(paired.alias("paired_s"))
    base = pl.col("code").cast(pl.Int64) * STRIDE
    steps = (
        quoted.filter((pl.col("step") != 0) & (pl.col("ended") - pl.col("began") > _HORIZON))
        .select(
            "visit",
            pl.col("step").alias("d"),
            pl.min_horizontal("at", pl.col("ended") - _HORIZON).alias("u"),
            pl.max_horizontal(pl.col("at") - _HORIZON, "began").alias("v"),
            ((pl.min_horizontal("at", pl.col("ended") - _HORIZON) - base) / NS_PER_S).alias("u_s"),
            ((pl.max_horizontal(pl.col("at") - _HORIZON, "began") - base) / NS_PER_S).alias("v_s"),
        )
        .with_columns(pl.col("d").cum_sum().alias("sum_d"), (pl.col("d") * pl.col("u_s")).cum_sum().alias("sum_du"))
    )
    lower = steps.select("u", pl.col("sum_d").alias("low_d"), pl.col("sum_du").alias("low_du"))
    d = pl.col("sum_d") - pl.col("low_d").fill_null(0.0)
    du = pl.col("sum_du") - pl.col("low_du").fill_null(0.0)
    twice = 2 * (du - pl.col("v_s") * d) - pl.col("d") * (pl.col("u_s") - pl.col("v_s"))
    moved = (
        steps.join_asof(lower, left_on="v", right_on="u", strategy="backward", coalesce=False, check_sortedness=False)
        .group_by("visit", maintain_order=True)
        .agg((pl.col("d") * twice).sum().alias("moved"))
    )
    return seconds.join(moved, on="visit", how="left").with_columns(pl.col("moved").fill_null(0.0))


def foresight_sums(quoted: pl.LazyFrame) -> pl.LazyFrame:
    """Return per instrument the sums of which correlations with the mid's move over the next ten seconds are made.

    A sample is a row with ten seconds of its run before and behind it: ``x`` is the imbalance of the two best queues at
    it, or the order flow of the ten seconds up to it.
    """
    rows = quoted.select(
        "code", "at", "began", "ended", "mid",
        ((pl.col("bid_sz") - pl.col("ask_sz")) / (pl.col("bid_sz") + pl.col("ask_sz"))).alias("queues"),
        pl.col("flow").cum_sum().alias("flow_to"),
    )  # fmt: skip
    samples = rows.filter((pl.col("at") - _AHEAD >= pl.col("began")) & (pl.col("at") + _AHEAD < pl.col("ended")))
    after = rows.select(pl.col("at").alias("then"), pl.col("mid").alias("mid_after"))
    before = rows.select(pl.col("at").alias("then"), pl.col("flow_to").alias("flow_from"))
    paired = samples
    for moment, other in ((pl.col("at") + _AHEAD, after), (pl.col("at") - _AHEAD, before)):
        paired = paired.with_columns(moment.alias("moment")).join_asof(
            other, left_on="moment", right_on="then", strategy="backward", coalesce=False, check_sortedness=False
        ).drop("then")  # fmt: skip
    moved = pl.col("mid_after") - pl.col("mid")
    signals = {"queues": pl.col("queues").fill_nan(0.0), "flow": pl.col("flow_to") - pl.col("flow_from")}
    return paired.group_by("code", maintain_order=True).agg(
        pl.len().cast(pl.Int64).alias("samples"),
        moved.sum().alias("sum_y"),
        (moved * moved).sum().alias("sum_yy"),
        *(signal.sum().alias(f"{name}_x") for name, signal in signals.items()),
        *((signal * signal).sum().alias(f"{name}_xx") for name, signal in signals.items()),
        *((signal * moved).sum().alias(f"{name}_xy") for name, signal in signals.items()),
    )
