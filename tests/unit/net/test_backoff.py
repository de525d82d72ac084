"""Delays double up to the cap, spread over the whole range, and restart only when told."""

from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from predsurv.net.backoff import BASE, CAP, Backoff


def test_ceilings_of_delays_double_up_to_the_cap() -> None:
    backoff = Backoff(lambda: 1.0)
    delays = [backoff.next_delay() for _ in range(100)]
    assert delays[:8] == [BASE << n for n in range(7)] + [CAP]
    assert delays[-1] == CAP
    assert all(a <= b for a, b in pairwise(delays))


def test_only_reset_restarts_the_backoff() -> None:
    backoff = Backoff(lambda: 0.5)
    for _ in range(5):
        backoff.next_delay()
    assert backoff.failures == 5
    backoff.reset()
    assert backoff.failures == 0
    assert backoff.next_delay() == BASE // 2


@given(st.lists(st.floats(0, 1, exclude_max=True), min_size=1, max_size=80))
def test_every_delay_is_within_its_range(draws: list[float]) -> None:
    source = iter(draws)
    backoff = Backoff(lambda: next(source))
    for n in range(len(draws)):
        assert 0 <= backoff.next_delay() <= min(CAP, BASE * 2**n)


def test_the_delay_a_venue_asks_for_is_a_lower_bound() -> None:
    backoff = Backoff(lambda: 0.0)
    assert backoff.next_delay(7) == 7
    assert Backoff(lambda: 1.0).next_delay(7) == BASE
