"""Orders that left are kept as long as a trade that met them may be told."""

from predsurv.engine.books.consumed import TOLD_AFTER_MAX
from predsurv.engine.fills.departed_orders import DepartedOrders
from predsurv.engine.fills.queue_position import QueuePosition
from tests.kit.trading_samples import NO, START, YES, cents, place, shares


def order(left: int) -> QueuePosition:
    made = QueuePosition(command=place(), key=YES, side="bid", price=cents(49), remaining=shares(5), arrival=1)
    made.left = left
    return made


def test_what_left_long_ago_is_forgotten_when_another_order_leaves_or_when_asked() -> None:
    departed, first, second = DepartedOrders(), order(START), order(START + 2)
    departed.add(first)
    assert list(departed.instruments()) == [YES]
    assert list(departed.lately(YES, START + TOLD_AFTER_MAX)) == [first]
    assert list(departed.lately(YES, START + TOLD_AFTER_MAX + 1)) == []
    departed.add(second)
    assert departed.of(YES) == [first, second]
    assert not departed.forget(YES, START + 2)
    assert departed.forget(YES, START + TOLD_AFTER_MAX + 1)
    departed.add(third := order(START + TOLD_AFTER_MAX + 3))
    assert departed.of(YES) == [third]
    assert departed.forget(YES, START + 3 * TOLD_AFTER_MAX)
    assert list(departed.instruments()) == []
    assert not departed.forget(NO, START)
    assert tuple(departed.of(NO)) == ()
