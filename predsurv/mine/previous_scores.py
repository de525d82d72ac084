"""The interestingness that earlier statistics give each instrument: what rotation prefers, and how stable it is."""

from datetime import date, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from predsurv.core.errors import IntegrityError
from predsurv.core.ids import InstrumentId, InstrumentKey, MarketId, VenueName
from predsurv.core.num import MICROS
from predsurv.core.text import path_component
from predsurv.mine.recorded_days import MiningDay

if TYPE_CHECKING:
    import polars as pl


def latest_scores(data_dir: Path, venue: VenueName) -> dict[InstrumentKey, int]:
    """Return the score (micros, 0 to 1,000,000) of each instrument in the newest statistics of ``venue``.

    Empty without statistics; raises IntegrityError naming the file when it cannot be read.
    """
    folder = data_dir / "stats" / f"venue={path_component(venue)}"
    path = max(folder.glob("date=*/stats.parquet"), default=None)
    if path is None:
        return {}
    import polars as pl  # takes 60 MB, for nothing before anything was mined

    try:
        stats = pl.read_parquet(path, columns=["market_id", "instrument_id", "score"])
        rows = stats.filter(pl.col("score").is_finite()).drop_nulls().rows()
    except (OSError, pl.exceptions.PolarsError) as error:
        raise IntegrityError(f"{path} cannot be read") from error
    return {
        InstrumentKey(venue, MarketId(market), InstrumentId(instrument)): round(score * MICROS)
        for market, instrument, score in rows
    }


class RankStability(NamedTuple):
    """How much a ranking agrees with the one of the day before.

    ``instruments``: ranked in both; ``correlation``: of their ranks (Spearman), None when there are fewer than three;
    ``kept``: of the first ``top`` those that were among the first ``top`` before.
    """

    instruments: int
    correlation: float | None
    kept: int
    top: int


def ranks_before(stats: "pl.DataFrame", day: MiningDay) -> "pl.DataFrame":
    """Return ``stats`` with ``previous_rank``: that in the statistics of the day before ``day``, null without one."""
    import polars as pl

    before = (date.fromisoformat(day.date) - timedelta(days=1)).isoformat()
    path = day.data_dir / "stats" / f"venue={path_component(day.venue)}" / f"date={before}" / "stats.parquet"
    try:
        earlier = pl.read_parquet(path, columns=["instrument_id", "rank"], hive_partitioning=False)
    except (OSError, pl.exceptions.PolarsError):  # not mined, or by a version without ranks
        return stats.with_columns(pl.lit(None, pl.Int64).alias("previous_rank"))
    earlier = earlier.rename({"rank": "previous_rank"}).cast({"previous_rank": pl.Int64})
    return stats.join(earlier, on="instrument_id", how="left", maintain_order="left")


def stability(stats: "pl.DataFrame", top: int) -> RankStability | None:
    """Return how stable the ranks of ``stats`` are, None without earlier ones."""
    import polars as pl

    both = stats.drop_nulls(["rank", "previous_rank"])
    if both.is_empty():
        return None
    place, before = pl.col("rank").rank(), pl.col("previous_rank").rank()
    value = both.select(pl.corr(place, before)).item() if both.height > 2 else None
    kept = both.filter((pl.col("rank") <= top) & (pl.col("previous_rank") <= top)).height
    return RankStability(both.height, value, kept, min(top, stats["rank"].count()))
