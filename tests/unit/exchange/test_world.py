"""The world has what was asked for, whatever the seed and size."""

from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from predsurv.core.market import on_grid
from predsurv.core.num import MICROS, Price
from predsurv.exchange.titles import HOSTILE
from predsurv.exchange.world import DAY, SECOND, broken_rows, build, records

ORIGIN = 1_800_000_000 * SECOND


@given(st.integers(0, 2**32 - 1), st.integers(1, 60))
def test_market_count_is_exact_and_ids_are_unique(seed: int, markets: int) -> None:
    made = [market for spec in build(seed, markets) for market in records(spec, ORIGIN)]
    assert len(made) == markets
    assert len({market.market_id for market in made}) == markets
    keys = [key for market in made for key in market.keys()]  # noqa: SIM118
    assert len(set(keys)) == len(keys)


@pytest.mark.parametrize("seed", [1, 7, 99])
def test_default_size_has_every_kind(seed: int) -> None:
    specs = build(seed, 300)
    kinds = Counter(spec.kind for spec in specs)
    assert kinds["binary"] > 40
    assert kinds["event"] >= 10
    assert kinds["multi"] >= 2
    assert sum(spec.basket is not None for spec in specs) == 6
    assert sum(spec.title.headline in HOSTILE for spec in specs) == len(HOSTILE)
    assert sum(spec.void for spec in specs) == 1
    assert {spec.tick for spec in specs} == {1_000, 5_000, 10_000}
    assert any(not spec.weight for spec in specs)
    assert sum(spec.closes_at < 180 * SECOND for spec in specs) > 20


@pytest.mark.parametrize("seed", [1, 7, 99])
def test_baskets_end_before_their_event_does(seed: int) -> None:
    for spec in build(seed, 300):
        if spec.basket is not None:
            assert 2 * SECOND < spec.basket.at < spec.basket.at + spec.basket.duration < spec.closes_at < 26 * SECOND


def test_records_say_what_they_are() -> None:
    for spec in build(7, 300):
        markets = records(spec, ORIGIN)
        assert len(markets) == (len(spec.fairs) if spec.kind == "event" else 1)
        assert spec.kind == "binary" or sum(spec.fairs) == MICROS
        for market in markets:
            assert market.exhaustive == market.mutually_exclusive == market.neg_risk == (spec.kind == "event")
            assert len(market.outcomes) == (len(spec.fairs) if spec.kind == "multi" else 2)
            assert market.fee.since is not None
            assert market.fee.since < ORIGIN - DAY
            assert on_grid(market, Price(MICROS // 2))


def test_only_a_large_venue_has_broken_rows() -> None:
    assert not broken_rows(20)
    assert broken_rows(300)
