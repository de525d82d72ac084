"""The generated markets have the asked number and kinds for every seed; random streams are independent."""

from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from predsurv.core.market import on_grid
from predsurv.core.num import MICROS, Price
from predsurv.exchange.titles import HOSTILE
from predsurv.exchange.world import DAY, SECOND, build_groups, malformed_rows, market_records, random_stream

ORIGIN = 1_800_000_000 * SECOND


@given(st.integers(0, 2**32 - 1), st.integers(1, 60))
def test_market_count_is_exact_and_ids_are_unique(seed: int, markets: int) -> None:
    made = [market for spec in build_groups(seed, markets) for market in market_records(spec, ORIGIN)]
    assert len(made) == markets
    assert len({market.market_id for market in made}) == markets
    keys = [key for market in made for key in market.keys()]  # noqa: SIM118
    assert len(set(keys)) == len(keys)


@pytest.mark.parametrize("seed", [1, 7, 99])
def test_the_default_size_has_every_kind_of_group(seed: int) -> None:
    specs = build_groups(seed, 300)
    kinds = Counter(spec.kind for spec in specs)
    assert kinds["binary"] > 40
    assert kinds["event"] >= 10
    assert kinds["multi"] >= 2
    assert sum(spec.mispricing is not None for spec in specs) == 6
    assert sum(spec.title.headline in HOSTILE for spec in specs) == len(HOSTILE)
    assert sum(spec.void for spec in specs) == 1
    assert {spec.tick for spec in specs} == {1_000, 5_000, 10_000}
    assert any(not spec.weight for spec in specs)
    assert sum(spec.closes_at < 180 * SECOND for spec in specs) > 20


@pytest.mark.parametrize("seed", [1, 7, 99])
def test_fine_grids_change_nothing_but_the_tick_size_of_some_groups(seed: int) -> None:
    plain, fine = build_groups(seed, 300), build_groups(seed, 300, fine_grids=True)
    assert {spec.tick for spec in fine} >= {100, 2_500, 10_000}
    changed = [spec for spec, other in zip(fine, plain, strict=True) if spec.tick != other.tick]
    assert {spec.tick for spec in changed} == {100, 2_500}
    assert all(spec.mispricing is None for spec in changed)
    assert [replace(spec, tick=other.tick) for spec, other in zip(fine, plain, strict=True)] == list(plain)


@pytest.mark.parametrize("seed", [1, 7, 99])
def test_planned_mispricings_end_before_their_event_closes(seed: int) -> None:
    for spec in build_groups(seed, 300):
        if spec.mispricing is not None:
            assert (
                2 * SECOND
                < spec.mispricing.at
                < spec.mispricing.at + spec.mispricing.duration
                < spec.closes_at
                < 26 * SECOND
            )


def test_market_records_say_what_kind_of_group_they_are_of() -> None:
    for spec in build_groups(7, 300):
        markets = market_records(spec, ORIGIN)
        assert len(markets) == (len(spec.fair_values) if spec.kind == "event" else 1)
        assert spec.kind == "binary" or sum(spec.fair_values) == MICROS
        for market in markets:
            assert market.exhaustive == market.mutually_exclusive == market.neg_risk == (spec.kind == "event")
            assert len(market.outcomes) == (len(spec.fair_values) if spec.kind == "multi" else 2)
            assert market.fee.since is not None
            assert market.fee.since < ORIGIN - DAY
            assert on_grid(market, Price(MICROS // 2))


def test_only_a_large_venue_has_malformed_rows() -> None:
    assert not malformed_rows(20)
    assert malformed_rows(300)


def test_a_stream_of_the_same_name_gives_the_same_draws() -> None:
    draws = [random_stream(7, "a", 1).getrandbits(64) for _ in range(3)]
    assert draws == [random_stream(7, "a", 1).getrandbits(64)] * 3


def test_streams_of_other_names_or_seeds_differ() -> None:
    streams = (
        random_stream(7, "a", 1),
        random_stream(7, "a", 2),
        random_stream(7, "b", 1),
        random_stream(8, "a", 1),
        random_stream(7, "a1"),
    )
    assert len({stream.getrandbits(64) for stream in streams}) == len(streams)
