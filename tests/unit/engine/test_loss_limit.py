"""When the day's loss stands at its limit, and what is held would be worth there."""

from hypothesis import given
from hypothesis import strategies as st

from predsurv.core.num import MICROS, Money
from predsurv.engine.loss_limit import LOSS_STANDS, DailyLossLimit
from tests.kit.trading_samples import START, World, book


def limited(most: int, bid: int = 50, held: float = 100) -> tuple[World, DailyLossLimit]:
    """Shares bought at 50 cents, now worth ``bid``; the day began with everything worth what it cost."""
    world = World().hold(held, 50).show(book(((bid, 1_000),), ((bid + 5, 1_000),)))
    equity = world.risk.valuation.equity() + round(held * (50 - bid) * 10_000)
    world.risk.valuation.begin_day(START, Money(equity))
    return world, DailyLossLimit(world.risk, Money(most * MICROS))


def test_a_loss_has_to_stand_for_its_time() -> None:
    world, limit = limited(most=10, bid=40)
    assert not limit.stands()
    world.risk.now = START + LOSS_STANDS - 1
    assert not limit.stands()
    world.risk.now = START + LOSS_STANDS
    assert limit.stands()


def test_one_that_passes_begins_anew() -> None:
    world, limit = limited(most=10, bid=40)
    assert not limit.stands()
    world.show(book(((45, 1_000),), ((50, 1_000),)))
    world.risk.now = START + LOSS_STANDS
    assert not limit.stands()
    assert limit.since is None
    world.show(book(((40, 1_000),), ((45, 1_000),)))
    assert not limit.stands()
    assert limit.since == START + LOSS_STANDS


def test_what_could_not_lose_so_much_is_not_watched() -> None:
    _, limit = limited(most=51)
    assert not limit.watched
    _, limit = limited(most=50)
    assert limit.watched


def test_once_the_day_is_lost_nothing_is_watched() -> None:
    world, limit = limited(most=10)
    world.risk.lost_too_much = True
    assert not limit.watched


@given(st.integers(1, 60), st.integers(2, 90), st.integers(1, 500))
def test_the_worth_is_that_at_which_the_loss_is_at_its_limit(most: int, bid: int, held: int) -> None:
    """The compiled replay compares what is held with it instead of asking."""
    world, limit = limited(most, bid, held)
    worth = held * bid * 10_000
    limit.stands()
    assert (limit.since is not None) == (worth <= limit.worth and most > 0)
    assert world.risk.valuation.day_loss() == max(held * (50 - bid) * 10_000, 0)
