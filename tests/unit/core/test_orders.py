"""The order life cycle is closed: no state leads outside, and the end states are ends."""

from typing import get_args

from predsurv.core.ids import ClientOrderId, InstrumentId, InstrumentKey, MarketId, StrategyName
from predsurv.core.ids import VenueName as V
from predsurv.core.num import Price, Size
from predsurv.core.orders import LIVE_STATES, TRANSITIONS, Order, OrderState, PlaceOrder, order_of

KEY = InstrumentKey(V("mock"), MarketId("m"), InstrumentId("y"))


def test_every_state_has_its_transitions() -> None:
    states = set(get_args(OrderState))
    assert set(TRANSITIONS) == states
    assert set().union(*TRANSITIONS.values()) <= states


def test_nothing_returns_to_pending() -> None:
    assert all("pending" not in following for following in TRANSITIONS.values())


def test_a_filled_order_is_over() -> None:
    assert TRANSITIONS["filled"] == frozenset()


def test_unknown_counts_as_live() -> None:
    assert "unknown" in LIVE_STATES
    assert not LIVE_STATES & {"filled", "cancelled", "rejected"}


def test_remaining_is_what_was_not_filled() -> None:
    order = Order(
        ClientOrderId("c"),
        StrategyName("s"),
        KEY,
        "buy",
        Price(500_000),
        Size(10),
        "gtc",
        "open",
        Size(4),
        0,
    )
    assert order.remaining == 6


def test_an_order_is_what_its_command_asks_for() -> None:
    command = PlaceOrder(
        ClientOrderId("c1"),
        StrategyName("s"),
        KEY,
        "buy",
        Price(500_000),
        Size(7_000_000),
        "gtc",
        post_only=True,
        group="g",
    )
    order = order_of(command, "open", filled=Size(2_000_000), submitted=9)
    shared = {name for name in PlaceOrder.__struct_fields__ if name in Order.__struct_fields__}
    assert len(shared) >= 8
    assert all(getattr(order, name) == getattr(command, name) for name in shared)
    assert (order.state, order.filled, order.remaining, order.submitted) == ("open", 2_000_000, 5_000_000, 9)
