"""The broker's delays, faults and settlement. Its laws are in tests/contract."""

import pytest

from predsurv.config import MockConfig
from predsurv.core.errors import PermanentError, TransientError
from predsurv.core.events import Fill, OrderAccepted
from predsurv.core.ids import ClientOrderId, InstrumentKey, StrategyName
from predsurv.core.num import Price, Size
from predsurv.core.orders import Approved, PlaceOrder
from predsurv.exchange.world import SECOND
from predsurv.net.clock import ManualClock
from predsurv.venues.mock import MockVenue
from predsurv.venues.mock.broker import LATENCY_NS
from tests.kit.account_events import events_until


def make(*faults: str) -> tuple[MockVenue, ManualClock, InstrumentKey]:
    clock = ManualClock(jumps=True)
    venue = MockVenue(MockConfig(enabled=True, markets=60, faults=faults), clock)
    return venue, clock, venue.clocked_exchange.exchange.markets()[0].key(0)


def order(key: InstrumentKey, name: str = "a") -> Approved:
    place = PlaceOrder(
        client_order_id=ClientOrderId(name),
        strategy=StrategyName("s"),
        key=key,
        side="buy",
        price=Price(990_000),
        size=Size(20_000_000),
        tif="ioc",
    )
    return Approved(0, place)


async def test_answers_take_one_latency_each_way() -> None:
    venue, clock, key = make()
    broker, sent = venue.broker(), clock.now()
    await broker.submit(order(key))
    (accepted, *_) = await events_until(broker.events(), bool)
    assert isinstance(accepted, OrderAccepted)
    assert sent + 2 * LATENCY_NS <= accepted.ts_recv < sent + 3 * LATENCY_NS
    await broker.aclose()


async def test_settlement_reaches_the_snapshot() -> None:
    venue, clock, key = make()
    broker = venue.broker()
    events = broker.events()
    await broker.submit(order(key))
    await events_until(events, lambda got: any(isinstance(event, Fill) for event in got))
    before = await broker.snapshot()
    assert [position.key for position in before.positions] == [key]
    await clock.sleep(20 * SECOND)
    after = await broker.snapshot()
    assert not after.positions
    won = after.cash - before.cash
    assert won in (0, before.positions[0].size)
    await broker.aclose()


async def test_scripted_timeout_loses_one_answer() -> None:
    venue, clock, key = make("timeout@1s")
    broker = venue.broker()
    events = broker.events()
    await broker.submit(order(key, "early"))
    assert isinstance((await events_until(events, bool))[0], OrderAccepted)
    await clock.sleep(SECOND)
    await broker.submit(order(key, "late"))
    got = await events_until(events, lambda all_: type(all_[-1]).__name__ == "OrderUnknown" if all_ else False)
    assert not any(isinstance(event, OrderAccepted) and event.client_order_id == "late" for event in got)
    await broker.aclose()


async def test_closed_broker_refuses_orders() -> None:
    venue, _, key = make()
    broker = venue.broker()
    await broker.aclose()
    await broker.aclose()
    with pytest.raises(PermanentError, match="closed"):
        await broker.submit(order(key))
    assert [event async for event in broker.events()] == []


async def test_too_many_unread_answers_are_an_error() -> None:
    venue, _, _ = make()
    broker = venue.broker()
    broker._answers.overflowed = True
    with pytest.raises(TransientError, match="snapshot"):
        await anext(broker.events())
