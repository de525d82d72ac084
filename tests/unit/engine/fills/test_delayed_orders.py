"""The orders that a venue holds for a while."""

from predsurv.engine.fills.delayed_orders import DelayedOrder, DelayedOrders
from tests.kit.trading_samples import NO, START, YES, S, V, market, place


def test_a_delay_ends_once_and_not_after_a_cancel() -> None:
    delayed, command = DelayedOrders(), place("a")
    delayed.add(DelayedOrder(command, START + S))
    assert delayed.until(command.client_order_id) == START + S
    assert delayed.end(command.client_order_id)
    assert not delayed.end(command.client_order_id)
    assert delayed.until(command.client_order_id) is None


def test_delayed_orders_are_known_by_market() -> None:
    delayed, other = DelayedOrders(), market("x")
    commands = [place("a"), place("b", key=NO), place("c", key=other.key(0))]
    for command in commands:
        delayed.add(DelayedOrder(command, START + S))
    assert delayed.of_market(V, YES.market_id) == tuple(commands[:2])
    assert delayed.of_market(V, other.market_id) == (commands[2],)
