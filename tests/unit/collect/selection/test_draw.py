"""The draw is what it says: as many as there are places, each as often as its probability."""

from collections import Counter
from math import sqrt

from hypothesis import given
from hypothesis import strategies as st

from predsurv.collect.selection.draw import EVEN_SHARE, chances, drawn
from predsurv.core.ids import InstrumentId, InstrumentKey, MarketId, VenueName
from predsurv.core.num import MICROS

VENUE = VenueName("mock")


def key(number: int) -> InstrumentKey:
    return InstrumentKey(VENUE, MarketId(f"m{number}"), InstrumentId(f"i{number}"))


interests = st.lists(st.integers(0, MICROS), max_size=60).map(lambda values: {key(n): v for n, v in enumerate(values)})


@given(interests, st.integers(0, 70))
def test_the_chances_add_up_to_the_places(interest: dict[InstrumentKey, int], places: int) -> None:
    chance = chances(interest, places)
    assert sum(chance.values()) == min(places, len(interest)) * MICROS
    assert all(0 < each <= MICROS for each in chance.values())
    assert places == 0 or chance.keys() == interest.keys()


@given(interests, st.integers(1, 70), st.binary(min_size=1, max_size=8))
def test_as_many_are_drawn_as_there_are_places(interest: dict[InstrumentKey, int], places: int, salt: bytes) -> None:
    chance = chances(interest, places)
    found = drawn(chance, salt)
    assert len(set(found)) == len(found) == min(places, len(interest))
    assert {each for each, share in chance.items() if share == MICROS} <= set(found)
    assert found == drawn(dict(reversed(chance.items())), salt)


def test_a_part_is_shared_evenly_and_the_rest_in_proportion() -> None:
    chance = chances({key(0): 300_000, key(1): 100_000, key(2): 0, key(3): 0}, 1)
    even, rest = EVEN_SHARE / 4, MICROS - EVEN_SHARE
    assert [chance[key(n)] for n in range(4)] == [even + rest * 3 / 4, even + rest / 4, even, even]


def test_of_a_million_dull_ones_each_can_be_drawn() -> None:
    chance = chances({key(n): int(n == 0) for n in range(300_000)}, 1)
    assert min(chance.values()) > 0
    assert sum(chance.values()) == MICROS


def test_each_is_drawn_as_often_as_its_chance_says() -> None:
    chance = chances({key(n): n * n for n in range(100)}, 7)
    draws, count = 3_000, Counter[InstrumentKey]()
    for number in range(draws):
        count.update(drawn(chance, f"{number}".encode()))
    expected = {each: draws * share / MICROS for each, share in chance.items()}
    squares = sum((count[each] - mean) ** 2 / (mean * (1 - mean / draws)) for each, mean in expected.items())
    assert abs(squares - 100) < 4 * sqrt(2 * 100)
