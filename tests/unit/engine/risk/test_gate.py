"""Groups are approved or refused whole, limits hold for any intents, order ids count on."""

from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from predsurv.core.events import VenuePhase
from predsurv.core.ids import ClientOrderId, StrategyName
from predsurv.core.num import MICROS, Money, Price, notional_up
from predsurv.core.orders import CancelIntent, CancelOrder, Intent, PlaceOrder
from predsurv.engine.risk.gate import RiskGate
from tests.kit.trading_samples import LIMITS, ME, NO, START, YES, V, World, book, fill, intent, place


def gate(world: World, **limits: Any) -> RiskGate:
    return RiskGate("run", replace(LIMITS, **limits), world.risk, world.account)


def open_world() -> World:
    return World().show(book())


def ids(decisions: Any) -> list[str]:
    return [decision.approved.command.client_order_id for decision in decisions]


def test_approved_intents_are_numbered_and_pending() -> None:
    world = open_world()
    decisions, refusals = gate(world).evaluate([intent(), intent(key=NO)])
    assert ids(decisions) == ["run-00000001", "run-00000002"]
    assert refusals == ()
    assert [order.state for order in world.account.orders.live()] == ["pending", "pending"]
    assert decisions[0].intent == intent()
    assert decisions[0].approved.ts == START


def test_a_group_with_one_bad_leg_is_refused_whole() -> None:
    world = open_world()
    legs = [intent(group="g"), intent(size=1, group="g"), intent(key=NO, group="g")]
    decisions, refusals = gate(world).evaluate([*legs, intent()])
    assert [refused.reason for refused in refusals] == ["group", "below_minimum", "group"]
    assert len(decisions) == 1
    assert world.account.groups.all() == ()


def test_a_basket_with_a_leg_past_the_collar_is_refused_whole_and_says_so_at_every_leg() -> None:
    world = open_world()
    assert len(gate(world, price_collar=Price(100_000)).evaluate([intent(price=60, group="near")])[0]) == 1
    legs = [intent(price=51, group="g"), intent(price=61, group="g")]
    decisions, refusals = gate(world, price_collar=Price(100_000)).evaluate(legs)
    assert decisions == ()
    assert [refused.reason for refused in refusals] == ["group", "price_collar"]
    assert refusals[0].detail == f"another leg of its basket was refused (price_collar): {refusals[1].detail}"
    assert "0.61 is 0.11 past the middle at 0.5" in refusals[0].detail


def test_legs_are_checked_as_if_the_earlier_ones_were_sent() -> None:
    world = open_world()
    legs = [intent(group="g"), intent(key=NO, group="g")]
    decisions, refusals = gate(world, max_total_exposure=Money(9 * MICROS)).evaluate(legs)
    assert decisions == ()
    assert [refused.reason for refused in refusals] == ["group", "max_total_exposure"]
    assert world.risk.staged == []


def test_intents_without_a_group_are_checked_alone() -> None:
    decisions, refusals = gate(open_world(), max_open_orders=1).evaluate([intent(), intent()])
    assert (len(decisions), [refused.reason for refused in refusals]) == (1, ["max_open_orders"])


def test_a_strategy_can_cancel_its_own_live_orders_only() -> None:
    world = open_world()
    world.account.place(place(), START)
    mine = CancelIntent(ME, ClientOrderId("o1"), "why")
    (decision,), _ = gate(world).evaluate([mine])
    assert decision.approved.command == CancelOrder(ClientOrderId("o1"), YES)
    _, (refused,) = gate(world).evaluate([replace(mine, strategy=StrategyName("other"))])
    assert refused.reason == "unknown_order"
    world.account.apply(fill())
    _, (late,) = gate(world).evaluate([mine])
    assert late.reason == "unknown_order"


def test_cancelling_an_unknown_order_gives_no_command() -> None:
    assert gate(open_world()).cancel([ClientOrderId("who")]) == ()


intent_lists = st.lists(
    st.builds(
        lambda side, price, size, key, group: intent(side, price, size, key=key, group=group),
        st.sampled_from(["buy", "buy", "sell"]),
        st.integers(1, 99),
        st.integers(1, 600),
        st.sampled_from([YES, NO]),
        st.sampled_from([None, "g", "h"]),
    ),
    max_size=12,
)


@settings(max_examples=150)
@given(st.lists(st.tuples(intent_lists, st.integers(0, 2)), max_size=6))
def test_no_intents_get_past_a_limit(rounds: list[tuple[list[Intent], int]]) -> None:
    limits = replace(
        LIMITS,
        max_order_notional=Money(100 * MICROS),
        max_position_notional=Money(150 * MICROS),
        max_total_exposure=Money(220 * MICROS),
        max_open_orders=4,
        max_orders_per_minute=9,
    )
    world = World(cash=300 * MICROS).show(book())
    evaluate = RiskGate("run", limits, world.risk, world.account).evaluate
    bought = 0
    for intents, fill_every in rounds:
        decisions, refusals = evaluate(intents)
        assert len(decisions) + len(refusals) == len(intents)
        for decision in decisions:
            command = decision.approved.command
            assert isinstance(command, PlaceOrder)
            if command.side == "buy":
                bought += 1
                assert notional_up(command.price, command.size) <= limits.max_order_notional
                assert command.price <= 500_000 + limits.price_collar
            else:
                assert command.price >= 490_000 - limits.price_collar
        orders = world.account.orders
        assert sum(order.side == "buy" for order in orders.live()) <= limits.max_open_orders
        assert world.risk.exposure() <= limits.max_total_exposure
        assert all(world.risk.exposure(key) <= limits.max_position_notional for key in (YES, NO))
        assert all(world.risk.sellable(ME, key) >= 0 for key in (YES, NO))
        assert world.risk.free_cash(YES.venue) >= 0
        assert bought <= limits.max_orders_per_minute
        for order in orders.live()[:fill_every]:
            world.account.apply(
                fill(
                    order.client_order_id,
                    key=order.key,
                    side=order.side,
                    price=order.price // 10_000,
                    size=order.size / MICROS,
                )
            )


def test_no_cancel_is_sent_while_the_venue_takes_none() -> None:
    world = open_world()
    world.account.place(place(), START)
    mine = CancelIntent(ME, ClientOrderId("o1"), "why")
    world.show(VenuePhase(V, START, None, "closed", "{}"))
    _, (refused,) = gate(world).evaluate([mine])
    assert refused.reason == "venue_paused"
    world.show(VenuePhase(V, START, None, "cancel_only", "{}"))
    (decision,), _ = gate(world).evaluate([mine])
    assert decision.intent == mine
