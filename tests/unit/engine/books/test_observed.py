"""The time for which a book was known adds up over gaps."""

from hypothesis import given
from hypothesis import strategies as st

from predsurv.engine.books.observed import ObservedBooks
from tests.kit.trading_samples import START, YES, book, gap


@given(st.lists(st.tuples(st.booleans(), st.integers(0, 100)), min_size=1, max_size=40))
def test_observed_time_is_that_between_snapshot_and_gap(steps: list[tuple[bool, int]]) -> None:
    books, now, known, observed, gaps = ObservedBooks(), START, False, 0, 0
    assert books.get(YES) is None
    for number, (is_gap, pause) in enumerate(steps):
        now += pause
        observed += pause if known else 0
        gaps += is_gap and (known or number == 0)
        known = not is_gap
        if is_gap:
            books.on_gap(gap(ts=now))
        else:
            books.on_snapshot(book(ts=now))
        coverage = books.get(YES)
        assert coverage is not None
        assert (coverage.state == "covered", coverage.gaps) == (known, gaps)
        assert coverage.observed + (now - coverage.since if known else 0) == observed
