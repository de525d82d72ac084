"""What is said of an account to people."""

import pytest

from predsurv.venues.execution.gateway import clock_fact

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
