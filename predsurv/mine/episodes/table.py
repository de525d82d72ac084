"""Episodes as rows of Parquet, one file a day; units as in every dataset: dollars and shares in float64."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

import polars as pl

from predsurv.core.ids import VenueName
from predsurv.core.num import MICROS
from predsurv.core.text import path_component
from predsurv.mine.episodes.episode import DELAYS, Episode
from predsurv.mine.stats_writer import write_table

_TIME: Final = pl.Datetime("ns", "UTC")
_NS_SECOND: Final = 1_000_000_000
LEFT: Final = tuple(f"left_{delay // 1_000_000}ms_usd" for delay in DELAYS)
"""Columns of what could still be earned after each of ``DELAYS``."""

SCHEMA: Final[dict[str, Any]] = {
    "group_id": pl.String(),
    "kind": pl.String(),
    "start": _TIME,
    "end": _TIME,
    "duration_s": pl.Float64(),
    "seen_from_start": pl.Boolean(),
    "ended": pl.String(),
    "open_profit_usd": pl.Float64(),
    "open_cost_usd": pl.Float64(),
    "open_sets": pl.Float64(),
    "peak_profit_usd": pl.Float64(),
    "peak_cost_usd": pl.Float64(),
    "peak_sets": pl.Float64(),
    "peak_edge_bps": pl.Float64(),
    "profit_usd_s": pl.Float64(),
    **{name: pl.Float64() for name in LEFT},
    "leg_count": pl.Int64(),
    "legs": pl.List(pl.String()),
    "leg_venues": pl.List(pl.String()),
}
"""Columns of ``episodes.parquet``."""


def episodes_folder(data_dir: Path, venue: VenueName, date: str) -> Path:
    """Return the folder that holds ``episodes.parquet`` of a day."""
    return data_dir / "episodes" / f"venue={path_component(venue)}" / f"date={date}"


def to_frame(episodes: Sequence[Episode]) -> pl.DataFrame:
    """Return a row for each episode, in their order."""
    return pl.DataFrame([_row(each) for each in episodes], schema=SCHEMA, orient="row")


def write_episodes(episodes: Sequence[Episode], data_dir: Path, venue: VenueName, date: str) -> Path:
    """Replace a day's ``episodes.parquet`` and return its path; raises OSError and leaves the old one."""
    path = episodes_folder(data_dir, venue, date) / "episodes.parquet"
    write_table(to_frame(episodes), path, data_dir)
    return path


def _row(episode: Episode) -> tuple[Any, ...]:
    opened, peak = episode.opened, episode.peak
    return (
        episode.name,
        peak.signal,
        episode.start,
        episode.end,
        (episode.end - episode.start) / _NS_SECOND,
        episode.seen_from_start,
        episode.ended,
        opened.profit / MICROS,
        opened.cost / MICROS,
        opened.sets / MICROS,
        peak.profit / MICROS,
        peak.cost / MICROS,
        peak.sets / MICROS,
        peak.profit * 10_000 / peak.cost if peak.cost > 0 else None,
        episode.integral / MICROS / _NS_SECOND,
        *(None if left is None else left / MICROS for left in episode.left),
        len(peak.legs),
        [str(key.instrument_id) for key in peak.legs],
        [str(key.venue) for key in peak.legs],
    )
