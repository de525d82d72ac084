"""Wait for the account events of a broker."""

import asyncio
from collections.abc import AsyncIterator, Callable

from predsurv.core.events import AccountEvent, AccountNews, Fill, MarketResolved
from predsurv.core.reconciliation import ReconciliationEvent
from tests.kit.patience import PATIENCE_S

Condition = Callable[[list[AccountEvent]], bool]


async def events_until(events: AsyncIterator[AccountNews], condition: Condition) -> list[AccountEvent]:
    """Return the events up to the one that satisfies ``condition``; fails after ``PATIENCE_S``."""
    received: list[AccountEvent] = []
    async with asyncio.timeout(PATIENCE_S):
        while not condition(received):
            event = await anext(events)
            if not isinstance(event, ReconciliationEvent | MarketResolved):
                received.append(event)
    return received


def has(name: str, *kinds: type) -> Condition:
    """Return the condition that order ``name`` has an event of one of ``kinds``."""
    return lambda events: any(isinstance(event, kinds) and event.client_order_id == name for event in events)


def filled(name: str, size: int) -> Condition:
    """Return the condition that at least ``size`` of order ``name`` was filled."""
    return lambda events: sum(e.size for e in events if isinstance(e, Fill) and e.client_order_id == name) >= size
