"""Rotation keeps its promises: capacity, pins, fairness, stability, the same choice from the same input."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from predsurv.collect.rotation import Candidate, Demand, History, Plan, allot, interest, plan
from predsurv.core.ids import InstrumentId, InstrumentKey, MarketId, VenueName
from predsurv.core.num import MICROS

VENUE = VenueName("mock")


def key(number: int) -> InstrumentKey:
    return InstrumentKey(VENUE, MarketId(f"m{number:03d}"), InstrumentId(f"i{number:03d}"))


def universe(count: int, *, closed: frozenset[int] = frozenset()) -> list[Candidate]:
    return [Candidate(key(n), n not in closed, n * 1_000 * MICROS, n * 100 * MICROS) for n in range(count)]


def run(demand: Demand, periods: int, history: History | None = None) -> list[Plan]:
    plans = []
    history = history or History()
    for _ in range(periods):
        plans.append(plan(demand, history))
        history = plans[-1].history
    return plans


demands = st.builds(
    lambda size, capacity, share, pins, closed, scores: Demand(
        universe=universe(size, closed=closed),
        capacity=capacity,
        explore_share=share,
        pinned=frozenset(map(key, pins)),
        scores={key(n): score for n, score in scores.items()},
    ),
    st.integers(0, 40),
    st.integers(1, 30),
    st.integers(0, MICROS),
    st.frozensets(st.integers(0, 45), max_size=6),
    st.frozensets(st.integers(0, 45), max_size=10),
    st.dictionaries(st.integers(0, 45), st.integers(0, MICROS), max_size=20),
)


@given(demands)
def test_capacity_is_never_exceeded_and_never_wasted(demand: Demand) -> None:
    tradable = sum(candidate.tradable for candidate in demand.universe)
    for made in run(demand, 4):
        assert len(made.want) == min(demand.capacity, tradable)
        assert made.want.keys() == made.reasons.keys()


@given(demands)
def test_pinned_instruments_are_always_recorded(demand: Demand) -> None:
    pinned = {candidate.key for candidate in demand.universe if candidate.tradable and candidate.key in demand.pinned}
    for made in run(demand, 4):
        assert len(made.want.keys() & pinned) == min(len(pinned), demand.capacity)
        assert made.left_out == max(0, len(pinned) - demand.capacity)


@given(demands)
def test_closed_markets_are_never_chosen(demand: Demand) -> None:
    closed = {candidate.key for candidate in demand.universe if not candidate.tradable}
    assert not any(made.want.keys() & closed for made in run(demand, 3))


@given(demands)
@settings(max_examples=60)
def test_everyone_has_a_turn_within_the_promised_periods(demand: Demand) -> None:
    first = plan(demand, History())
    promised = first.revisit_periods()
    explored = first.count("explored")
    if first.pool and not explored:
        return  # nothing was given to exploring: explore_share 0, or pins hold every place
    tradable = {candidate.key for candidate in demand.universe if candidate.tradable}
    seen = {each for made in run(demand, max(1, promised)) for each in made.want}
    assert promised <= -(-len(tradable) // max(1, explored))
    assert len(tradable - seen) == first.left_out


@given(demands)
def test_places_held_for_interest_do_not_churn_without_reason(demand: Demand) -> None:
    plans = run(demand, 5)
    assert len({made.history.exploited for made in plans}) == 1


@given(demands)
def test_the_same_input_gives_the_same_plan_in_any_order(demand: Demand) -> None:
    turned = Demand(
        universe=demand.universe[::-1],
        capacity=demand.capacity,
        explore_share=demand.explore_share,
        pinned=demand.pinned,
        scores=demand.scores,
    )
    for one, other in zip(run(demand, 3), run(turned, 3), strict=True):
        assert one.want == other.want
        assert one.reasons == other.reasons


@given(demands)
def test_inclusion_is_the_share_of_periods_an_instrument_is_recorded(demand: Demand) -> None:
    made = plan(demand, History())
    for each, reason in made.reasons.items():
        if reason == "explored":
            assert made.want[each] == max(1, made.count("explored") * MICROS // made.pool)
        else:
            assert made.want[each] == MICROS


def test_a_slightly_better_challenger_does_not_take_a_place_but_a_much_better_one_does() -> None:
    def ask(challenger: int) -> Demand:
        scores = {key(0): 400_000, key(1): challenger}
        return Demand(universe=universe(2), capacity=1, explore_share=0, scores=scores)

    held = plan(ask(0), History())
    assert plan(ask(499_999), held.history).want.keys() == {key(0)}
    assert plan(ask(500_001), held.history).want.keys() == {key(1)}


def test_a_new_market_enters_the_queue_behind_those_who_wait() -> None:
    demand = Demand(universe=universe(6), capacity=2, explore_share=MICROS)
    history = run(demand, 2)[-1].history
    grown = Demand(universe=universe(7), capacity=2, explore_share=MICROS)
    plans = run(grown, 3, history)
    assert [sorted(made.want) for made in plans[:2]] == [[key(0), key(1)], [key(4), key(5)]]
    assert key(6) in plans[2].want


def test_a_closed_market_is_forgotten() -> None:
    demand = Demand(universe=universe(6), capacity=2, explore_share=MICROS)
    history = plan(demand, History()).history
    after = plan(Demand(universe=universe(3), capacity=2, explore_share=MICROS), history)
    assert set(after.history.since) == {key(0), key(1), key(2)}


def test_measured_interest_beats_the_guess() -> None:
    rich = Candidate(key(1), True, 1_000_000 * MICROS, 1_000_000 * MICROS)
    assert interest(rich, {}) > 900_000
    assert interest(rich, {key(1): 5}) == 5
    assert interest(Candidate(key(2), True), {}) == 0


@given(st.integers(0, 1_000), st.dictionaries(st.sampled_from(["a", "b", "c", "d"]), st.integers(0, 500)))
def test_allotted_places_fit_and_none_is_left_while_somebody_needs_it(capacity: int, sizes: dict[str, int]) -> None:
    result = allot(capacity, {VenueName(name): size for name, size in sizes.items()})
    assert sum(result.values()) == min(capacity, sum(sizes.values()))
    assert all(result[VenueName(name)] <= size for name, size in sizes.items())


@pytest.mark.parametrize(
    ("sizes", "expected"),
    [
        ({"a": 5, "b": 100}, {"a": 5, "b": 15}),
        ({"a": 100, "b": 100}, {"a": 10, "b": 10}),
        ({"a": 0, "b": 3}, {"a": 0, "b": 3}),
    ],
)
def test_a_small_venue_leaves_its_places_to_the_others(sizes: dict[str, int], expected: dict[str, int]) -> None:
    assert allot(20, {VenueName(name): size for name, size in sizes.items()}) == expected
