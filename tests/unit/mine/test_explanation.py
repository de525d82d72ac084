"""What is said of why an instrument was recorded, and of statistics in which it is not to be found."""

from pathlib import Path

import polars as pl
import pytest

from predsurv.core.errors import ConfigError
from predsurv.core.ids import VenueName
from predsurv.mine import explanation
from predsurv.mine.explanation import FOUND_MAX, find, read_stats
from predsurv.mine.recorded_days import MiningDay
from predsurv.mine.stats_writer import stats_folder


@pytest.fixture
def day(tmp_path: Path) -> MiningDay:
    return MiningDay(tmp_path, VenueName("mock"), "2026-11-20")


def test_statistics_of_an_earlier_version_are_to_be_made_again(day: MiningDay) -> None:
    path = stats_folder(day.data_dir, day.venue, day.date) / "stats.parquet"
    path.parent.mkdir(parents=True)
    pl.DataFrame({"instrument_id": ["a"]}).write_parquet(path)
    with pytest.raises(ConfigError, match=r"is of an earlier version; run 'predsurv mine mock 2026-11-20' again$"):
        read_stats(day)


def test_too_many_markets_of_one_name_are_not_shown(day: MiningDay) -> None:
    count = FOUND_MAX + 1
    stats = pl.DataFrame({"instrument_id": [f"i{n}" for n in range(count)], "market_id": ["m"] * count})
    with pytest.raises(ConfigError, match=f"^{count} markets have 'm' in their question; say more of it"):
        find(day, stats, "m")


@pytest.mark.parametrize(
    ("state", "reason", "chance", "said"),
    [
        ("gap", "shutdown", None, "the recorder was stopped"),
        ("gap", "disconnect", None, "lost: disconnect"),
        ("covered", "live", None, "recorded; the file does not say how it was chosen"),
        ("covered", "live", 0.0, "no longer chosen: recorded until those that replaced it were there"),
        ("covered", "live", 1.0, "recorded for certain: pinned, among the best ranked, or there was a place for all"),
        ("covered", "live", 0.25, "recorded by rotation, which chose it with probability 0.25"),
    ],
)
def test_how_a_stretch_came_about_is_said_in_words_without_rotations(
    state: str, reason: str, chance: float | None, said: str
) -> None:
    assert explanation._how(state, reason, chance) == said


@pytest.mark.parametrize(
    ("told", "said"),
    [
        (("covered", "live", 1.0, "exploited", 0.9), "recorded as one of the most interesting, interest 0.90 of 1"),
        (("covered", "live", 1.0, "opened", None), "recorded because its market opened, or a place became free"),
        (
            ("covered", "live", 0.25, "drawn", 0.5),
            "recorded by rotation, which chose it with probability 0.25, interest 0.50 of 1",
        ),
        (
            ("covered", "live", 0.0, "outranked", 0.1),
            "no longer chosen (others are more interesting): recorded until those that replaced it were there",
        ),
        (("gap", "rotated_out", 0.0, "turn_over", 0.1), "dropped: its turn is over, interest 0.10 of 1"),
        (
            ("gap", "rotated_out", 0.0, "swept", 0.1),
            "dropped: others ranked higher or were drawn; it waits for its turn",
        ),
        (("gap", "stall", 1.0, "swept", 0.1), "lost: stall"),
    ],
)
def test_what_rotation_decided_is_said_where_it_told(
    told: tuple[str, str, float, str | None, float | None], said: str
) -> None:
    assert explanation._how(*told) == said
