"""The laws of every broker; a venue's test file has a subclass of ``BrokerLaws`` and a ``harness`` fixture."""

from collections.abc import Sequence
from typing import Any, Protocol

import pytest
from msgspec import Struct
from msgspec.structs import replace

from predsurv.core.events import (
    AccountEvent,
    CancelRejected,
    Fill,
    OrderAccepted,
    OrderCancelled,
    OrderRejected,
    OrderUnknown,
)
from predsurv.core.ids import ClientOrderId, InstrumentKey, StrategyName
from predsurv.core.market import Market
from predsurv.core.num import Price, Size, notional, notional_up
from predsurv.core.orders import AccountSnapshot, Approved, CancelOrder, PlaceOrder
from predsurv.ports import Broker
from tests.kit.account_events import events_until, filled, has


class StillMarket(Struct, frozen=True):
    """An instrument whose book only our orders change: its market, best bid and best ask with their sizes."""

    market: Market
    key: InstrumentKey
    bid: tuple[Price, Size]
    ask: tuple[Price, Size]


class BrokerHarness(Protocol):
    """A broker under test and the venue behind it."""

    rate_limits: bool
    """Whether the venue can be made to refuse with a rate limit."""

    def broker(self) -> Broker:
        """Return a new broker for the same account."""
        ...

    async def still_market(self) -> StillMarket:
        """Return an instrument with a two-sided book that only our orders change."""
        ...

    async def lose_next_response(self, broker: Broker) -> None:
        """Let the next order reach the venue and its response be lost."""
        ...

    async def limit_rate(self, broker: Broker) -> None:
        """Let the venue refuse the next request with a rate limit."""
        ...


def buy(still: StillMarket, name: str, **changes: Any) -> Approved:
    """Return a buy that takes the minimum size at the best ask, with ``changes``."""
    order = PlaceOrder(
        client_order_id=ClientOrderId(name),
        strategy=StrategyName("law"),
        key=still.key,
        side="buy",
        price=still.ask[0],
        size=still.market.min_order_size,
        tif="gtc",
    )
    return Approved(0, replace(order, **changes))


def cancel(still: StillMarket, name: str) -> Approved:
    """Return the cancellation of order ``name``."""
    return Approved(0, CancelOrder(ClientOrderId(name), still.key))


def replayed(snapshot: AccountSnapshot, events: Sequence[AccountEvent]) -> tuple[int, dict[InstrumentKey, int]]:
    """Return (cash, shares) after ``events``, micros."""
    cash = int(snapshot.cash)
    shares = {position.key: int(position.size) for position in snapshot.positions}
    for fill in events:
        if isinstance(fill, Fill):
            bought = fill.side == "buy"
            cash -= notional_up(fill.price, fill.size) if bought else -notional(fill.price, fill.size)
            cash -= fill.fee
            shares[fill.key] = shares.get(fill.key, 0) + (fill.size if bought else -fill.size)
    return cash, {key: size for key, size in shares.items() if size}


def held(snapshot: AccountSnapshot) -> tuple[int, dict[InstrumentKey, int]]:
    """Return (cash, shares) of a snapshot, micros."""
    return int(snapshot.cash), {position.key: int(position.size) for position in snapshot.positions}


class BrokerLaws:
    """B1 … B10 of every broker."""

    async def test_b1_every_order_ends_in_one_state(self, harness: BrokerHarness) -> None:
        still, broker = await harness.still_market(), harness.broker()
        low = still.market.tick_size
        for order in (
            buy(still, "rests", price=low),
            buy(still, "fills"),
            buy(still, "kills", price=low, tif="ioc"),
            buy(still, "all or none", size=Size(still.ask[1] + 10_000_000), tif="fok"),
            buy(still, "off grid", price=Price(low + 1)),
            buy(still, "too small", size=Size(1)),
        ):
            await broker.submit(order)
        events = await events_until(broker.events(), has("too small", OrderRejected))
        assert has("rests", OrderAccepted)(events)
        assert filled("fills", still.market.min_order_size)(events)
        for name in ("kills", "all or none"):
            assert has(name, OrderCancelled, OrderRejected)(events)
            assert not has(name, Fill)(events)
        assert has("off grid", OrderRejected)(events)
        assert [order.client_order_id for order in (await broker.snapshot()).open_orders] == ["rests"]
        await broker.aclose()

    async def test_b2_one_id_is_one_order(self, harness: BrokerHarness) -> None:
        still, broker = await harness.still_market(), harness.broker()
        before = await broker.snapshot()
        await broker.submit(buy(still, "twin"))
        await broker.submit(buy(still, "twin"))
        await broker.submit(buy(still, "last", price=still.market.tick_size))
        events = await events_until(broker.events(), has("last", OrderAccepted))
        after = await broker.snapshot()
        assert sum(event.size for event in events if isinstance(event, Fill)) == still.market.min_order_size
        assert replayed(before, events) == held(after)
        await broker.aclose()

    async def test_b3_money_and_shares_are_conserved(self, harness: BrokerHarness) -> None:
        still, broker = await harness.still_market(), harness.broker()
        before, size = await broker.snapshot(), Size(3 * still.market.min_order_size)
        await broker.submit(buy(still, "in", price=Price(1_000_000 - still.market.tick_size), size=size))
        events = broker.events()
        got = await events_until(events, filled("in", size))
        await broker.submit(buy(still, "out", side="sell", price=still.bid[0], size=size, tif="ioc"))
        got += await events_until(events, lambda e: filled("out", size)(e) or has("out", OrderCancelled)(e))
        fills = [event for event in got if isinstance(event, Fill)]
        assert sum(fill.size for fill in fills if fill.client_order_id == "in") == size
        assert len({(fill.client_order_id, fill.trade_id) for fill in fills}) == len(fills)
        assert replayed(before, got) == held(await broker.snapshot())
        await broker.aclose()

    async def test_b4_cancelling_the_impossible_is_answered_calmly(self, harness: BrokerHarness) -> None:
        still, broker = await harness.still_market(), harness.broker()
        events = broker.events()
        await broker.submit(buy(still, "done"))
        await events_until(events, filled("done", still.market.min_order_size))
        before = await broker.snapshot()
        await broker.submit(cancel(still, "done"))
        await broker.submit(cancel(still, "never was"))
        got = await events_until(events, has("never was", CancelRejected, OrderCancelled))
        assert not any(isinstance(event, Fill) for event in got)
        assert held(await broker.snapshot()) == held(before)
        await broker.aclose()

    async def test_b5_lost_answer_is_unknown_until_the_snapshot(self, harness: BrokerHarness) -> None:
        still, broker = await harness.still_market(), harness.broker()
        await harness.lose_next_response(broker)
        order = buy(still, "lost", price=still.market.tick_size)
        await broker.submit(order)
        await events_until(broker.events(), has("lost", OrderUnknown))
        assert [known.client_order_id for known in (await broker.snapshot()).open_orders] == ["lost"]
        await broker.submit(order)
        assert [known.client_order_id for known in (await broker.snapshot()).open_orders] == ["lost"]
        await broker.aclose()

    async def test_b6_post_only_never_takes(self, harness: BrokerHarness) -> None:
        still, broker = await harness.still_market(), harness.broker()
        await broker.submit(buy(still, "eager", post_only=True))
        events = await events_until(broker.events(), has("eager", OrderRejected))
        assert not any(isinstance(event, Fill) for event in events)
        await broker.aclose()

    async def test_b7_without_funds_there_is_no_order(self, harness: BrokerHarness) -> None:
        still, broker = await harness.still_market(), harness.broker()
        await broker.submit(buy(still, "greedy", price=still.market.tick_size, size=Size(10**15)))
        await broker.submit(buy(still, "naked", side="sell", size=Size(10**12)))
        await events_until(broker.events(), has("naked", OrderRejected))
        assert not (await broker.snapshot()).open_orders
        await broker.aclose()

    async def test_b8_events_explain_the_snapshots(self, harness: BrokerHarness) -> None:
        still, broker = await harness.still_market(), harness.broker()
        before = await broker.snapshot()
        events = broker.events()
        await broker.submit(buy(still, "a"))
        await broker.submit(buy(still, "b", price=still.market.tick_size))
        await broker.submit(cancel(still, "b"))
        got = await events_until(events, has("b", OrderCancelled))
        after = await broker.snapshot()
        assert replayed(before, got) == held(after)
        assert not after.open_orders
        await broker.aclose()

    async def test_b9_waits_when_told_to_slow_down(self, harness: BrokerHarness) -> None:
        if not harness.rate_limits:
            pytest.skip("this venue never refuses for load")
        still, broker = await harness.still_market(), harness.broker()
        await harness.limit_rate(broker)
        await broker.submit(buy(still, "patient", price=still.market.tick_size))
        await events_until(broker.events(), has("patient", OrderAccepted))
        await broker.aclose()

    async def test_b10_orders_of_an_earlier_run_are_found(self, harness: BrokerHarness) -> None:
        still, broker = await harness.still_market(), harness.broker()
        await broker.submit(buy(still, "old", price=still.market.tick_size))
        await events_until(broker.events(), has("old", OrderAccepted))
        await broker.aclose()
        later = harness.broker()
        (order,) = (await later.snapshot()).open_orders
        assert (order.client_order_id, order.key, order.remaining) == ("old", still.key, still.market.min_order_size)
        await later.submit(cancel(still, "old"))
        await events_until(later.events(), has("old", OrderCancelled))
        await later.aclose()
