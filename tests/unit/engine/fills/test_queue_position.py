"""The volume ahead shrinks by trades and by level changes, never by both for one trade."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from predsurv.core.num import Size
from predsurv.engine.fills.queue_position import QueuePosition
from tests.kit.trading_samples import YES, cents, place, shares


def resting(level: int, size: int = 10, side: str = "bid") -> QueuePosition:
    made = QueuePosition(
        command=place(),
        key=YES,
        side="bid" if side == "bid" else "ask",
        price=cents(50),
        remaining=Size(size),
        arrival=1,
    )
    made.join(Size(level))
    return made


def test_trades_consume_the_queue_ahead_first() -> None:
    order = resting(100)
    assert order.on_trade(60) == 0
    order.on_level_size(Size(40))
    assert order.on_trade(45) == 5


def test_the_level_change_may_come_before_its_trade() -> None:
    order = resting(100)
    order.on_level_size(Size(60))
    assert order.on_trade(40) == 0
    order.on_level_size(Size(20))
    assert order.on_trade(40) == 0
    order.on_level_size(Size(0))
    assert order.on_trade(25) == 5


def test_cancels_behind_us_do_not_advance_us_and_a_shrunken_level_does() -> None:
    order = resting(100)
    order.on_level_size(Size(180))
    order.on_level_size(Size(100))
    assert order.on_trade(50) == 0
    behind = resting(100)
    behind.on_level_size(Size(10))
    behind.unexplained = 0  # long ago
    assert behind.on_trade(15) == 5


def test_a_trade_fills_at_most_the_remaining_size() -> None:
    assert resting(0, size=3).on_trade(100) == 3


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
    order = resting(level, size=10**9)
    ahead, total, filled = level, level, 0
    for trade_first, volume in steps:
        taken = min(volume, total)  # what trades at this price beyond the queue would be ours
        total -= taken
        ahead = max(ahead - taken, 0)
        surplus = volume - taken
        for say_trade in (trade_first, not trade_first):
            if say_trade:
                filled += order.on_trade(taken + surplus)
            else:
                order.on_level_size(Size(total))
    assert filled <= max(sum(volume for _, volume in steps) - level, 0)


def test_joining_again_loses_the_place_in_the_queue() -> None:
    order = resting(5)
    order.on_trade(5)
    order.join(shares(1))
    assert order.on_trade(1_000) == 0
