"""Half a basket is completed when that is worth more than selling the excess."""

from msgspec.structs import replace

from predsurv.core.events import VenuePhase
from predsurv.core.num import MICROS, Money
from predsurv.strategies.baskets import Basket, baskets_of
from predsurv.strategies.rebalance import is_balanced, rebalancing_orders
from tests.kit.manual_view import ABC, ManualView, yes
from tests.kit.trading_samples import START, V, cents, shares


def world(asks: tuple[int, int, int] = (35, 33, 32), bids: tuple[int, int, int] = (31, 31, 30)) -> ManualView:
    view = ManualView()
    for index, (bid, ask) in enumerate(zip(bids, asks, strict=True)):
        view.show(yes(index), bids=((bid, 100),), asks=((ask, 100),))
    return view


def basket(view: ManualView) -> Basket:
    return next(iter(baskets_of(ABC[0], view)))


def test_no_shares_and_equal_shares_are_balanced() -> None:
    view = world()
    assert is_balanced(basket(view), view)
    for index in range(3):
        view.hold(yes(index), 10)
    assert is_balanced(basket(view), view)
    view.hold(yes(0), 10.005)
    assert is_balanced(basket(view), view)
    view.hold(yes(0), 11)
    assert not is_balanced(basket(view), view)


def test_nothing_can_be_done_once_a_market_is_not_open() -> None:
    view = world()
    view.hold(yes(0), 10)
    view.cache.add(replace(ABC[2], status="resolved"))
    assert is_balanced(basket(view), view)
    assert rebalancing_orders(basket(view), view, may_complete=True) == ()


def test_a_cheap_missing_leg_is_bought() -> None:
    view = world()
    view.hold(yes(0), 10)
    view.hold(yes(1), 10)
    (move,) = rebalancing_orders(basket(view), view, may_complete=True)
    assert (move.signal, move.key, move.side, move.price, move.size) == (
        "complete",
        yes(2),
        "buy",
        cents(32),
        shares(10),
    )


def test_a_dear_missing_leg_means_selling_the_rest() -> None:
    view = world(asks=(35, 33, 60))
    view.hold(yes(0), 10)
    view.hold(yes(1), 10)
    moves = rebalancing_orders(basket(view), view, may_complete=True)
    assert [(move.signal, move.key, move.price, move.size) for move in moves] == [
        ("unwind", yes(0), cents(31), shares(10)),
        ("unwind", yes(1), cents(31), shares(10)),
    ]
    assert rebalancing_orders(basket(world()), view, may_complete=False) == moves


def test_a_missing_leg_too_small_to_be_bought_at_once_means_selling_the_rest() -> None:
    view = world(asks=(35, 33, 9), bids=(31, 31, 8))
    view.cache.add(replace(ABC[2], min_taker_buy=Money(MICROS)))
    view.hold(yes(0), 10)
    view.hold(yes(1), 10)
    assert {move.signal for move in rebalancing_orders(basket(view), view, may_complete=True)} == {"unwind"}
    view.hold(yes(0), 12)
    view.hold(yes(1), 12)
    assert {move.signal for move in rebalancing_orders(basket(view), view, may_complete=True)} == {"complete"}


def test_an_excess_below_the_minimum_order_stays() -> None:
    view = world()
    view.hold(yes(0), 3)
    assert rebalancing_orders(basket(view), view, may_complete=True) == ()


def test_without_depth_to_complete_what_can_be_sold_is_sold() -> None:
    view = world()
    view.show(yes(2), bids=((30, 100),), asks=((32, 4),))
    view.hold(yes(0), 10)
    view.hold(yes(1), 10)
    view.show(yes(1), bids=((31, 6),), asks=((33, 100),))
    moves = rebalancing_orders(basket(view), view, may_complete=True)
    assert [(move.key, move.size) for move in moves] == [(yes(0), shares(10)), (yes(1), shares(6))]


def test_in_a_pause_what_is_unequal_waits_to_be_rebalanced() -> None:
    view = world()
    view.hold(yes(0), 10)
    view.cache.apply(VenuePhase(V, START, None, "cancel_only", "{}"))
    assert not is_balanced(basket(view), view)
    assert rebalancing_orders(basket(view), view, may_complete=True) == ()
    view.cache.apply(VenuePhase(V, START, None, "open", "{}"))
    assert rebalancing_orders(basket(view), view, may_complete=True) != ()
    view.cache.add(replace(ABC[2], status="paused"))
    assert not is_balanced(basket(view), view)


def test_a_small_excess_is_sold_where_taking_is_measured_by_worth() -> None:
    view = world()
    for each in ABC:
        view.cache.add(replace(each, min_taker_buy=Money(MICROS)))
    view.hold(yes(0), 3)
    assert rebalancing_orders(basket(view), view, may_complete=False) == (), "neither five shares nor a dollar"
    view.hold(yes(0), 4)
    (move,) = rebalancing_orders(basket(view), view, may_complete=False)
    assert (move.signal, move.size) == ("unwind", shares(4))
