"""How often an address is tried, whatever the lanes want."""

import asyncio

import pytest

from predsurv.net.clock import ManualClock
from predsurv.venues.streaming.connect_gate import ConnectGate
from predsurv.venues.streaming.session import StreamPolicy

S = 1_000_000_000


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock()


class Tries:
    """Lanes that try for ever and fail each time, or say how it went."""

    def __init__(self, clock: ManualClock, lanes: int) -> None:
        self.clock = clock
        self.admission = ConnectGate(clock, StreamPolicy())
        self.at: list[int] = []
        self.works = False
        self.flapped = False
        self.tasks = [asyncio.create_task(self.run(number)) for number in range(lanes)]

    async def run(self, who: int) -> None:
        while True:
            await self.admission.enter(who, flapped=self.flapped)
            self.at.append(self.clock.monotonic())
            if self.works:
                self.admission.proved()
                await asyncio.Event().wait()
            if not self.flapped:
                self.admission.failed(who)

    def in_any_minute(self) -> int:
        return max(sum(start <= at < start + 60 * S for at in self.at) for start in self.at)

    async def aclose(self) -> None:
        for task in self.tasks:
            task.cancel()
        await asyncio.gather(*self.tasks, return_exceptions=True)


@pytest.mark.parametrize("lanes", [1, 20])
async def test_an_address_that_gives_nothing_is_tried_ten_times_a_minute_at_most(
    clock: ManualClock, lanes: int
) -> None:
    tries = Tries(clock, lanes)
    await clock.advance(600 * S)
    assert tries.in_any_minute() <= 10
    assert len(tries.at) >= 50
    await tries.aclose()


@pytest.mark.parametrize("lanes", [1, 20])
async def test_connections_that_are_thrown_out_again_and_again_do_not_storm(clock: ManualClock, lanes: int) -> None:
    tries = Tries(clock, lanes)
    tries.flapped = True
    await clock.advance(600 * S)
    assert tries.in_any_minute() <= 10
    await tries.aclose()


async def test_everybody_comes_back_when_one_got_through(clock: ManualClock) -> None:
    tries = Tries(clock, 20)
    await clock.advance(300 * S)
    tries.works = True
    before, began = len(tries.at), clock.monotonic()
    while len(tries.at) - before < 20:
        await clock.advance(S // 10)
        assert clock.monotonic() - began < 20 * S
    await tries.aclose()


async def test_who_leaves_lets_another_try(clock: ManualClock) -> None:
    tries = Tries(clock, 2)
    await clock.advance(60 * S)
    tries.tasks[0].cancel()
    await asyncio.gather(tries.tasks[0], return_exceptions=True)
    tries.admission.leave(0)
    before = len(tries.at)
    await clock.advance(60 * S)
    assert len(tries.at) > before
    await tries.aclose()


async def test_venue_that_asked_for_a_pause_gets_it(clock: ManualClock) -> None:
    tries = Tries(clock, 1)
    tries.admission.hold(100 * S)
    await clock.advance(99 * S)
    assert tries.at == []
    await clock.advance(2 * S)
    assert tries.at[0] == 100 * S
    await tries.aclose()
