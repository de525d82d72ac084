"""Features agree with values computed by hand, and are None where a side is missing."""

import pytest

from predsurv.core.events import BookSnapshot, Level
from predsurv.core.ids import InstrumentId, InstrumentKey, MarketId
from predsurv.core.ids import VenueName as V
from predsurv.core.num import Price, Size
from predsurv.state.book import Book
from predsurv.state.features import depth_within, imbalance, microprice, mid, spread

KEY = InstrumentKey(V("mock"), MarketId("m"), InstrumentId("y"))


def book(bids: list[tuple[int, int]], asks: list[tuple[int, int]]) -> Book:
    def levels(side: list[tuple[int, int]]) -> tuple[Level, ...]:
        return tuple((Price(p), Size(s)) for p, s in side)

    made = Book(KEY)
    made.apply(BookSnapshot(KEY, 1, None, 1, None, levels(bids), levels(asks)))
    return made


BOTH = book([(480_000, 30), (470_000, 70)], [(520_000, 10), (560_000, 90)])
ONE_SIDED = book([(480_000, 30)], [])


def test_features_of_a_two_sided_book() -> None:
    assert mid(BOTH) == 500_000
    assert spread(BOTH) == 40_000
    assert microprice(BOTH) == (480_000 * 10 + 520_000 * 30) // 40
    assert imbalance(BOTH, 1) == 500_000
    assert imbalance(BOTH, 2) == 0
    assert depth_within(BOTH, "bid", 10_000) == 100
    assert depth_within(BOTH, "ask", 10_000) == 10
    assert depth_within(BOTH, "ask", 40_000) == 100


@pytest.mark.parametrize("feature", [mid, spread, microprice])
def test_a_missing_side_is_never_invented(feature) -> None:  # type: ignore[no-untyped-def]
    assert feature(ONE_SIDED) is None


def test_features_of_a_one_sided_and_an_empty_book() -> None:
    assert imbalance(ONE_SIDED, 5) == 1_000_000
    assert imbalance(book([], []), 5) is None
    assert depth_within(ONE_SIDED, "ask", 10_000) is None
