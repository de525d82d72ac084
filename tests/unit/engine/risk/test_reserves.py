"""Reserves kept as orders change are what they would be if each were computed at every question."""

from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from predsurv.core.events import MarketChange, OrderCancelled
from predsurv.core.ids import ClientOrderId, InstrumentId, InstrumentKey, MarketId, TradeId, VenueName
from predsurv.core.market import NO_FEE
from predsurv.core.orders import Order
from predsurv.engine.account.orders import CHANGES_KEPT_MAX, ChangedBuys
from predsurv.engine.risk.reserves import Reserves, max_cost, rest_of
from tests.kit.trading_samples import FEE, START, YES, V, World, fill, intent, place, shares

OTHER = VenueName("other")
STEPS = st.lists(
    st.one_of(
        st.tuples(st.just("buy"), st.integers(1, 99), st.integers(1, 50)),
        st.tuples(st.just("sell"), st.integers(1, 99), st.integers(1, 50)),
        st.tuples(st.just("fill"), st.integers(0, 30), st.just(1)),
        st.tuples(st.just("cancel"), st.integers(0, 30), st.just(1)),
        st.tuples(st.just("fee"), st.booleans(), st.just(1)),
        st.tuples(st.just("ask"), st.just(0), st.just(0)),
    ),
    max_size=30,
)


def naive(world: World, venue: VenueName) -> int:
    live = [each for each in world.account.orders.live() if each.side == "buy" and each.key.venue == venue]
    return sum(max_cost(each, world.cache.market(venue, each.key.market_id)) for each in live)


def apply(world: World, step: tuple[Any, Any, int], number: int) -> None:
    kind, value, size = step
    live = [each for each in world.account.orders.live() if each.side == "buy"]
    chosen: Order | None = live[value % len(live)] if kind in ("fill", "cancel") and live else None
    if kind in ("buy", "sell"):
        key = YES if number % 3 else InstrumentKey(OTHER, MarketId("m"), InstrumentId("y"))
        world.account.place(place(f"o{number}", side=kind, price=value, size=size, key=key), START)
    elif kind == "fee":
        world.show(MarketChange(V, YES.market_id, None, START, None, "fee", "", fee=NO_FEE if value else FEE))
    elif chosen is not None and kind == "cancel":
        world.account.apply(OrderCancelled(chosen.key, START, chosen.client_order_id, ""))
    elif chosen is not None and chosen.key == YES:
        world.account.apply(
            fill(chosen.client_order_id, size=1, price=chosen.price // 10_000, trade_id=TradeId(f"t{number}"))
        )


@settings(max_examples=200, deadline=None)
@given(STEPS)
def test_what_is_reserved_is_the_sum_over_live_buys(steps: list[tuple[Any, Any, int]]) -> None:
    world = World()
    reserves = Reserves(world.cache, world.account.orders.working)
    for number, step in enumerate(steps):
        apply(world, step, number)
        if step[0] == "ask":
            assert (reserves.at(V), reserves.at(OTHER)) == (naive(world, V), naive(world, OTHER))
    assert (reserves.at(V), reserves.at(OTHER)) == (naive(world, V), naive(world, OTHER))


def test_two_who_ask_hear_of_every_change_each() -> None:
    world = World()
    both = [Reserves(world.cache, world.account.orders.working) for _ in range(2)]
    assert [each.at(V) for each in both] == [0, 0]
    world.account.place(place(price=50, size=10), START)
    assert [each.at(V) for each in both] == [naive(world, V)] * 2 != [0, 0]


def test_too_many_changes_are_told_as_all() -> None:
    changes = ChangedBuys()
    assert changes.take() is None
    names = [ClientOrderId(str(number)) for number in range(CHANGES_KEPT_MAX)]
    for name in (*names, *names):
        changes.note(name)
    assert list(changes.take() or ()) == names
    for name in (*names, ClientOrderId("one more"), ClientOrderId("and another")):
        changes.note(name)
    assert changes.take() is None
    assert list(changes.take() or ()) == []


def test_the_rest_of_an_intent_is_all_of_it() -> None:
    assert rest_of(intent(size=7)) == shares(7)
