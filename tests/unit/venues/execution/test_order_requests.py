"""Requests for orders: what each failure means, and what is asked for afterwards."""

import asyncio

import pytest

from predsurv.core.errors import AmbiguousError, PermanentError, TransientError
from predsurv.core.events import CancelRejected, OrderCancelled, OrderRejected, OrderUnknown
from predsurv.core.ids import ClientOrderId, OrderId
from predsurv.core.num import MICROS, Price, Size
from predsurv.core.orders import Order
from predsurv.venues.account_reports import OrderReport
from predsurv.venues.answers import Verdict
from predsurv.venues.execution.gateway import FoundOrder, PreparedOrder
from predsurv.venues.execution.order_following import ABSENT_AFTER
from predsurv.venues.execution.order_questions import ASK_EVERY
from predsurv.venues.execution.order_requests import PHASE_HOLD, OrderToSend
from tests.kit.order_requests import ACCEPTED, NAME, READY, STEP, RequestWorld
from tests.kit.polymarket_orders import command


@pytest.fixture
def world() -> RequestWorld:
    return RequestWorld()


async def test_an_order_that_cannot_have_arrived_is_rejected(world: RequestWorld) -> None:
    world.gateway.placed = TransientError("cannot connect")
    tracked = await world.place()
    (event,) = world.told
    assert isinstance(event, OrderRejected)
    assert event.reason == "not sent: cannot connect"
    assert (tracked.is_over, world.halts) == (True, [])


async def test_an_order_that_may_have_arrived_is_asked_for(world: RequestWorld) -> None:
    world.gateway.placed = AmbiguousError("timed out")
    tracked = await world.place()
    (event,) = world.told
    assert isinstance(event, OrderUnknown)
    assert (event.reason, world.is_asked(), tracked.is_unknown) == ("timed out", True, True)


async def test_an_address_that_is_wrong_halts(world: RequestWorld) -> None:
    world.gateway.placed = PermanentError("no such address")
    await world.place()
    assert [type(each) for each in world.told] == [OrderRejected]
    assert world.halts == ["polymarket refuses: not sent: no such address"]


async def test_an_order_that_found_nothing_to_take_is_over(world: RequestWorld) -> None:
    world.gateway.placed = Verdict("killed", "go_on", "nothing to match")
    tracked = await world.place()
    (event,) = world.told
    assert isinstance(event, OrderCancelled)
    assert (event.reason, tracked.is_over) == ("nothing to match", True)


async def test_a_venue_that_takes_no_orders_holds_the_next_ones(world: RequestWorld) -> None:
    world.gateway.placed = Verdict("rejected", "go_on", "425", phase="cancel_only")
    await world.place()
    assert world.holds.reason == "it is cancel only"
    await world.clock.advance(PHASE_HOLD)
    assert world.holds.reason == ""


async def test_a_cancel_of_an_order_that_nobody_knows_is_refused(world: RequestWorld) -> None:
    await world.cancel()
    (event,) = world.told
    assert isinstance(event, CancelRejected)
    assert event.reason == "the broker knows no such order"


async def test_a_cancel_that_is_lost_is_refused_and_the_order_asked_for(world: RequestWorld) -> None:
    tracked = world.sent("0x1")
    tracked.placed.set()
    world.gateway.cancelled = AmbiguousError("timed out")
    await world.cancel()
    (event,) = world.told
    assert isinstance(event, CancelRejected)
    assert (event.reason, world.is_asked()) == ("timed out", True)
    assert not tracked.is_over


async def test_a_cancel_waits_for_the_name_of_its_order(world: RequestWorld) -> None:
    tracked = world.sent()
    tracked.placed.set()
    await world.cancel()
    assert (world.told, tracked.cancel_wanted) == ([], True)


async def test_an_order_is_over_where_the_venue_cancelled_it_and_has_it_no_more(world: RequestWorld) -> None:
    tracked = world.sent("0x1")
    tracked.placed.set()
    tracked.is_accepted = True
    await world.cancel()
    assert [type(each) for each in world.told] == [OrderCancelled]
    await world.cancel()
    event = world.told[-1]
    assert isinstance(event, CancelRejected)
    assert event.reason == "it is over"


async def test_a_cancel_that_a_fill_overtook_tells_of_no_refusal(world: RequestWorld) -> None:
    tracked = world.sent("0x1")
    tracked.placed.set()

    async def late(order: Order) -> Verdict:
        world.following.end(tracked, "over at the venue")
        return Verdict("rejected", "reconcile", "already matched", order.order_id or "")

    world.gateway.cancel = late  # type: ignore[method-assign]
    await world.cancel()
    assert [type(each) for each in world.told] == [OrderCancelled]


async def test_only_orders_that_were_answered_are_asked_for(world: RequestWorld) -> None:
    tracked = world.sent()
    asked = world.following.orders.asked
    asked |= {NAME: None, ClientOrderId("gone"): None}
    await world.requests.ask()
    assert list(asked) == [NAME]
    assert world.gateway.finds == 0, "its answer is still to come"
    tracked.placed.set()
    world.gateway.found = TransientError("cannot connect")
    await world.requests.ask()
    assert (world.gateway.finds, world.is_asked(), world.told) == (1, True, [])
    open_now = OrderReport(command().key, 0, None, OrderId("0x1"), "open", "buy", Price(1), Size(MICROS), Size(0), NAME)
    world.gateway.found = FoundOrder(open_now)
    await world.requests.ask()
    assert (world.gateway.finds, world.is_asked(), tracked.is_accepted) == (2, False, True)


async def test_one_order_that_is_slow_to_be_found_keeps_no_other_waiting(world: RequestWorld) -> None:
    first, *others = [world.sent_as(f"n{number}") for number in range(5)]
    answer = asyncio.Event()

    async def find(order: Order) -> FoundOrder:
        if order.client_order_id == first.order.client_order_id:
            await answer.wait()
        world.gateway.finds += 1
        return FoundOrder(None)

    world.gateway.find = find  # type: ignore[method-assign]
    asking = asyncio.create_task(world.requests.ask())
    while world.gateway.finds < len(others):  # noqa: ASYNC110 - as many as are not held up
        await asyncio.sleep(0)
    assert not asking.done()
    answer.set()
    await asking
    assert world.gateway.finds == 5


async def running(world: RequestWorld, duration: int) -> None:
    """Let the requests ask for as long as that (ns), in small steps of the clock."""
    asking = asyncio.create_task(world.requests.run())
    for _ in range(duration // STEP):
        await asyncio.sleep(0)
        await world.clock.advance(STEP)
        for _ in range(10):
            await asyncio.sleep(0)
    asking.cancel()
    await asyncio.gather(asking, return_exceptions=True)


async def test_an_order_that_never_arrived_is_over_soon_after_it_cannot_arrive_any_more(world: RequestWorld) -> None:
    world.sent_as("n1")
    await running(world, ABSENT_AFTER - STEP)
    assert world.told == []
    asked = world.gateway.finds
    assert 5 <= asked <= 12, "often at first, and then once a second at least"
    await running(world, 2 * ASK_EVERY)
    assert [type(each) for each in world.told] == [OrderRejected]
    assert world.gateway.finds == asked + 1


async def test_an_order_that_arrived_is_found_with_the_first_question(world: RequestWorld) -> None:
    tracked = world.sent_as(NAME)
    open_now = OrderReport(command().key, 0, None, OrderId("0x1"), "open", "buy", Price(1), Size(MICROS), Size(0), NAME)
    world.gateway.found = FoundOrder(open_now)
    await running(world, 2 * ASK_EVERY)
    assert (tracked.is_accepted, world.gateway.finds) == (True, 1)


async def test_an_answer_is_as_old_as_its_question(world: RequestWorld) -> None:
    world.sent_as(NAME)
    answer = asyncio.Event()

    async def find(order: Order) -> FoundOrder:
        await answer.wait()
        return FoundOrder(None)

    world.gateway.find = find  # type: ignore[method-assign]
    asking = asyncio.create_task(world.requests.ask())
    await asyncio.sleep(0)
    await world.clock.advance(ABSENT_AFTER)
    answer.set()
    await asking
    assert (world.told, world.is_asked()) == ([], True), "it may have arrived since it was asked for"
    await world.requests.ask()
    assert [type(each) for each in world.told] == [OrderRejected]


async def test_an_end_before_the_answer_needs_no_question(world: RequestWorld) -> None:
    tracked = world.sent("0x1")
    world.following.end(tracked, "cancelled")
    world.following.orders.asked[NAME] = None
    await world.requests.ask()
    assert (world.is_asked(), world.gateway.finds) == (False, 0)


async def test_closing_stops_waiting_for_answers(world: RequestWorld) -> None:
    never = asyncio.Event()

    async def silent(order: PreparedOrder) -> Verdict:
        await never.wait()
        return ACCEPTED

    world.gateway.place = silent  # type: ignore[method-assign]
    tracked = world.sent()
    world.requests.place([OrderToSend(tracked, READY)])
    await asyncio.sleep(0)
    await world.requests.aclose()
    await world.requests.aclose()
    assert tracked.placed.is_set(), "a cancel must not wait for ever"
    assert world.told == []
