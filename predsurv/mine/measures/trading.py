"""Trades against the book they met: what they cost, what came after them, and what a quote at the best price would have
got.

``mid_before`` is the mid of the last row received before a trade, ``mid_<h>s`` the one that held h seconds after it;
both in the run of quotes (``paths.quotes``) in which the trade was made, else unknown. A taker's ``sign`` is +1 for a
purchase.
"""

from typing import Final

import polars as pl

from predsurv.mine.measures.moments import STRIDE, instant

HORIZONS_S: Final = (1, 10, 60)
IMPACTS: Final = (*(f"markout_{horizon}s" for horizon in HORIZONS_S), "effective")
"""What is summed up of trades that met a quote, weighted by shares."""

QUOTE_S: Final = 60
"""For how long a quote at the best price is imagined to rest."""

_S: Final = 10**9
_MINUTE: Final = QUOTE_S * _S
_ROUNDING: Final = 1e-9
_BILLION: Final = 1e9


def exact_sum(values: pl.Expr) -> pl.Expr:
    """Return the sum of shares or dollars, each rounded to a billionth; below nine billion in an hour.

    It is the same to the last digit in whichever order the rows come, which files and threads decide.
    """
    whole = (values * _BILLION).round().cast(pl.Int64).sum().cast(pl.Float64)
    return whole / (whole * 0 + _BILLION)


def trade_sums(placed: pl.LazyFrame) -> pl.LazyFrame:
    """Return per instrument the number, shares and dollars of ``placed`` trades, those of takers who bought apart.

    By ``exact_sum``.
    """
    bought = pl.col("size").filter(pl.col("sign") > 0)
    return placed.group_by("code", maintain_order=True).agg(
        pl.len().cast(pl.Int64).alias("trades"),
        exact_sum(pl.col("size")).alias("volume"),
        exact_sum(pl.col("price") * pl.col("size")).alias("notional"),
        exact_sum(bought).alias("bought"),
        exact_sum(pl.col("size").filter(pl.col("sign").is_not_null())).alias("sided"),
    )


def trade_sizes(placed: pl.LazyFrame) -> pl.LazyFrame:
    """Return how many trades had each size: ``code, size, count``."""
    return placed.group_by("code", "size", maintain_order=True).agg(pl.len().cast(pl.Int64).alias("count"))


def met(placed: pl.LazyFrame, quoted: pl.LazyFrame, begin: int) -> pl.LazyFrame:
    """Return trades of the hour from ``begin`` on (``code, ts, price, size, sign``) with the quotes around each."""
    trades = placed.select(
        "code", "price", "size", "sign", instant(pl.col("code"), pl.col("ts"), begin).alias("at")
    ).sort("at", maintain_order=True)  # fmt: skip
    book = quoted.select(
        pl.col("at").alias("then"), "visit", "run", "ended", pl.col("mid"), "bid_depth_5c", "ask_depth_5c"
    )  # fmt: skip
    before = trades.join_asof(
        book, left_on=pl.col("at") - 1, right_on="then", strategy="backward", coalesce=False, check_sortedness=False
    )
    known = pl.col("at") < pl.col("ended")
    found = before.with_columns(
        *(pl.when(known).then(name).alias(name) for name in ("visit", "run")),
        pl.when(known).then("mid").alias("mid_before"),
    )
    found = found.drop("then", "ended", "mid")
    found = found.rename({f"{side}_depth_5c": f"{side}_depth_before" for side in ("bid", "ask")})
    for horizon in HORIZONS_S:
        found = _after(found, book, horizon)
    return found


def _after(found: pl.LazyFrame, book: pl.LazyFrame, horizon: int) -> pl.LazyFrame:
    moment = pl.col("at") + horizon * _S
    later = book.drop("visit").rename({"run": "later_run", "mid": "later_mid"})
    joined = found.with_columns(moment.alias("moment")).join_asof(
        later, left_on="moment", right_on="then", strategy="backward", coalesce=False, check_sortedness=False
    )
    same = (pl.col("later_run") == pl.col("run")) & (pl.col("moment") < pl.col("ended"))
    kept = joined.with_columns(
        pl.when(same).then("later_mid").alias(f"mid_{horizon}s"),
        *(pl.when(same).then(f"{side}_depth_5c").alias(f"{side}_depth_{horizon}s") for side in ("bid", "ask")),
    )
    return kept.drop("then", "ended", "moment", "later_run", "later_mid", "bid_depth_5c", "ask_depth_5c")


def impact_sums(trades: pl.LazyFrame) -> pl.LazyFrame:
    """Return per ``visit`` sums of trades that ``met`` a quote, of which the taker is known, weighted by shares.

    ``effective`` over ``effective_shares``: twice the distance of the price from the mid before, in the taker's
    direction. ``markout_<h>s`` over ``markout_<h>s_shares``: what the taker's share gained against the mid h seconds
    after. ``refilled`` over ``drained``: shares within 5 cents on the side that was hit, ten seconds after and just
    before.
    """
    size, sign = pl.col("size"), pl.col("sign")
    sides = {
        side: pl.when(sign > 0).then(f"ask_depth_{side}").otherwise(f"bid_depth_{side}") for side in ("before", "10s")
    }
    both = (
        sign.is_not_null()
        & sides["before"].is_not_null()
        & sides["10s"].is_not_null()
        & pl.col("mid_before").is_not_null()
    )
    gains = {f"markout_{horizon}s": sign * (pl.col(f"mid_{horizon}s") - pl.col("price")) for horizon in HORIZONS_S}
    gains["effective"] = 2 * sign * (pl.col("price") - pl.col("mid_before"))
    known = trades.filter(pl.col("visit").is_not_null() & sign.is_not_null())
    return known.group_by("visit", maintain_order=True).agg(
        *((size * gain).sum().alias(name) for name, gain in gains.items()),
        *(size.filter(gain.is_not_null()).sum().alias(f"{name}_shares") for name, gain in gains.items()),
        sides["before"].filter(both).sum().alias("drained"),
        sides["10s"].filter(both).sum().alias("refilled"),
    )


def quotes_imagined(quoted: pl.LazyFrame) -> pl.LazyFrame:
    """Return per instrument how many quotes are imagined (``imagined``): see ``quotes_filled``."""
    base = pl.col("code").cast(pl.Int64) * STRIDE
    first = -((base - pl.col("at")) // _MINUTE)
    last = pl.min_horizontal(pl.col("end") - base - 1, pl.col("ended") - base - _MINUTE) // _MINUTE
    count = 2 * (last - first + 1).clip(lower_bound=0).sum().cast(pl.Int64)
    return quoted.group_by("code", maintain_order=True).agg(count.alias("imagined"))


def quotes_filled(placed: pl.LazyFrame, quoted: pl.LazyFrame, begin: int) -> pl.LazyFrame:
    """Return per instrument how many of the imagined quotes were ``filled``.

    One a side rests at the back of the best queue from each full minute of a run to the next, where the run lasts as
    long. It is filled when takers trade more at its price than was ahead of it, or anything at a price beyond it:
    nobody ahead is taken to cancel, so that the share of those filled is a lower bound.
    """
    base = pl.col("code").cast(pl.Int64) * STRIDE
    minute = -((begin - pl.col("ts")) // _MINUTE) - 1
    trades = placed.filter(pl.col("sign").is_not_null() & (minute >= 0)).select(
        "code", "price", "size", "sign", (base + minute * _MINUTE).alias("posted")
    )  # fmt: skip
    book = quoted.select(pl.col("at").alias("then"), "ended", "bid", "ask", "bid_sz", "ask_sz")
    resting = (
        trades.sort("posted", maintain_order=True)
        .join_asof(book, left_on="posted", right_on="then", strategy="backward", coalesce=False, check_sortedness=False)
        .filter(pl.col("posted") + _MINUTE <= pl.col("ended"))
    )
    sold = pl.col("sign") < 0
    beyond = pl.when(sold).then(pl.col("bid") - pl.col("price")).otherwise(pl.col("price") - pl.col("ask"))
    ahead = pl.when(sold).then("bid_sz").otherwise("ask_sz")
    there = pl.col("size").filter(pl.col("beyond").abs() <= _ROUNDING).sum() > pl.col("ahead").first()
    filled = (pl.col("beyond") > _ROUNDING).any() | there
    return (
        resting.with_columns(beyond.alias("beyond"), ahead.alias("ahead"))
        .group_by("code", "posted", "sign", maintain_order=True)
        .agg(filled.alias("filled"))
        .group_by("code", maintain_order=True)
        .agg(pl.col("filled").sum().cast(pl.Int64))
    )
