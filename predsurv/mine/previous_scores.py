"""The interestingness that earlier statistics give each instrument: what rotation prefers, and how stable it is."""

from collections.abc import Iterable, Mapping
from datetime import date, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Final, NamedTuple

from predsurv.core.errors import IntegrityError
from predsurv.core.ids import InstrumentId, InstrumentKey, MarketId, VenueName
from predsurv.core.text import path_component
from predsurv.mine.recorded_days import MiningDay
from predsurv.mine.score_weights import BUSY

if TYPE_CHECKING:
    import polars as pl


class EarlierScore(NamedTuple):
    """A score by parts, discounted by ``evidence``: ``busy`` of the components that tell how busy an instrument is."""

    busy: float
    other: float
    evidence: float


DAYS_MERGED: Final = 7
"""The newest days with statistics that scores are taken from."""


class EarlierScores:
    """The scores of a venue's instruments in earlier statistics, read again when these change.

    What the newest day leaves unknown is filled from the day before, and so on: with evidence e of a score s,
    s + (1 - e) · s of the days before. Statistics of versions that did not tell the evidence are left out.
    """

    def __init__(self, data_dir: Path, venue: VenueName, weight: Mapping[str, float]) -> None:
        """``weight``: of each component, adding up to 1."""
        self._folder = data_dir / "stats" / f"venue={path_component(venue)}"
        self._venue = venue
        self._weight = weight
        self._read: list[tuple[str, int]] = []
        self._scores: dict[InstrumentKey, EarlierScore] = {}

    def current(self) -> dict[InstrumentKey, EarlierScore]:
        """Return the scores; empty without statistics. Raises IntegrityError naming the file that cannot be read."""
        paths = sorted(self._folder.glob("date=*/stats.parquet"), reverse=True)[:DAYS_MERGED]
        try:
            found = [(str(path), path.stat().st_mtime_ns) for path in paths]
        except OSError as error:
            raise IntegrityError(f"{self._folder} cannot be read") from error
        if found != self._read:
            self._scores = self._merged(paths)
            self._read = found
        return self._scores

    def _merged(self, paths: Iterable[Path]) -> dict[InstrumentKey, EarlierScore]:
        import polars as pl  # takes 60 MB, for nothing before anything was mined

        merged: pl.DataFrame | None = None
        for path in paths:
            try:
                day = self._day(path)
            except (OSError, pl.exceptions.PolarsError) as error:
                raise IntegrityError(f"{path} cannot be read") from error
            if day is None:
                continue
            merged = day if merged is None else _filled(merged, day)
        rows = () if merged is None else merged.rows()
        return {
            InstrumentKey(self._venue, MarketId(market), InstrumentId(instrument)): EarlierScore(*parts)
            for market, instrument, *parts in rows
        }

    def _day(self, path: Path) -> "pl.DataFrame | None":
        import polars as pl

        names = pl.read_parquet_schema(path).keys()
        if "evidence" not in names:
            return None
        parts = {name: f"score_{name}" for name, weight in self._weight.items() if weight and f"score_{name}" in names}
        stats = pl.read_parquet(path, columns=["market_id", "instrument_id", "evidence", *parts.values()])
        known = {
            name: pl.col(column).fill_nan(None).fill_null(0.0) * self._weight[name] for name, column in parts.items()
        }
        busy = {each for components in BUSY.values() for each in components}
        return stats.filter(pl.col("evidence") > 0).select(
            "market_id",
            "instrument_id",
            pl.sum_horizontal(pl.lit(0.0), *(part for name, part in known.items() if name in busy)).alias("busy"),
            pl.sum_horizontal(pl.lit(0.0), *(part for name, part in known.items() if name not in busy)).alias("other"),
            "evidence",
        )


def _filled(newer: "pl.DataFrame", older: "pl.DataFrame") -> "pl.DataFrame":
    """Return the scores of ``newer``, what they leave unknown filled from those of ``older``."""
    import polars as pl

    both = newer.join(older, on=["market_id", "instrument_id"], how="full", coalesce=True).fill_null(0.0)
    unknown = 1 - pl.col("evidence")
    parts = ("busy", "other", "evidence")
    return both.select(
        "market_id", "instrument_id", *(pl.col(name) + unknown * pl.col(f"{name}_right") for name in parts)
    )


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
