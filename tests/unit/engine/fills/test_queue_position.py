"""The volume ahead shrinks by trades and by level changes, never by both for one trade."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from predsurv.core.num import Size
from predsurv.engine.books.consumed import TOLD_AFTER_MAX
from predsurv.engine.fills.queue_position import VENUE_TIMES_APART_MAX, QueueModel, QueuePosition
from tests.kit.trading_samples import YES, cents, place

MODELS: tuple[QueueModel, ...] = ("pessimistic", "proportional")
LATER = TOLD_AFTER_MAX + 1


def resting(level: int, size: int = 10, side: str = "bid", model: QueueModel = "proportional") -> QueuePosition:
    made = QueuePosition(
        command=place(),
        key=YES,
        side="bid" if side == "bid" else "ask",
        price=cents(50),
        remaining=Size(size),
        arrival=1,
        model=model,
    )
    made.join(level)
    return made


def trades(order: QueuePosition, volume: int, ts: int = 0) -> int:
    """A trade at the order's price that nothing else stands in the way of."""
    return order.on_trade(volume, volume, ts)


@pytest.mark.parametrize("model", MODELS)
def test_trades_consume_the_queue_ahead_first(model: QueueModel) -> None:
    order = resting(100, model=model)
    assert trades(order, 60) == 0
    order.on_level_size(40, 0)
    assert trades(order, 45) == 5


def test_by_the_optimistic_model_nobody_is_ahead() -> None:
    order = resting(100, model="optimistic")
    assert [trades(order, 4), trades(order, 4)] == [4, 4]
    order.on_level_size(92, 0)
    assert order.ahead == 0


@pytest.mark.parametrize("model", MODELS)
def test_the_level_change_may_come_before_its_trade(model: QueueModel) -> None:
    order = resting(100, model=model)
    for left, filled in ((60, 0), (20, 0), (0, 5)):
        before = order.level_size
        order.on_level_size(left, 0)
        assert trades(order, before - left + filled) == filled


@pytest.mark.parametrize("model", MODELS)
def test_the_trades_of_one_change_may_be_told_one_by_one(model: QueueModel) -> None:
    order = resting(45, 7, model=model)
    order.on_level_size(19, 0)
    assert [trades(order, 13), trades(order, 13)] == [0, 0]
    order.on_level_size(9, 0)
    assert [trades(order, 1), trades(order, 9)] == [0, 0]
    assert order.ahead == 9


def test_a_cancel_is_from_behind_us_or_from_everywhere_in_proportion() -> None:
    expected: tuple[tuple[QueueModel, int], ...] = (("pessimistic", 80), ("proportional", 64))
    for model, ahead in expected:
        order = resting(80, model=model)
        order.on_level_size(100, 0)
        order.on_level_size(80, 0)
        assert order.ahead == ahead


def test_what_no_trade_explains_in_time_was_cancelled_and_no_more_is_ahead_than_the_level_holds() -> None:
    order = resting(100, model="pessimistic")
    order.on_level_size(10, 0)
    assert trades(order, 15) == 0
    assert trades(order, 15, LATER) == 5
    assert order.shrinkages == []


def test_a_trade_told_early_is_not_taken_for_a_cancel_until_it_is_long_ago() -> None:
    order = resting(100)
    trades(order, 20)
    order.on_level_size(80, 1)
    assert order.ahead == 80
    trades(order, 20, 2)
    order.on_level_size(40, LATER + 2)
    assert order.ahead == 30


def test_own_orders_ahead_wait_for_their_share_first() -> None:
    order = resting(5, model="pessimistic")
    order.join(5, displaced=2, own_ahead=10)
    assert [order.on_trade(each, each, 0, displaced=2) for each in (10, 7, 3)] == [0, 0, 3]


def test_a_trade_fills_at_most_the_remaining_size() -> None:
    assert trades(resting(0, size=3), 100) == 3


def test_a_trade_of_before_we_had_our_place_is_told_by_its_venue_time() -> None:
    order = resting(0)
    order.since, order.joined = 100, 200
    assert [order.was_there(each) for each in (None, 100, 150, 201)] == [True, False, True, True]
    assert [order.may_fill(each) for each in (None, 150, 200, 201)] == [True, False, False, True]
    order.left = 300
    assert [order.was_there(each) for each in (300, 301)] == [True, False]
    assert not order.may_fill(250)


def test_fills_of_late_are_remembered_by_their_venue_time() -> None:
    order = resting(0)
    order.filled(3, 100)
    order.filled(4, 200)
    assert (order.remaining, order.filled_after(None), order.filled_after(100), order.filled_after(99)) == (3, 0, 4, 7)
    order.filled(1, 101 + TOLD_AFTER_MAX)
    assert order.filled_after(99) == 5


@pytest.mark.parametrize(("side", "better", "worse"), [("bid", 49, 51), ("ask", 51, 49)])
def test_a_better_price_trades_through_us_and_an_opposite_one_crosses_us(side: str, better: int, worse: int) -> None:
    order = resting(0, side=side)
    assert order.better_than(cents(better))
    assert not order.better_than(cents(50))
    assert not order.better_than(cents(worse))
    assert order.crossed_by(cents(50))
    assert not order.crossed_by(cents(worse))


@given(
    st.integers(0, 1_000),
    st.lists(st.tuples(st.booleans(), st.integers(1, 300)), max_size=20),
)
def test_a_fill_needs_the_volume_ahead_to_have_traded_or_left(level: int, steps: list[tuple[bool, int]]) -> None:
    """The venue's queue by exact bookkeeping: trades announced before or after their level change."""
    for model in MODELS:
        order = resting(level, size=10**9, model=model)
        total, filled = level, 0
        for trade_first, volume in steps:
            taken = min(volume, total)  # what trades at this price beyond the queue would be ours
            total -= taken
            for say_trade in (trade_first, not trade_first):
                if say_trade:
                    filled += trades(order, volume)
                else:
                    order.on_level_size(total, 0)
        assert filled <= max(sum(volume for _, volume in steps) - level, 0)


def test_joining_again_loses_the_place_in_the_queue() -> None:
    order = resting(5)
    order.on_level_size(3, 0)
    assert trades(order, 5) == 0
    order.join(1_000)
    assert trades(order, 1_000) == 0
    assert order.shrinkages == []


def test_a_level_change_long_before_a_trade_by_the_venues_times_is_not_its_effect() -> None:
    order = resting(100)
    order.on_level_size(50, 1_000, by=1_000, exact=True)
    assert order.ahead == 50
    assert order.on_trade(20, 20, 2_000, 1_001 + VENUE_TIMES_APART_MAX) == 0
    assert order.ahead == 30, "half of those ahead were cancelled, and stay so"
    order.on_level_size(30, 2_000, by=1_001 + VENUE_TIMES_APART_MAX, exact=True)
    assert order.ahead == 30, "what was traded is not cancelled as well"


def test_of_several_level_changes_the_latest_is_taken_for_the_trades_effect() -> None:
    order = resting(100)
    order.on_level_size(60, 0)
    order.on_level_size(30, 1)
    trades(order, 30, 2)
    assert [(each.size, each.advance) for each in order.shrinkages] == [(40, 40), (0, 0)]
    assert order.ahead == 30


def test_a_level_change_long_after_a_trade_by_the_venues_times_was_a_cancel() -> None:
    for exact, ahead in ((True, 64), (False, 80)):  # a snapshot says only by when it was
        order = resting(100)
        order.on_trade(20, 20, 0, 1_000)
        order.on_level_size(80, 1, by=1_001 + VENUE_TIMES_APART_MAX, exact=exact)
        assert order.ahead == ahead
