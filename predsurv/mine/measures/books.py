"""Snapshot rows as books that held for a while: their shape, how long each held, and the sums weighted by that time.

A row holds from its own moment to the next row's, or to the end of the covered time that it lies in. Of several rows at
one moment the last one counts: one that held for no time was never the book, and nothing steps to or from it. An
untrusted row ends the one before and weighs nothing.
"""

from collections.abc import Iterator, Sequence
from functools import cache
from typing import Final

import polars as pl

from predsurv.mine.measures.moments import NS_PER_S, STRIDE, instant, located
from predsurv.store.layout import NS_HOUR

REACHES_C: Final = (1, 2, 5, 10)
"""Distances from the best price, in cents, within which depth is measured."""

TRADED_USD: Final = (100, 1_000, 10_000)
"""Dollars whose trading is priced."""

_CENT: Final = 0.01
_ROUNDING: Final = 1e-9  # prices are stored as float64: 0.50 − 0.45 is slightly more than 0.05
_MICROS: Final = 1e6
DEPTHS: Final = tuple(f"{side}_depth_{reach}c" for side in ("bid", "ask") for reach in REACHES_C)
WEIGHTED: Final = ("spread", "mid", "imbalance", "bid_sz", "ask_sz", *DEPTHS, *(f"cost_{usd}" for usd in TRADED_USD))
"""What of a book is summed up, weighted by the seconds for which it held."""

_ESTIMATED: Final = ("spread", "bid_depth_5c", "ask_depth_5c")
VISIT_SUMS: Final = ("trusted_s", "two_sided_s", *(f"{name}_s" for name in _ESTIMATED))
"""What is also summed up visit by visit, so that it is known how much these differ."""


def shapes(snapshots: pl.LazyFrame, levels: int, begin: int) -> pl.LazyFrame:
    """Return the book of each snapshot row (``code, ts_recv, trusted``, columns of ``levels`` levels a side).

    Best prices and sizes; ``spread``, ``mid``, ``micro`` (the mid weighted by the size on the other side), null where
    a side is missing or the book is crossed (best bid not below best ask, between two updates: ``crossed``); depths on
    each side within 1, 2, 5 and 10 cents of its best price, as far as the recorded levels reach: ``cut_5c`` and
    ``cut_10c`` mark that they end before; ``cost_<N>``: dollars lost against the mid when N dollars are traded at
    once, mean of a purchase and a sale, null where the levels do not hold so much.
    """
    bid, ask, bid_sz, ask_sz = (pl.col(f"{name}_00") for name in ("bid_px", "ask_px", "bid_sz", "ask_sz"))
    sound = (bid < ask).fill_null(value=True)
    micro = (bid * ask_sz + ask * bid_sz) / (bid_sz + ask_sz)
    near = pl.col("bid_depth_5c") + pl.col("ask_depth_5c")
    measured = _with_lines(snapshots, levels).with_columns(
        pl.when(sound).then((ask + bid) / 2).alias("mid"),
        *_level_columns(levels),
    )
    return measured.select(
        instant(pl.col("code"), pl.col("ts_recv").cast(pl.Int64), begin).alias("at"),
        "code",
        pl.col("trusted").fill_null(value=False),
        bid.alias("bid"),
        ask.alias("ask"),
        bid_sz.alias("bid_sz"),
        ask_sz.alias("ask_sz"),
        (~sound).alias("crossed"),
        *DEPTHS,
        *_level_figures(levels),
        pl.when(sound).then(ask - bid).alias("spread"),
        "mid",
        pl.when(sound & (bid_sz + ask_sz > 0)).then(micro).alias("micro"),
        pl.when(sound & (near > 0)).then((pl.col("bid_depth_5c") - pl.col("ask_depth_5c")) / near).alias("imbalance"),
    )


def ordered(rows: pl.DataFrame) -> pl.DataFrame:
    """Return ``rows`` sorted by ``at``, of several at one moment the last."""
    moments = rows["at"]
    if not moments.is_sorted():
        rows = rows.sort("at", maintain_order=True)
        moments = rows["at"]
    last = (moments != moments.shift(-1)).fill_null(value=True)
    return rows if last.all() else rows.filter(last)


def held(rows: pl.LazyFrame, visits: pl.LazyFrame) -> pl.LazyFrame:
    """Return those of the ``ordered`` rows that lie in covered time, with ``end`` (instant) and ``seconds`` held."""
    following = rows.with_columns(pl.col("at").shift(-1).alias("next_at"))
    return (
        located(following, visits)
        .with_columns(pl.min_horizontal("next_at", "until").alias("end"))
        .with_columns(((pl.col("end") - pl.col("at")) / NS_PER_S).alias("seconds"))
        .drop("next_at", "owner", "quiet_from", "changed")
    )


def carried(rows: pl.LazyFrame, names: Sequence[str]) -> pl.LazyFrame:
    """Return the columns ``names`` of the held rows that hold at the end of the hour, as rows of the next one."""
    begin = pl.col("code").cast(pl.Int64) * STRIDE
    return rows.filter(pl.col("end") == begin + NS_HOUR).with_columns(begin.alias("at")).select(names)


def book_sums(rows: pl.LazyFrame) -> pl.LazyFrame:
    """Return the sums of held rows per instrument, weighted by time; untrusted rows weigh nothing."""
    weight = pl.col("seconds")
    two_sided = pl.col("mid").is_not_null()
    return (
        rows.filter("trusted")
        .group_by("code", maintain_order=True)
        .agg(
            weight.sum().alias("trusted_s"),
            weight.filter(two_sided).sum().alias("two_sided_s"),
            weight.filter("crossed").sum().alias("crossed_s"),
            weight.filter(pl.col("imbalance").is_not_null()).sum().alias("imbalance_known_s"),
            *(weight.filter(f"cut_{reach}c").sum().alias(f"cut_{reach}c_s") for reach in (5, 10)),
            (pl.col("spread") / pl.col("mid") * weight).sum().alias("relative_s"),
            *((pl.col(name) * weight).sum().alias(f"{name}_s") for name in WEIGHTED),
            *(
                weight.filter(pl.col(f"cost_{usd}").is_not_null()).sum().alias(f"cost_{usd}_known_s")
                for usd in TRADED_USD
            ),
        )
    )


def visit_sums(rows: pl.LazyFrame) -> pl.LazyFrame:
    """Return ``VISIT_SUMS`` of held rows per ``visit``: what ``book_sums`` has of the same name."""
    weight = pl.col("seconds")
    return (
        rows.filter("trusted")
        .group_by("visit", maintain_order=True)
        .agg(
            weight.sum().alias("trusted_s"),
            weight.filter(pl.col("mid").is_not_null()).sum().alias("two_sided_s"),
            *((pl.col(name) * weight).sum().alias(f"{name}_s") for name in _ESTIMATED),
        )
    )


def spread_times(rows: pl.LazyFrame) -> pl.LazyFrame:
    """Return the seconds for which each spread held: ``code, spread`` (micros), ``seconds``."""
    micros = (pl.col("spread") * _MICROS).round().cast(pl.Int64)
    known = rows.filter(pl.col("trusted") & pl.col("spread").is_not_null())
    return known.group_by("code", micros.alias("spread"), maintain_order=True).agg(pl.col("seconds").sum())


def piece_sums(rows: pl.LazyFrame, pieces: pl.LazyFrame, begin: int) -> pl.LazyFrame:
    """Return the sums of spread and mid per instrument and piece of time with the same ticks, of held rows.

    ``pieces``: columns ``code, piece, since, until`` (ns UTC); of other instruments there are no sums. A row that held
    longer than a piece counts in each for the part that it held there. ``begin``: of the hour.
    """
    shift = begin - pl.col("code").cast(pl.Int64) * STRIDE
    inside = pl.min_horizontal(pl.col("end") + shift, "piece_end") - pl.max_horizontal(
        pl.col("at") + shift, "piece_start"
    )
    named = pieces.rename({"since": "piece_start", "until": "piece_end"})
    return (
        rows.filter(pl.col("trusted") & pl.col("mid").is_not_null())
        .join(named, on="code")
        .with_columns((inside / NS_PER_S).alias("part"))
        .filter(pl.col("part") > 0)
        .group_by("code", "piece", maintain_order=True)
        .agg(
            pl.col("part").sum().alias("two_sided_s"),
            *((pl.col(name) * pl.col("part")).sum().alias(f"{name}_s") for name in ("spread", "mid")),
        )
    )


def spreads_in_ticks(sums: pl.LazyFrame, steps: pl.LazyFrame) -> pl.LazyFrame:
    """Return per instrument ``ticked_s`` and, summed over that time, the spread in the ticks that held (``ticks_s``).

    ``sums``: as ``piece_sums`` gives them. ``steps``: columns ``code, piece, begin, tick_size``; in each piece the tick
    is that of the mean mid, a tick applies from price ``begin`` (dollars) on. Pieces without one, because nobody stated
    it, count nowhere.
    """
    ticks = (
        steps.join(sums, on=["code", "piece"])
        .filter(pl.col("begin") <= pl.col("mid_s") / pl.col("two_sided_s") + _ROUNDING)
        .sort("code", "piece", "begin")
        .group_by("code", "piece", maintain_order=True)
        .agg(pl.col("tick_size", "spread_s", "two_sided_s").last())
    )
    in_ticks = (pl.col("spread_s") / pl.col("tick_size")).sum()
    return ticks.group_by("code", maintain_order=True).agg(
        pl.col("two_sided_s").sum().alias("ticked_s"), in_ticks.alias("ticks_s")
    )


@cache
def _level_columns(levels: int) -> tuple[pl.Expr, ...]:
    """Return the depths; remembered, because building expressions takes as long as using them."""
    return tuple(_depth(side, reach, levels) for side in ("bid", "ask") for reach in REACHES_C)


@cache
def _level_figures(levels: int) -> tuple[pl.Expr, ...]:
    cuts = (
        pl.any_horizontal(_cut(side, reach, levels) for side in ("bid", "ask")).alias(f"cut_{reach}c")
        for reach in (5, 10)
    )
    return (*cuts, *_costs(levels))


def _levels(side: str, what: str, levels: int) -> Iterator[pl.Expr]:
    return (pl.col(f"{side}_{what}_{level:02d}") for level in range(levels))


def _distance(side: str, level: pl.Expr) -> pl.Expr:
    best = pl.col(f"{side}_px_00")
    return best - level if side == "bid" else level - best


def _depth(side: str, reach: int, levels: int) -> pl.Expr:
    limit = reach * _CENT + _ROUNDING
    pairs = zip(_levels(side, "px", levels), _levels(side, "sz", levels), strict=True)
    near = [pl.when(_distance(side, price) <= limit).then(size).otherwise(0.0) for price, size in pairs]
    return pl.sum_horizontal(near).alias(f"{side}_depth_{reach}c")


def _cut(side: str, reach: int, levels: int) -> pl.Expr:
    last = pl.col(f"{side}_px_{levels - 1:02d}")
    return (_distance(side, last) < reach * _CENT - _ROUNDING).fill_null(value=False)


def _with_lines(rows: pl.LazyFrame, levels: int) -> pl.LazyFrame:
    """Return ``rows`` with the line of each level on which the shares for N dollars lie while it is eaten: a + N ·
    slope.

    Further away every share bought costs more and every share sold brings less: what N dollars buy is the least of
    these lines, what has to be sold for them the greatest. ``worth``: dollars in all levels. Step by step, as one
    expression for each level would add up those before it again.
    """
    sides = ("bid", "ask")
    rows = rows.with_columns(
        *(pl.lit(0.0).alias(f"{side}_{name}") for side in sides for name in ("shares", "worth")), *_slopes(levels)
    )
    for level in range(levels):
        rows = rows.with_columns(_next_line(level))
    return rows


@cache
def _slopes(levels: int) -> tuple[pl.Expr, ...]:
    pairs = [(side, level) for side in ("bid", "ask") for level in range(levels)]
    return tuple((1 / pl.col(f"{side}_px_{level:02d}")).alias(f"{side}_slope_{level:02d}") for side, level in pairs)


@cache
def _next_line(level: int) -> tuple[pl.Expr, ...]:
    """Return a level's line from what is in those before it, and what is in those up to it."""
    found = []
    for side in ("bid", "ask"):
        price, size, slope = (pl.col(f"{side}_{what}_{level:02d}") for what in ("px", "sz", "slope"))
        shares, worth = pl.col(f"{side}_shares"), pl.col(f"{side}_worth")
        found += [
            (shares - worth * slope).alias(f"{side}_line_{level:02d}"),
            (shares + size.fill_null(0.0)).alias(f"{side}_shares"),
            (worth + (price * size).fill_null(0.0)).alias(f"{side}_worth"),
        ]
    return tuple(found)


def _traded(side: str, dollars: int, levels: int) -> pl.Expr:
    """Return the shares that N dollars buy or sell at once, null where the levels do not hold so much."""
    lines = [
        pl.col(f"{side}_line_{level:02d}") + dollars * pl.col(f"{side}_slope_{level:02d}") for level in range(levels)
    ]
    shares = pl.min_horizontal(lines) if side == "ask" else pl.max_horizontal(lines)
    return pl.when(pl.col(f"{side}_worth") >= dollars - _ROUNDING).then(shares)


def _costs(levels: int) -> Iterator[pl.Expr]:
    for dollars in TRADED_USD:
        # the mean of dollars - bought * mid and sold * mid - dollars
        bought, sold = (_traded(side, dollars, levels) for side in ("ask", "bid"))
        yield ((sold - bought) * pl.col("mid") / 2).fill_nan(None).alias(f"cost_{dollars}")
