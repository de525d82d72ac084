"""Following fast moves, and leaving at target, stop or time limit."""

import pytest
from msgspec.structs import replace

from predsurv.core.durations import Duration
from predsurv.core.events import BookSnapshot, Connected, Event, Tick
from predsurv.core.market import NO_FEE, Market
from predsurv.core.num import MICROS, Money
from predsurv.core.orders import Intent
from predsurv.strategies.momentum import Momentum, MomentumParams
from tests.kit.manual_view import ManualView
from tests.kit.trading_samples import NO, START, YES, S, V, cents, market, shares

FREE = market(fee=NO_FEE)
PARAMS = MomentumParams(lookback=Duration(60 * S))


def asked(strategy: Momentum, event: Event, view: ManualView) -> list[Intent]:
    return list(strategy.on_event(event, view))


def show(view: ManualView, bid: int, *, sizes: tuple[int, int] = (90, 10), spread: int = 2) -> BookSnapshot:
    """Both books with the best bid at ``bid`` cents and ``sizes`` on bid and ask."""
    asks = bid + spread
    view.show(NO, bids=((100 - asks, sizes[1]),), asks=((100 - bid, sizes[0]),))
    return view.show(YES, bids=((bid, sizes[0]),), asks=((asks, sizes[1]),))


def moved(view: ManualView, strategy: Momentum, to: int, sizes: tuple[int, int] = (90, 10)) -> list[Intent]:
    """The price goes from a bid of 40 to ``to`` within a minute."""
    for _ in range(3):
        assert asked(strategy, show(view, 40, sizes=(50, 50)), view) == []
        view.time += 30 * S
    return asked(strategy, show(view, to, sizes=sizes), view)


@pytest.fixture
def view() -> ManualView:
    return ManualView((FREE,))


def test_a_rise_that_the_book_agrees_with_is_bought(view: ManualView) -> None:
    (entry,) = moved(view, Momentum(PARAMS), 45)
    assert (entry.key, entry.side, entry.price, entry.tif, entry.signal) == (YES, "buy", cents(47), "ioc", "enter")
    assert entry.size == shares(10)  # no more than there is


def test_a_fall_buys_the_other_outcome(view: ManualView) -> None:
    (entry,) = moved(view, Momentum(PARAMS), 35, (10, 90))
    assert (entry.key, entry.price) == (NO, cents(65))
    assert entry.size == shares(10)


@pytest.mark.parametrize(
    ("to", "sizes"),
    [(41, (50, 50)), (45, (50, 50)), (45, (10, 90)), (88, (90, 10))],
    ids=["no move", "balanced", "against it", "too dear"],
)
def test_other_moves_are_not_followed(view: ManualView, to: int, sizes: tuple[int, int]) -> None:
    assert moved(view, Momentum(PARAMS), to, sizes) == []


def test_nothing_is_bought_in_a_wide_paused_or_one_sided_market(view: ManualView) -> None:
    strategy = Momentum(PARAMS)
    moved(view, strategy, 40, (50, 50))
    assert asked(strategy, show(view, 45, spread=3), view) == []
    assert asked(strategy, view.show(YES, bids=((45, 90),)), view) == []
    view.cache.add(replace(FREE, status="paused"))
    assert asked(strategy, show(view, 45), view) == []
    assert asked(strategy, view.show(NO, bids=((10, 9),), asks=((20, 9),)), view) == []


def test_less_than_the_lookback_is_no_measure(view: ManualView) -> None:
    strategy = Momentum(PARAMS)
    asked(strategy, show(view, 40), view)
    view.time += 59 * S
    assert asked(strategy, show(view, 45), view) == []
    assert asked(strategy, view.show(YES), view) == []


def test_orders_below_the_minimum_are_not_sent(view: ManualView) -> None:
    assert moved(view, Momentum(PARAMS), 45, (90, 4)) == []


def test_a_market_cools_down_after_an_entry_and_few_are_held(view: ManualView) -> None:
    strategy = Momentum(PARAMS)
    assert moved(view, strategy, 45)
    view.time += S
    assert asked(strategy, show(view, 50), view) == []
    view.time += PARAMS.cooldown
    asked(strategy, show(view, 50, sizes=(50, 50)), view)
    for number in range(4):
        other = market(f"m{number}")
        view.cache.add(other)
        view.hold(other.key(0), 10)
    assert moved(view, strategy, 45) == []


def test_a_market_that_is_held_is_not_entered_again_however_long_ago_that_was(view: ManualView) -> None:
    strategy = Momentum(replace(PARAMS, hold_max=Duration(10**18), target=Money(MICROS), stop=Money(MICROS)))
    assert moved(view, strategy, 45)
    hold(view)
    view.time += PARAMS.cooldown
    assert moved(view, strategy, 50) == []
    view.hold(YES, 0)
    assert moved(view, strategy, 56) != []


def hold(view: ManualView, cost: int = 40) -> None:
    view.hold(YES, 20, cost)


@pytest.mark.parametrize(("bid", "signal"), [(44, "target"), (37, "stop"), (40, None)])
def test_a_position_is_sold_at_target_and_stop(view: ManualView, bid: int, signal: str | None) -> None:
    hold(view)
    exits = asked(Momentum(PARAMS), show(view, bid), view)
    assert [(each.signal, each.side, each.price, each.size) for each in exits] == (
        [] if signal is None else [(signal, "sell", cents(bid), shares(20))]
    )


def test_the_target_is_after_fees() -> None:
    charged = ManualView((market(),))
    hold(charged)
    assert asked(Momentum(PARAMS), show(charged, 45), charged) == []
    (exit_,) = asked(Momentum(PARAMS), show(charged, 46), charged)
    assert exit_.signal == "target"


def test_a_position_is_sold_after_the_time_limit_also_without_news(view: ManualView) -> None:
    strategy = Momentum(PARAMS)
    hold(view)
    show(view, 40)
    assert asked(strategy, Tick(START), view) == []
    view.time += PARAMS.hold_max
    (exit_,) = asked(strategy, Tick(view.time), view)
    assert exit_.signal == "timeout"
    view.rest("o", YES, "sell")
    assert asked(strategy, Tick(view.time), view) == []


def test_no_exit_without_a_bid_a_market_or_enough_to_sell(view: ManualView) -> None:
    hold(view)
    strategy = Momentum(PARAMS)
    assert asked(strategy, view.show(YES, asks=((60, 9),)), view) == []
    assert asked(strategy, show(view, 30, sizes=(4, 10)), view) == []
    view.cache.add(replace(FREE, status="closed"))
    assert asked(strategy, show(view, 30), view) == []


def test_what_has_ended_makes_room() -> None:
    ended: Market = replace(FREE, status="closed")
    view = ManualView((ended,))
    strategy = Momentum(replace(PARAMS, markets_max=1))
    hold(view)
    view.show(YES, bids=((30, 50),))
    assert asked(strategy, Tick(START), view) == []
    other = market("x", fee=NO_FEE)
    view.cache.add(other)
    assert asked(strategy, view.show(other.key(0), bids=((40, 9),), asks=((42, 9),)), view) == []


def test_other_markets_and_events_are_ignored(view: ManualView) -> None:
    strategy = Momentum(replace(PARAMS, clip=Money(MICROS)))
    three = market("t", outcomes=(*FREE.outcomes, *market("z").outcomes[:1]))
    view.cache.add(three)
    assert asked(strategy, view.show(three.key(0), asks=((40, 9),)), view) == []
    assert asked(strategy, show(view, 40), ManualView(())) == []
    assert asked(strategy, Connected(V, START, 1, 1), view) == []
