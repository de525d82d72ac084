"""What the newest statistics say decides whom rotation prefers; without any, nobody."""

from pathlib import Path

import polars as pl
import pytest

from predsurv.core.errors import IntegrityError
from predsurv.core.ids import InstrumentId, InstrumentKey, MarketId, VenueName
from predsurv.mine.previous_scores import latest_scores

VENUE = VenueName("mock")


def stats(data_dir: Path, date: str, scores: dict[str, float | None]) -> Path:
    path = data_dir / "stats" / "venue=mock" / f"date={date}" / "stats.parquet"
    path.parent.mkdir(parents=True)
    names = list(scores)
    pl.DataFrame({"market_id": names, "instrument_id": names, "score": list(scores.values())}).write_parquet(path)
    return path


def key(name: str) -> InstrumentKey:
    return InstrumentKey(VENUE, MarketId(name), InstrumentId(name))


def test_without_statistics_nobody_has_a_score(tmp_path: Path) -> None:
    assert latest_scores(tmp_path, VENUE) == {}


def test_the_newest_day_counts_and_missing_scores_do_not(tmp_path: Path) -> None:
    stats(tmp_path, "2026-01-01", {"old": 1.0})
    stats(tmp_path, "2026-01-02", {"a": 0.25, "b": None, "c": float("nan")})
    assert latest_scores(tmp_path, VENUE) == {key("a"): 250_000}
    assert latest_scores(tmp_path, VenueName("kalshi")) == {}


def test_a_file_that_cannot_be_read_is_named(tmp_path: Path) -> None:
    path = stats(tmp_path, "2026-01-02", {"a": 0.25})
    path.write_bytes(b"PAR1")
    with pytest.raises(IntegrityError, match=r"date=2026-01-02/stats\.parquet cannot be read"):
        latest_scores(tmp_path, VENUE)
