"""The bucket is exact in the long run, fair, bounded, and obeys a venue's request to hold."""

import asyncio

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from predsurv.core.errors import RateLimited
from predsurv.net.clock import ManualClock
from predsurv.net.rate_limiter import TokenBucket
from predsurv.ports import RequestLevel

S = 1_000_000_000


async def test_a_burst_passes_and_the_next_waits_its_share() -> None:
    clock = ManualClock(jumps=True)
    bucket = TokenBucket(clock, tokens=10, period=S, burst=3)
    for _ in range(3):
        await bucket.acquire()
    assert clock.monotonic() == 0
    await bucket.acquire()
    assert clock.monotonic() == S // 10


async def test_the_room_that_is_left_is_told_without_taking_any() -> None:
    clock = ManualClock()
    bucket = TokenBucket(clock, tokens=1, period=S, burst=4)
    await bucket.acquire(3)
    assert bucket.level() == bucket.level() == RequestLevel(1, 4, 0)
    await clock.advance(2 * S)
    assert bucket.level() == RequestLevel(3, 4, 0)
    await clock.advance(9 * S)
    assert bucket.level() == RequestLevel(4, 4, 0)
    bucket.hold(S)
    task = asyncio.create_task(bucket.acquire())
    await clock.advance(0)
    assert bucket.level() == RequestLevel(0, 4, 1)
    await clock.advance(S)
    await task
    assert bucket.level() == RequestLevel(3, 4, 0)


async def test_waiting_callers_are_served_in_order() -> None:
    clock = ManualClock()
    bucket = TokenBucket(clock, tokens=1, period=S, burst=5)
    await bucket.acquire(5)
    order: list[int] = []

    async def taker(name: int, cost: int) -> None:
        await bucket.acquire(cost)
        order.append(name)

    tasks = [asyncio.create_task(taker(0, 5)), asyncio.create_task(taker(1, 1))]
    await clock.advance(4 * S)
    assert order == []
    await clock.advance(2 * S)
    assert order == [0, 1]
    await asyncio.gather(*tasks)


async def test_one_waiter_too_many_is_refused_with_a_time() -> None:
    clock = ManualClock()
    bucket = TokenBucket(clock, tokens=1, period=S, burst=1, waiters_max=2)
    await bucket.acquire()
    tasks = [asyncio.create_task(bucket.acquire()) for _ in range(2)]
    await clock.advance(0)
    with pytest.raises(RateLimited, match="slow down") as caught:
        await bucket.acquire()
    assert caught.value.retry_after_ns == S
    await clock.advance(2 * S)
    await asyncio.gather(*tasks)


async def test_a_cancelled_waiter_takes_nothing() -> None:
    clock = ManualClock()
    bucket = TokenBucket(clock, tokens=1, period=S, burst=1)
    await bucket.acquire()
    first, second = asyncio.create_task(bucket.acquire()), asyncio.create_task(bucket.acquire())
    await clock.advance(S // 2)
    first.cancel()
    await clock.advance(S // 2)
    assert second.done()


async def test_a_hold_stops_every_caller_waiting_or_new() -> None:
    clock = ManualClock()
    bucket = TokenBucket(clock, tokens=1, period=S, burst=2)
    bucket.hold(10 * S)
    bucket.hold(S)
    task = asyncio.create_task(bucket.acquire())
    await clock.advance(9 * S)
    assert not task.done()
    await clock.advance(S)
    assert task.done()


@pytest.mark.parametrize("cost", [0, -1, 3])
async def test_an_impossible_cost_is_refused(cost: int) -> None:
    bucket = TokenBucket(ManualClock(), tokens=1, period=S, burst=2)
    with pytest.raises(ValueError, match="not from 1 to 2"):
        await bucket.acquire(cost)


def test_impossible_bounds_are_refused() -> None:
    with pytest.raises(ValueError, match="positive"):
        TokenBucket(ManualClock(), tokens=0, period=S, burst=1)


@settings(max_examples=50)
@given(st.integers(1, 500), st.integers(1, 10), st.lists(st.integers(1, 10), min_size=1, max_size=30))
def test_no_window_carries_more_than_burst_plus_rate(tokens: int, burst: int, costs: list[int]) -> None:
    async def scenario() -> None:
        clock = ManualClock(jumps=True)
        bucket = TokenBucket(clock, tokens=tokens, period=10 * S, burst=burst)
        taken = 0
        for cost in costs:
            await bucket.acquire(min(cost, burst))
            taken += min(cost, burst)
            assert (taken - burst) * 10 * S <= clock.monotonic() * tokens
        assert clock.monotonic() <= max(0, taken - burst) * 10 * S // tokens + len(costs)

    asyncio.run(scenario())


async def test_what_was_spent_stays_spent_in_a_bucket_of_another_size() -> None:
    clock = ManualClock()
    bucket = TokenBucket(clock, tokens=1, period=S, burst=4)
    await bucket.acquire(3)
    bucket.resize(10, 20)
    assert bucket.level() == RequestLevel(17, 20, 0)
    await clock.advance(S // 10)
    assert bucket.level().available == 18
    bucket.resize(1, 5)
    assert bucket.level() == RequestLevel(5, 5, 0)
    with pytest.raises(ValueError, match="must be positive"):
        bucket.resize(0, 5)


async def test_who_counts_the_tokens_can_say_that_fewer_are_left_and_that_some_are_owed() -> None:
    clock = ManualClock(jumps=True)
    bucket = TokenBucket(clock, tokens=10, period=S, burst=20)
    bucket.lower_to(50)
    assert bucket.level().available == 20, "never more than were thought"
    bucket.lower_to(3)
    assert bucket.level().available == 3
    bucket.lower_to(-2)
    assert bucket.level().available == 0
    await bucket.acquire()
    assert clock.monotonic() == 3 * S // 10, "what is owed is paid first"
