"""A ladder maps prices to sizes and its top is always current: in Python and compiled."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from predsurv.core.native import speedups
from predsurv.core.num import Price, Size
from predsurv.state.ladder import Ladder, PythonLadder
from tests.kit.packed_levels import unpack_levels

moves = st.lists(st.tuples(st.integers(1, 30), st.integers(0, 3)), max_size=60)
needs_compiled = pytest.mark.skipif(speedups is None, reason="there was no C compiler")
either = pytest.mark.parametrize(
    "kind",
    [
        PythonLadder,
        pytest.param(
            Ladder,
            marks=pytest.mark.skipif(speedups is None, reason="there was no C compiler"),
            id="compiled",
        ),
    ],
)
Kind = type[PythonLadder]
asked = st.lists(
    st.tuples(st.integers(1, 12), st.integers(0, 2), st.sampled_from(["", "", "best", "top", "packed"])), max_size=80
)


@either
@given(moves, st.booleans(), st.integers(1, 6))
def test_a_ladder_agrees_with_a_plain_dict(
    kind: Kind, changes: list[tuple[int, int]], descending: bool, count: int
) -> None:
    ladder, model = kind(descending=descending), dict[int, int]()
    for price, size in changes:
        before = ladder.top(count)
        ladder.set(Price(price), Size(size))
        model[price] = size
        expected = sorted(((p, s) for p, s in model.items() if s), key=lambda level: level[0], reverse=descending)
        assert ladder.levels() == tuple(expected)
        assert ladder.best() == (expected[0] if expected else None)
        assert ladder.top(count) == tuple(expected[:count])
        assert (ladder.top(count) is before) <= (tuple(expected[:count]) == before)
        assert unpack_levels(ladder.packed(2)) == tuple(expected[:2])
        assert len(ladder) == len(expected)


@either
@given(asked, st.booleans(), st.integers(1, 4))
def test_a_ladder_agrees_with_a_plain_dict_however_rarely_it_is_read(
    kind: Kind, changes: list[tuple[int, int, str]], descending: bool, count: int
) -> None:
    ladder, model = kind(descending=descending), dict[int, int]()
    for price, size, question in changes:
        ladder.set(Price(price), Size(size))
        model[price] = size
        expected = sorted(((p, s) for p, s in model.items() if s), key=lambda level: level[0], reverse=descending)
        if question == "best":
            assert ladder.best() == (expected[0] if expected else None)
        elif question == "packed":
            assert unpack_levels(ladder.packed(count + 1)) == tuple(expected[: count + 1])
        elif question:
            assert ladder.top(count) == tuple(expected[:count])


@either
@given(st.integers(1, 80), st.booleans())
def test_many_changes_between_two_reads_all_count(kind: Kind, changes: int, descending: bool) -> None:
    ladder = kind(descending=descending)
    ladder.replace([(Price(p), Size(1)) for p in range(1, 20)])
    ladder.top(5)
    for number in range(changes):
        ladder.set(Price(number % 19 + 1), Size(number + 2))
    expected = sorted(ladder.levels(), reverse=descending)
    assert ladder.top(5) == tuple(expected[:5])
    assert ladder.best() == expected[0]


@either
def test_a_change_below_the_top_leaves_it_the_same_object(kind: Kind) -> None:
    ladder = kind(descending=True)
    ladder.replace([(Price(p), Size(1)) for p in (50, 49, 48)])
    top, packed = ladder.top(2), ladder.packed(2)
    ladder.set(Price(47), Size(9))
    ladder.set(Price(48), Size(0))
    assert ladder.top(2) is top
    assert ladder.packed(2) is packed
    ladder.set(Price(49), Size(2))
    assert ladder.top(2) == ((50, 1), (49, 2))


@either
def test_removing_what_is_not_there_changes_nothing(kind: Kind) -> None:
    ladder = kind(descending=False)
    ladder.set(Price(10), Size(0))
    assert ladder.best() is None
    assert ladder.top(3) == ()


@either
def test_asks_are_best_when_lowest(kind: Kind) -> None:
    ladder = kind(descending=False)
    ladder.replace([(Price(60), Size(1)), (Price(55), Size(2)), (Price(70), Size(0))])
    assert ladder.best() == (55, 2)
    assert ladder.levels() == ((55, 2), (60, 1))
    assert ladder.size_at(Price(70)) == 0


@either
def test_depth_counts_from_the_best_to_the_limit(kind: Kind) -> None:
    ladder = kind(descending=True)
    ladder.replace([(Price(50), Size(1)), (Price(49), Size(2)), (Price(40), Size(4))])
    assert ladder.depth_until(Price(49)) == 3
    assert ladder.depth_until(Price(51)) == 0
    asks = kind(descending=False)
    asks.replace([(Price(50), Size(1)), (Price(51), Size(2)), (Price(60), Size(4))])
    assert asks.depth_until(Price(51)) == 3
    assert asks.depth_until(Price(49)) == 0


@either
def test_levels_are_replaced_in_any_order_and_the_last_size_of_a_price_counts(kind: Kind) -> None:
    ladder = kind(descending=True)
    ladder.set(Price(99), Size(9))
    ladder.replace([(Price(p), Size(s)) for p, s in ((40, 1), (50, 2), (45, 0), (50, 3))])
    assert ladder.levels() == ((50, 3), (40, 1))
    ladder.replace(())
    assert (len(ladder), ladder.best(), ladder.top(2)) == (0, None, ())


@needs_compiled
def test_the_compiled_ladder_refuses_malformed_levels() -> None:
    ladder = Ladder(descending=True)
    for levels in ([(1,)], [(1, 2, 3)], [["1", "2"]], [("1", "2")], [(1 << 64, 1)], [None]):
        with pytest.raises((TypeError, OverflowError)):
            ladder.replace(levels)  # type: ignore[arg-type]
        assert len(ladder) == 0
    with pytest.raises(OverflowError):
        ladder.set(Price(1), Size(1 << 64))
    with pytest.raises(TypeError):
        ladder.set("1", Size(1))  # type: ignore[arg-type]
