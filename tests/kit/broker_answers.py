"""Wait for what a broker answers."""

import asyncio
from collections.abc import AsyncIterator, Callable

from predsurv.core.events import (
    AccountEvent,
    Fill,
)

TIMEOUT_S = 20

Answered = Callable[[list[AccountEvent]], bool]


async def answers(events: AsyncIterator[AccountEvent], until: Answered) -> list[AccountEvent]:
    """Return the answers up to the one that satisfies ``until``; fails when that takes too long."""
    got: list[AccountEvent] = []
    async with asyncio.timeout(TIMEOUT_S):
        while not until(got):
            got.append(await anext(events))
    return got


def told(name: str, *kinds: type) -> Answered:
    """Return the question whether order ``name`` has had an answer of one of ``kinds``."""
    return lambda events: any(isinstance(event, kinds) and event.client_order_id == name for event in events)


def filled(name: str, size: int) -> Answered:
    """Return the question whether ``size`` of order ``name`` was filled."""
    return lambda events: sum(e.size for e in events if isinstance(e, Fill) and e.client_order_id == name) >= size
