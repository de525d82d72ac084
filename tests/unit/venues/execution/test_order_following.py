"""What is told of orders, and what is told on: nothing twice, and no end before the fills."""

from collections.abc import Sequence

import pytest
from msgspec.structs import replace

from predsurv.core.events import (
    AccountEvent,
    Fill,
    FillConfirmed,
    FillFailed,
    OrderAccepted,
    OrderCancelled,
    OrderRejected,
    OrderUnknown,
)
from predsurv.core.ids import ClientOrderId, OrderId, OrderSide, TradeId
from predsurv.core.num import MICROS, Price, Size
from predsurv.core.orders import Order, OrderState, order_of
from predsurv.net.clock import ManualClock
from predsurv.venues.account_reports import OrderReport, PositionReport, ReportedState, TradePart, TradeReport
from predsurv.venues.execution.order_following import ABSENT_AFTER, OrderFollowing
from predsurv.venues.execution.tracked_orders import TrackedOrder
from tests.kit.polymarket_orders import command

NAME = ClientOrderId("c1")
TEN = Size(10 * MICROS)


class World:
    """A following, the clock it lives by, what it told and which orders it said to be named."""

    def __init__(self) -> None:
        self.clock = ManualClock()
        self.told: list[AccountEvent] = []
        self.named: list[str] = []
        self.following = OrderFollowing(
            lambda told, _: told,
            lambda _: None,
            self.clock,
            self.told.append,
            lambda each: self.named.append(each.order.client_order_id),
        )

    def sent(self, order_id: str | None = None) -> TrackedOrder:
        tracked = TrackedOrder(order("pending", order_id), self.clock.monotonic())
        self.following.orders.add(tracked)
        return tracked

    def kinds(self) -> Sequence[type]:
        return [type(each) for each in self.told]

    def is_asked(self) -> bool:
        return NAME in self.following.orders.asked


def order(state: OrderState, order_id: str | None = None, name: ClientOrderId = NAME) -> Order:
    made = replace(order_of(command(size=TEN), state), client_order_id=name)
    return made if order_id is None else replace(made, order_id=OrderId(order_id))


def trade(size: int, side: OrderSide = "buy", name: str = "t1") -> TradeReport:
    parts = (TradePart(Price(560_000), Size(size)),)
    return TradeReport(command().key, 0, None, TradeId(name), OrderId("0x1"), side, parts, True, "settled")


def report(state: ReportedState, filled: int = 0, order_id: str = "0x1") -> OrderReport:
    key = command().key
    return OrderReport(key, 0, None, OrderId(order_id), state, "buy", Price(560_000), TEN, Size(filled))


@pytest.fixture
def world() -> World:
    return World()


def test_orders_of_an_earlier_run_are_asked_for_unless_they_are_over(world: World) -> None:
    over = ClientOrderId("c2")
    world.following.adopt([order("open", "0x1"), order("cancelled", "0x2", over)])
    assert list(world.following.orders.asked) == [NAME]
    (alive,) = world.following.orders.live()
    assert (alive.order.client_order_id, alive.is_unknown, alive.placed.is_set()) == (NAME, True, True)
    world.following.absorb(report("cancelled", order_id="0x2"))
    assert world.told == [], "it was over before"
    world.following.absorb(report("open"))
    assert world.kinds() == [OrderAccepted]
    assert world.named == [NAME]


def test_an_order_of_an_earlier_run_that_never_arrived_is_rejected_at_once(world: World) -> None:
    world.following.adopt([order("pending")])
    (tracked,) = world.following.orders.live()
    world.following.absent(tracked, world.clock.monotonic())
    assert world.kinds() == [OrderRejected]
    assert not world.is_asked()


def test_what_is_told_of_an_order_of_nobody_here_is_foreign(world: World) -> None:
    world.following.absorb(PositionReport(command().key, 0, TEN))
    assert not world.following.is_foreign, "shares are no order"
    world.following.absorb(report("open"))
    assert world.following.is_foreign
    assert world.told == []


def test_a_trade_that_cannot_be_of_its_order_is_not_booked_and_asked_about(world: World) -> None:
    world.sent("0x1")
    world.following.absorb(trade(MICROS, side="sell"))
    (event,) = world.told
    assert isinstance(event, OrderUnknown)
    assert event.reason == "the venue reports a trade of another instrument or side for this order"
    assert world.is_asked()


def test_doubt_about_an_order_that_exists_only_asks(world: World) -> None:
    tracked = world.sent("0x1")
    world.following.accept(tracked, OrderId("0x1"))
    world.following.doubt(tracked, "who knows")
    assert world.kinds() == [OrderAccepted]
    assert world.is_asked()


def test_a_refusal_of_what_exists_is_not_believed(world: World) -> None:
    tracked = world.sent("0x1")
    world.following.absorb(trade(4 * MICROS))
    world.told.clear()
    world.following.refuse(tracked, "insufficient balance")
    assert (world.told, world.is_asked(), tracked.is_over) == ([], True, False)


def test_what_the_venue_had_and_has_no_more_is_cancelled(world: World) -> None:
    tracked = world.sent("0x1")
    world.following.accept(tracked, OrderId("0x1"))
    world.following.absent(tracked, world.clock.monotonic())
    event = world.told[-1]
    assert isinstance(event, OrderCancelled)
    assert event.reason == "the venue does not have it any more"
    world.following.end(tracked, "again")
    world.following.refuse(tracked, "again")
    assert len(world.told) == 2, "an order ends once"


@pytest.mark.parametrize("heard", [trade(4 * MICROS), report("open")])
async def test_an_order_that_arrived_after_the_venue_was_asked_is_asked_for_again(
    heard: TradeReport | OrderReport, world: World
) -> None:
    """It was not there when the question was answered, and trades that the same answer lists came after that."""
    tracked = world.sent("0x1")
    world.following.doubt(tracked, "no answer")
    await world.clock.advance(ABSENT_AFTER)
    asked = world.clock.monotonic()
    await world.clock.advance(1)
    world.following.absorb(heard)
    world.following.absent(tracked, asked)
    assert (tracked.is_over, world.is_asked()) == (False, True)
    world.following.absent(tracked, world.clock.monotonic())
    assert tracked.is_over


async def test_what_was_just_sent_may_still_arrive(world: World) -> None:
    tracked = world.sent()
    world.following.absent(tracked, world.clock.monotonic())
    assert world.told == []
    await world.clock.advance(ABSENT_AFTER)
    world.following.absent(tracked, world.clock.monotonic())
    (event,) = world.told
    assert isinstance(event, OrderRejected)
    assert event.reason == "the venue does not know it: it never arrived"


async def test_an_order_of_an_earlier_run_has_as_long_to_arrive_as_one_of_this(world: World) -> None:
    await world.clock.advance(ABSENT_AFTER)
    world.following.adopt([replace(order("pending"), submitted=world.clock.now() - ABSENT_AFTER // 2)])
    (tracked,) = world.following.orders.live()
    world.following.absent(tracked, world.clock.monotonic())
    assert world.told == [], "it was sent just before the restart"
    await world.clock.advance(ABSENT_AFTER // 2)
    world.following.absent(tracked, world.clock.monotonic())
    assert world.kinds() == [OrderRejected]


def test_an_order_that_arrives_after_all_is_followed_again_and_cancelled(world: World) -> None:
    tracked = world.sent("0x1")
    world.following.refuse(tracked, "it never arrived")
    world.following.absorb(report("open"))
    assert world.kinds() == [OrderRejected, OrderAccepted]
    assert (tracked.is_over, tracked.cancel_wanted, world.named) == (False, True, [NAME])
    assert world.following.orders.live() == [tracked]
    world.following.absorb(trade(4 * MICROS))
    world.following.absorb(report("cancelled", filled=4 * MICROS))
    assert world.kinds()[2:] == [Fill, FillConfirmed, OrderCancelled]
    world.following.absorb(report("open"))
    assert len(world.told) == 5, "it was not denied the second time: this is old news"


def test_an_order_that_was_denied_and_is_said_to_be_over_without_a_trade_stays_what_it_was(world: World) -> None:
    tracked = world.sent("0x1")
    world.following.refuse(tracked, "it never arrived")
    world.following.absorb(report("cancelled"))
    world.following.absorb(report("open"))
    assert world.kinds() == [OrderRejected], "the second report is older than the first"


def test_a_trade_of_an_order_that_was_denied_is_booked_and_the_rest_is_asked_for(world: World) -> None:
    world.following.adopt([order("rejected", "0x1")])
    tracked = world.following.orders.get(NAME)
    world.following.absorb(replace(trade(4 * MICROS), settlement="failed"))
    assert (world.kinds(), world.is_asked()) == ([Fill, FillFailed], True), "it never came about, of an order that is"
    assert tracked is not None
    world.told.clear()
    world.following.absorb(trade(4 * MICROS, name="t2"))
    assert (world.kinds(), world.is_asked(), tracked.is_over) == ([Fill, FillConfirmed], True, False)
    world.following.absorb(report("open", filled=4 * MICROS))
    assert (world.kinds()[2:], world.named) == ([OrderAccepted], [NAME])


def test_a_trade_that_is_first_told_when_it_failed_has_taken_its_part_of_the_order(world: World) -> None:
    tracked = world.sent("0x1")
    world.following.accept(tracked, OrderId("0x1"))
    failed = replace(trade(4 * MICROS), settlement="failed")
    world.following.absorb(failed)
    world.following.absorb(failed)
    assert world.kinds() == [OrderAccepted, Fill, FillFailed]
    world.following.absorb(report("cancelled", filled=4 * MICROS))
    assert (world.kinds()[3:], world.is_asked(), tracked.is_over) == ([OrderCancelled], False, True)


def test_an_order_that_was_denied_and_is_said_to_have_traded_is_asked_for_its_trades(world: World) -> None:
    tracked = world.sent("0x1")
    world.following.refuse(tracked, "too many requests")
    world.following.absorb(report("cancelled", filled=4 * MICROS))
    assert (tracked.is_over, world.is_asked()) == (False, True)


def test_an_end_waits_for_the_trades_that_came_before_it(world: World) -> None:
    tracked = world.sent("0x1")
    world.following.absorb(report("cancelled", filled=4 * MICROS))
    assert (world.told, world.is_asked()) == ([], True)
    world.following.absorb(trade(4 * MICROS))
    assert [kind for kind in world.kinds() if kind in (Fill, OrderCancelled)] == [Fill, OrderCancelled]
    assert tracked.is_over
    world.following.absorb(trade(4 * MICROS))
    world.following.accept(tracked, OrderId("0x1"))
    assert world.kinds().count(Fill) == 1
    assert OrderAccepted not in world.kinds(), "it is over"
