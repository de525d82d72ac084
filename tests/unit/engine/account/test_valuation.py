"""The value of positions, and the loss of the day."""

from predsurv.core.num import MICROS, Money
from predsurv.engine.account.valuation import DAY
from tests.kit.trading_samples import NO, START, YES, World, book, cents, gap

CASH = 10_000 * MICROS


def test_positions_are_valued_at_the_best_bid_or_the_last_one_or_at_cost() -> None:
    world = World().hold(10, price=50)
    valuation = world.risk.valuation
    assert valuation.mark(YES) is None
    assert valuation.equity() == CASH
    world.show(book(bids=((40, 5),)))
    assert (valuation.mark(YES), valuation.equity()) == (cents(40), CASH - MICROS)
    world.show(gap())
    assert valuation.equity() == CASH - MICROS
    world.show(book(bids=()))
    assert (valuation.mark(YES), valuation.equity()) == (0, CASH - 5 * MICROS)


def test_an_emptied_book_says_nothing_of_what_shares_are_worth() -> None:
    world = World().hold(10, price=50).show(book(bids=((40, 5),)), book(bids=(), asks=()))
    valuation = world.risk.valuation
    assert (valuation.mark(YES), valuation.mark(NO)) == (None, None)
    assert valuation.equity() == CASH


def test_the_most_that_can_be_lost_takes_positions_for_worthless() -> None:
    world = World().hold(10, price=50)
    valuation = world.risk.valuation
    valuation.begin_day(START, valuation.equity())
    world.show(book(bids=((40, 5),)))
    assert (valuation.day_loss(), valuation.day_loss_max()) == (MICROS, 5 * MICROS)
    valuation.begin_day(START, Money(0))
    assert (valuation.day_loss(), valuation.day_loss_max()) == (0, 0)


def test_a_mark_is_the_same_whether_or_not_it_was_asked_for_before() -> None:
    asked, silent = (World().hold(10, price=50).show(book(bids=((40, 5),))) for _ in range(2))
    asked.risk.valuation.equity()
    for world in (asked, silent):
        world.show(gap())
        assert world.risk.valuation.mark(YES) == cents(40)


def test_an_instrument_of_which_only_a_gap_is_known_is_valued_at_cost() -> None:
    world = World().hold(10, price=50).show(gap())
    assert world.risk.valuation.mark(YES) is None
    assert world.risk.valuation.equity() == CASH


def test_a_crossed_book_is_marked_at_its_ask() -> None:
    world = World().hold(10, price=50).show(book(bids=((60, 5),), asks=((45, 5),)))
    assert world.risk.valuation.mark(YES) == cents(45)


def test_the_second_outcome_is_valued_at_the_complement_of_the_first_ones_ask() -> None:
    world = World().hold(10, price=50, key=NO).show(book(asks=((51, 5),)))
    assert world.risk.valuation.mark(NO) == cents(49)


def test_the_loss_counts_from_the_days_first_equity() -> None:
    world = World().hold(10, price=50)
    valuation = world.risk.valuation
    assert valuation.roll_day(START) == CASH
    assert valuation.roll_day(START + 1) is None
    world.show(book(bids=((40, 5),)))
    assert valuation.day_loss() == MICROS
    assert valuation.roll_day(START + DAY) == CASH - MICROS
    assert valuation.day_loss() == 0
    valuation.begin_day(START, Money(CASH + 5))
    assert valuation.day_loss() == MICROS + 5
