"""Orders stand by price and time, and are remembered for a while after they left."""

from predsurv.core.ids import ClientOrderId
from predsurv.core.num import Size
from predsurv.engine.books.consumed import TOLD_AFTER_MAX
from predsurv.engine.fills.queue_position import QueuePosition
from predsurv.engine.fills.queued_orders import QueuedOrders, level_size
from predsurv.state.book import Book
from tests.kit.trading_samples import NO, START, YES, V, book, cents, place, shares, trade


def order(name: str, price: int, arrival: int) -> QueuePosition:
    return QueuePosition(
        command=place(name), key=YES, side="bid", price=cents(price), remaining=shares(10), arrival=arrival
    )


def names(orders: QueuedOrders, ts: int) -> list[str]:
    return [each.command.client_order_id for each in orders.met(YES, ts)]


def test_better_prices_and_then_earlier_orders_come_first() -> None:
    orders = QueuedOrders()
    for each in (order("late", 50, 2), order("worse", 49, 0), order("first", 50, 1)):
        orders.add(each)
    assert names(orders, START) == ["first", "late", "worse"]
    assert orders.all() == tuple(orders.of(YES)) == orders.of_market(V, YES.market_id)
    assert orders.of_market(V, type(YES.market_id)("x")) == tuple(orders.of(NO)) == ()
    found = orders.find(ClientOrderId("worse"))
    assert found is not None
    assert found.price == cents(49)
    assert orders.find(ClientOrderId("who")) is None


def test_what_left_may_still_have_met_a_trade_that_is_told_late() -> None:
    orders, shown = QueuedOrders(), Book(YES)
    shown.apply(book())
    first, second = order("a", 49, 1), order("b", 49, 2)
    for each in (first, second):
        each.model = "pessimistic"
        orders.add(each)
        orders.join(each, shown, START, 5)
    assert level_size(shown, first) == shares(100)
    assert (first.ahead, second.own_ahead) == (shares(100) + 5, shares(10))
    orders.fill(first, shares(4), trade(49, 4))
    assert (first.remaining, second.own_ahead) == (shares(6), shares(6))
    orders.fill(first, shares(6), shown)
    assert [each.command.client_order_id for each in orders.all()] == ["b"]
    orders.depart(second, START + 1)
    assert orders.all() == ()
    assert names(orders, START + TOLD_AFTER_MAX) == ["a", "b"]
    assert names(orders, START + TOLD_AFTER_MAX + 1) == ["b"]
    assert names(orders, START + TOLD_AFTER_MAX + 2) == []


def test_without_a_book_more_is_ahead_than_ever_trades() -> None:
    orders, waiting = QueuedOrders(), order("a", 49, 1)
    orders.add(waiting)
    orders.join(waiting, None, START, 0)
    assert waiting.ahead > Size(1 << 61)
