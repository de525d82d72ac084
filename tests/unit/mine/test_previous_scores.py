"""What the newest statistics say decides whom rotation prefers; without any, nobody."""

from pathlib import Path

import polars as pl
import pytest

from predsurv.core.errors import IntegrityError
from predsurv.core.ids import InstrumentId, InstrumentKey, MarketId, VenueName
from predsurv.mine.previous_scores import EarlierScores, ranks_before, stability
from predsurv.mine.recorded_days import MiningDay

VENUE = VenueName("mock")


WEIGHT = {"activity": 0.5, "trading": 0.3, "depth": 0.2}


def stats(data_dir: Path, date: str, scores: dict[str, float | None], evidence: float | None = 0.5) -> Path:
    path = data_dir / "stats" / "venue=mock" / f"date={date}" / "stats.parquet"
    path.parent.mkdir(parents=True, exist_ok=True)
    names = list(scores)
    columns = {name: list(scores.values()) for name in ("score_activity", "score_trading", "score_depth")}
    told = {} if evidence is None else {"evidence": [evidence] * len(names)}
    pl.DataFrame({"market_id": names, "instrument_id": names, **columns, **told}).write_parquet(path)
    return path


def earlier(data_dir: Path, venue: VenueName = VENUE) -> EarlierScores:
    return EarlierScores(data_dir, venue, WEIGHT)


def key(name: str) -> InstrumentKey:
    return InstrumentKey(VENUE, MarketId(name), InstrumentId(name))


def test_without_statistics_nobody_has_a_score(tmp_path: Path) -> None:
    assert earlier(tmp_path).current() == {}


def test_a_score_is_told_by_parts_and_nothing_counts_nothing(tmp_path: Path) -> None:
    stats(tmp_path, "2026-01-02", {"a": 0.25, "b": None, "c": float("nan")})
    found = earlier(tmp_path).current()
    assert found[key("a")] == pytest.approx((0.25 * 0.8, 0.25 * 0.2, 0.5))
    assert found[key("b")] == found[key("c")] == (0.0, 0.0, 0.5)
    assert earlier(tmp_path, VenueName("kalshi")).current() == {}


def test_what_the_newest_day_leaves_unknown_is_filled_from_the_days_before(tmp_path: Path) -> None:
    """After the first statistics of a new day, those of yesterday still hold for what today has hardly seen."""
    stats(tmp_path, "2026-01-01", {"old": 0.8, "both": 0.8}, evidence=0.9)
    stats(tmp_path, "2026-01-02", {"both": 0.02, "new": 0.02}, evidence=0.04)
    found = earlier(tmp_path).current()
    assert found[key("old")] == pytest.approx((0.64, 0.16, 0.9))
    assert found[key("new")] == pytest.approx((0.016, 0.004, 0.04))
    assert found[key("both")] == pytest.approx((0.016 + 0.96 * 0.64, 0.004 + 0.96 * 0.16, 0.04 + 0.96 * 0.9))


def test_statistics_without_evidence_are_left_out(tmp_path: Path) -> None:
    stats(tmp_path, "2026-01-01", {"a": 0.5})
    stats(tmp_path, "2026-01-02", {"b": 0.5}, evidence=None)
    assert earlier(tmp_path).current().keys() == {key("a")}


def test_statistics_are_read_again_when_they_change(tmp_path: Path) -> None:
    scores = earlier(tmp_path)
    assert scores.current() == {}
    stats(tmp_path, "2026-01-01", {"a": 0.5})
    first = scores.current()
    assert scores.current() is first
    stats(tmp_path, "2026-01-02", {"b": 0.5})
    assert scores.current().keys() == {key("a"), key("b")}


def test_a_file_that_cannot_be_read_is_named(tmp_path: Path) -> None:
    path = stats(tmp_path, "2026-01-02", {"a": 0.25})
    path.write_bytes(b"PAR1")
    with pytest.raises(IntegrityError, match=r"date=2026-01-02/stats\.parquet cannot be read"):
        earlier(tmp_path).current()


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
