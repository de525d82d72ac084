"""Commands arrive in the order of their arrival times; what becomes of orders is tested in test_simulator."""

from predsurv.core.events import AccountEvent, Fill, MarketChange
from predsurv.core.fees import taker_fee
from predsurv.core.market import FeeSchedule
from predsurv.engine.books.consumed import ConsumedLiquidity
from predsurv.engine.fills.admission import AdmissionRules
from predsurv.engine.fills.fill_factory import FillFactory
from predsurv.engine.fills.order_entry import OrderEntry
from predsurv.engine.fills.resting_orders import RestingOrders
from predsurv.engine.fills.working_orders import WorkingOrders
from tests.kit.paper_venue import kinds
from tests.kit.trading_samples import FEE, START, YES, V, World, book, cancel, place


class Entry:
    """Order entry of a market with 100 at 51."""

    def __init__(self) -> None:
        self.cache = World().show(book()).cache
        self.consumed = ConsumedLiquidity()
        self.working = WorkingOrders(self.cache, RestingOrders(self.consumed))
        admission = AdmissionRules(self.cache, lambda _: None)
        self.entry = OrderEntry(self.cache, admission, self.working, self.consumed, FillFactory(self.cache))

    def execute(self) -> list[AccountEvent]:
        return list(self.entry.execute_next())


def test_commands_are_executed_by_arrival_and_then_in_the_order_sent() -> None:
    made = Entry()
    never = made.entry.next_at
    made.entry.send(place("second", price=50), START + 2)
    made.entry.send(cancel("second"), START + 2)
    made.entry.send(place("first", price=51), START + 1)
    assert made.entry.next_at == START + 1
    assert kinds(made.execute()) == ["OrderAccepted", "Fill"]
    assert made.entry.next_at == START + 2
    assert kinds(made.execute()) == ["OrderAccepted"]
    assert kinds(made.execute()) == ["OrderCancelled"]
    assert made.entry.next_at == never


def test_a_resting_order_remembers_when_it_came_to_rest() -> None:
    made = Entry()
    made.entry.send(place(price=50), START + 7)
    made.execute()
    (order,) = made.working.resting.all()
    assert order.since == START + 7


def test_a_cancel_of_an_order_never_seen_is_rejected() -> None:
    made = Entry()
    made.entry.send(cancel(), START)
    assert kinds(made.execute()) == ["CancelRejected"]


def test_an_order_is_charged_the_fee_that_holds_when_it_arrives() -> None:
    made = Entry()
    dearer = FeeSchedule("polymarket", 70_000)
    made.cache.apply(MarketChange(V, YES.market_id, None, START, None, "fee", "{}", fee=dearer, effective=START + 5))
    for arrival, name in ((START + 4, "before"), (START + 5, "after")):
        made.entry.send(place(name), arrival)
    _, before = made.execute()
    _, after = made.execute()
    assert isinstance(before, Fill)
    assert isinstance(after, Fill)
    assert (before.fee, after.fee) == tuple(
        taker_fee(schedule, before.price, before.size) for schedule in (FEE, dearer)
    )


def test_a_cancel_does_not_arrive_before_its_order() -> None:
    made = Entry()
    made.entry.send(place(price=50), START + 9)
    made.entry.send(cancel(), START + 2)
    made.entry.send(cancel("another"), START + 3)
    assert made.entry.next_at == START + 3
    assert kinds(made.execute()) == ["CancelRejected"]
    assert made.entry.next_at == START + 9
    assert kinds(made.execute()) == ["OrderAccepted"]
    assert kinds(made.execute()) == ["OrderCancelled"]
    assert made.working.resting.all() == ()
    made.entry.send(cancel(), START + 10)
    assert made.entry.next_at == START + 10, "the order is no longer on its way"
