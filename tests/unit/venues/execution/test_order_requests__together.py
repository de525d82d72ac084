"""Orders and cancels that leave in one request: each has its own fate, and one loss is the loss of all."""

import pytest

from predsurv.core.errors import AmbiguousError, PermanentError, PredsurvError, TransientError
from predsurv.venues.answers import Verdict
from predsurv.venues.execution.gateway import FoundOrder
from tests.kit.order_requests import ACCEPTED, SeveralRequests


async def test_of_orders_in_one_request_each_has_its_own_fate() -> None:
    world = SeveralRequests()
    world.gateway.together = [
        Verdict("accepted", "go_on", "live", "0x1"),
        Verdict("rejected", "go_on", "no money"),
        Verdict("unknown", "reconcile", "unmatched"),
    ]
    tracked = await world.place_all("a", "b", "c")
    assert world.gateway.requests == [3]
    assert [world.of(each) for each in "abc"] == [["OrderAccepted"], ["OrderRejected"], ["OrderUnknown"]]
    assert all(each.placed.is_set() for each in tracked)
    assert list(world.following.orders.asked) == ["c"]


@pytest.mark.parametrize(
    ("error", "told"),
    [
        (AmbiguousError("timed out"), "OrderUnknown"),
        (TransientError("cannot connect"), "OrderRejected"),
        (PermanentError("no such address"), "OrderRejected"),
    ],
)
async def test_what_befalls_a_request_befalls_each_order_in_it(error: PredsurvError, told: str) -> None:
    world = SeveralRequests()
    world.gateway.together = error
    await world.place_all("a", "b")
    assert [world.of(each) for each in "ab"] == [[told], [told]]
    assert bool(world.halts) == isinstance(error, PermanentError)


async def test_no_order_waits_until_a_limit_has_room_for_others() -> None:
    world = SeveralRequests(room=2)
    world.gateway.together = [ACCEPTED, Verdict("accepted", "go_on", "live", "0x2")]
    await world.place_all("a", "b", "c", "d")
    assert world.gateway.requests == [2, 1, 1]


async def test_cancels_leave_in_one_request_once_their_orders_have_names() -> None:
    world = SeveralRequests()
    for name, order_id in (("a", "0x1"), ("b", "0x2")):
        world.named(name, order_id)
    unnamed = world.named("c")
    unnamed.placed.set()
    world.gateway.together = [
        Verdict("accepted", "go_on", "cancelled", "0x1"),
        Verdict("rejected", "reconcile", "already matched", "0x2"),
    ]
    world.gateway.found = FoundOrder(None)
    await world.cancel_all("a", "b", "c", "nobody's")
    assert world.gateway.requests == [2]
    assert [world.of(each) for each in ("a", "b", "c")] == [["OrderCancelled"], ["CancelRejected"], []]
    assert unnamed.cancel_wanted
    assert world.of("nobody's") == ["CancelRejected"]
    assert "b" in world.following.orders.asked, "what it traded before has to be known"


async def test_a_lost_answer_to_cancels_leaves_every_order_to_be_asked_for() -> None:
    world = SeveralRequests()
    tracked = [world.named(name, order_id) for name, order_id in (("a", "0x1"), ("b", "0x2"))]
    world.gateway.together = AmbiguousError("timed out")
    await world.cancel_all("a", "b")
    assert [world.of(each) for each in "ab"] == [["CancelRejected"], ["CancelRejected"]]
    assert list(world.following.orders.asked) == ["a", "b"]
    assert not any(each.is_over for each in tracked)
