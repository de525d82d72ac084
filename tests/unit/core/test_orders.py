"""The order life cycle is closed: no state leads outside, and the end states are ends."""

from typing import get_args

from predsurv.core.ids import ClientOrderId, InstrumentId, InstrumentKey, MarketId, StrategyName
from predsurv.core.ids import VenueName as V
from predsurv.core.num import Price, Size
from predsurv.core.orders import LIVE_STATES, TRANSITIONS, Order, OrderState

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
