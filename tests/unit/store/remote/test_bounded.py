"""Many items, few requests at a time, and no more tasks than these."""

import asyncio

import pytest

from predsurv.store.remote.bounded import AT_ONCE, map_bounded


async def test_results_are_in_order_and_few_are_worked_on_at_a_time() -> None:
    at_work = peak = tasks = 0

    async def work(number: int) -> int:
        nonlocal at_work, peak, tasks
        at_work += 1
        peak, tasks = max(peak, at_work), max(tasks, len(asyncio.all_tasks()))
        for _ in range(number % 3):
            await asyncio.sleep(0)
        at_work -= 1
        return -number

    assert await map_bounded(range(100), work) == [-number for number in range(100)]
    assert peak == AT_ONCE
    assert tasks <= AT_ONCE + 1


async def test_the_first_failure_is_raised_and_ends_the_rest() -> None:
    done: list[int] = []

    async def work(number: int) -> None:
        await asyncio.sleep(0)
        if number == 3:
            raise FileNotFoundError(str(number))
        done.append(number)

    with pytest.raises(FileNotFoundError, match="3"):
        await map_bounded(range(100), work)
    assert len(done) < 2 * AT_ONCE


async def test_nothing_is_nothing() -> None:
    assert await map_bounded([], asyncio.sleep) == []
