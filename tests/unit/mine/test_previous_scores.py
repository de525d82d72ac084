"""What the newest statistics say decides whom rotation prefers; without any, nobody."""

from pathlib import Path

import polars as pl
import pytest

from predsurv.core.errors import IntegrityError
from predsurv.core.ids import InstrumentId, InstrumentKey, MarketId, VenueName
from predsurv.mine.previous_scores import latest_scores, ranks_before, stability
from predsurv.mine.recorded_days import MiningDay

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


def ranked(*names: str) -> pl.DataFrame:
    return pl.DataFrame({"instrument_id": names, "rank": range(1, len(names) + 1)}, schema_overrides={"rank": pl.Int64})


def test_ranks_are_compared_with_those_of_the_day_before(tmp_path: Path) -> None:
    path = stats(tmp_path, "2026-01-01", {"a": 1.0})
    ranked("a", "b", "c", "gone", "d").write_parquet(path)
    found = ranks_before(ranked("b", "a", "new", "c", "d"), MiningDay(tmp_path, VENUE, "2026-01-02"))
    assert found["previous_rank"].to_list() == [2, 1, None, 3, 5]
    agreed = stability(found, 2)
    assert agreed is not None
    assert (agreed.instruments, agreed.kept, agreed.top) == (4, 2, 2)
    assert agreed.correlation == pytest.approx(0.8)  # 1 - 6 * (1 + 1) / (4 * 15)


def test_without_a_day_before_nothing_is_said_of_stability(tmp_path: Path) -> None:
    found = ranks_before(ranked("a", "b"), MiningDay(tmp_path, VENUE, "2026-01-02"))
    assert found["previous_rank"].to_list() == [None, None]
    assert stability(found, 2) is None
