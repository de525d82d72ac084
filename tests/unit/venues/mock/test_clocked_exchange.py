"""The exchange follows the clock, feeds every reader, and bounds what a slow one has not read."""

from predsurv.exchange.tape import LevelChange, TapeEvent, TapeLifecycle
from predsurv.exchange.world import SECOND, build_groups, market_records
from predsurv.net.clock import ManualClock
from predsurv.venues.mock.clocked_exchange import BUFFERED_EVENTS_MAX, PUMP_EVENTS_MAX, ClockedExchange, TapeBuffer


def make(rate: int) -> tuple[ClockedExchange, ManualClock]:
    clock = ManualClock()
    return ClockedExchange(7, 40, rate, clock), clock


async def test_exchange_time_is_clock_time() -> None:
    clocked, clock = make(200)
    assert not clocked.pump()
    await clock.advance(3 * SECOND)
    assert not clocked.pump()
    assert clocked.exchange.now == clock.now()
    assert clocked.age() == 3 * SECOND


async def test_every_reader_gets_everything() -> None:
    clocked, clock = make(200)
    first, second = clocked.subscribe(), clocked.subscribe()
    await clock.advance(SECOND)
    clocked.pump()
    assert first.get() == second.get() != []
    clocked.unsubscribe(second)
    await clock.advance(SECOND)
    clocked.pump()
    assert first
    assert not second


async def test_catching_up_with_the_clock_takes_several_pumps() -> None:
    clocked, clock = make(5_000)
    buffer = clocked.subscribe()
    await clock.advance(5 * SECOND)
    turns = 1
    while clocked.pump():
        turns += 1
    assert turns > 3
    chunks = []
    while buffer:
        chunks.append(len(buffer.get()))
    assert max(chunks) < PUMP_EVENTS_MAX + 500


def test_slow_reader_loses_level_changes_but_no_lifecycle_events() -> None:
    buffer, market = TapeBuffer(), market_records(build_groups(7, 1)[0], 0)[0]
    change, life = LevelChange(1, 0, 0, 1, "bid", market.tick_size, market.min_order_size), None
    life = TapeLifecycle(2, 0, market, "closed", "{}")
    buffer.put([life])
    chunk: list[TapeEvent] = [change] * BUFFERED_EVENTS_MAX
    buffer.put(chunk)
    assert buffer.dropped == BUFFERED_EVENTS_MAX
    assert buffer.get() == [life]
    assert buffer.get() == []
