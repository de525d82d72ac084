"""Sums of sets of outcomes: generated sets against plain Python, and what counts as an excursion."""

import polars as pl
import pytest
from hypothesis import given

from predsurv.core import native
from predsurv.core.market import FeeSchedule
from predsurv.mine.measures.outcome_sums import with_mirrored
from tests.kit.generated_sets import sets
from tests.kit.mined_tapes import HOUR, BookRow, S
from tests.kit.outcome_oracle import expected_sums
from tests.kit.outcome_tapes import Leg, OutcomeTape, Window, summed

IMPLEMENTATIONS = [False] if native.speedups is None else [False, True]
WHOLE = ((0, 2 * HOUR),)


@pytest.mark.parametrize("by_c", IMPLEMENTATIONS)
@given(tape=sets())
def test_sums_are_what_looking_at_each_moment_gives(by_c: bool, tape: OutcomeTape) -> None:
    wanted = expected_sums(tape)
    for found in summed(tape, by_c=by_c):
        if not wanted:
            assert set(found.values()) == {None}
            continue
        assert found == {
            name: None if value is None else pytest.approx(value, rel=1e-9, abs=1e-9) for name, value in wanted.items()
        }


def book(second: int, bid: int, ask: int | None, *, trusted: bool = True) -> BookRow:
    """A book in cents, ``second`` seconds after the first hour began."""
    asks = () if ask is None else ((ask / 100, 10.0),)
    return BookRow(second * S, trusted, ((bid / 100, 10.0),), asks)


def pair(first: tuple[BookRow, ...], second: tuple[BookRow, ...], *, exhaustive: bool = True) -> dict[str, object]:
    """The sums of two outcomes observed all the time."""
    return summed(OutcomeTape((Leg(first, WHOLE), Leg(second, WHOLE)), exhaustive))[0]


def test_asks_below_a_dollar_count_only_where_one_outcome_comes_true() -> None:
    first, second = (book(0, 40, 45), book(10, 40, 60)), (book(0, 40, 45),)
    assert pair(first, second)["outcome_excursions"] == 1
    assert pair(first, second)["outcome_deepest_excursion_usd"] == pytest.approx(0.1)
    assert pair(first, second, exhaustive=False)["outcome_excursions"] == 0


def test_an_outcome_nobody_offers_cannot_be_bought_and_one_nobody_wants_adds_nothing() -> None:
    found = pair((book(0, 40, None),), (BookRow(0, True, (), ((0.1, 5.0),)),))
    assert found["outcome_ask_sum_usd"] is None
    assert found["outcome_bid_sum_usd"] == pytest.approx(0.4)
    assert found["outcome_excursions"] == 0


def test_a_stretch_over_a_full_hour_is_one_excursion_of_its_whole_length() -> None:
    hour = 3_600
    found = pair((book(hour - 20, 60, 65), book(hour + 50, 30, 65)), (book(hour - 30, 60, 65),))
    assert found["outcome_excursions"] == 1
    assert found["outcome_longest_excursion_s"] == 70
    assert found["outcome_beyond_share"] == pytest.approx(70 / 3_620)


def test_what_is_not_observed_in_one_book_is_not_observed() -> None:
    found = pair((book(0, 60, 65), book(10, 60, 65, trusted=False), book(30, 60, 65)), (book(0, 60, 65),))
    assert found["outcome_sum_s"] == 2 * 3_600 - 20
    assert found["outcome_excursions"] == 2


def test_fees_are_those_of_the_time() -> None:
    dear, hour = FeeSchedule("kalshi", 500_000), 3_600 * S
    leg = Leg((book(0, 52, 55),), WHOLE, (Window(0, hour, dear), Window(hour, 2 * hour)))
    found = summed(OutcomeTape((leg, leg)))[0]
    assert found["outcome_beyond_share"] == 1
    assert found["outcome_beyond_after_fees_share"] == 0.5
    assert found["outcome_deepest_excursion_after_fees_usd"] == pytest.approx(0.04)


def test_a_mirrored_book_adds_up_to_a_dollar_more_or_less_its_spread() -> None:
    sums = pl.DataFrame({"instrument_id": ["a", "c"], "two_sided_s": [10.0, 5.0], "spread_s": [0.4, 0.1]})
    pairs = pl.DataFrame({"instrument_id": ["a", "c"], "mirror": ["b", "d"]})
    (row,) = with_mirrored(None, sums, pairs, pl.DataFrame({"instrument_id": ["a", "c", "d"]})).to_dicts()
    assert (row["instrument_id"], row["legs_high"], row["excursions"]) == ("a", 2, 0)
    assert row["set_asks_s"] / row["set_asked_s"] == pytest.approx(1.04)
    assert row["set_bids_s"] / row["set_s"] == pytest.approx(0.96)
