"""Scores stay in their bounds, grow with what they measure, and survive knowing nothing."""

from typing import Any

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from predsurv.core.errors import ConfigError
from predsurv.mine import scores

SUMS = {
    "market_id": "m",
    "instrument_id": "i",
    "observed_s": 100.0,
    "gap_s": 20.0,
    "weighted_s": 400.0,
    "depth_cut_s": 20.0,
    "updates": 50,
    "held_s": 80.0,
    "two_sided_s": 40.0,
    "spread_s": 0.8,
    "mid_s": 20.0,
    "imbalance_s": 16.0,
    "imbalance_known_s": 80.0,
    "moved": 0.0036,
    "moved_s": 36.0,
    "bid_depth_1c_s": 800.0,
    "ask_depth_1c_s": 1600.0,
    "bid_depth_5c_s": 2400.0,
    "ask_depth_5c_s": 3200.0,
    "trades": 4,
    "volume": 40.0,
    "notional": 20.0,
    "stale_s": 25.0,
    "median_wait_s": 2.0,
    "spread_ticks": 2.0,
    "trades_observed_s": 50.0,
    "trades_missing": None,
}
EVEN = scores.weights({})


def stats(**changed: float | None) -> dict[str, float]:
    return scores.statistics(pl.LazyFrame([SUMS | changed])).collect().row(0, named=True)


def score(**changed: float | None) -> dict[str, Any]:
    frame = scores.statistics(pl.LazyFrame([SUMS | changed], schema_overrides=dict.fromkeys(changed, pl.Float64)))
    return scores.scored(frame, EVEN).collect().row(0, named=True)


def test_statistics_divide_by_the_time_they_were_seen_in() -> None:
    row = stats()
    assert row["updates_per_s"] == 0.5
    assert row["spread"] == pytest.approx(0.02)
    assert row["spread_ticks"] == pytest.approx(2.0)
    assert row["mid"] == pytest.approx(0.5)
    assert row["volatility"] == pytest.approx(0.01)
    assert (row["bid_depth_1c"], row["ask_depth_5c"]) == (10.0, 40.0)
    assert row["imbalance"] == pytest.approx(0.2)
    assert row["notional_per_hour"] == pytest.approx(1440.0), "per hour in which trades were observed"
    assert row["stale_share"] == 0.25
    assert row["two_sided_share"] == 0.5
    assert row["inclusion"] == 0.25
    assert row["depth_cut_share"] == 0.25


def test_nothing_observed_is_nothing_known_and_never_interesting() -> None:
    unknown = dict.fromkeys(set(SUMS) - {"market_id", "instrument_id"}, None)
    row = score(**(unknown | {"observed_s": 60.0}))
    assert row["score"] == 0.0
    assert row["spread"] is None
    assert score(observed_s=0.0)["score"] is None, "of who was not observed nothing is known, not even that"


def test_what_is_not_known_counts_as_nothing_and_is_named() -> None:
    assert score()["unknown_scores"] is None
    silent = score(trades_observed_s=0.0)
    assert [silent[name] for name in ("trades", "volume", "notional", "notional_per_hour")] == [None] * 4
    assert (silent["score_trading"], silent["unknown_scores"]) == (0.0, "trading")
    assert score(mid_s=None, two_sided_s=0.0)["unknown_scores"] == "tightness uncertainty"


def test_the_score_is_the_weighted_mean_of_its_components() -> None:
    row = score()
    assert row["score"] == pytest.approx(sum(row[f"score_{name}"] * weight for name, weight in EVEN.items()))
    assert row["score_two_sided"] == 0.5
    assert row["score_freshness"] == 0.75
    assert row["score_uncertainty"] == pytest.approx(1.0)


@pytest.mark.parametrize(
    ("name", "less", "more"),
    [("updates", 10.0, 20.0), ("notional", 1.0, 1000.0), ("moved", 0.001, 0.5), ("bid_depth_5c_s", 1.0, 9e9)],
)
def test_more_activity_scores_higher(name: str, less: float, more: float) -> None:
    assert score(**{name: less})["score"] < score(**{name: more})["score"]


def test_a_wider_spread_scores_lower() -> None:
    assert score(spread_s=8.0)["score"] < score(spread_s=0.8)["score"]


@given(
    st.lists(st.one_of(st.none(), st.floats(allow_nan=True, width=32)), min_size=len(SUMS) - 3, max_size=len(SUMS) - 3)
)
def test_every_score_is_between_zero_and_one(values: list[float | None]) -> None:
    names = [name for name in SUMS if name not in ("market_id", "instrument_id", "trades_missing")]
    row = score(**dict(zip(names, values, strict=True)))
    scored = {name: value for name, value in row.items() if name.startswith("score")}
    if scored["score"] is None:
        assert not (values[0] or 0.0) > 0
        del scored["score"]
    assert all(0.0 <= value <= 1.0 for value in scored.values())


def test_weights_add_up_to_one_and_replace_single_ones() -> None:
    assert sum(EVEN.values()) == pytest.approx(1.0)
    only = scores.weights(dict.fromkeys(scores.WEIGHTS, 0) | {"depth": 3_000_000})
    assert only["depth"] == 1.0


@pytest.mark.parametrize(
    ("chosen", "says"),
    [
        ({"spraed": 1}, "miner.weights.spraed: no such score"),
        ({"tightnes": 1}, "did you mean tightness?"),
        ({"depth": -1}, "must not be negative"),
        (dict.fromkeys(scores.WEIGHTS, 0), "all are zero"),
    ],
)
def test_wrong_weights_are_named(chosen: dict[str, int], says: str) -> None:
    with pytest.raises(ConfigError, match=says.replace("?", r"\?").replace(".", r"\.")):
        scores.weights(chosen)
