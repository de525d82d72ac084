"""The interestingness that earlier statistics give each instrument: what rotation prefers."""

from pathlib import Path

from predsurv.core.errors import IntegrityError
from predsurv.core.ids import InstrumentId, InstrumentKey, MarketId, VenueName
from predsurv.core.num import MICROS
from predsurv.core.text import path_component


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
