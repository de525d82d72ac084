"""Many requests of which only a few are made at the same time."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from typing import Final, TypeVar, cast

AT_ONCE: Final = 8
"""Concurrent requests."""

_Item = TypeVar("_Item")
_Result = TypeVar("_Result")


async def map_bounded(items: Sequence[_Item], work: Callable[[_Item], Awaitable[_Result]]) -> list[_Result]:
    """Return the result of ``work`` for each item, AT_ONCE at a time; raises the first failure."""
    results: list[_Result | None] = [None] * len(items)
    numbers = iter(range(len(items)))  # shared: there is a task for each request at a time, not for each item

    async def run() -> None:
        for number in numbers:
            results[number] = await work(items[number])

    try:
        async with asyncio.TaskGroup() as group:
            for _ in range(min(AT_ONCE, len(items))):
                group.create_task(run())
    except BaseExceptionGroup as failures:
        raise failures.exceptions[0] from None
    return cast(list[_Result], results)
