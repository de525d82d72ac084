"""What is said of an account to people, and which orders go in one request."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from predsurv.venues.execution.gateway import Batching, clock_fact

MS = 1_000_000


@pytest.mark.parametrize(
    ("skew", "value", "is_good"),
    [
        (44 * MS, "44 ms ahead of the venue", True),
        (-44 * MS, "44 ms behind the venue", True),
        (-2_001 * MS, "2001 ms behind the venue", False),
    ],
)
def test_a_clock_is_ahead_or_behind(skew: int, value: str, *, is_good: bool) -> None:
    assert clock_fact(skew, 2_000 * MS) == ("clock", value, is_good)


@given(most=st.integers(1, 20), room=st.integers(0, 60), count=st.integers(0, 80))
def test_orders_go_together_in_their_order_as_far_as_there_is_room(most: int, room: int, count: int) -> None:
    parts = list(Batching(most, room).parts(count))
    assert [number for part in parts for number in part] == list(range(count))
    assert all(1 <= len(part) <= most for part in parts)
    assert all(len(part) == 1 or part.stop <= room for part in parts), "nothing waits for the room of another"
    assert len(parts) == -(-min(count, room) // most) + max(count - room, 0), "no more requests than that takes"


@given(most=st.integers(1, 20), room=st.integers(0, 60), later=st.integers(1, 8), count=st.integers(0, 80))
def test_what_waits_for_the_limit_goes_in_small_parts(most: int, room: int, later: int, count: int) -> None:
    parts = list(Batching(most, room, later).parts(count))
    assert [number for part in parts for number in part] == list(range(count))
    assert all(1 <= len(part) <= most for part in parts)
    assert all(part.stop <= room or len(part) <= later for part in parts)
    if parts:
        assert len(parts) <= -(-min(count, room) // most) + -(-max(count - room, 0) // min(later, most))
