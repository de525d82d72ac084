"""A session follows the clock, feeds every reader, and bounds the slow one."""

from predsurv.exchange.tape import LevelChange, TapeEvent, TapeLifecycle
from predsurv.exchange.world import SECOND, build_groups, market_records
from predsurv.net.clock import ManualClock
from predsurv.venues.mock.clocked_exchange import INBOX_EVENTS_MAX, PUMP_EVENTS_MAX, ClockedExchange, TapeInbox


def make(rate: int) -> tuple[ClockedExchange, ManualClock]:
    clock = ManualClock()
    return ClockedExchange(7, 40, rate, clock), clock


async def test_exchange_time_is_clock_time() -> None:
    session, clock = make(200)
    assert not session.pump()
    await clock.advance(3 * SECOND)
    assert not session.pump()
    assert session.exchange.now == clock.now()
    assert session.age() == 3 * SECOND


async def test_every_reader_gets_everything() -> None:
    session, clock = make(200)
    first, second = session.listen(), session.listen()
    await clock.advance(SECOND)
    session.pump()
    assert first.get() == second.get() != []
    session.leave(second)
    await clock.advance(SECOND)
    session.pump()
    assert first
    assert not second


async def test_catching_up_takes_turns() -> None:
    session, clock = make(5_000)
    inbox = session.listen()
    await clock.advance(5 * SECOND)
    turns = 1
    while session.pump():
        turns += 1
    assert turns > 3
    chunks = []
    while inbox:
        chunks.append(len(inbox.get()))
    assert max(chunks) < PUMP_EVENTS_MAX + 500


def test_slow_reader_loses_prices_but_no_lives() -> None:
    inbox, market = TapeInbox(), market_records(build_groups(7, 1)[0], 0)[0]
    change, life = LevelChange(1, 0, 0, 1, "bid", market.tick_size, market.min_order_size), None
    life = TapeLifecycle(2, 0, market, "closed", "{}")
    inbox.put([life])
    chunk: list[TapeEvent] = [change] * INBOX_EVENTS_MAX
    inbox.put(chunk)
    assert inbox.dropped == INBOX_EVENTS_MAX
    assert inbox.get() == [life]
    assert inbox.get() == []
