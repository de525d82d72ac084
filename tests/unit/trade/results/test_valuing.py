"""What shares are worth: at the bid, at mid, and sold into the bids, level by level with fees."""

import pytest

from predsurv.core.fees import taker_fee
from predsurv.core.market import NO_FEE
from predsurv.core.num import MICROS, Money, Size
from predsurv.state.book import Book
from predsurv.trade.results.valuing import at_cost, liquidate, mark_of, worth
from tests.kit.trading_samples import FEE, START, YES, book, cents, gap, levels, shares


def test_selling_takes_level_after_level_and_each_pays_its_fee() -> None:
    sold = liquidate(levels((50, 10), (40, 10)), shares(15), FEE)
    fees = taker_fee(FEE, cents(50), shares(10), "sell") + taker_fee(FEE, cents(40), shares(5), "sell")
    assert (sold.proceeds, sold.fees, sold.unsold) == (7_000_000 - fees, fees, 0)
    rest = liquidate(levels((50, 10)), shares(15), NO_FEE)
    assert (rest.proceeds, rest.unsold) == (5_000_000, shares(5))
    assert liquidate(levels((50, 10)), Size(0), FEE).proceeds == 0


@pytest.mark.parametrize(
    ("bids", "asks", "at_bid", "at_mid"),
    [(((40, 99),), ((44, 1),), 40, 42), ((), ((44, 1),), 0, 0), (((40, 99),), (), 40, 40)],
)
def test_a_missing_side_is_worth_nothing_or_the_bid(
    bids: tuple[tuple[int, float], ...], asks: tuple[tuple[int, float], ...], at_bid: int, at_mid: int
) -> None:
    shown = Book(YES)
    shown.apply(book(bids, asks))
    valued = worth(mark_of(shown, shares(100), NO_FEE), shares(100))
    assert (valued.at_bid, valued.at_mid) == (at_bid * MICROS, at_mid * MICROS)


def test_a_mark_says_when_it_was_known_and_whether_it_still_is() -> None:
    shown = Book(YES)
    shown.apply(book(((40, 99),), ts=START + 3))
    mark = mark_of(shown, shares(10), NO_FEE)
    assert (mark.ts, mark.trusted, mark.bid, mark.unsold) == (START + 3, True, cents(40), 0)
    shown.apply(gap(START + 9))
    assert not mark_of(shown, shares(10), NO_FEE).trusted
    crossed = Book(YES)
    crossed.apply(book(((60, 1),), ((50, 1),)))
    assert not mark_of(crossed, shares(1), NO_FEE).trusted


def test_parts_of_a_position_share_what_selling_it_brings() -> None:
    shown = Book(YES)
    shown.apply(book(((40, 30), (20, 70))))
    mark = mark_of(shown, shares(100), NO_FEE)
    assert mark.proceeds == 26 * MICROS
    assert [worth(mark, shares(each)).at_liquidation for each in (75, 25)] == [19_500_000, 6_500_000]
    assert worth(mark_of(shown, Size(0), NO_FEE), Size(0)).at_liquidation == 0
    assert at_cost(Money(7)).at_mid == 7
