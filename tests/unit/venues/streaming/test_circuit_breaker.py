"""How often an endpoint is tried, whatever its connections want."""

import asyncio

import pytest

from predsurv.net.clock import ManualClock
from predsurv.venues.streaming.circuit_breaker import CircuitBreaker
from predsurv.venues.streaming.policy import StreamPolicy

S = 1_000_000_000


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock()


class Tries:
    """Callers that try for ever and fail each time, or report success."""

    def __init__(self, clock: ManualClock, callers: int) -> None:
        self.clock = clock
        self.breaker = CircuitBreaker(clock, StreamPolicy())
        self.at: list[int] = []
        self.works = False
        self.flapped = False
        self.tasks = [asyncio.create_task(self.run(number)) for number in range(callers)]

    async def run(self, caller: int) -> None:
        while True:
            await self.breaker.acquire(caller, flapped=self.flapped)
            self.at.append(self.clock.monotonic())
            if self.works:
                self.breaker.success()
                await asyncio.Event().wait()
            if not self.flapped:
                self.breaker.failure(caller)

    def in_any_minute(self) -> int:
        return max(sum(start <= at < start + 60 * S for at in self.at) for start in self.at)

    async def aclose(self) -> None:
        for task in self.tasks:
            task.cancel()
        await asyncio.gather(*self.tasks, return_exceptions=True)


@pytest.mark.parametrize("callers", [1, 20])
async def test_an_endpoint_without_data_is_tried_ten_times_a_minute_at_most(clock: ManualClock, callers: int) -> None:
    tries = Tries(clock, callers)
    await clock.advance(600 * S)
    assert tries.in_any_minute() <= 10
    assert len(tries.at) >= 50
    await tries.aclose()


@pytest.mark.parametrize("callers", [1, 20])
async def test_connections_that_keep_breaking_do_not_flood_the_endpoint(clock: ManualClock, callers: int) -> None:
    tries = Tries(clock, callers)
    tries.flapped = True
    await clock.advance(600 * S)
    assert tries.in_any_minute() <= 10
    await tries.aclose()


async def test_success_admits_every_waiting_caller(clock: ManualClock) -> None:
    tries = Tries(clock, 20)
    await clock.advance(300 * S)
    tries.works = True
    before, began = len(tries.at), clock.monotonic()
    while len(tries.at) - before < 20:
        await clock.advance(S // 10)
        assert clock.monotonic() - began < 20 * S
    await tries.aclose()


async def test_a_released_trial_lets_another_caller_try(clock: ManualClock) -> None:
    tries = Tries(clock, 2)
    await clock.advance(60 * S)
    tries.tasks[0].cancel()
    await asyncio.gather(tries.tasks[0], return_exceptions=True)
    tries.breaker.release(0)
    before = len(tries.at)
    await clock.advance(60 * S)
    assert len(tries.at) > before
    await tries.aclose()


async def test_a_hold_admits_nobody_for_its_duration(clock: ManualClock) -> None:
    tries = Tries(clock, 1)
    tries.breaker.hold(100 * S)
    await clock.advance(99 * S)
    assert tries.at == []
    await clock.advance(2 * S)
    assert tries.at[0] == 100 * S
    await tries.aclose()
