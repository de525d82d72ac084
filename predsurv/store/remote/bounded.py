"""Many requests of which only a few are made at the same time."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from typing import Final, TypeVar

AT_ONCE: Final = 8
"""Concurrent requests."""

_Item = TypeVar("_Item")
_Result = TypeVar("_Result")


async def map_bounded(items: Sequence[_Item], work: Callable[[_Item], Awaitable[_Result]]) -> list[_Result]:
    """Return the result of ``work`` for each item, AT_ONCE at a time; raises the first failure."""
    slots = asyncio.Semaphore(AT_ONCE)

    async def run(item: _Item) -> _Result:
        async with slots:
            return await work(item)

    try:
        async with asyncio.TaskGroup() as group:
            tasks = [group.create_task(run(item)) for item in items]
    except BaseExceptionGroup as failures:
        raise failures.exceptions[0] from None
    return [task.result() for task in tasks]
