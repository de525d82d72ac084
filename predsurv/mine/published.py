"""A venue's days in the tables that research has published, to be read beside it: what is there, and what was found."""

from collections.abc import Sequence
from pathlib import Path
from typing import Final

import polars as pl
from msgspec import Struct

from predsurv.core.num import MICROS
from predsurv.mine.episodes.table import SCHEMA, episodes_folder
from predsurv.mine.inputs import collector_filter, scan
from predsurv.mine.listed import listed_instruments
from predsurv.mine.lost_time import lost_time
from predsurv.mine.measures.survival import quantile
from predsurv.mine.recorded_days import MiningDay
from predsurv.mine.trade_outcomes import claims_taken, outcomes_by_price
from predsurv.store.layout import NS_DAY
from predsurv.store.read.settlements import settlements

SETTLED_WITHIN: Final = 366 * NS_DAY
"""How long (ns) after the last day a settlement is looked for."""


class PublishedFigure(Struct, frozen=True):
    """A figure of the recording beside a published one; None where there is nothing to compute it from.

    ``source``: where the other was published; ``unit`` of both.
    """

    what: str
    here: float | None
    published: str
    unit: str
    source: str


def episodes_beside(episodes: pl.DataFrame | None) -> list[PublishedFigure]:
    """Return counts and medians of episodes, those of one market and those of several, beside the published ones.

    The median duration is that of the episodes whose beginning was observed; those that a gap or the end of the
    recording cut off lasted longer (``survival``), and None is one that is longer than they show. None otherwise:
    nobody looked for any.
    """
    looked, episodes = episodes is not None, pl.DataFrame(schema=SCHEMA) if episodes is None else episodes
    single = episodes.filter(pl.col("kind") == "outcomes")
    several = episodes.filter(pl.col("kind") != "outcomes")
    begun = single.filter(pl.col("seen_from_start"))
    lasted = quantile(begun["duration_s"].to_list(), (begun["ended"] == "closed").to_list(), 0.5)
    paper = "arXiv 2605.00864"
    return [
        PublishedFigure("episodes within one market", single.height if looked else None, "7", "", paper),
        PublishedFigure("their median duration", lasted, "3.6", "s", paper),
        PublishedFigure("episodes over several markets", several.height if looked else None, "290", "", paper),
        PublishedFigure("their median edge at the peak", _median(several, "peak_edge_bps"), "101", "bps", paper),
    ]


def outcomes_beside(outcomes: pl.DataFrame) -> list[PublishedFigure]:
    """Return what longshots won and takers lost, beside the published figures."""
    low, every = (outcomes.filter(pl.col("price_cents") == name) for name in ("5–10", "all"))
    becker = "Becker 2026, Kalshi 2021–2025"
    return [
        PublishedFigure("claims bought at 5–10 ¢ that paid", _only(low, "win_rate", 100), "4.18 (at 5 ¢)", "%", becker),
        PublishedFigure("return of takers before fees", _only(every, "taker_return", 100), "-1.12", "%", becker),
    ]


def spreads_beside(spreads: pl.DataFrame) -> list[PublishedFigure]:
    """Return the half-spread of longshots beside the published one."""
    low = spreads.filter(pl.col("price_cents") == "5–10")
    here = _only(low, "half_spread_bps")
    return [PublishedFigure("half-spread of claims at 5–10 ¢", here, "650–900", "bps", "arXiv 2604.24366")]


def read_episodes(days: Sequence[MiningDay]) -> pl.DataFrame | None:
    """Return the episodes that ``predsurv mine episodes`` found on ``days``, None where it looked at none of them."""
    paths = [episodes_folder(day.data_dir, day.venue, day.date) / "episodes.parquet" for day in days]
    found = [pl.read_parquet(path, columns=list(SCHEMA)) for path in paths if path.is_file()]
    return pl.concat(found) if found else None


def trade_outcomes(days: Sequence[MiningDay]) -> pl.DataFrame:
    """Return ``outcomes_by_price`` of the trades of ``days`` whose markets have settled since, as far as recorded.

    Of an instrument that several collectors recorded the trades of one count. Raises IntegrityError for damaged files.
    """
    payouts = _payouts(days)
    parts = [_trades_of(day, files) for day in days if (files := day.files("trades"))]
    trades = pl.concat(parts) if parts else _NO_TRADES.lazy()
    return outcomes_by_price(claims_taken(trades, payouts.lazy())).collect(engine="streaming")


def _trades_of(day: MiningDay, files: list[Path]) -> pl.LazyFrame:
    source = collector_filter(day, lost_time(day))
    if source.owners is not None:  # trades are told on outcomes, too, whose books nobody records
        markets = scan(files).select(pl.col("market_id").unique()).collect()["market_id"]
        source = source.with_mirrors(listed_instruments(day, markets).mirrors)
    return source.scan(files).select(list(_NO_TRADES.columns))


def _payouts(days: Sequence[MiningDay]) -> pl.DataFrame:
    first, last = days[0], days[-1]
    heard = settlements(first.data_dir, first.venue, first.start, last.end + SETTLED_WITHIN)
    paid = {str(instrument): payout / MICROS for each in heard for instrument, payout in each.payouts}
    columns = {"instrument_id": list(paid), "payout": list(paid.values())}
    return pl.DataFrame(columns, schema={"instrument_id": pl.String, "payout": pl.Float64})


_NO_TRADES: Final = pl.DataFrame(
    schema={
        "market_id": pl.String,
        "instrument_id": pl.String,
        "price": pl.Float64,
        "size": pl.Float64,
        "taker_side": pl.String,
    }
)


def _median(rows: pl.DataFrame, column: str) -> float | None:
    found = rows[column].median()
    return float(found) if isinstance(found, int | float) else None


def _only(rows: pl.DataFrame, column: str, factor: int = 1) -> float | None:
    found = rows[column].to_list()
    return found[0] * factor if found and found[0] is not None else None
