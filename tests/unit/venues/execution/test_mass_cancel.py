"""Cancelling all that is open, or named orders: few requests, and the list of open orders has the last word."""

from collections.abc import Collection, Mapping, Sequence
from typing import Never

import pytest

from predsurv.core.errors import AmbiguousError, PermanentError, PredsurvError, TransientError
from predsurv.core.ids import InstrumentKey, OrderId
from predsurv.core.num import Money, Price, Size
from predsurv.core.orders import Order
from predsurv.net.clock import ManualClock
from predsurv.venues.account_reports import OrderReport
from predsurv.venues.answers import Operation, Verdict
from predsurv.venues.execution.gateway import AccountChannel, AccountState, Batching, VenueAccount
from predsurv.venues.execution.mass_cancel import ROUNDS_MAX, MassCancel
from tests.kit.order_requests import ScriptedGateway
from tests.kit.polymarket_orders import command

KEY = command().key


class CancellingVenue(ScriptedGateway):
    """An account with orders of others in it, too. ``errors``: what happens to the next requests, in order.

    ``lost``: an error that comes after the request was carried out. ``stuck``: orders that it does not cancel.
    """

    def __init__(self, *open_ids: str, most: int = 3, has_cancel_all: bool = False) -> None:
        super().__init__()
        self.open, self.most, self.has_cancel_all = list(open_ids), most, has_cancel_all
        self.sent: list[list[str]] = []
        self.errors: list[PredsurvError | None] = []
        self.lost: list[PredsurvError] = []
        self.stuck: dict[str, Verdict] = {}
        self.arriving: list[list[str]] = []
        self.told: list[tuple[str, str]] = []
        self.unread = 0

    def batching(self, operation: Operation) -> Batching:
        assert operation == "cancel"
        return Batching(self.most, self.most)

    async def cancel(self, order: Order) -> Verdict:
        return self._cancel([str(order.order_id)])[0]

    async def cancel_together(self, orders: Sequence[Order]) -> Sequence[Verdict]:
        return self._cancel([str(each.order_id) for each in orders])

    async def cancel_all(self, known: Sequence[OrderId]) -> Mapping[OrderId, Verdict] | None:
        if not self.has_cancel_all:
            return None
        ids = list(dict.fromkeys([*known, *map(OrderId, self.open)]))
        verdicts = self._cancel(list(ids), label="all")
        return dict(zip(ids, verdicts, strict=True))

    def _cancel(self, ids: list[str], label: str = "") -> list[Verdict]:
        self.sent.append([label] if label else ids)
        error = self.errors.pop(0) if self.errors else None
        if error is not None:
            raise error
        verdicts = [self._one(each) for each in ids]
        if self.lost:
            raise self.lost.pop(0)
        return verdicts

    def _one(self, order_id: str) -> Verdict:
        if order_id in self.stuck:
            return self.stuck[order_id]
        if order_id not in self.open:
            return Verdict("rejected", "reconcile", "not found", order_id)
        self.open.remove(order_id)
        return Verdict("accepted", "go_on", "cancelled", order_id)

    async def account(self, _since: int, _keys: Collection[InstrumentKey]) -> AccountState:
        if self.unread:
            self.unread -= 1
            raise TransientError("no balance")
        orders = tuple(
            OrderReport(KEY, 1, None, OrderId(each), "open", "buy", Price(500_000), Size(1_000_000), Size(0))
            for each in self.open
        )
        if self.arriving:
            self.open += self.arriving.pop(0)  # once it was read
        return AccountState(1, Money(0), orders, (), ())

    def channel(self) -> AccountChannel:
        raise NotImplementedError

    async def run(self, *wanted: str) -> tuple[set[str], set[str]]:
        """Return what was found, and what is left open."""
        account = VenueAccount(
            self,
            self,
            "test",
            _never,
            _never,
            lambda: None,
            cancel_all=self.cancel_all,
        )
        cancelling = MassCancel(
            account,
            ManualClock(),
            frozenset(wanted) if wanted else None,
            lambda order_id, verdict: self.told.append((order_id, verdict.fate)),
        )
        left = await cancelling.run()
        return {str(each) for each in cancelling.found}, {str(each) for each in left}


async def _never() -> Never:
    raise NotImplementedError


async def test_all_are_cancelled_by_one_request_where_the_venue_has_one() -> None:
    venue = CancellingVenue("a", "b", "c", "d", has_cancel_all=True)
    assert await venue.run() == ({"a", "b", "c", "d"}, set())
    assert venue.sent == [["all"]]
    assert venue.told == [(each, "accepted") for each in "abcd"]


async def test_without_such_a_request_all_are_named_in_batches() -> None:
    venue = CancellingVenue("a", "b", "c", "d")
    assert await venue.run() == ({"a", "b", "c", "d"}, set())
    assert venue.sent == [["a", "b", "c"], ["d"]]


async def test_named_orders_never_lead_to_a_cancel_of_all() -> None:
    venue = CancellingVenue("a", "b", "c", has_cancel_all=True)
    assert await venue.run("a", "c") == ({"a", "c"}, set())
    assert venue.sent == [["a", "c"]]
    assert venue.open == ["b"]


async def test_nothing_is_sent_where_nothing_is_open() -> None:
    venue = CancellingVenue(has_cancel_all=True)
    assert await venue.run() == (set(), set())
    assert venue.sent == []


async def test_after_a_lost_answer_the_open_orders_decide() -> None:
    venue = CancellingVenue("a", "b", has_cancel_all=True)
    venue.lost = [AmbiguousError("timed out")]
    assert await venue.run() == ({"a", "b"}, set())
    assert venue.sent == [["all"]]
    assert venue.told == [("a", "unknown"), ("b", "unknown")]


@pytest.mark.parametrize("error", [AmbiguousError("timed out"), TransientError("no route")])
async def test_what_a_lost_request_left_open_is_cancelled_by_name(error: PredsurvError) -> None:
    venue = CancellingVenue("a", "b", has_cancel_all=True)
    venue.errors = [error]
    assert await venue.run() == ({"a", "b"}, set())
    assert venue.sent == [["all"], ["a", "b"]]
    assert venue.told[2:] == [("a", "accepted"), ("b", "accepted")]


async def test_a_lost_batch_says_nothing_of_the_others() -> None:
    venue = CancellingVenue("a", "b", "c", "d", most=2)
    venue.errors = [AmbiguousError("timed out")]
    assert (await venue.run())[1] == set()
    assert venue.sent == [["a", "b"], ["c", "d"], ["a", "b"]]
    assert venue.told[:4] == [("a", "unknown"), ("b", "unknown"), ("c", "accepted"), ("d", "accepted")]


async def test_what_was_placed_before_the_request_is_found_in_its_answer() -> None:
    venue = CancellingVenue("a", has_cancel_all=True)
    venue.arriving = [["b"]]
    assert await venue.run() == ({"a", "b"}, set())
    assert venue.told == [("a", "accepted"), ("b", "accepted")]


async def test_what_is_placed_meanwhile_is_cancelled_in_a_few_rounds_only() -> None:
    venue = CancellingVenue("a")
    venue.arriving = [["b"], ["c"], ["d"], ["e"]]
    assert await venue.run() == ({"a", "b", "c", "d"}, {"d"})
    assert venue.sent == [["a"], ["b"], ["c"]]
    assert len(venue.sent) == ROUNDS_MAX


@pytest.mark.parametrize(
    "verdict",
    [
        Verdict("rejected", "reconcile", "it is delayed"),
        Verdict("unknown", "halt", "403"),
        Verdict("rejected", "halt", "401"),
    ],
)
async def test_a_definite_refusal_is_not_asked_again(verdict: Verdict) -> None:
    venue = CancellingVenue("a", "b", has_cancel_all=True)
    venue.stuck = {"a": verdict}
    assert await venue.run() == ({"a", "b"}, {"a"})
    assert venue.sent == [["all"]]
    assert venue.told[0] == ("a", verdict.fate)


async def test_a_refused_key_ends_it() -> None:
    venue = CancellingVenue("a", has_cancel_all=True)
    venue.errors = [PermanentError("no such key")]
    assert await venue.run() == ({"a"}, {"a"})
    assert venue.sent == [["all"]]


async def test_an_order_that_was_to_wait_is_cancelled_at_most_so_many_times() -> None:
    venue = CancellingVenue("a", "b")
    venue.stuck = {"a": Verdict("rejected", "retry_after", "429")}
    assert await venue.run() == ({"a", "b"}, {"a"})
    assert venue.sent == [["a", "b"], ["a"], ["a"]]


async def test_an_account_that_cannot_be_read_does_not_keep_all_from_being_cancelled() -> None:
    venue = CancellingVenue("a", "b", has_cancel_all=True)
    venue.unread = 1
    assert await venue.run() == ({"a", "b"}, set())
    assert venue.sent == [["all"]]
    assert venue.told == [("a", "accepted"), ("b", "accepted")]


async def test_what_was_cancelled_is_told_even_where_nothing_can_be_read_afterwards() -> None:
    venue = CancellingVenue("a", has_cancel_all=True)
    venue.unread = 2
    with pytest.raises(TransientError, match="no balance"):
        await venue.run()
    assert venue.told == [("a", "accepted")]


@pytest.mark.parametrize(("wanted", "has_cancel_all"), [(("a",), True), ((), False)])
async def test_nothing_is_named_that_was_not_read(wanted: tuple[str, ...], *, has_cancel_all: bool) -> None:
    venue = CancellingVenue("a", has_cancel_all=has_cancel_all)
    venue.unread = 1
    with pytest.raises(TransientError, match="no balance"):
        await venue.run(*wanted)
    assert venue.sent == []
