"""Orders that are over are kept for late messages, but not for ever."""

from msgspec.structs import replace

from predsurv.core.ids import ClientOrderId, OrderId
from predsurv.core.num import Price, Size
from predsurv.core.orders import order_of
from predsurv.venues.account_reports import OrderReport
from predsurv.venues.execution import tracked_orders
from predsurv.venues.execution.tracked_orders import TrackedOrder, TrackedOrders
from tests.kit.polymarket_orders import command


def tracked(name: str, order_id: str | None) -> TrackedOrder:
    made = replace(command(), client_order_id=ClientOrderId(name))
    return TrackedOrder(replace(order_of(made, "pending"), order_id=None if order_id is None else OrderId(order_id)), 0)


def report(order_id: str, name: str | None = None) -> OrderReport:
    client = None if name is None else ClientOrderId(name)
    key = command().key
    return OrderReport(key, 0, None, OrderId(order_id), "open", "buy", Price(1), Size(1), Size(0), client)


def test_the_oldest_that_is_over_is_forgotten_under_both_of_its_names() -> None:
    orders, limit = TrackedOrders(), tracked_orders.OVER_KEPT_MAX
    made = [tracked(f"c{number}", None if number == 1 else f"0xA{number}") for number in range(limit + 2)]
    living = tracked("alive", "0xF00D")
    orders.add(living)
    for each in made:
        orders.add(each)
        orders.finish(each)
    assert orders.get(ClientOrderId("c0")) is None
    assert orders.of(report("0xa0")) is None
    assert orders.get(ClientOrderId("c1")) is None, "nor one that the venue never named"
    assert orders.of(report("0xa2")) is made[2]
    assert orders.live() == [living]
    assert orders.of(report("0xf00d")) is living


def test_a_report_is_of_the_order_that_it_names_by_either_name() -> None:
    orders = TrackedOrders()
    unnamed = tracked("c1", None)
    orders.add(unnamed)
    assert orders.of(report("0xA")) is None
    assert orders.of(report("0xA", "c1")) is unnamed
    orders.name(unnamed, OrderId("0xA"))
    orders.name(unnamed, OrderId("0xB"))
    assert orders.of(report("0xa")) is unnamed
    assert orders.of(report("0xb")) is None, "the first id stays"
    assert list(orders.order_ids()) == ["0xa"]
