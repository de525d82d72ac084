"""The manual clock moves only when told, and wakes sleepers in their order."""

import asyncio

from predsurv.net.clock import ManualClock, SystemClock, system_random
from predsurv.ports import Clock

S = 1_000_000_000


async def test_the_system_clock_is_a_clock() -> None:
    clock: Clock = SystemClock()
    before = clock.monotonic()
    await clock.sleep(-1)
    await clock.sleep(0)
    assert clock.monotonic() >= before
    assert clock.now() > 1_700_000_000 * S
    assert 0 <= system_random() < 1


async def test_sleepers_wake_in_order_and_see_their_own_moment() -> None:
    clock = ManualClock(100 * S)
    seen: list[tuple[str, int]] = []

    async def sleeper(name: str, duration: int) -> None:
        await clock.sleep(duration)
        seen.append((name, clock.monotonic()))

    tasks = [asyncio.create_task(sleeper(name, wait)) for name, wait in [("b", 2 * S), ("a", S), ("c", 5 * S)]]
    await clock.advance(3 * S)
    assert seen == [("a", S), ("b", 2 * S)]
    assert clock.now() == 103 * S
    await clock.advance(2 * S)
    assert [name for name, _ in seen] == ["a", "b", "c"]
    assert clock.slept == [2 * S, S, 5 * S]
    await asyncio.gather(*tasks)


async def test_a_sleeper_that_sleeps_again_is_woken_within_one_advance() -> None:
    clock = ManualClock()
    ticks: list[int] = []

    async def ticker() -> None:
        for _ in range(3):
            await clock.sleep(S)
            ticks.append(clock.monotonic())

    task = asyncio.create_task(ticker())
    await clock.advance(3 * S)
    assert ticks == [S, 2 * S, 3 * S]
    await task


async def test_a_cancelled_sleeper_is_forgotten() -> None:
    clock = ManualClock()
    task = asyncio.create_task(clock.sleep(S))
    await clock.advance(0)
    task.cancel()
    await clock.advance(2 * S)
    assert task.cancelled()


async def test_a_jumping_clock_does_not_wait() -> None:
    clock = ManualClock(jumps=True)
    await clock.sleep(5 * S)
    await clock.sleep(-S)
    assert clock.monotonic() == 5 * S
