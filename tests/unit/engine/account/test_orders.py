"""An order changes state by the transition table, and a fill counts once."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from predsurv.core.errors import BrokenInvariant
from predsurv.core.events import (
    AccountEvent,
    CancelRejected,
    Fill,
    FillConfirmed,
    FillFailed,
    OrderAccepted,
    OrderCancelled,
    OrderRejected,
    OrderUnknown,
)
from predsurv.core.ids import ClientOrderId, OrderId, TradeId
from predsurv.core.num import MICROS, notional_up
from predsurv.core.orders import LIVE_STATES, TRANSITIONS, Order
from predsurv.engine.account import orders as module
from predsurv.engine.account.orders import Orders
from tests.kit.state_dump import state_bytes
from tests.kit.trading_samples import ME, NO, START, YES, fill, place, shares

ID = ClientOrderId("o1")
ACCEPTED = OrderAccepted(YES, START, ID, OrderId("v1"))
REJECTED = OrderRejected(YES, START, ID, "no")
CANCELLED = OrderCancelled(YES, START, ID, "requested")
UNKNOWN = OrderUnknown(YES, START, ID, "time-out")


def placed(*events: AccountEvent) -> Orders:
    orders = Orders()
    orders.place(place(), START)
    for event in events:
        orders.apply(event)
    return orders


def order(orders: Orders) -> Order:
    found = orders.get(ID)
    assert found is not None
    return found


def test_a_placed_order_is_pending_and_live() -> None:
    orders = placed()
    assert order(orders).state == "pending"
    assert orders.live() == orders.live_of(ME) == (order(orders),)
    assert orders.live_count() == 1


def test_a_client_order_id_is_used_once() -> None:
    with pytest.raises(BrokenInvariant, match="used twice"):
        placed().place(place(), START)


def test_partial_fills_add_up_to_filled() -> None:
    orders = placed(ACCEPTED, fill(size=4))
    assert (order(orders).state, order(orders).remaining) == ("open", shares(6))
    orders.apply(fill(size=6, trade_id=TradeId("o1.2")))
    assert order(orders).state == "filled"
    assert orders.live() == ()


def test_a_fill_before_the_acknowledgement_is_proof_enough() -> None:
    orders = placed(fill(size=10))
    assert orders.apply(ACCEPTED) == "applied", "its id is new, and the journal has to know it"
    assert order(orders).state == "filled"
    assert order(orders).order_id == "v1"
    assert orders.apply(ACCEPTED) == "stale"


TOLD = (
    ACCEPTED,
    REJECTED,
    CANCELLED,
    UNKNOWN,
    CancelRejected(YES, START, ID, "no"),
    fill(size=4, unconfirmed=True),
    fill(size=6, trade_id=TradeId("o1.2")),
    FillConfirmed(YES, START, ID, TradeId("o1.1")),
    FillFailed(YES, START, ID, TradeId("o1.1"), "reverted"),
)


@given(st.lists(st.sampled_from(TOLD), max_size=12))
def test_what_is_not_applied_changes_nothing(events: list[AccountEvent]) -> None:
    """The journal keeps what was applied alone: anything else that changed is forgotten by a restart."""
    live, restored = placed(), placed()
    for event in events:
        try:
            result = live.apply(event)
        except BrokenInvariant:  # nothing of it is kept either
            continue
        if result == "applied":
            restored.apply(event)
    assert state_bytes(live) == state_bytes(restored)


def test_an_unknown_order_is_live_until_its_state_is_known() -> None:
    orders = placed(UNKNOWN)
    assert orders.live_count() == 1
    orders.apply(REJECTED)
    assert orders.live_count() == 0


def test_a_late_fill_of_a_lost_order_counts() -> None:
    orders = placed(CANCELLED, fill(size=4))
    assert (order(orders).state, order(orders).filled) == ("cancelled", shares(4))
    assert order(placed(REJECTED, fill(size=4))).state == "open"
    assert order(placed(REJECTED, fill(size=10))).state == "filled"


def test_a_fill_counts_once() -> None:
    orders = placed(fill(size=4))
    assert orders.told(YES, TradeId("o1.1")) == "confirmed"
    assert orders.apply(fill(size=4)) == "duplicate"
    assert order(orders).filled == shares(4)


@pytest.mark.parametrize("wrong", [fill(size=11), fill(size=0), fill(size=1, side="sell")])
def test_a_fill_that_cannot_be_is_refused_whole(wrong: Fill) -> None:
    orders = placed(ACCEPTED)
    with pytest.raises(BrokenInvariant, match="does not fit"):
        orders.apply(wrong)
    assert order(orders).filled == 0


def test_events_of_orders_that_are_not_ours_are_foreign() -> None:
    assert Orders().apply(ACCEPTED) == "foreign"
    assert Orders().apply(fill()) == "foreign"


def test_finished_orders_and_trade_ids_are_kept_up_to_a_bound(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "FINISHED_KEPT_MAX", 2)
    monkeypatch.setattr(module, "TRADES_KEPT_MAX", 2)
    orders = Orders()
    for name in ("a", "b", "c"):
        orders.place(place(name), START)
        orders.apply(fill(name, size=10))
    assert [orders.get(ClientOrderId(name)) is None for name in ("a", "b", "c")] == [True, False, False]
    assert orders.told(YES, TradeId("a.1")) is None


answers = st.one_of(
    st.sampled_from([ACCEPTED, REJECTED, CANCELLED, UNKNOWN]),
    st.builds(
        lambda size, number: fill(size=size, trade_id=TradeId(str(number))), st.integers(1, 10), st.integers(1, 6)
    ),
)


@given(st.lists(answers, max_size=20))
def test_every_change_is_in_the_table_and_no_order_overfills(events: list[AccountEvent]) -> None:
    orders = placed()
    for event in events:
        before = order(orders)
        try:
            done = orders.apply(event)
        except BrokenInvariant:
            assert order(orders) == before
            continue
        after = order(orders)
        assert after.filled <= after.size
        assert (after.state in LIVE_STATES) == bool(orders.live())
        if done == "applied" and after.state != before.state:
            assert after.state in TRANSITIONS[before.state] or isinstance(event, Fill)


@given(st.permutations([1, 2, 3, 4]), st.lists(st.integers(0, 3), max_size=6))
def test_the_result_depends_on_the_set_of_trades_only(sequence: list[int], again: list[int]) -> None:
    orders = placed(ACCEPTED)
    trades = [fill(size=number, trade_id=TradeId(str(number))) for number in sequence]
    for trade in [*trades, *(trades[index] for index in again)]:
        orders.apply(trade)
    assert order(orders).filled == 10 * MICROS
    assert order(orders).state == "filled"


@pytest.mark.parametrize("before", [(), (ACCEPTED,), (UNKNOWN,), (REJECTED,), (CANCELLED,), (fill(),)])
def test_the_rejection_of_a_cancel_changes_no_order(before: tuple[AccountEvent, ...]) -> None:
    orders = placed(*before)
    was, lives = order(orders), order(orders).state in LIVE_STATES
    assert orders.apply(CancelRejected(YES, START, ID, "unknown_order")) == ("applied" if lives else "stale")
    assert order(orders) == was


@given(st.lists(st.tuples(st.integers(0, 3), st.sampled_from(["place", "fill", "cancel", "reject"])), max_size=30))
def test_what_live_buys_cost_and_who_is_in_an_instrument_is_known_at_any_time(happened: list[tuple[int, str]]) -> None:
    orders, filled = Orders(), 0
    for number, what in happened:
        key, side = (YES, NO)[number % 2], ("buy", "sell")[number // 2]
        name = ClientOrderId(f"o{number}")
        before = orders.get(name)
        if what == "place" and before is None:
            orders.place(place(name, side=side, key=key, price=33, size=2.000001), START)
        elif what == "fill" and before is not None and before.remaining:
            filled += 1
            part = min(before.remaining, shares(0.5)) / MICROS
            orders.apply(fill(name, part, 33, key=key, side=side, trade_id=TradeId(f"t{filled}")))
        elif what in ("cancel", "reject"):
            kind = OrderCancelled if what == "cancel" else OrderRejected
            orders.apply(kind(key, START, name, what))
        live = orders.live()
        assert orders.working.buying == sum(notional_up(o.price, o.remaining) for o in live if o.side == "buy")
        for each in (YES, NO):
            assert tuple(orders.working.of(each)) == tuple(o for o in live if o.key == each)
