"""One queue per venue: order kept, overflow reported, replay made to wait."""

import asyncio
from collections.abc import Sequence

import pytest

from predsurv.core.events import Dropped, Gap, MarketEvent, Trade
from predsurv.core.ids import InstrumentId, InstrumentKey, VenueName
from predsurv.core.num import Price, Size
from predsurv.trade.event_queue import EventQueue
from tests.kit.trading_samples import START, YES, V, delta

OTHER = VenueName("other")


def batch(first: int, count: int) -> list[MarketEvent]:
    return [delta("bid", 40, number, START + number) for number in range(first, first + count)]


class Worker:
    """Takes batches while the gate is open."""

    def __init__(self) -> None:
        self.gate = asyncio.Event()
        self.taken: list[MarketEvent] = []

    async def __call__(self, events: Sequence[MarketEvent]) -> None:
        await self.gate.wait()
        self.taken += events


async def test_a_queue_keeps_its_order_and_finishes_on_exit() -> None:
    worker = Worker()
    worker.gate.set()
    async with EventQueue(worker, realtime=True) as queue:
        for first in range(0, 30, 10):
            assert not await queue.publish(V, batch(first, 10))
        await queue.join()
        assert queue.idle()
        await queue.publish(V, batch(30, 1))
    assert worker.taken == batch(0, 31)


async def test_venues_do_not_wait_for_each_other() -> None:
    seen: list[int] = []
    first = asyncio.Event()

    async def process(events: Sequence[MarketEvent]) -> None:
        if not seen:
            seen.append(0)
            await first.wait()
        seen.append(len(events))

    async with EventQueue(process, realtime=True) as queue:
        await queue.publish(V, batch(0, 1))
        await asyncio.sleep(0)
        await queue.publish(OTHER, batch(0, 2))
        for _ in range(5):
            await asyncio.sleep(0)
        assert seen == [0, 2]
        assert not queue.idle()
        first.set()


async def test_an_overflow_is_reported_as_events_and_names_the_instruments_to_restart() -> None:
    worker = Worker()
    async with EventQueue(worker, realtime=True, capacity=5) as queue:
        await queue.publish(V, batch(0, 3))
        await asyncio.sleep(0)
        await queue.publish(V, batch(3, 5))
        assert not await queue.publish(V, batch(8, 1))
        assert not await queue.publish(V, batch(9, 1))
        worker.gate.set()
        await queue.join()
        assert await queue.publish(V, batch(10, 1)) == {YES}
        assert not await queue.publish(V, batch(11, 1))
    at = START + 10
    loss = [event for event in worker.taken if isinstance(event, Dropped | Gap)]
    assert loss == [Dropped(V, at, 2), Gap(YES, at, "overflow", 1)]
    assert worker.taken.index(loss[0]) == 8
    assert len(worker.taken) == 12


async def test_a_trade_that_is_dropped_is_missing_in_the_book_in_which_it_happened() -> None:
    worker, no = Worker(), InstrumentKey(V, YES.market_id, InstrumentId("no"))
    told = Trade(no, START + 5, None, Price(600_000), Size(1), "buy", None)
    async with EventQueue(worker, realtime=True, capacity=3, primary_of=lambda _: YES) as queue:
        await queue.publish(V, batch(0, 3))
        await asyncio.sleep(0)
        await queue.publish(V, batch(3, 3))
        await queue.publish(V, [*batch(6, 1), told])
        worker.gate.set()
        await queue.join()
        assert await queue.publish(V, batch(10, 1)) == {YES}
    assert [event for event in worker.taken if isinstance(event, Gap)] == [Gap(YES, START + 10, "overflow", 1)]


async def test_a_replay_waits_for_room_and_nothing_is_dropped() -> None:
    worker = Worker()
    async with EventQueue(worker, realtime=False, capacity=5) as queue:
        await queue.publish(V, batch(0, 5))
        await asyncio.sleep(0)
        await queue.publish(V, batch(5, 5))
        waiting = asyncio.create_task(queue.publish(V, batch(10, 5)))
        for _ in range(3):
            await asyncio.sleep(0)
        assert not waiting.done()
        worker.gate.set()
        await waiting
    assert worker.taken == batch(0, 15)


async def test_an_exception_of_a_worker_is_raised_on_exit() -> None:
    async def broken(_: Sequence[MarketEvent]) -> None:
        raise ValueError("bug")

    async def run() -> None:
        async with EventQueue(broken, realtime=True) as queue:
            await queue.publish(V, batch(0, 1))
            await queue.join()

    with pytest.raises(ExceptionGroup) as caught:
        await run()
    assert isinstance(caught.value.exceptions[0], ValueError)
