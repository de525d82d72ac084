"""The interestingness: where an instrument stands among the others, as far as there is evidence."""

from collections.abc import Mapping
from typing import Any

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from predsurv.core.errors import ConfigError
from predsurv.mine import scores

EVEN = scores.weights({})
FIGURES = (
    "updates_per_s",
    "notional_usd_per_hour",
    "volatility_usd_per_sqrt_hour",
    "spread_usd",
    "bid_depth_5c_shares",
    "ask_depth_5c_shares",
    "two_sided_share",
    "stale_share",
    "mid_usd",
    "cost_1000_usd",
    "realised_spread_60s_usd",
    "quote_fill_share",
    "order_flow_correlation_10s",
)
TIME = ("observed_s", "trades_observed_s")


def table(*rows: Mapping[str, object]) -> pl.LazyFrame:
    plain: dict[str, object] = {**dict.fromkeys(FIGURES, 1.0), **dict.fromkeys(TIME, 3_480.0)}
    filled = [{"instrument_id": str(number), **plain, **row} for number, row in enumerate(rows)]
    return pl.LazyFrame(filled, schema_overrides=dict.fromkeys((*FIGURES, *TIME), pl.Float64))


def scored(*rows: Mapping[str, object], weight: Mapping[str, float] = EVEN) -> dict[str, dict[str, Any]]:
    found = scores.scored(table(*rows), weight).collect()
    return {row["instrument_id"]: row for row in found.iter_rows(named=True)}


def test_a_percentile_is_the_share_of_the_others_that_are_worse_equal_ones_half() -> None:
    found = scored(*({"updates_per_s": rate} for rate in (1.0, 2.0, 2.0, 9.0)))
    assert [found[name]["percentile_activity"] for name in "0123"] == [0.125, 0.5, 0.5, 0.875]


def test_last_digits_of_a_sum_do_not_decide_between_equal_values() -> None:
    found = scored(
        {"two_sided_share": 1.0, "spread_usd": 0.021644628099173533, "order_flow_correlation_10s": 0.0},
        {
            "two_sided_share": 0.9999999999999998,
            "spread_usd": 0.021644628099173537,
            "order_flow_correlation_10s": 1e-17,
        },
        {"two_sided_share": 0.5, "spread_usd": 0.0216447, "order_flow_correlation_10s": 0.4},
    )
    for name in ("percentile_two_sided", "percentile_tightness", "percentile_foresight"):
        assert found["0"][name] == found["1"][name] != found["2"][name]


def test_what_is_nothing_counts_nothing_and_what_may_be_negative_is_ranked() -> None:
    found = scored({"notional_usd_per_hour": 0.0, "realised_spread_60s_usd": 0.0}, {"realised_spread_60s_usd": -1.0})
    assert found["0"]["percentile_trading"] == 0.0
    assert found["0"]["percentile_earning"] == 0.75
    assert found["1"]["percentile_trading"] == 0.75


def test_a_smaller_spread_and_a_smaller_cost_are_better() -> None:
    found = scored({"spread_usd": 0.01, "cost_1000_usd": 5.0}, {"spread_usd": 0.02, "cost_1000_usd": 1.0})
    assert found["0"]["percentile_tightness"] > found["1"]["percentile_tightness"]
    assert found["0"]["percentile_cheapness"] < found["1"]["percentile_cheapness"]


def test_five_seconds_of_the_best_market_are_not_enough_to_be_first() -> None:
    best = dict.fromkeys(FIGURES[:3], 100.0)
    found = scored(best | dict.fromkeys(TIME, 5.0), {}, {"updates_per_s": 2.0})
    assert found["0"]["evidence"] == pytest.approx(5 / 125)
    assert found["0"]["rank"] == 3
    assert found["0"]["percentile_activity"] > found["2"]["percentile_activity"]


def test_the_score_is_the_weighted_mean_of_percentiles_times_evidence() -> None:
    found = scored({"updates_per_s": 5.0}, {"trades_observed_s": 120.0})
    for row in found.values():
        assert row["score"] == pytest.approx(sum(row[f"score_{name}"] * each for name, each in EVEN.items()))
    assert found["0"]["score_activity"] == pytest.approx(0.75 * 3_480 / 3_600)
    assert found["1"]["score_trading"] == pytest.approx(0.5 * 0.5), "evidence of trades is the time they were heard in"


def test_what_is_not_known_counts_as_nothing_and_is_named_and_who_was_not_observed_has_no_score() -> None:
    found = scored({"spread_usd": None, "mid_usd": None}, dict.fromkeys(TIME, 0.0), {})
    assert found["0"]["unknown_scores"] == "tightness uncertainty"
    assert (found["0"]["score_tightness"], found["0"]["percentile_tightness"]) == (0.0, None)
    assert (found["1"]["score"], found["1"]["rank"]) == (None, None)
    assert found["2"]["unknown_scores"] is None
    assert found["2"]["percentile_activity"] == 0.5, "who was not observed is no other"


known = st.dictionaries(st.sampled_from(FIGURES), st.none() | st.floats(width=32))
times = st.dictionaries(st.sampled_from(TIME), st.floats(0, 1e7))


@given(st.lists(st.tuples(known, times), min_size=1, max_size=6))
def test_every_score_is_between_zero_and_one(rows: list[tuple[dict[str, float | None], dict[str, float]]]) -> None:
    kept = [{**figures, **seconds} for figures, seconds in rows]
    for row in scored(*kept).values():
        made = [value for name, value in row.items() if name.startswith(("score", "percentile_", "evidence"))]
        assert all(value is None or 0.0 <= value <= 1.0 for value in made)


def test_weights_add_up_to_one_and_replace_single_ones_of_a_preset() -> None:
    for preset in scores.PRESETS:
        assert sum(scores.weights({}, preset).values()) == pytest.approx(1.0)
    only = scores.weights(dict.fromkeys(scores.COMPONENTS, 0) | {"depth": 3_000_000})
    assert only["depth"] == 1.0
    with pytest.raises(ConfigError, match="no preset fast; choose among research"):
        scores.weights({}, "fast")


def test_presets_prefer_what_they_are_for() -> None:
    cheap, earning = {"cost_1000_usd": 0.1}, {"realised_spread_60s_usd": 9.0, "quote_fill_share": 9.0}
    for preset, first in (("taker", "0"), ("maker", "1")):
        found = scored(cheap, earning, weight=scores.weights({}, preset))
        assert found[first]["rank"] == 1, preset


@pytest.mark.parametrize(
    ("chosen", "says"),
    [
        ({"spraed": 1}, "miner.weights.spraed: no such score"),
        ({"tightnes": 1}, "did you mean tightness?"),
        ({"depth": -1}, "must not be negative"),
        (dict.fromkeys(scores.COMPONENTS, 0), "all are zero"),
    ],
)
def test_wrong_weights_are_named(chosen: dict[str, int], says: str) -> None:
    with pytest.raises(ConfigError, match=says.replace("?", r"\?").replace(".", r"\.")):
        scores.weights(chosen)
