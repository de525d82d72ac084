"""What the best prices of a set of outcomes add up to, and when that left something: excursions beyond one dollar.

Of a set one outcome pays a dollar at most, exactly one where it is exhaustive. So selling every outcome at its best bid
brings in more than it can cost when the bids add up to more than a dollar, and buying every outcome of an exhaustive
set at its best ask costs less than it pays when the asks add up to less. A set is *observed* while the book of each of
its outcomes is trusted, not crossed, in covered time, and its market trades. Prices and fees are integers, so that sums
are exact.
"""

from collections.abc import Sequence
from functools import lru_cache
from typing import Final, NamedTuple

import polars as pl

from predsurv.core.fees import taker_fee
from predsurv.core.ids import OrderSide
from predsurv.core.market import FeeSchedule
from predsurv.core.num import MICROS, Price, Size
from predsurv.mine.measures.coded_rows import CodedRows
from predsurv.mine.measures.excursions import EDGES
from predsurv.mine.measures.moments import NS_PER_S, STRIDE
from predsurv.store.layout import NS_HOUR

FEE_SETS: Final = 1_000
"""Fees are those of so many sets traded at once, so that what venues round hardly counts."""

TOP: Final = ("bid_px_00", "ask_px_00")
"""The columns of the best prices (dollars)."""

_SEEN: Final = ("set_s", "set_asked_s", "set_bids_s", "set_asks_s")
_STRETCHES: Final = tuple(
    tuple(
        f"{name}{suffix}{kind}"
        for name, kind in (("beyond", "_s"), ("excursions", ""), ("longest", "_high"), ("deepest", "_high"))
    )
    for suffix in ("", "_net")
)
OUTCOME_SUMS: Final = (*_SEEN, *_STRETCHES[0], *_STRETCHES[1], "legs_high")
"""What adds up of ``outcome_sums``, besides the instrument."""

SET_SUMS: Final = (*_SEEN, *_STRETCHES[0], *EDGES[0], *_STRETCHES[1], *EDGES[1])
"""What is summed up of a set in an hour."""

_TYPES: Final = {
    name: pl.Int64() if name.startswith("excursions") else pl.Float64() for names in _STRETCHES for name in names
}
_LEG: Final = ("known", "asked", "bid", "ask", "bid_fee", "ask_fee")


class CodedSets(NamedTuple):
    """``outcome_sets.OutcomeSets`` of instruments that are numbered: ``code`` in place of ``instrument_id``."""

    sets: pl.DataFrame
    terms: pl.DataFrame
    shown: pl.DataFrame
    schedules: tuple[FeeSchedule, ...]

    def rows_of(self, snapshots: CodedRows | None) -> CodedRows:
        """Return the best prices of the outcomes in ``snapshots``: ``ts_recv, trusted, bid_px_00, ask_px_00``."""
        if snapshots is None:
            return CodedRows.of(_NO_ROWS)
        rows = CodedRows(snapshots.rows.select("ts_recv", "trusted", *TOP), snapshots.codes, snapshots.lengths)
        return rows.only(snapshots.codes.is_in(self.terms["code"].unique().implode()))


NO_SETS: Final = CodedSets(
    pl.DataFrame(schema={"set": pl.UInt32(), "legs": pl.Int64(), "exhaustive": pl.Boolean()}),
    pl.DataFrame(
        schema={
            **dict.fromkeys(("code", "set", "fee"), pl.UInt32()),
            **dict.fromkeys(("since", "until"), pl.Int64()),
        }
    ),
    pl.DataFrame(schema=dict.fromkeys(("code", "set"), pl.UInt32())),
    (),
)
_NO_ROWS: Final = pl.DataFrame(
    schema={
        "code": pl.UInt32(),
        "ts_recv": pl.Datetime("ns", "UTC"),
        "trusted": pl.Boolean(),
        **dict.fromkeys(TOP, pl.Float64()),
    }
)


def best_carried(rows: CodedRows, carry: pl.DataFrame, visits: pl.DataFrame, begin: int) -> pl.DataFrame:
    """Return the best prices that hold at the end of the hour from ``begin`` on, as the ``carry`` of the next one."""
    held = _in_visits(_with_carry(rows, carry, begin).lazy(), visits.lazy())
    return held.filter(pl.col("end") == NS_HOUR).select("code", "trusted", pl.col("bid", "ask") / MICROS).collect()


def outcome_sums(
    rows: CodedRows, carry: pl.DataFrame, visits: pl.DataFrame, scope: CodedSets, begin: int
) -> pl.DataFrame:
    """Return the sums of the sets in the hour from ``begin`` on, for each instrument (``code``) that tells of one.

    ``rows``: as ``CodedSets.rows_of`` gives them. ``carry``: the books that held before (``books.shapes``).
    ``set_s``: seconds observed, ``set_asked_s`` those in which every outcome was offered; ``set_bids_s`` and
    ``set_asks_s``: the sums of best bids (0 where there is none) and of best asks, dollars times these seconds.
    ``beyond_s, excursions, longest_high`` (seconds), ``deepest_high`` (dollars a set): of stretches in which trading at
    the best prices left something; ``beyond_net_s`` and so on: after takers' fees. ``legs_high``: outcomes of the set.
    A stretch that began in the hour before counts there; its part in this hour has its own length. ``head_ns`` and
    ``tail_ns`` are what such parts are put together from (``excursions``): the length of the stretch that the hour
    begins in, and of the one that it ends in, 0 where there is none.
    """
    sound = (pl.col("bid") < pl.col("ask")).fill_null(value=True)
    held = _in_visits(_with_carry(rows, carry, begin).lazy(), visits.lazy()).filter(pl.col("trusted") & sound)
    legs = _legs(held, scope, begin).collect()
    states = _states(_with_fees(legs, scope.schedules).lazy(), scope.sets.lazy()).collect()
    found = _sums(states.lazy())
    for suffix in ("", "_net"):
        found = found.join(_stretches(states.lazy(), suffix), on="set", how="left", maintain_order="left")
    return told(found.collect(), scope)


def told(found: pl.DataFrame, scope: CodedSets) -> pl.DataFrame:
    """Return what was ``found`` of each observed ``set``, for each instrument (``code``) that tells of one of them."""
    summed = found.lazy().join(
        scope.sets.lazy().select("set", pl.col("legs").alias("legs_high")), on="set", maintain_order="left"
    )
    return (
        scope.shown.lazy()
        .join(summed, on="set", maintain_order="left")
        .fill_null(0)
        .select("code", *SET_SUMS, "legs_high")
        .collect()
    )


def with_mirrored(
    sums: pl.DataFrame | None, books: pl.DataFrame, pairs: pl.DataFrame, recorded: pl.DataFrame
) -> pl.DataFrame:
    """Return ``sums`` (``instrument_id`` and the columns of ``outcome_sums``) with those of markets of one book.

    ``pairs``: the two outcomes (``instrument_id``, ``mirror``) of markets; ``recorded``: instruments whose books are
    (``instrument_id``), ``books``: their ``books.book_sums``. Where a venue keeps one book, the other outcome's best
    bid and ask are 1 − ask and 1 − bid: the asks add up to a dollar and the spread, the bids to a dollar less the
    spread, in the time in which both are there, and nothing is ever beyond.
    """
    lone = pairs.join(recorded, left_on="mirror", right_on="instrument_id", how="anti")
    spread, seconds = pl.col("spread_s"), pl.col("two_sided_s")
    mirrored = (
        books.join(lone, on="instrument_id", how="semi", maintain_order="left")
        .filter(seconds > 0)
        .select(
            "instrument_id",
            *(seconds.alias(name) for name in ("set_s", "set_asked_s")),
            (seconds - spread).alias("set_bids_s"),
            (seconds + spread).alias("set_asks_s"),
            *(pl.lit(0, kind).alias(name) for name, kind in _TYPES.items()),
            pl.lit(2, pl.Int64).alias("legs_high"),
        )
    )
    return mirrored if sums is None else pl.concat([sums.select(mirrored.columns), mirrored])


def _prices(names: Sequence[str]) -> tuple[pl.Expr, ...]:
    return tuple(
        (pl.col(name) * MICROS).round().cast(pl.Int64).alias(side)
        for name, side in zip(names, ("bid", "ask"), strict=True)
    )


def _with_carry(rows: CodedRows, carry: pl.DataFrame, begin: int) -> pl.DataFrame:
    """Return the books of the hour from ``begin`` on: ``code, at`` (ns after it), ``trusted, bid, ask`` (micros).

    Those of the hour before are there from −1 on, so that what they were then is known.
    """
    before = carry.select("code", pl.lit(-1, pl.Int64).alias("at"), "trusted", *_prices(("bid", "ask")))
    at = (pl.col("ts_recv").cast(pl.Int64) - begin).alias("at")
    return pl.concat([before, rows.frame().select("code", at, "trusted", *_prices(TOP))])


def _in_visits(rows: pl.LazyFrame, visits: pl.LazyFrame) -> pl.LazyFrame:
    """Return the books in covered time with their ``end`` (ns of the hour); of several at one moment the last."""
    base = pl.col("code").cast(pl.Int64) * STRIDE
    ordered = rows.sort("code", "at", maintain_order=True)
    same = pl.col("code") == pl.col("code").shift(-1)
    following = pl.when(same).then(pl.col("at").shift(-1)).otherwise(NS_HOUR)
    located = (
        ordered.with_columns(following.alias("next_at"), (base + pl.col("at").clip(lower_bound=0)).alias("moment"))
        .filter(pl.col("next_at") > pl.col("at"))
        .join_asof(
            visits.select("owner", "since", "until"),
            left_on="moment",
            right_on="since",
            strategy="backward",
            coalesce=False,
            check_sortedness=False,
        )
    )
    end = pl.min_horizontal("next_at", pl.col("until") - base)
    inside = located.filter((pl.col("moment") < pl.col("until")) & (pl.col("owner") == pl.col("code")))
    return inside.select("code", "at", "trusted", "bid", "ask", end.alias("end"))


def _legs(held: pl.LazyFrame, scope: CodedSets, begin: int) -> pl.LazyFrame:
    """Return each held book once in every set that it is in, as far as its market traded."""
    hour = scope.terms.lazy().filter((pl.col("since") < begin + NS_HOUR) & (pl.col("until") >= begin))
    return (
        held.join(hour, on="code", maintain_order="left")
        .with_columns(
            pl.max_horizontal("at", pl.col("since") - begin).alias("at"),
            pl.min_horizontal("end", pl.col("until") - begin).alias("end"),
        )
        .filter(pl.col("end") > pl.col("at"))
    )


def _with_fees(legs: pl.DataFrame, schedules: Sequence[FeeSchedule]) -> pl.DataFrame:
    """Return ``legs`` with ``bid_fee`` and ``ask_fee`` of ``FEE_SETS`` shares, micros."""
    for name, side in (("bid", "sell"), ("ask", "buy")):
        pairs = legs.select("fee", name).drop_nulls().unique()
        fees = [fee_of_sets(schedules[fee], price, side) for fee, price in pairs.iter_rows()]
        table = pairs.with_columns(pl.Series(f"{name}_fee", fees, pl.Int64))
        legs = legs.join(table, on=["fee", name], how="left", maintain_order="left")
    return legs


@lru_cache(1 << 16)
def fee_of_sets(schedule: FeeSchedule, price: int, side: OrderSide) -> int:
    """Return the taker's fee (micros) for ``FEE_SETS`` shares at ``price`` (micros); 0 for what no share can cost."""
    return taker_fee(schedule, Price(price), Size(FEE_SETS * MICROS), side) if 0 < price < MICROS else 0


def _states(legs: pl.LazyFrame, sets: pl.LazyFrame) -> pl.LazyFrame:
    """Return what held in each set from ``at`` to ``end`` (ns of the hour) while it was observed.

    ``bids, asks`` (micros a set, asks null where an outcome is not offered), ``margin`` and ``margin_net`` (micros for
    ``FEE_SETS`` sets). Each book adds its prices when it begins, less those of the book before where that went on until
    then, and takes them away when it ends: so the running sums are those of the set, and what ends at the moment at
    which something begins never stood beside it.
    """
    cells = legs.select(
        "code", "set", "at", "end",
        pl.lit(1, pl.Int64).alias("known"),
        pl.col("ask").is_not_null().cast(pl.Int64).alias("asked"),
        *(pl.col(name).fill_null(0) for name in ("bid", "ask", "bid_fee", "ask_fee")),
    ).with_columns(
        follows=((pl.col("code") == pl.col("code").shift(1)) & (pl.col("set") == pl.col("set").shift(1)))
        & (pl.col("at") == pl.col("end").shift(1)),
    )  # fmt: skip
    before = pl.col("follows").fill_null(value=False)
    goes_on = pl.col("follows").shift(-1).fill_null(value=False)
    begins = cells.select(
        _key("at"), *(pl.col(name) - pl.when(before).then(pl.col(name).shift(1)).otherwise(0) for name in _LEG)
    )
    ends = cells.filter(~goes_on).select(_key("end"), *(-pl.col(name) for name in _LEG))
    running = pl.concat([begins, ends]).sort("key").with_columns(pl.col(name).cum_sum() for name in _LEG)
    last = (pl.col("key") != pl.col("key").shift(-1)).fill_null(value=True)
    moments = running.filter(last).with_columns(
        (pl.col("key") // STRIDE).cast(pl.UInt32).alias("set"),
        (pl.col("key") % STRIDE - 1).alias("at"),
        (pl.col("key").shift(-1) % STRIDE - 1).alias("end"),
    )
    whole = moments.join(sets, on="set", how="left", maintain_order="left").filter(pl.col("known") == pl.col("legs"))
    offered = pl.col("asked") == pl.col("legs")
    buying = pl.when(offered & pl.col("exhaustive")).then((MICROS - pl.col("ask")) * FEE_SETS)
    selling = (pl.col("bid") - MICROS) * FEE_SETS
    return whole.select(
        "set", "at", "end",
        pl.col("bid").alias("bids"),
        pl.when(offered).then("ask").alias("asks"),
        pl.max_horizontal(selling, buying).alias("margin"),
        pl.max_horizontal(selling - pl.col("bid_fee"), buying - pl.col("ask_fee")).alias("margin_net"),
    )  # fmt: skip


def _key(moment: str) -> pl.Expr:
    """Return set and moment (from −1 on) as one number to sort by."""
    return (pl.col("set").cast(pl.Int64) * STRIDE + pl.col(moment) + 1).alias("key")


def _seconds() -> pl.Expr:
    return (pl.col("end") - pl.col("at").clip(lower_bound=0)) / NS_PER_S


def _sums(states: pl.LazyFrame) -> pl.LazyFrame:
    seconds = _seconds()
    return states.group_by("set", maintain_order=True).agg(
        seconds.sum().alias("set_s"),
        seconds.filter(pl.col("asks").is_not_null()).sum().alias("set_asked_s"),
        (pl.col("bids") / MICROS * seconds).sum().alias("set_bids_s"),
        (pl.col("asks") / MICROS * seconds).sum().alias("set_asks_s"),
    )


def _stretches(states: pl.LazyFrame, suffix: str) -> pl.LazyFrame:
    """Return the time in which the margin was above nothing, and the stretches that it makes."""
    follows = (pl.col("set") == pl.col("set").shift(1)) & (pl.col("at") == pl.col("end").shift(1))
    begins = ~follows.fill_null(value=False)
    beyond = states.filter(pl.col(f"margin{suffix}") > 0).with_columns(begins.alias("begins"))
    each = (
        beyond.with_columns(pl.col("begins").cum_sum().alias("stretch"))
        .group_by("set", "stretch", maintain_order=True)
        .agg(
            _seconds().sum().alias("lasted"),
            (pl.col("at").first() >= 0).alias("fresh"),
            pl.col(f"margin{suffix}").max().alias("deepest"),
            pl.col("at").first().clip(lower_bound=0).alias("since"),
            pl.col("end").last().alias("until"),
        )
        .filter(pl.col("lasted") > 0)
    )
    return each.group_by("set", maintain_order=True).agg(
        pl.col("lasted").sum().alias(f"beyond{suffix}_s"),
        pl.col("fresh").sum().cast(pl.Int64).alias(f"excursions{suffix}"),
        pl.col("lasted").max().alias(f"longest{suffix}_high"),
        (pl.col("deepest").max() / (FEE_SETS * MICROS)).alias(f"deepest{suffix}_high"),
        pl.col("until").filter(pl.col("since") == 0).sum().alias(f"head{suffix}_ns"),
        (NS_HOUR - pl.col("since")).filter(pl.col("until") == NS_HOUR).sum().alias(f"tail{suffix}_ns"),
    )
